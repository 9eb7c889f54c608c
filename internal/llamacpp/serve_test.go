package llamacpp

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"starling"
	"starling/internal/engine"
	"starling/internal/gguf"
)

func TestGreedyTextIsTheModels(t *testing.T) {
	golden, err := os.ReadFile("testdata/greedy.txt")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(golden), "\n")
	for i, kind := range []string{"", "-Q8_0", "-Q4_0"} {
		c := begin(t, engine.Load{Model: stories(t, kind)})
		a := c.ask(engine.Generate{Prompt: plain("Once upon a time"), MaxTokens: 48})
		if want := strings.TrimPrefix(lines[i], kind); a.text != want {
			t.Errorf("%s: %q, not %q", kind, a.text, want)
		}
		if d := a.Done; d == nil || d.Finish != starling.Length || d.Window || d.Prompt != 5 || d.Output != 48 {
			t.Errorf("%s: %+v", kind, d)
		}
		if l := c.loaded; l.Architecture != "llama" || l.Vocabulary != 512 || l.Context != 512 || l.BOS != "<s>" || l.Dimensions != 64 {
			t.Errorf("%s: %+v", kind, l)
		}
	}
}

// closeTo is how far log-probabilities may be apart that were computed in batches of
// different sizes: what is added up in another order rounds differently, and keys and
// values are kept in 16 bits.
const closeTo = 5e-3

func TestAnAnswerIsTheSameInCompany(t *testing.T) {
	c := begin(t, engine.Load{Model: stories(t, ""), Sequences: 4, Batch: 16})
	prompts := []string{"Once upon a time", "The dog was very sad because", "Lily said", "One day a boy and his mom went to the park. There they saw a big tree"}
	var alone []answer
	ask := func(p string) engine.Generate {
		return engine.Generate{Prompt: plain(p), MaxTokens: 30, Logprobs: true, Top: 5}
	}
	for _, p := range prompts {
		alone = append(alone, c.ask(ask(p)))
	}
	var ids []uint64
	for range 2 { // twice as many as there are sequences
		for _, p := range prompts {
			g := ask(p)
			ids = append(ids, c.order(engine.Order{Generate: &g}))
		}
	}
	together := c.hear(ids...)
	for i, id := range ids {
		want, got := alone[i%len(prompts)], together[id]
		if got.text != want.text {
			t.Errorf("%q, not %q", got.text, want.text)
			continue
		}
		for j, token := range got.tokens {
			if math.Abs(*token.Logprob-*want.tokens[j].Logprob) > closeTo {
				t.Errorf("token %d: %f, not %f", j, *token.Logprob, *want.tokens[j].Logprob)
			}
		}
	}
}

func TestLogProbabilitiesAreThoseOfTheModel(t *testing.T) {
	c := begin(t, engine.Load{Model: stories(t, "")})
	a := c.ask(engine.Generate{Prompt: plain("Once upon a time"), MaxTokens: 20, Top: 20, Sampling: engine.Sampling{Temperature: 2, TopK: 1, Seed: seed(1)}})
	for _, token := range a.tokens {
		sum := 0.0
		for i, l := range token.Top {
			sum += math.Exp(l.Logprob)
			if i > 0 && l.Logprob > token.Top[i-1].Logprob {
				t.Errorf("not the likeliest first: %+v", token.Top)
			}
		}
		if len(token.Top) != 20 || sum > 1+closeTo || token.Top[0].ID != token.ID || math.Abs(token.Top[0].Logprob-*token.Logprob) > 1e-6 {
			t.Errorf("%f of %+v", sum, token)
		}
	}
}

func TestASeedBringsAnAnswerBack(t *testing.T) {
	c := begin(t, engine.Load{Model: stories(t, "")})
	g := engine.Generate{Prompt: plain("Once"), MaxTokens: 30, Sampling: engine.Sampling{
		Temperature: 1.2, TopK: 100, TopP: 0.98, MinP: 0.001, Typical: 0.99, Repeat: 1.05, Presence: 0.1, Last: -1, Bias: map[int32]float32{300: -2, 301: 1}}}
	first := c.ask(g)
	g.Seed = &first.Done.Seed
	again := c.ask(g)
	if again.text != first.text || again.Done.Seed != first.Done.Seed {
		t.Errorf("%q, then %q", first.text, again.text)
	}
	g.Seed = seed(math.MaxUint32)
	if a, b := c.ask(g), c.ask(g); a.text != b.text || a.Done.Seed != math.MaxUint32 {
		t.Errorf("the greatest seed: %q, then %q", a.text, b.text)
	}
	g.Seed = nil
	if other := c.ask(g); other.Done.Seed == first.Done.Seed {
		t.Error("chance took the same seed twice")
	}
}

