package llamacpp

import (
	"bufio"
	"encoding/json"
	"math"
	"os"
	"strings"
	"testing"

	"starling"
	"starling/internal/engine"
	"starling/internal/grammar"
)

func TestAGrammarIsObeyed(t *testing.T) {
	c := begin(t, engine.Load{Model: stories(t, "")})
	ask := func(gbnf string, n int) answer {
		return c.ask(engine.Generate{Prompt: plain("Once upon a time"), Grammar: gbnf, MaxTokens: n, Logprobs: true, Top: 4})
	}
	if a := ask(`root ::= " yes" | " no"`, 20); a.text != " yes" && a.text != " no" || a.Done.Finish != starling.Stopped {
		t.Errorf("%q, %+v", a.text, a.Done)
	}
	a := ask(`root ::= "x"`, 20)
	if a.text != "x" || len(a.tokens) != 1 {
		t.Fatalf("%q", a.text)
	}
	sum := 0.0
	for _, l := range a.tokens[0].Top { // a letter and the byte that it is
		sum += math.Exp(l.Logprob)
		if string(l.Text) != "x" {
			t.Errorf("%q is not allowed", l.Text)
		}
	}
	if math.Abs(sum-1) > 1e-6 {
		t.Errorf("what is allowed has a probability of %f", sum)
	}
	if a := ask(`root ::= "日本é" [0-9]+ "."`, 12); !strings.HasPrefix(a.text, "日本é") {
		t.Errorf("%q", a.text)
	}
}

func TestAGrammarAskedAboutTheLikelyTokensAloneAllowsTheSame(t *testing.T) {
	c := begin(t, engine.Load{Model: stories(t, "")})
	for _, gbnf := range []string{`root ::= [a-z ]+ "."`, grammar.JSON(), `root ::= ", " [^x]*`} {
		g := engine.Generate{Prompt: plain("Once upon a time"), Grammar: gbnf, MaxTokens: 40, Logprobs: true}
		some := c.ask(g)
		g.Bias = map[int32]float32{0: 0} // has it asked about all
		all := c.ask(g)
		if some.text != all.text {
			t.Fatalf("%q, not %q", some.text, all.text)
		}
		for i, token := range some.tokens {
			if math.Abs(*token.Logprob-*all.tokens[i].Logprob) > 2*negligible {
				t.Errorf("%q: %f, not %f", token.Text, *token.Logprob, *all.tokens[i].Logprob)
			}
		}
	}
}

// The model writes nonsense, which is what the grammar has to hold to the schema.
func TestWhatIsWrittenUnderASchemaIsJSON(t *testing.T) {
	c := begin(t, engine.Load{Model: stories(t, "-Q8_0"), Sequences: 8})
	every := 20
	if testing.Short() {
		every = 100
	}
	ids, cut := map[uint64]string{}, 0
	var order []uint64
	for i, schema := range schemas(t) {
		if i%every != 0 {
			continue
		}
		gbnf, _, err := grammar.FromSchema([]byte(schema))
		if starling.KindOf(err) == starling.Invalid {
			continue // what cannot be held has a test of its own
		}
		if err != nil {
			t.Fatal(err)
		}
		id := c.order(engine.Order{Generate: &engine.Generate{Prompt: plain("Once"), Grammar: gbnf, MaxTokens: 120, Sampling: engine.Sampling{Temperature: 1, Seed: seed(uint32(i))}}})
		ids[id], order = schema, append(order, id)
	}
	for id, a := range c.hear(order...) {
		switch {
		case a.Done == nil:
			t.Errorf("%s: %+v", ids[id], a.Fault)
		case a.Done.Finish == starling.Length:
			cut++
			if !startsJSON(a.text) {
				t.Errorf("%s: begins no JSON: %s", ids[id], a.text)
			}
		case !json.Valid([]byte(a.text)):
			t.Errorf("%s: %s", ids[id], a.text)
		}
	}
	t.Logf("%d answers, %d of them cut", len(order), cut)
}

// startsJSON reports whether a text is JSON as far as it goes.
func startsJSON(text string) bool {
	d := json.NewDecoder(strings.NewReader(text))
	for {
		if _, err := d.Token(); err != nil {
			return !strings.Contains(err.Error(), "invalid character")
		}
	}
}

func schemas(t *testing.T) (all []string) {
	t.Helper()
	f, err := os.Open("../grammar/testdata/schemas.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		all = append(all, lines.Text())
	}
	return all
}
