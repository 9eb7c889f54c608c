package main

import (
	"slices"
	"strings"
	"testing"
	"time"

	"starling"
	"starling/internal/gguf"
)

func TestTokensWrittenWhileOthersStillReadDoNotCountAsGenerated(t *testing.T) {
	at := func(ms ...int) (all []time.Duration) {
		for _, n := range ms {
			all = append(all, time.Duration(n)*time.Millisecond)
		}
		return all
	}
	a := together([]stream{
		{pieces: at(100, 150, 190, 300, 400), end: at(410)[0], prompt: 10, output: 5},
		{pieces: at(200, 300, 400), end: at(400)[0], prompt: 10, output: 3},
		{end: at(120)[0], prompt: 10, output: 1}, // half a character
	})
	want := answer{First: at(200)[0], Total: at(410)[0], Prompt: 30, Tokens: 9, Early: 2}
	if a != want {
		t.Fatalf("got %+v, want %+v", a, want)
	}
	if got := a.reads(); got != 150 {
		t.Errorf("%g tokens read a second, want 150", got)
	}
	if got, want := a.writes(3), 4/0.21; got < want-1e-9 || got > want+1e-9 {
		t.Errorf("%g tokens written a second, want %g", got, want)
	}
}

func TestNoPromptBeginsAsAnotherDid(t *testing.T) {
	b, seen := &bench{}, map[string]bool{}
	var last []string // words with which the latest ones begin
	for range 100 {
		for _, p := range b.prompts(8, 32) {
			word := strings.Fields(p)[0]
			if seen[p] || slices.Contains(last, word) {
				t.Fatalf("%q was asked, or begins as one of the latest did", p)
			}
			seen[p], last = true, append(last, word)
			last = last[max(0, len(last)-32):]
		}
	}
}

func TestAStreamIsReadToItsEnd(t *testing.T) {
	for _, c := range []struct {
		name, body, err string
		pieces          int
	}{
		{"whole", "data: {\"choices\":[{\"text\":\"a\"}]}\n\n: beat\n\ndata: {\"choices\":[{\"text\":\"\"}]}\n\ndata: {\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":2,\"prompt_tokens_details\":{\"cached_tokens\":1}}}\n\ndata: [DONE]\n\n", "", 1},
		{"cut", "data: {\"choices\":[{\"text\":\"a\"}]}\n\n", "ended too early", 1},
		{"failed", "data: {\"error\":{\"message\":\"it fell\"}}\n\n", "it fell", 0},
		{"garbage", "data: {\n\n", "unexpected end", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			var s stream
			err := s.listen(strings.NewReader(c.body), time.Now())
			if c.err == "" && (err != nil || s.prompt != 8 || s.output != 2) || c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
				t.Errorf("%+v, %v", s, err)
			}
			if len(s.pieces) != c.pieces {
				t.Errorf("%d pieces, want %d", len(s.pieces), c.pieces)
			}
		})
	}
}

func TestTheFindingsNameWhatMissedAndWhatFourBitsGain(t *testing.T) {
	s := store{dir: "d"}
	f16, four := s.weights(gguf.TinyQwen, "F16"), s.weights(gguf.TinyQwen, "Q4_0")
	some := func(reads, writes, first float64, peak int64) figures {
		return figures{reads: []float64{reads, reads}, writes: []float64{writes, writes}, first: []float64{first, first}, cores: []float64{1, 1}, peak: peak}
	}
	x := &text{perKWh: starling.Dollar * 15 / 100, results: []*result{
		{&setting{f16, 1, 1, 512}, some(100, 20, 50, 1000), some(99, 20, 52, 1000)},
		{&setting{four, 1, 1, 512}, some(150, 50, 40, 500), some(148.5, 45, 46, 400)},
	}}
	got := x.findings()
	for _, want := range []string{
		"Prompt speed, at least 0.97 of the library called directly: **met in 2 of 2 settings**",
		"Generation speed, at least 0.97 of the library called directly: **met in 1 of 2 settings**",
		"Missed: tiny-qwen3-Q4_0, threads 1, at once 1: **0.900** (0.900–0.900).",
		"First token, at most 5 ms above the library called directly: **met in 1 of 2 settings**",
		"tiny-qwen3-Q4_0 against F16: prompts 1.50 to 1.50 times as fast, generation 2.25 to 2.25 times, peak memory -60 to -60 %",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the findings lack %q:\n%s", want, got)
		}
	}
	if row := x.row(x.results[0]); strings.Count(row, "|") != strings.Count(strings.SplitN(head, "\n", 2)[0], "|") || !strings.Contains(row, "$0.0167") { // 8 W for 50,000 s
		t.Errorf("a row that does not fit the table: %s", row)
	}
}

func TestTheEndsOfAShapeAreItsLastTokens(t *testing.T) {
	for _, shape := range tiny {
		w := store{}.weights(shape, "F16")
		for _, e := range shape.Spec(gguf.F16, seed).Metadata {
			if tokens, ok := e.Value.([]string); ok && e.Key == "tokenizer.ggml.tokens" {
				if ends := w.ends(); tokens[ends[0]] != "<|im_end|>" || tokens[ends[1]] != "<|endoftext|>" || ends[1] != int64(len(tokens))-1 {
					t.Errorf("%s: tokens %d end nothing", shape.Name, ends)
				}
			}
		}
	}
}
