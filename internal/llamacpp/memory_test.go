package llamacpp

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"starling/internal/engine"
	"starling/internal/gguf"
)

// remembering are tiny models that remember what they read in another way than by keys and
// values of all of it.
func remembering() map[string]gguf.Spec {
	tiny := gguf.TinyLlama
	tiny.Untied = false
	window := tiny
	window.Architecture, window.Layers = "gemma3", 6 // of which the last looks back over everything
	return map[string]gguf.Spec{"a window": sliding(window, 16), "a state": states(tiny), "both in turn": hybrid(tiny)}
}

// sliding adds to a shape what layers have that look back over a window.
func sliding(s gguf.Shape, window uint32) gguf.Spec {
	spec := s.Spec(gguf.F16, 1)
	spec.Metadata = append(spec.Metadata, gguf.Entry{Key: "gemma3.attention.sliding_window", Value: window})
	for i := range s.Layers {
		spec.Tensors = append(spec.Tensors,
			tensor(i, "attn_q_norm.weight", 1, 0, s.HeadDim), tensor(i, "attn_k_norm.weight", 1, 0, s.HeadDim),
			tensor(i, "post_attention_norm.weight", 1, 0, s.Embedding), tensor(i, "post_ffw_norm.weight", 1, 0, s.Embedding))
	}
	return spec
}

// states are the layers of Mamba, which keep a state and no keys.
func states(s gguf.Shape) gguf.Spec {
	const inner, state, rank, conv = 128, 16, 4, 4
	s.Architecture, s.FeedForward, s.Heads, s.KVHeads = "mamba", 0, 0, 0
	layers := s.Layers
	s.Layers = 0
	spec := s.Spec(gguf.F16, 1)
	for i, e := range spec.Metadata {
		if e.Key == "mamba.block_count" {
			spec.Metadata[i].Value = uint32(layers)
		}
	}
	spec.Metadata = append(spec.Metadata, own("mamba", "ssm.conv_kernel", conv), own("mamba", "ssm.inner_size", inner), own("mamba", "ssm.state_size", state), own("mamba", "ssm.time_step_rank", rank))
	for i := range layers {
		spec.Tensors = append(spec.Tensors,
			tensor(i, "attn_norm.weight", 1, 0, s.Embedding),
			tensor(i, "ssm_in.weight", 0, 0.12, s.Embedding, 2*inner),
			tensor(i, "ssm_conv1d.weight", 0, 0.5, conv, inner), tensor(i, "ssm_conv1d.bias", 0, 0, inner),
			tensor(i, "ssm_x.weight", 0, 0.1, inner, rank+2*state),
			tensor(i, "ssm_dt.weight", 0, 0.5, rank, inner), tensor(i, "ssm_dt.bias", -1, 0.5, inner),
			tensor(i, "ssm_a", -0.2, 0, state, inner), tensor(i, "ssm_d", 1, 0, inner),
			tensor(i, "ssm_out.weight", 0, 0.1, inner, s.Embedding))
	}
	return spec
}

// hybrid has layers of both kinds in turn, as Granite 4 has.
func hybrid(s gguf.Shape) gguf.Spec {
	const inner, state, heads, groups, conv = 128, 16, 4, 1, 4
	const arch, mixed = "granitehybrid", inner + 2*groups*state
	s.Architecture, s.Layers = arch, 4
	spec := s.Spec(gguf.F16, 1)
	for i, e := range spec.Metadata {
		if e.Key == arch+".attention.head_count_kv" {
			spec.Metadata[i].Value = []uint32{0, uint32(s.KVHeads), 0, uint32(s.KVHeads)}
		}
	}
	spec.Metadata = append(spec.Metadata, own(arch, "ssm.conv_kernel", conv), own(arch, "ssm.inner_size", inner), own(arch, "ssm.state_size", state), own(arch, "ssm.time_step_rank", heads), own(arch, "ssm.group_count", groups))
	var kept []gguf.Source
	for _, t := range spec.Tensors {
		if state := strings.HasPrefix(t.Name, "blk.0.") || strings.HasPrefix(t.Name, "blk.2."); !state || !strings.Contains(t.Name, "attn_") || strings.Contains(t.Name, "attn_norm") {
			kept = append(kept, t)
		}
	}
	for _, i := range []int64{0, 2} {
		kept = append(kept,
			tensor(i, "ssm_in.weight", 0, 0.12, s.Embedding, 2*inner+2*groups*state+heads),
			tensor(i, "ssm_conv1d.weight", 0, 0.5, conv, mixed), tensor(i, "ssm_conv1d.bias", 0, 0, mixed),
			tensor(i, "ssm_dt.bias", -1, 0.5, heads), tensor(i, "ssm_a", -0.2, 0, 1, heads), tensor(i, "ssm_d", 1, 0, 1, heads),
			tensor(i, "ssm_norm.weight", 1, 0, inner/groups, groups),
			tensor(i, "ssm_out.weight", 0, 0.1, inner, s.Embedding))
	}
	spec.Tensors = kept
	return spec
}