func TestABiasForbidsAToken(t *testing.T) {
	c := begin(t, engine.Load{Model: stories(t, "")})
	g := engine.Generate{Prompt: plain("Once upon a time"), MaxTokens: 1}
	said := c.ask(g).tokens[0].ID
	g.Bias = map[int32]float32{said: -1000}
	if c.ask(g).tokens[0].ID == said {
		t.Error("it was said all the same")
	}
}

func TestAStopTextEndsAnAnswerAcrossTokens(t *testing.T) {
	c := begin(t, engine.Load{Model: stories(t, "")})
	a := c.ask(engine.Generate{Prompt: plain("Once upon a time"), MaxTokens: 48, Stop: []string{"never said", "y. She lov"}, Logprobs: true})
	if a.text != ", there was a little girl named Lil" || a.Done.Finish != starling.StopWord || a.Done.Stop != "y. She lov" {
		t.Errorf("%q, %+v", a.text, a.Done)
	}
	if told := len(a.tokens); a.Done.Output <= told || a.tokens[told-1].Text == "" {
		t.Errorf("%d of %d tokens are told", told, a.Done.Output)
	}
	a = c.ask(engine.Generate{Prompt: plain("Once upon a time"), MaxTokens: 3, Stop: []string{" there was a pig"}})
	if a.text != ", there was" || len(a.tokens) != 3 {
		t.Errorf("what was held back is lost: %q in %d tokens", a.text, len(a.tokens))
	}
}

func TestWhatWasReadIsNotReadAgain(t *testing.T) {
	c := begin(t, engine.Load{Model: stories(t, ""), Sequences: 2})
	fresh := c.ask(engine.Generate{Prompt: plain("Once upon a time there was a dog and"), MaxTokens: 20})
	if fresh.Done.Cached != 0 {
		t.Errorf("%+v", fresh.Done)
	}
	other := c.ask(engine.Generate{Prompt: plain("Tim saw"), MaxTokens: 5}) // goes elsewhere
	again := c.ask(engine.Generate{Prompt: plain("Once upon a time there was a dog and"), MaxTokens: 20})
	if again.text != fresh.text || again.Done.Cached != fresh.Done.Prompt-1 {
		t.Errorf("%q, then %q: %+v", fresh.text, again.text, again.Done)
	}
	longer := c.ask(engine.Generate{Prompt: plain("Once upon a time there was a cat"), MaxTokens: 5})
	if longer.Done.Cached < 6 || longer.Done.Cached >= longer.Done.Prompt || other.Done.Cached != 0 {
		t.Errorf("%+v, %+v", longer.Done, other.Done)
	}
}

// longWindow has room for more than a pipe holds: who is not read stands still before an
// answer without end has filled it.
const longWindow = 16384

func TestACancelledWorkEndsAndTheOthersGoOn(t *testing.T) {
	c := begin(t, engine.Load{Model: stories(t, ""), Sequences: 2, Context: longWindow})
	endless := &engine.Generate{Prompt: plain("Once upon a time"), Grammar: `root ::= "a" root`}
	one, two, waits := c.order(engine.Order{Generate: endless}), c.order(engine.Order{Generate: endless}), c.order(engine.Order{Generate: endless})
	for c.next().Token == nil {
	}
	for _, id := range []uint64{waits, one, one + 100} {
		c.send(engine.Order{ID: id, Cancel: true})
	}
	c.send(engine.Order{Threads: 2})
	all := c.hear(one, waits)
	for _, id := range []uint64{one, waits} {
		if d := all[id].Done; d == nil || !d.Left || d.Finish != starling.Stopped || d.Prompt != 5 {
			t.Errorf("%d: %+v", id, d)
		}
	}
	c.send(engine.Order{ID: two, Cancel: true})
	if a := c.hear(two)[two]; a.Done == nil || !a.Done.Left {
		t.Errorf("%+v", a.Done)
	}
	if a := c.ask(engine.Generate{Prompt: plain("Once upon a time"), MaxTokens: 3}); a.text != ", there was" {
		t.Errorf("%q", a.text)
	}
}

