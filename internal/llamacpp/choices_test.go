package llamacpp

import (
	"math"
	"testing"

	"starling"
	"starling/internal/engine"
	"starling/internal/gguf"
)

// babble asks for so many answers that are left to chance, of which the seed is known. The
// heat makes all that may be said nearly as likely: so it is the seed that decides, and not
// how a batch of another size rounds.
func babble(choices int) engine.Generate {
	return engine.Generate{
		Prompt: plain("Once upon a time there was a dog and"), Choices: choices, MaxTokens: 12, Logprobs: true, Grammar: `root ::= [a-e]{40}`,
		Sampling: engine.Sampling{Temperature: 100, Seed: seed(engine.MostSeed - 1)}, // the third choice has the seed 0
	}
}

// alone asks for one choice of an order by its own seed.
func (c *talk) alone(g engine.Generate, choice int) answer {
	g.Choices, g.Seed = 0, seed(engine.SeedOf(*g.Seed, choice))
	return c.ask(g)
}

func TestEachChoiceIsTheAnswerThatItsOwnSeedBrings(t *testing.T) {
	c := begin(t, engine.Load{Model: stories(t, ""), Sequences: 4})
	const n = 4
	all := c.askAll(babble(n))
	for i, a := range all {
		want := c.alone(babble(0), i)
		if a.text == "" || a.text != want.text || a.Done.Seed != want.Done.Seed {
			t.Errorf("choice %d: %q with seed %d, not %q with %d", i, a.text, a.Done.Seed, want.text, want.Done.Seed)
			continue
		}
		for j, token := range a.tokens {
			if math.Abs(*token.Logprob-*want.tokens[j].Logprob) > closeTo {
				t.Errorf("choice %d, token %d: %f, not %f", i, j, *token.Logprob, *want.tokens[j].Logprob)
			}
		}
	}
	texts := map[string]bool{}
	for i, a := range c.askAll(babble(n)) {
		if texts[a.text] = true; a.text != all[i].text {
			t.Errorf("asked again, choice %d is %q, not %q", i, a.text, all[i].text)
		}
	}
	if len(all) != n || len(texts) != n {
		t.Errorf("%d choices, and %d texts", len(all), len(texts))
	}
}

func TestThePromptOfSeveralChoicesIsReadOnce(t *testing.T) {
	c := begin(t, engine.Load{Model: stories(t, ""), Sequences: 3, Batch: 4}) // so that it takes several steps
	last := 0
	for i, a := range c.askAll(babble(3)) {
		d := a.Done
		if cached := min(i, 1) * d.Prompt; d.Prompt < 10 || d.Cached != cached || d.Output != 12 || d.Finish != starling.Length {
			t.Errorf("choice %d: %+v", i, d)
		}
		if !d.More {
			last++
		}
	}
	if last != 1 {
		t.Errorf("%d choices say that they are the last", last)
	}
}

func TestWhatAChoiceLeavesBehindIsReadOnByTheNextTurn(t *testing.T) {
	c := begin(t, engine.Load{Model: stories(t, ""), Sequences: 3})
	all := c.askAll(babble(3))
	g := babble(0)
	g.Prompt = plain(g.Prompt[0].Text + all[2].text + " Then")
	if a := c.ask(g); a.Done.Cached <= all[2].Done.Prompt {
		t.Errorf("%+v", a.Done)
	}
}

func TestEachChoiceHasItsOwnEnd(t *testing.T) {
	c := begin(t, engine.Load{Model: stories(t, ""), Sequences: 3})
	g := babble(3)
	g.Grammar, g.Stop, g.MaxTokens, g.Seed = `root ::= [a-e]* "."`, []string{"b"}, 3, seed(21)
	ends := map[starling.Finish]int{}
	for i, a := range c.askAll(g) {
		ends[a.Done.Finish]++
		if want := c.alone(g, i); a.text != want.text || a.Done.Finish != want.Done.Finish || a.Done.Output != want.Done.Output {
			t.Errorf("choice %d: %q, %+v, not %q, %+v", i, a.text, a.Done, want.text, want.Done)
		}
	}
	if len(ends) != 3 { // by a stop text, at the limit, and where the grammar ends
		t.Errorf("they end in %v", ends)
	}
}

func TestChoicesWaitUntilTheyAllHaveRoom(t *testing.T) {
	c := begin(t, engine.Load{Model: stories(t, ""), Sequences: 3, Batch: 8})
	var ids []uint64
	for _, n := range []int{1, 3, 2, 1, 2, 3} {
		g := babble(n)
		ids = append(ids, c.order(engine.Order{Generate: &g}))
	}
	all := c.hearAll(ids...)
	for _, id := range ids[1:] {
		for i, a := range all[id] {
			if want := all[ids[1]][i].text; a.text != want || a.Done == nil {
				t.Errorf("order %d, choice %d: %q, not %q", id, i, a.text, want)
			}
		}
	}
}

func TestAllChoicesOfACancelledOrderEnd(t *testing.T) {
	c := begin(t, engine.Load{Model: stories(t, ""), Sequences: 3, Context: longWindow})
	endless := &engine.Generate{Prompt: plain("Once upon a time"), Choices: 2, Grammar: `root ::= "a" root`}
	works, waits := c.order(engine.Order{Generate: endless}), c.order(engine.Order{Generate: endless})
	for c.next().Choice != 1 {
	}
	c.send(engine.Order{ID: waits, Cancel: true})
	c.send(engine.Order{ID: works, Cancel: true})
	last := 0
	for last < 2 {
		r := c.next()
		if r.Last() {
			last++
		}
		if r.Token == nil && (r.Done == nil || !r.Done.Left || r.Done.More) {
			t.Errorf("%+v", r)
		}
	}
	if all := c.askAll(babble(3)); len(all) != 3 || all[2].Done == nil {
		t.Errorf("their sequences are not free: %+v", all)
	}
}

func TestChoicesGoOnWithTheAdapterOfTheirPrompt(t *testing.T) {
	for _, shape := range []gguf.Shape{gguf.TinyLlama, gguf.TinyQwen} {
		c := begin(t, engine.Load{Model: written(t, shape.Spec(gguf.F16, 1)), Sequences: 3, Adapters: []engine.Adapter{{Name: "one", File: written(t, shape.Adapter(4, 64, 2))}}})
		for _, adapter := range []string{"", "one"} {
			g := babble(3)
			g.Adapter = adapter
			for i, a := range c.askAll(g) {
				if want := c.alone(g, i); a.Done == nil || a.text != want.text {
					t.Errorf("%s, adapter %q, choice %d: %q, not %q", shape.Name, adapter, i, a.text, want.text)
				}
			}
		}
	}
}
