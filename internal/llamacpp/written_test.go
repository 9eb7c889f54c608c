package llamacpp

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"starling/internal/engine"
	"starling/internal/gguf"
)

// quantised returns the file that the library makes of another in a child.
func quantised(t *testing.T, from, kind string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), kind+".gguf")
	cmd := exec.Command(os.Args[0], realLibrary(t), from, kind)
	cmd.Env = append(os.Environ(), "STARLING_TEST_QUANTIZE="+to)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", kind, err, out)
	}
	return to
}

func TestTheLibraryAnswersWithWhatIsWrittenForIt(t *testing.T) {
	wide := gguf.TinyQwen // whose rows are whole blocks of Q4_K
	wide.Name, wide.Embedding, wide.FeedForward = "wider-qwen3", 256, 256
	for _, c := range []struct {
		shape     gguf.Shape
		quantised []string
	}{{gguf.TinyQwen, []string{"Q8_0", "Q4_0"}}, {gguf.TinyLlama, []string{"Q8_0", "Q4_0"}}, {wide, []string{"Q4_K_M"}}} {
		half := written(t, c.shape.Spec(gguf.F16, 1))
		files := map[string]string{"F32": written(t, c.shape.Spec(gguf.F32, 1)), "F16": half}
		for _, kind := range c.quantised {
			files[kind] = quantised(t, half, kind)
		}
		for kind, file := range files {
			t.Run(c.shape.Name+" "+kind, func(t *testing.T) { answersAsWritten(t, c.shape, kind, file) })
		}
	}
}

// answersAsWritten checks that the library finds in a file what the shape says of it.
func answersAsWritten(t *testing.T, shape gguf.Shape, kind, file string) {
	header, err := gguf.Open(file)
	if err != nil || header.Quantisation() != kind {
		t.Fatalf("%v: a file of %s", err, header.Quantisation())
	}
	c := begin(t, engine.Load{Model: file, Sequences: 2})
	if l := c.loaded; l.Architecture != shape.Architecture || int64(l.Vocabulary) != shape.Vocabulary ||
		int64(l.Trained) != shape.Context || int64(l.Dimensions) != shape.Embedding || l.Bytes != header.Weights() || l.EOS != "<|im_end|>" {
		t.Errorf("loaded as %+v; the file's tensors have %d bytes", l, header.Weights())
	}
	// The likeliest token of noise may end an answer at once, and one by chance may too.
	g := engine.Generate{Prompt: plain("Hello, world"), MaxTokens: 12, Logprobs: true, Grammar: "root ::= [a-z]{40}", Sampling: engine.Sampling{Temperature: 1, Seed: seed(1)}}
	a, again := c.ask(g), c.ask(g)
	if a.Done == nil || a.text == "" || a.text != again.text || a.Done.Output != 12 {
		t.Fatalf("%q, then %q: %+v", a.text, again.text, a.Report)
	}
	id := c.order(engine.Order{Count: &engine.Count{Text: g.Prompt}})
	counted := c.hear(id)[id].Counted
	if counted == nil || len(counted.Tokens) != a.Done.Prompt || slices.Max(counted.Tokens) >= int32(shape.Vocabulary) {
		t.Errorf("%+v counted, %d read", counted, a.Done.Prompt)
	}
}