// TestACancelledAnswerEndsWithinAToken: while nobody reads what the child says, it comes
// no further than the pipe holds. By the time that it is read again, it has the order to
// end, since it has taken most of a long one that came later. So it says no more than what
// was in the pipe, and the token at which it stood.
func TestACancelledAnswerEndsWithinAToken(t *testing.T) {
	const pipe = 64 << 10
	c := begin(t, engine.Load{Model: stories(t, ""), Context: longWindow})
	id := c.order(engine.Order{Generate: &engine.Generate{Prompt: plain("Once upon a time"), Sampling: engine.Sampling{Bias: map[int32]float32{2: -1000}}}})
	told, bytes := 1, sizeOf(t, c.next())
	c.send(engine.Order{ID: id, Cancel: true})
	long := c.order(engine.Order{Count: &engine.Count{Text: plain("\x00" + strings.Repeat("a", 2*pipe))}})
	for {
		r := c.next()
		if r.Token == nil {
			if d := r.Done; d == nil || !d.Left || d.Output != told {
				t.Errorf("%d tokens were told: %+v", told, r)
			}
			break
		}
		told, bytes = told+1, bytes+sizeOf(t, r)
	}
	if most := pipe + 4096 + 1024; bytes > most { // what the reader holds, and a token
		t.Errorf("%d bytes were said, at most %d could be before the end was ordered", bytes, most)
	}
	if a := c.hear(long)[long]; a.Fault == nil {
		t.Errorf("%+v", a.Report)
	}
}

// sizeOf is how many bytes a report has on its way.
func sizeOf(t *testing.T, r engine.Report) int {
	t.Helper()
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	return 4 + len(text)
}

func TestAFullWindowIsSaid(t *testing.T) {
	c := begin(t, engine.Load{Model: stories(t, ""), Context: 200})
	window := c.loaded.Context
	a := c.ask(engine.Generate{Prompt: plain("Once upon a time"), Grammar: `root ::= "a" root`})
	if d := a.Done; d.Finish != starling.Length || !d.Window || d.Prompt+d.Output != window+1 {
		t.Errorf("of %d: %+v", window, d)
	}
	a = c.ask(engine.Generate{Prompt: plain(words(window)), MaxTokens: 1})
	if f := a.Fault; f == nil || f.Kind != starling.TooLarge || !strings.Contains(f.Op, "> 200 maximum") {
		t.Errorf("%+v", a.Report)
	}
}

func TestAnOrderThatCannotBeObeyedIsAFault(t *testing.T) {
	c := begin(t, engine.Load{Model: stories(t, "")})
	good := plain("Once")
	for name, g := range map[string]engine.Generate{
		"nothing to read":        {},
		"an empty text":          {Prompt: plain("")},
		"a zero byte":            {Prompt: plain("a\x00b")},
		"a grammar that is none": {Prompt: good, Grammar: "root ::= ("},
		"a grammar without root": {Prompt: good, Grammar: "main ::= \"a\""},
		"a grammar of itself":    {Prompt: good, Grammar: "root ::= root \"a\""},
		"a bias of no token":     {Prompt: good, Sampling: engine.Sampling{Bias: map[int32]float32{512: 1}}},
		"a negative bias token":  {Prompt: good, Sampling: engine.Sampling{Bias: map[int32]float32{-1: 1}}},
		"too many likely ones":   {Prompt: good, Top: 21},
		"a top_p above 1":        {Prompt: good, Sampling: engine.Sampling{TopP: 1.5}},
		"a negative heat":        {Prompt: good, Sampling: engine.Sampling{Temperature: -1}},
		"a look back below -1":   {Prompt: good, Sampling: engine.Sampling{Last: -2}},
		"a negative length":      {Prompt: good, MaxTokens: -1},
		"more than can be":       {Prompt: good, Choices: 2},
		"fewer than none":        {Prompt: good, Choices: -1},
		"an empty stop text":     {Prompt: good, Stop: []string{""}},
	} {
		if a := c.ask(g); a.Fault == nil || a.Fault.Kind != starling.Invalid {
			t.Errorf("%s: %+v", name, a.Report)
		}
	}
	for name, o := range map[string]engine.Order{
		"no order":        {},
		"no such adapter": {Generate: &engine.Generate{Prompt: good, Adapter: "x"}},
		"vectors":         {Embed: &engine.Embed{Texts: []string{"x"}}},
	} {
		if id := c.order(o); c.hear(id)[id].Fault == nil {
			t.Errorf("%s: no fault", name)
		}
	}
	c.send(engine.Order{Load: &engine.Load{}})
	if r := c.next(); r.ID != 0 || r.Fault == nil {
		t.Errorf("a second load: %+v", r)
	}
	if a := c.ask(engine.Generate{Prompt: good, MaxTokens: 1}); a.Done == nil {
		t.Errorf("nothing goes any more: %+v", a.Report)
	}
}

