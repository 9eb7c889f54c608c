package student

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"starling"
)

// A school makes up messages: each label has words of its own, and all share
// some.
type school struct{ random *rand.Rand }

var filler = strings.Fields("please can you tell me what the is my with for about how do i to a of it")

func (s school) word(label, n int) string {
	return fmt.Sprintf("%c%c%s%d", 'a'+label%26, 'a'+n%26, []string{"lo", "mi", "ra", "te"}[n%4], label)
}

func (s school) message(label int) string {
	words := make([]string, 4+s.random.IntN(5))
	for i := range words {
		words[i] = filler[s.random.IntN(len(filler))]
	}
	for range 2 {
		words[s.random.IntN(len(words))] = s.word(label, s.random.IntN(8))
	}
	return strings.Join(words, " ")
}

// examples makes n for each label; a share of wrong ones makes it hard.
func examples(seed uint64, labels, n int, wrong float64) (all []Example) {
	s := school{rand.New(rand.NewPCG(seed, 7))}
	for range n {
		for l := range labels {
			of := l
			if s.random.Float64() < wrong {
				of = s.random.IntN(labels)
			}
			all = append(all, Example{Text: s.message(of), Label: fmt.Sprintf("label %02d", l)})
		}
	}
	return all
}

func train(t testing.TB, all []Example) *Student {
	t.Helper()
	s, err := Train(t.Context(), all, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// pupil is a student that several tests ask.
var pupil = sync.OnceValue(func() *Student {
	s, err := Train(context.Background(), examples(1, 8, 30, 0.1), Options{})
	if err != nil {
		panic(err)
	}
	return s
})

func TestAStudentLearnsWhatItIsShown(t *testing.T) {
	s := pupil()
	right, n := 0, 0
	for _, e := range examples(2, 8, 50, 0) {
		p := s.Predict(e.Text)
		n++
		if p.Label == e.Label {
			right++
		}
		if p.Second == p.Label || p.SecondConfidence > p.Confidence {
			t.Fatalf("%+v", p)
		}
	}
	if right < n*95/100 {
		t.Errorf("%d of %d", right, n)
	}
}

func TestConfidenceIsHowOftenItIsRight(t *testing.T) {
	s := train(t, examples(3, 5, 60, 0.1))
	var expected, right float64
	test := examples(4, 5, 150, 0.1)
	for _, e := range test {
		p := s.Predict(e.Text)
		expected += p.Confidence
		if p.Label == e.Label {
			right++
		}
	}
	if n := float64(len(test)); math.Abs(expected-right)/n > 0.05 {
		t.Errorf("it expects to be right in %.3f and is in %.3f", expected/n, right/n)
	}
}

func TestWhoWasNeverWrongIsNotCertain(t *testing.T) {
	s := train(t, examples(3, 4, 10, 0))
	var sum float64
	for _, e := range examples(4, 4, 10, 0) {
		sum += s.Predict(e.Text).Confidence
	}
	if sum/40 > 0.995 {
		t.Errorf("after 40 examples it is sure of %v", sum/40)
	}
}

func TestWhoKnowsNothingIsNotConfident(t *testing.T) {
	s := pupil()
	for _, text := range []string{"", "  ", "日本語", "ωψ ξζ"} {
		if p := s.Predict(text); p.Known != 0 || math.Abs(p.Confidence-1.0/8) > 1e-9 {
			t.Errorf("%q: %+v", text, p)
		}
	}
	half := examples(5, 1, 1, 0)[0].Text
	if whole, diluted := s.Predict(half), s.Predict(half+" zxqv wvut qqpz"); diluted.Confidence >= whole.Confidence {
		t.Errorf("unknown words raise the confidence from %v to %v", whole.Confidence, diluted.Confidence)
	}
}

// TestAStrangerIsKnown: a hundredth of texts like the examples are taken for
// strangers, and those of another language all.
func TestAStrangerIsKnown(t *testing.T) {
	s := train(t, examples(3, 5, 60, 0.1))
	strangers := 0
	all := examples(4, 5, 60, 0.1)
	for _, e := range all {
		if s.Predict(e.Text).Strange {
			strangers++
		}
	}
	if share := float64(strangers) / float64(len(all)); share > 0.04 {
		t.Errorf("%.3f of those like the examples are strangers", share)
	}
	for _, text := range []string{"onko teillä lakritsia?", "Наша Маша громко плачет", "{\"a\": [1, 2, 3]}", "xyzzy"} {
		if p := s.Predict(text); !p.Strange {
			t.Errorf("%q is no stranger: %+v", text, p)
		}
	}
}

func TestWhatNoLabelFitsIsLearnedToo(t *testing.T) {
	all := examples(6, 5, 40, 0)
	for i := range all {
		if all[i].Label == "label 04" {
			all[i].Label = ""
		}
	}
	s := train(t, all)
	if got := s.Labels(); len(got) != 5 || got[0] != "" {
		t.Fatalf("labels %q", got)
	}
	for _, e := range examples(7, 5, 10, 0) {
		want := e.Label
		if want == "label 04" {
			want = ""
		}
		if p := s.Predict(e.Text); p.Label != want && p.Confidence > 0.9 {
			t.Errorf("%q is %q with %v, not %q", e.Text, p.Label, p.Confidence, want)
		}
	}
}

func TestCaseSpaceAndApostrophesMakeNoDifference(t *testing.T) {
	s := pupil()
	rapid.Check(t, func(t *rapid.T) {
		words := rapid.SliceOfN(rapid.OneOf(rapid.SampledFrom(filler), rapid.StringN(1, 8, -1)), 1, 12).Draw(t, "words")
		plain := strings.Join(words, " ")
		space := rapid.SampledFrom([]string{"  ", "\n", "\t \r\n", "\u00a0", " \u200b"}).Draw(t, "space")
		for _, same := range []string{strings.ToUpper(plain), strings.ToLower(plain), space + strings.Join(words, space) + space} {
			if got, want := s.Predict(same), s.Predict(plain); got != want {
				t.Fatalf("%q is %+v, %q is %+v", same, got, plain, want)
			}
		}
	})
	if s.Predict("don't tell me") != s.Predict("DONT tell  me") {
		t.Error("an apostrophe makes a difference")
	}
}

func TestALongTextIsReadUpToALimit(t *testing.T) {
	s := pupil()
	long := strings.Repeat("tell me about it ", 200)
	if s.Predict(long) != s.Predict(long+"and more words "+long) {
		t.Error("what follows the limit makes a difference")
	}
	rapid.Check(t, func(t *rapid.T) {
		n := normalise(strings.Repeat(rapid.String().Draw(t, "text"), rapid.IntRange(1, 60).Draw(t, "times")))
		if len(n.bytes) > maxText+1 {
			t.Fatalf("%d bytes", len(n.bytes))
		}
		for _, w := range n.words {
			if n.bytes[w.from-1] != ' ' || n.bytes[w.to] != ' ' || bytes.ContainsRune(n.bytes[w.from:w.to], ' ') {
				t.Fatalf("%q at %v", n.bytes, w)
			}
		}
	})
}

// TestTheSameExamplesMakeTheSameBytes compares with what one machine made: any
// other must make the same.
func TestTheSameExamplesMakeTheSameBytes(t *testing.T) {
	const want = "4104e5d482489a9a"
	for _, processors := range []int{1, 2, 5} {
		before := runtime.GOMAXPROCS(processors)
		s := train(t, examples(8, 5, 12, 0.1))
		runtime.GOMAXPROCS(before)
		sum := sha256.Sum256(s.encode())
		if got := hex.EncodeToString(sum[:8]); got != want {
			t.Errorf("with %d processors %s, want %s", processors, got, want)
		}
	}
}

func TestAnotherSeedMakesAnotherStudent(t *testing.T) {
	all := examples(8, 5, 12, 0.1)
	other, err := Train(t.Context(), all, Options{Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(other.encode(), train(t, all).encode()) {
		t.Error("the seed makes no difference")
	}
}

func TestFromUnusableExamplesNothingIsLearned(t *testing.T) {
	many := make([]Example, maxLabels+1)
	for i := range many {
		many[i] = Example{Text: "x", Label: fmt.Sprint(i)}
	}
	for name, all := range map[string][]Example{
		"none":                           nil,
		"one label":                      {labelled("a", "x"), labelled("b", "x")},
		"one label and what none fits":   {labelled("a", "x"), labelled("b", "")},
		"an empty text":                  {labelled("a", "x"), labelled(" ", "y")},
		"a text that nobody can see":     {labelled("a", "x"), labelled("\u200b", "y")},
		"too many labels":                many,
		"a label of any length":          {labelled("a", strings.Repeat("x", maxLabel+1)), labelled("b", "y")},
		"a label that is not characters": {labelled("a", "\xff"), labelled("b", "y")},
		"a vector for one of two":        {labelled("a", "x", 1), labelled("b", "y")},
		"vectors of two lengths":         {labelled("a", "x", 1), labelled("b", "y", 1, 2)},
		"vectors of any length":          {labelled("a", "x", make([]float32, maxDims+1)...), labelled("b", "y", make([]float32, maxDims+1)...)},
		"what is no number":              {labelled("a", "x", 1), labelled("b", "y", float32(math.NaN()))},
		"what is beyond all numbers":     {labelled("a", "x", 1), labelled("b", "y", float32(math.Inf(-1)))},
	} {
		if s, err := Train(t.Context(), all, Options{}); s != nil || starling.KindOf(err) != starling.Invalid {
			t.Errorf("%s: %v, %v", name, s, err)
		}
	}
}

func labelled(text, label string, vector ...float32) Example { return Example{text, label, vector} }

func TestTwoExamplesAreEnough(t *testing.T) {
	s := train(t, []Example{{Text: "red", Label: "warm"}, {Text: "blue", Label: "cold"}})
	if p := s.Predict("red"); p.Confidence < 0.5 || p.Confidence > 1 {
		t.Errorf("%+v", p)
	}
}

func TestTrainingStopsWhenNobodyWaits(t *testing.T) {
	defer goleak.VerifyNone(t)
	ctx, cancel := context.WithCancel(t.Context())
	last := 0
	s, err := Train(ctx, examples(9, 8, 40, 0), Options{Progress: func(done, total int) {
		if done != last+1 || done > total {
			t.Errorf("%d after %d of %d", done, last, total)
		}
		last = done
		if done == 3 {
			cancel()
		}
	}})
	if s != nil || starling.KindOf(err) != starling.Cancelled {
		t.Errorf("%v, %v", s, err)
	}
}

func TestOfManyExamplesOnePartIsAskedFor(t *testing.T) {
	all := make([]Example, 0, 9000)
	for i := range cap(all) {
		all = append(all, Example{Text: fmt.Sprint(filler[i%7], " ", i%30), Label: fmt.Sprint(i % 2)})
	}
	c, err := enrol(all)
	if err != nil {
		t.Fatal(err)
	}
	students, err := c.fitAll(t.Context(), Options{}, 0, &meter{})
	if err != nil {
		t.Fatal(err)
	}
	if trials := c.ask(students[:c.asked]); len(trials) == 0 || len(trials) > len(all)/3 {
		t.Errorf("%d of %d", len(trials), len(all))
	}
}

func TestProgressEndsAtItsTotal(t *testing.T) {
	defer goleak.VerifyNone(t)
	var done, total int
	if _, err := Train(t.Context(), examples(9, 7, 6, 0), Options{Progress: func(d, n int) { done, total = d, n }}); err != nil {
		t.Fatal(err)
	}
	if done != total || total == 0 {
		t.Errorf("%d of %d", done, total)
	}
}

func TestStepsLeadDownFromConfidence(t *testing.T) {
	steps := pupil().Steps()
	if len(steps) == 0 || len(steps) > fineness {
		t.Fatalf("%d steps", len(steps))
	}
	if last := steps[len(steps)-1]; last.Coverage < 1-2*strangest { // strangers are not answered
		t.Errorf("the last step covers %v", last.Coverage)
	}
	for i, s := range steps[1:] {
		if s.Confidence >= steps[i].Confidence || s.Coverage <= steps[i].Coverage {
			t.Errorf("%+v follows %+v", s, steps[i])
		}
	}
}

func TestAnExplanationAddsUpToTheOdds(t *testing.T) {
	s := pupil()
	for _, e := range examples(10, 8, 5, 0) {
		p := s.Predict(e.Text)
		var sum float64
		for _, g := range s.Explain(e.Text, math.MaxInt) {
			if g.Text == "" {
				t.Fatalf("an n-gram without text in %q", e.Text)
			}
			sum += g.Weight
		}
		if want := math.Log(p.Confidence / p.SecondConfidence); math.Abs(sum-want) > 1e-3 {
			t.Errorf("%q: %v, want %v", e.Text, sum, want)
		}
		few := s.Explain(e.Text, 5)
		if len(few) != 5 || !slices.IsSortedFunc(few, func(a, b Gram) int { return int(math.Copysign(1, b.Weight-a.Weight)) }) {
			t.Errorf("%+v", few)
		}
	}
	if got := s.Explain("日本語", 3); len(got) != 0 {
		t.Errorf("%v", got)
	}
}

func TestManyMayAskAtOnce(t *testing.T) {
	s, text := pupil(), examples(11, 8, 1, 0)[0].Text
	want := s.Predict(text)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 20 {
				if got := s.Predict(text); got != want {
					t.Errorf("%+v, want %+v", got, want)
				}
			}
		})
	}
	all.Wait()
}

func BenchmarkPredict(b *testing.B) {
	s, err := Train(b.Context(), examples(1, 100, 10, 0.1), Options{})
	if err != nil {
		b.Fatal(err)
	}
	texts := examples(12, 100, 1, 0)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		s.Predict(texts[i%len(texts)].Text)
	}
}

func BenchmarkPredictLong(b *testing.B) {
	s, long := pupil(), strings.Repeat("tell me about it please ", 10_000)
	for b.Loop() {
		s.Predict(long)
	}
}