func own(architecture, key string, n uint32) gguf.Entry {
	return gguf.Entry{Key: architecture + "." + key, Value: n}
}

// tensor is one of a layer, with numbers by chance of that mean and deviation.
func tensor(layer int64, name string, mean, deviation float64, dims ...int64) gguf.Source {
	name = fmt.Sprintf("blk.%d.%s", layer, name)
	return gguf.Source{Name: name, Dims: dims, Type: gguf.F32, Fill: func(w io.Writer) error {
		chance, n := rand.New(rand.NewPCG(1, uint64(len(name))+uint64(layer)<<32)), int64(1)
		for _, d := range dims {
			n *= d
		}
		var b []byte
		for range n {
			b = binary.LittleEndian.AppendUint32(b, math.Float32bits(float32(mean+deviation*chance.NormFloat64())))
		}
		_, err := w.Write(b)
		return err
	}}
}

// TestWhatIsRememberedIsWhatWasRead: whatever was asked before, an answer is that of a
// child which has read nothing else.
func TestWhatIsRememberedIsWhatWasRead(t *testing.T) {
	tale := words(100) // of which a cache of a window's length would have lost the beginning
	for name, spec := range remembering() {
		t.Run(name, func(t *testing.T) {
			file := written(t, spec)
			c := begin(t, engine.Load{Model: file, Context: 1024, Batch: 8})
			for _, g := range []engine.Generate{
				{Prompt: plain(tale), MaxTokens: 1},
				{Prompt: plain(tale), MaxTokens: 1}, // all but the last token is known
				{Prompt: plain(tale + "and"), MaxTokens: 30},
				{Prompt: plain(tale + "and"), MaxTokens: 1},
				{Prompt: plain(tale + "or"), MaxTokens: 2},
				{Prompt: plain(tale[:100] + "x"), MaxTokens: 1},
				{Prompt: plain(tale[:100] + "y"), MaxTokens: 1},
				{Prompt: plain(tale[:100] + "yz"), MaxTokens: 8},
			} {
				g.Logprobs, g.Grammar = true, "root ::= [a-z]{60}"
				alike(t, c.ask(g), begin(t, engine.Load{Model: file, Context: 1024, Batch: 8}).ask(g))
			}
		})
	}
}

// TestATalkIsNotForgottenForOneThatOnlyBeginsAlike: a state of more than the beginning is
// of no use to another talk, which goes where nothing is lost.
func TestATalkIsNotForgottenForOneThatOnlyBeginsAlike(t *testing.T) {
	for name, spec := range remembering() {
		t.Run(name, func(t *testing.T) {
			c := begin(t, engine.Load{Model: written(t, spec), Sequences: 2})
			ask := func(text string) answer { return c.ask(engine.Generate{Prompt: plain(words(4) + text), MaxTokens: 1}) }
			first := ask("said one")
			ask("said two")
			if d := ask("said one and more").Done; d.Cached < first.Done.Prompt-1 {
				t.Errorf("of %d tokens %d are read again: %+v", first.Done.Prompt, first.Done.Prompt-d.Cached, d)
			}
		})
	}
}

// TestChoicesShareOneReadingWhateverTheModelRemembers: what is copied for them is all that
// their model keeps, and stays as it is while another reads and writes beside them.
func TestChoicesShareOneReadingWhateverTheModelRemembers(t *testing.T) {
	for name, spec := range remembering() {
		t.Run(name, func(t *testing.T) {
			file := written(t, spec)
			c := begin(t, engine.Load{Model: file, Sequences: 4, Batch: 8}) // so that reading takes several steps
			for range 2 {                                                   // then where others have left something
				beside, g := engine.Generate{Prompt: plain(words(12)), MaxTokens: 30, Logprobs: true, Grammar: "root ::= [a-z]{60}"}, babble(3)
				ids := []uint64{c.order(engine.Order{Generate: &beside}), c.order(engine.Order{Generate: &g})}
				all := c.hearAll(ids...)
				alike(t, all[ids[0]][0], begin(t, engine.Load{Model: file}).ask(beside))
				for i, got := range all[ids[1]] {
					alike(t, got, begin(t, engine.Load{Model: file}).alone(g, i))
					if i > 0 && got.Done.Cached != got.Done.Prompt {
						t.Errorf("choice %d has read the prompt too: %+v", i, got.Done)
					}
				}
				next := beside
				next.Prompt = plain(g.Prompt[0].Text + all[ids[1]][2].text + " Then")
				alike(t, c.ask(next), begin(t, engine.Load{Model: file}).ask(next))
			}
		})
	}
}

// alike reports where two answers differ.
func alike(t *testing.T, got, want answer) {
	t.Helper()
	if got.text == "" || got.text != want.text || len(got.tokens) != len(want.tokens) {
		t.Errorf("%q, not %q", got.text, want.text)
		return
	}
	for i, token := range got.tokens {
		if x, y := *token.Logprob, *want.tokens[i].Logprob; math.Abs(x-y) > closeTo {
			t.Errorf("token %d: %f, not %f", i, x, y)
		}
	}
}