// Numbers that no person sends, some of which pass every check.
func TestNoOrderEndsTheChild(t *testing.T) {
	c := begin(t, engine.Load{Model: stories(t, ""), Sequences: 3, Batch: 8})
	rapid.Check(t, func(t *rapid.T) {
		float := rapid.SampledFrom([]float32{0, 0, 0, 1, 0.5, 1e-38, 1e-6, 3e38, -1, -3e38, 100})
		share := rapid.SampledFrom([]float32{0, 0, 0, 1, 0.5, 1e-38, 1e-6, 1})
		small := rapid.SampledFrom([]int{0, 0, 0, 1, 1, 2, 20, 300, 511, -1, math.MaxInt32})
		var ids []uint64
		for range rapid.IntRange(1, 5).Draw(t, "orders") {
			g := engine.Generate{
				Choices: rapid.SampledFrom([]int{0, 0, 1, 2, 3, 4}).Draw(t, "choices"),
				Prompt:  []engine.Text{{Text: rapid.StringN(0, 20, -1).Draw(t, "prompt"), Special: rapid.Bool().Draw(t, "special")}, {Text: "a"}},
				// Without a limit a window is filled, which takes a while.
				MaxTokens: rapid.IntRange(1, 4).Draw(t, "most"), Stop: rapid.SliceOfN(rapid.StringN(0, 2, -1), 0, 2).Draw(t, "stop"),
				Grammar:  rapid.SampledFrom([]string{"", "", "root ::= [a-z]*", "root ::= x\nx ::= root", "root ::= \"\"", "é"}).Draw(t, "grammar"),
				Logprobs: rapid.Bool().Draw(t, "logprobs"), Top: rapid.SampledFrom([]int{0, 1, 20, 21}).Draw(t, "top"),
				Sampling: engine.Sampling{
					Temperature: float.Draw(t, "temperature"), TopK: int32(small.Draw(t, "k")), TopP: share.Draw(t, "p"), MinP: share.Draw(t, "min"),
					Typical: share.Draw(t, "typical"), Repeat: float.Draw(t, "repeat"), Frequency: float.Draw(t, "frequency"),
					Presence: float.Draw(t, "presence"), Last: int32(small.Draw(t, "last")), Bias: map[int32]float32{int32(small.Draw(t, "token")): float.Draw(t, "bias")},
				},
			}
			ids = append(ids, c.order(engine.Order{Generate: &g}))
		}
		for id, choices := range c.hearAll(ids...) {
			for i, a := range choices {
				if a.Done == nil && choices[0].Fault == nil {
					t.Fatalf("%d, choice %d: %+v", id, i, a.Report)
				}
			}
		}
	})
}

func TestACacheOfEightBitsDoes(t *testing.T) {
	c := begin(t, engine.Load{Model: written(t, gguf.TinyQwen.Spec(gguf.F16, 1)), CacheType: "q8_0", Sequences: 2})
	for i, a := range c.askAll(engine.Generate{Prompt: plain("Hello"), MaxTokens: 8, Choices: 2}) {
		if a.Done == nil || a.Done.Output == 0 {
			t.Errorf("choice %d: %+v", i, a.Report)
		}
	}
}

func TestTokensAreCountedAsAPromptIsRead(t *testing.T) {
	c := begin(t, engine.Load{Model: written(t, gguf.TinyQwen.Spec(gguf.F16, 1)), Context: 512})
	count := func(text []engine.Text) []int32 {
		id := c.order(engine.Order{Count: &engine.Count{Text: text}})
		r := c.hear(id)[id]
		if r.Counted == nil {
			t.Fatalf("%+v", r)
		}
		return r.Counted.Tokens
	}
	if n := count(nil); len(n) != 0 {
		t.Errorf("nothing has %d tokens", len(n))
	}
	special, said := count([]engine.Text{{Text: "<|im_start|>", Special: true}}), count(plain("<|im_start|>"))
	if len(special) != 1 || len(said) < 2 {
		t.Errorf("as a template's word %v, as a person's %v", special, said)
	}
	prompt := []engine.Text{{Text: "<|im_start|>user\n", Special: true}, {Text: "Hello, "}, {Text: "world"}}
	if a := c.ask(engine.Generate{Prompt: prompt, MaxTokens: 2}); a.Done == nil || a.Done.Prompt != len(count(prompt)) {
		t.Errorf("%+v", a.Report)
	}
}

