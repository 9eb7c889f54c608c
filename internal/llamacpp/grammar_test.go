package llamacpp

import (
	"math"
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
	object, _, err := grammar.FromSchema([]byte(`{"type":"object"}`))
	if err != nil {
		t.Fatal(err)
	}
	for _, gbnf := range []string{`root ::= [a-z ]+ "."`, object, `root ::= ", " [^x]*`} {
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
