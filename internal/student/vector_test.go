package student

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"

	"starling"
)

// An oracle makes vectors that say more of a label than the words do: one
// direction a label, in a corner of the space, with noise.
type oracle struct {
	dims  int
	noise float64
}

func (o oracle) vector(e Example) []float32 {
	random := rand.New(rand.NewPCG(uint64(hash([]byte(e.Text))), 3))
	towards := rand.New(rand.NewPCG(uint64(hash([]byte(e.Label))), 5))
	v := make([]float32, o.dims)
	for i := range v {
		v[i] = float32(3 + towards.NormFloat64() + o.noise*random.NormFloat64())
	}
	return v
}

func (o oracle) see(all []Example) []Example {
	all = slices.Clone(all)
	for i := range all {
		all[i].Vector = o.vector(all[i])
	}
	return all
}

// hard are examples of which words alone tell too little.
func hard(seed uint64, n int) []Example { return examples(seed, 6, n, 0.4) }

// far is a student that wants vectors.
func far(t testing.TB) *Student {
	t.Helper()
	s := train(t, oracle{24, 2}.see(hard(30, 25)))
	if s.Dims() != 24 {
		t.Fatalf("its vectors have %d numbers", s.Dims())
	}
	return s
}

func TestVectorsThatSayMoreAreLearnedFrom(t *testing.T) {
	o, blind := oracle{24, 2}, train(t, hard(30, 25))
	s := far(t)
	rightBlind, rightSeeing, n := 0, 0, 0
	for _, e := range o.see(hard(31, 40)) {
		p, err := s.PredictWith(e.Text, e.Vector)
		if err != nil || p.Blind || p.Second == p.Label || p.SecondConfidence > p.Confidence {
			t.Fatalf("%+v, %v", p, err)
		}
		n++
		if p.Label == e.Label {
			rightSeeing++
		}
		if blind.Predict(e.Text).Label == e.Label {
			rightBlind++
		}
		if s.Stranger(e.Text) != p.Strange {
			t.Errorf("%q is a stranger: %v", e.Text, p.Strange)
		}
	}
	if rightSeeing < rightBlind+n/10 {
		t.Errorf("of %d, %d are right without and %d with vectors", n, rightBlind, rightSeeing)
	}
}

// TestVectorsThatSayNothingAreLeftOut: to the last bit, the student is the one
// that comes of the texts.
func TestVectorsThatSayNothingAreLeftOut(t *testing.T) {
	all := examples(32, 5, 20, 0)
	idle := slices.Clone(all)
	for i := range idle {
		idle[i].Vector = oracle{16, 1}.vector(Example{Text: idle[i].Text, Label: "all the same"})
	}
	if s := train(t, idle); s.Dims() != 0 || !bytes.Equal(s.encode(), train(t, all).encode()) {
		t.Errorf("it wants %d numbers, or is another", s.Dims())
	}
	for i := range idle {
		idle[i].Vector = make([]float32, 16)
	}
	if s := train(t, idle); s.Dims() != 0 {
		t.Error("vectors of nothing are of use")
	}
}

// TestTheSameVectorsMakeTheSameBytes compares with what one machine made.
func TestTheSameVectorsMakeTheSameBytes(t *testing.T) {
	const want = "5005f3435549d1ae"
	for _, processors := range []int{1, 3} {
		before := runtime.GOMAXPROCS(processors)
		s := far(t)
		runtime.GOMAXPROCS(before)
		sum := sha256.Sum256(s.encode())
		if got := hex.EncodeToString(sum[:8]); got != want {
			t.Errorf("with %d processors %s, want %s", processors, got, want)
		}
	}
}