func TestVectorsHaveLengthOneAndNearTextsAreNear(t *testing.T) {
	c := begin(t, engine.Load{Model: stories(t, ""), Vectors: true, Sequences: 2})
	texts := []string{"a little girl", "a little girl", "a little boy", strings.Repeat("zzz ", 20)}
	id := c.order(engine.Order{Embed: &engine.Embed{Texts: texts}})
	v := c.hear(id)[id].Vectors
	if len(v) != len(texts) {
		t.Fatalf("%d vectors", len(v))
	}
	dot := func(a, b []float32) (sum float64) {
		for i := range a {
			sum += float64(a[i]) * float64(b[i])
		}
		return sum
	}
	for _, x := range v {
		if len(x) != c.loaded.Dimensions || math.Abs(dot(x, x)-1) > 1e-5 {
			t.Errorf("%d numbers, length %f", len(x), dot(x, x))
		}
	}
	if dot(v[0], v[1]) < 1-1e-5 || dot(v[0], v[2]) <= dot(v[0], v[3]) {
		t.Errorf("%f, %f, %f", dot(v[0], v[1]), dot(v[0], v[2]), dot(v[0], v[3]))
	}
	for _, e := range []engine.Embed{{}, {Texts: []string{""}}, {Texts: []string{words(600)}}, {Texts: []string{"a\x00"}}} {
		if id := c.order(engine.Order{Embed: &e}); c.hear(id)[id].Fault == nil {
			t.Errorf("%d texts: no fault", len(e.Texts))
		}
	}
	if a := c.ask(engine.Generate{Prompt: plain("Once")}); a.Fault == nil || a.Fault.Kind != starling.Refused {
		t.Errorf("words of it: %+v", a.Report)
	}
}

func TestAnAdapterChangesTheTextUntilItIsLeft(t *testing.T) {
	shape := gguf.TinyLlama
	c := begin(t, engine.Load{Model: written(t, shape.Spec(gguf.F16, 1)), Sequences: 3, Adapters: []engine.Adapter{
		{Name: "one", File: written(t, shape.Adapter(4, 64, 2))}, {Name: "two", File: written(t, shape.Adapter(4, 64, 3))}}})
	ask := func(name string, scale float32) engine.Generate {
		return engine.Generate{Prompt: plain("Hello"), MaxTokens: 24, Adapter: name, Scale: scale}
	}
	orders := []engine.Generate{ask("", 0), ask("one", 0), ask("two", 0), ask("one", 0.25), ask("", 0), ask("one", 1)}
	var alone []answer
	for _, g := range orders {
		alone = append(alone, c.ask(g))
	}
	if alone[0].text == alone[1].text || alone[1].text == alone[2].text {
		t.Errorf("the adapters change nothing: %q", alone[0].text)
	}
	if alone[0].text != alone[4].text || alone[1].text != alone[5].text {
		t.Errorf("%q, then %q", alone[0].text, alone[4].text)
	}
	var ids []uint64
	for _, g := range orders {
		ids = append(ids, c.order(engine.Order{Generate: &g}))
	}
	for i, a := range c.hear(ids...) {
		if want := alone[i-ids[0]].text; a.text != want {
			t.Errorf("in company %q, not %q", a.text, want)
		}
	}
}

func TestAChildThatIsKilledIsAnErrorOfItsParent(t *testing.T) {
	c := begin(t, engine.Load{Model: stories(t, "")})
	c.order(engine.Order{Generate: &engine.Generate{Prompt: plain("Once upon a time")}})
	for c.next().Token == nil {
	}
	if err := c.process.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := c.Receive(); err != nil {
			if starling.KindOf(err) != starling.Overloaded {
				t.Error(err)
			}
			return
		}
	}
}

func TestAChildEndsWithItsParent(t *testing.T) {
	c := begin(t, engine.Load{Model: stories(t, "")})
	c.order(engine.Order{Generate: &engine.Generate{Prompt: plain("Once upon a time"), Grammar: `root ::= "a" root`}})
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := c.Receive(); err != nil {
			break
		}
	}
	_ = c.process.Wait()
	if !c.process.ProcessState.Exited() {
		t.Errorf("it was not its own end: %v", c.process.ProcessState)
	}
}

