package family

import (
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"starling"
	"starling/internal/engine"
	"starling/internal/llamacpp"
)

// TestMain lets the test's own program be the child in which the library is called.
func TestMain(m *testing.M) {
	if os.Getenv("STARLING_TEST_SERVE") != "" {
		in, out, err := llamacpp.Stdio()
		if err == nil {
			err = llamacpp.Serve(context.Background(), in, out)
		}
		if err != nil {
			os.Stderr.WriteString(err.Error())
			os.Exit(3)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// A voice is a child that has loaded the tiny model.
type voice struct {
	*engine.Conn
	t  *testing.T
	id uint64
}

type pipes struct {
	io.Reader
	io.WriteCloser
}

func stories(t *testing.T) *voice {
	t.Helper()
	library := os.Getenv("STARLING_TEST_ENGINE")
	if library == "" {
		t.Skip("STARLING_TEST_ENGINE names no folder with llama.cpp's library")
	}
	dir := os.Getenv("STARLING_TEST_WEIGHTS")
	if dir == "" {
		dir = "../../../shared/weights"
	}
	file, err := filepath.Abs(filepath.Join(dir, "stories260K.gguf"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(file); err != nil {
		t.Skip("there is no tiny model in ../shared/weights, nor where STARLING_TEST_WEIGHTS says")
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "STARLING_TEST_SERVE=1", "GORACE=atexit_sleep_ms=0")
	cmd.Stderr = os.Stderr
	in, err1 := cmd.StdinPipe()
	out, err2 := cmd.StdoutPipe()
	if err1 != nil || err2 != nil || cmd.Start() != nil {
		t.Fatal("no child")
	}
	c := &voice{Conn: engine.NewConn(pipes{out, in}), t: t}
	t.Cleanup(func() { _, _ = c.Close(), cmd.Wait() })
	c.send(engine.Order{Load: &engine.Load{Library: library, Model: file, Context: 512, Sequences: 4, Threads: 1}})
	for {
		switch r := c.next(); {
		case r.Fault != nil:
			t.Fatalf("%+v", r.Fault)
		case r.Loaded != nil:
			return c
		}
	}
}

func (c *voice) send(o engine.Order) {
	c.t.Helper()
	if err := c.Send(o); err != nil {
		c.t.Fatal(err)
	}
}

func (c *voice) next() engine.Report {
	c.t.Helper()
	r, err := c.Receive()
	if err != nil {
		c.t.Fatal(err)
	}
	return r
}

// ask returns the tokens of an answer, and how it ended.
func (c *voice) ask(g engine.Generate) (all []engine.Token, done engine.Done) {
	c.t.Helper()
	c.id++
	c.send(engine.Order{ID: c.id, Generate: &g})
	for {
		switch r := c.next(); {
		case r.Fault != nil:
			c.t.Fatalf("%+v", r.Fault)
		case r.Token != nil:
			all = append(all, *r.Token)
		case r.Done != nil:
			return all, *r.Done
		}
	}
}

// The grammars name special tokens by their texts, which the library takes for what these
// tokens say. One that ends an answer is none of that: it ends the answer or nothing.
func TestAGrammarNamesASpecialTokenByItsText(t *testing.T) {
	c := stories(t)
	prompt := []engine.Text{{Text: "Once"}}
	tokens, done := c.ask(engine.Generate{Prompt: prompt, Grammar: `root ::= "<s>x"`, MaxTokens: 20, Sampling: engine.Sampling{Bias: map[int32]float32{1: 100}}})
	if len(tokens) < 2 || tokens[0].ID != 1 || tokens[0].Text != "<s>" || done.Finish != starling.Stopped {
		t.Errorf("%+v %+v", tokens, done)
	}
	tokens, done = c.ask(engine.Generate{Prompt: prompt, Grammar: `root ::= "</s>x"`, MaxTokens: 20, Sampling: engine.Sampling{Bias: map[int32]float32{2: 100}}})
	text := ""
	for _, k := range tokens {
		if text += k.Text; k.ID == 2 {
			t.Error("the end of the answer was taken for its text")
		}
	}
	if text != "</s>x" || done.Finish != starling.Stopped {
		t.Errorf("%q %+v", text, done)
	}
}

// The model writes nonsense, which is what the grammar has to hold to calls.
func TestWhatIsWrittenUnderForceIsCalls(t *testing.T) {
	c := stories(t)
	ended, least := 0, 10
	if testing.Short() {
		least = 1
	}
	for d, profiles := range dialects() {
		for i, p := range profiles {
			for seed := range uint32(3) {
				if i > 0 && seed != 1 || testing.Short() && (i > 0 || seed != 2) {
					continue // each way to call and each to think, not each with each
				}
				chat := &starling.Chat{Tools: bounded, ToolChoice: starling.ToolChoice{Mode: "required"}, Parallel: new(bool)}
				if seed == 1 {
					chat.Parallel = nil
				}
				if seed == 2 {
					chat.ToolChoice = starling.ToolChoice{Mode: "tool", Name: bounded[1].Name}
				}
				gbnf, loose, err := p.Force(chat, nil)
				if err != nil || loose != nil {
					t.Fatal(d, err, loose)
				}
				g := engine.Generate{Prompt: []engine.Text{{Text: "Once upon a time"}}, Grammar: gbnf, MaxTokens: 200, Stop: p.Stop}
				if seed > 0 {
					g.Sampling = engine.Sampling{Temperature: 1, Seed: &seed}
				}
				tokens, done := c.ask(g)
				r, text := p.Reader(chat.Tools), ""
				var deltas []starling.Delta
				for _, k := range tokens {
					text += k.Text
					deltas = append(deltas, r.Add(k.Text)...)
				}
				rest, finish := r.End()
				switch why := noCalls(chat, append(deltas, rest...), finish); {
				case done.Finish == starling.StopWord:
					t.Errorf("%s %d: stopped at %q in %q", d, i, done.Stop, text)
				case done.Finish == starling.Stopped && why != "":
					t.Errorf("%s %d: %s: %q", d, i, why, text)
				case done.Finish == starling.Stopped:
					ended++
				}
			}
		}
	}
	if ended < least {
		t.Errorf("only %d answers ended", ended)
	}
}

// bounded are tools whose arguments a model that writes nonsense comes to an end with.
var bounded = []starling.Tool{
	{Name: "weather", Schema: []byte(`{"type":"object","properties":{"city":{"type":"string","maxLength":12},"days":{"type":"integer","minimum":1,"maximum":9}},"required":["city","days"]}`)},
	{Name: "sing", Schema: []byte(`{"type":"object","properties":{"song":{"enum":["<|im_end|>","a<b","la"]},"again":{"type":"boolean"},"who":{"type":"object","properties":{"name":{"type":"string","pattern":"^[a-z<]{1,5}$"}},"required":["name"]}},"required":["who"]}`)},
}