func TestWithoutItsVectorAStudentSaysNothing(t *testing.T) {
	s, e := far(t), oracle{24, 2}.see(hard(31, 1))[0]
	if p := s.Predict(e.Text); p != (Prediction{Blind: true}) {
		t.Errorf("%+v", p)
	}
	if got := s.Explain(e.Text, 5); len(got) != 0 {
		t.Errorf("%v", got)
	}
	for name, v := range map[string][]float32{"none": nil, "too short": e.Vector[1:], "too long": append(slices.Clone(e.Vector), 1), "no numbers": append(slices.Clone(e.Vector[1:]), float32(math.NaN()))} {
		p, err := s.PredictWith(e.Text, v)
		if p != (Prediction{Blind: true}) || starling.KindOf(err) != starling.Invalid {
			t.Errorf("%s: %+v, %v", name, p, err)
		}
		if strings.Contains(err.Error(), e.Text) {
			t.Errorf("the text is in the error %v", err)
		}
		if _, err := s.ExplainWith(e.Text, v, 3); starling.KindOf(err) != starling.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	blind := pupil()
	if p, err := blind.PredictWith(e.Text, e.Vector); err != nil || p != blind.Predict(e.Text) {
		t.Errorf("one that wants none: %+v, %v", p, err)
	}
}

func TestTheLengthOfAVectorMakesNoDifference(t *testing.T) {
	s, e := far(t), oracle{24, 2}.see(hard(31, 1))[0]
	want, _ := s.PredictWith(e.Text, e.Vector)
	for i := range e.Vector {
		e.Vector[i] *= 8
	}
	if got, err := s.PredictWith(e.Text, e.Vector); err != nil || got != want {
		t.Errorf("%+v, want %+v, %v", got, want, err)
	}
	if got, err := s.PredictWith(e.Text, make([]float32, 24)); err != nil || !(got.Confidence >= 0 && got.Confidence <= 1) {
		t.Errorf("without a direction %+v, %v", got, err)
	}
}

func TestAStudentWithVectorsPredictsTheSameWhenItWasStored(t *testing.T) {
	s := far(t)
	again, err := Read(bytes.NewReader(s.encode()))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(again.encode(), s.encode()) {
		t.Error("it is stored otherwise the second time")
	}
	for _, e := range (oracle{24, 2}).see(hard(31, 10)) {
		want, _ := s.PredictWith(e.Text, e.Vector)
		if got, err := again.PredictWith(e.Text, e.Vector); err != nil || got != want {
			t.Fatalf("%+v, want %+v, %v", got, want, err)
		}
	}
}

func TestAVectorIsOneLineOfAnExplanation(t *testing.T) {
	s := far(t)
	for _, e := range (oracle{24, 2}).see(hard(31, 3)) {
		p, _ := s.PredictWith(e.Text, e.Vector)
		all, err := s.ExplainWith(e.Text, e.Vector, math.MaxInt-1)
		if err != nil {
			t.Fatal(err)
		}
		sum, lines := 0.0, 0
		for _, g := range all {
			sum += g.Weight
			if g.Vector {
				lines++
			}
		}
		if want := math.Log(p.Confidence / p.SecondConfidence); math.Abs(sum-want) > 1e-3 || lines != 1 {
			t.Errorf("%q: %v in %d lines of vectors, want %v", e.Text, sum, lines, want)
		}
		few, _ := s.ExplainWith(e.Text, e.Vector, 2)
		if len(few) != 3 || !slices.ContainsFunc(few, func(g Gram) bool { return g.Vector }) {
			t.Errorf("%+v", few)
		}
	}
}

func TestALessonNamesTheModelOfItsVectors(t *testing.T) {
	s, l := far(t), lesson()
	probe := oracle{24, 2}.vector(Example{Text: Probe})
	if _, err := Teach(s, l); starling.KindOf(err) != starling.Invalid {
		t.Errorf("no model is named: %v", err)
	}
	l.Embedder = NewEmbedder("far/small", probe[1:])
	if _, err := Teach(s, l); starling.KindOf(err) != starling.Invalid {
		t.Errorf("one of other vectors is named: %v", err)
	}
	l.Embedder = NewEmbedder("far/small", probe)
	if _, err := Teach(train(t, examples(1, 3, 20, 0)), l); starling.KindOf(err) != starling.Invalid {
		t.Errorf("one is named in vain: %v", err)
	}
	made, err := Teach(s, l)
	if err != nil {
		t.Fatal(err)
	}
	read, err := ReadTaught(bytes.NewReader(made.file))
	if err != nil || read.Lesson.Embedder.Model != "far/small" || !read.Lesson.Embedder.Makes(probe) {
		t.Errorf("%+v, %v", read, err)
	}
	l.Embedder = NewEmbedder("far/other", probe)
	other, err := Teach(s, l)
	if err != nil || other.Digest() == made.Digest() {
		t.Errorf("the model makes no difference: %v", err)
	}
}

func TestAnEmbeddingModelIsKnownByWhatItMakes(t *testing.T) {
	o := oracle{384, 1}
	probe := o.vector(Example{Text: Probe})
	e := NewEmbedder("m", probe)
	rounded := slices.Clone(probe)
	for i := range rounded {
		rounded[i] *= 1 + float32(i%3-1)/100
	}
	for name, c := range map[string]struct {
		vector []float32
		want   bool
	}{
		"its own": {probe, true}, "its own, rounded": {rounded, true}, "another's": {oracle{384, 4}.vector(Example{Text: "x", Label: "y"}), false},
		"another length": {probe[1:], false}, "nothing": {nil, false}, "zeros": {make([]float32, 384), false}, "no numbers": {slices.Repeat([]float32{float32(math.Inf(1))}, 384), false},
	} {
		if e.Makes(c.vector) != c.want {
			t.Errorf("%s: %v", name, !c.want)
		}
	}
	if NewEmbedder("m", nil).Makes(nil) {
		t.Error("nothing is known of it, and it is known")
	}
}

func TestAnExcerptIsBoundedAndWhole(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{" \n where is it? ", "where is it?"},
		{"caf\xe9", "caf\uFFFD"},
		{strings.Repeat(" ", 5000) + "here", "here"},
	} {
		if got := Excerpt(c.text); got != c.want {
			t.Errorf("%.20q: %q", c.text, got)
		}
	}
	if got := Excerpt(strings.Repeat("ü", 5000)); len(got) > maxText+3 || !strings.HasPrefix(got, "üü") {
		t.Errorf("%d bytes", len(got))
	}
}

func BenchmarkPredictWith(b *testing.B) {
	for _, dims := range []int{384, 1024} {
		b.Run(fmt.Sprint(dims), func(b *testing.B) {
			o := oracle{dims, 2}
			s, err := Train(b.Context(), o.see(examples(1, 20, 20, 0.4)), Options{})
			if err != nil || s.Dims() != dims {
				b.Fatal(err, s.Dims())
			}
			b.Logf("%d bytes, %d rows", len(s.encode()), len(s.lexicon.hashes))
			all := o.see(examples(12, 20, 1, 0))
			b.ReportAllocs()
			b.ResetTimer()
			for i := 0; b.Loop(); i++ {
				e := all[i%len(all)]
				if _, err := s.PredictWith(e.Text, e.Vector); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