func TestWhatCannotBeLoadedIsAFault(t *testing.T) {
	good := engine.Load{Context: 256, Sequences: 1, Threads: 1}
	bad := filepath.Join(t.TempDir(), "bad.gguf")
	model, err := os.ReadFile(stories(t, "-Q4_0"))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		change func(l *engine.Load)
		want   starling.Kind
	}{
		"no file":            {func(l *engine.Load) { l.Model += "x" }, starling.NotFound},
		"a cut file":         {func(l *engine.Load) { l.Model = put(t, bad, model[:len(model)/2]) }, starling.Refused},
		"no model":           {func(l *engine.Load) { l.Model = put(t, bad, []byte("GGUF and no more")) }, starling.Refused},
		"no threads":         {func(l *engine.Load) { l.Threads = 0 }, starling.Invalid},
		"too many threads":   {func(l *engine.Load) { l.Threads = 1000 }, starling.Invalid},
		"no context":         {func(l *engine.Load) { l.Context = 0 }, starling.Invalid},
		"too many sequences": {func(l *engine.Load) { l.Sequences = 1000 }, starling.Invalid},
		"an unknown cache":   {func(l *engine.Load) { l.CacheType = "q1" }, starling.Invalid},
		"no adapter there":   {func(l *engine.Load) { l.Adapters = []engine.Adapter{{Name: "a", File: bad + "x"}} }, starling.NotFound},
		"a model for one":    {func(l *engine.Load) { l.Adapters = []engine.Adapter{{Name: "a", File: l.Model}} }, starling.Refused},
	} {
		l := good
		l.Model = stories(t, "-Q4_0")
		c.change(&l)
		child := raise(t)
		if r := child.load(l); r.Fault == nil || r.Fault.Kind != c.want || r.ID != 0 {
			t.Errorf("%s: %+v %+v", name, r, r.Fault)
		}
		if _, err := child.Receive(); !errors.Is(err, io.EOF) {
			t.Errorf("%s: it lives on: %v", name, err)
		}
	}
}

func put(t *testing.T, file string, content []byte) string {
	t.Helper()
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestAnotherLibraryIsRefusedBeforeItIsCalled(t *testing.T) {
	c := raise(t)
	c.send(engine.Order{Load: &engine.Load{Library: t.TempDir(), Model: "x", Context: 1, Sequences: 1, Threads: 1}})
	if r := c.next(); r.Fault == nil || r.Fault.Kind != starling.NotFound || r.Fault.Hint == "" {
		t.Errorf("%+v", r.Fault)
	}
}

func TestAChildEndsWhereItsParentIsGoneOrMad(t *testing.T) {
	for _, c := range []struct {
		in   string
		want starling.Kind
	}{{"", ""}, {"\x02\x00\x00\x00[]", starling.Overloaded}, {"\xff\xff\xff\xff", starling.Overloaded}, {"\x09\x00", starling.Overloaded}} {
		for range 200 { // its two goroutines see the end in either order
			if err := Serve(t.Context(), strings.NewReader(c.in), io.Discard); starling.KindOf(err) != c.want {
				t.Fatalf("%q: %v", c.in, err)
			}
		}
	}
	open, never := io.Pipe()
	defer never.Close()
	if err := Serve(t.Context(), open, shut{}); starling.KindOf(err) != starling.Overloaded {
		t.Errorf("nobody reads: %v", err)
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Serve(over, open, io.Discard); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

type shut struct{}

func (shut) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestBeforeItsLoadAChildRefusesWork(t *testing.T) {
	c := raise(t)
	id := c.order(engine.Order{Count: &engine.Count{}})
	if a := c.hear(id)[id]; a.Fault == nil || a.Fault.Kind != starling.Invalid {
		t.Errorf("%+v", a.Report)
	}
	if r := c.load(engine.Load{Model: stories(t, ""), Context: 256, Sequences: 1, Threads: 1}); r.Loaded == nil {
		t.Errorf("%+v", r.Fault)
	}
}

func TestChildrenThatCameAndWentLeaveNothing(t *testing.T) {
	file := stories(t, "")
	once := func() {
		c := begin(t, engine.Load{Model: file})
		c.ask(engine.Generate{Prompt: plain("Once"), MaxTokens: 2})
		c.end()
	}
	once()
	routines, files := runtime.NumGoroutine(), openFiles(t)
	for range 10 {
		once()
	}
	if n, f := runtime.NumGoroutine(), openFiles(t); n > routines || f > files {
		t.Errorf("%d goroutines, then %d; %d files, then %d", routines, n, files, f)
	}
}

// openFiles counts them where the system tells; elsewhere it is 0.
func openFiles(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return len(list)
}
