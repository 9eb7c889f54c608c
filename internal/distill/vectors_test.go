package distill

import (
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"testing"

	"starling/internal/student"
)

// told gives a course vectors in which its right answers are, with noise.
func told(t testing.TB, c *Course, noise float64) *Course {
	t.Helper()
	answers := map[string]string{}
	for _, x := range c.Texts {
		answers[student.Excerpt(x.Input)] = x.Answer
	}
	for _, x := range c.Cases {
		answers[student.Excerpt(x.Input)] = x.Answer
	}
	inputs, err := c.Inputs()
	if err != nil {
		t.Fatal(err)
	}
	seed := func(s string) uint64 {
		h := fnv.New64()
		_, _ = h.Write([]byte(s))
		return h.Sum64()
	}
	c.Vectors = &Vectors{Embedder: student.NewEmbedder("near/e", make([]float32, 16)), Of: map[string][]float32{}}
	for _, in := range inputs {
		towards, own, v := rand.New(rand.NewPCG(seed(answers[in]), 1)), rand.New(rand.NewPCG(seed(in), 2)), make([]float32, 16)
		for i := range v {
			v[i] = float32(towards.NormFloat64() + noise*own.NormFloat64())
		}
		c.Vectors.Of[in] = v
	}
	return c
}

func TestAStudentLearnsWithVectorsThatHelp(t *testing.T) {
	large(t)
	blind, seeing := ran(t, shop(t, 4, 500)), ran(t, told(t, shop(t, 4, 500), 0.5))
	if seeing.Dims != 16 || blind.Dims != 0 || seeing.Accuracy() < blind.Accuracy()+0.03 {
		t.Errorf("with %d numbers %.3f, with %d %.3f", seeing.Dims, seeing.Accuracy(), blind.Dims, blind.Accuracy())
	}
	if e := seeing.Student.Lesson.Embedder; e == nil || e.Model != "near/e" {
		t.Errorf("its lesson names %+v", e)
	}
	if blind.Counts != seeing.Counts || seeing.Digest == blind.Digest || len(seeing.Outcomes) != len(blind.Outcomes) {
		t.Errorf("%+v and %+v", blind.Counts, seeing.Counts)
	}
	again := ran(t, told(t, shop(t, 4, 500), 0.5))
	if again.Digest != seeing.Digest {
		t.Error("the same vectors make another student")
	}
}

// TestVectorsThatDoNotHelpAreForgotten: the student is the one without, and asks
// nobody.
func TestVectorsThatDoNotHelpAreForgotten(t *testing.T) {
	large(t)
	blind, noisy := ran(t, shop(t, 5, 400)), ran(t, told(t, shop(t, 5, 400), 1000))
	if noisy.Dims != 0 || noisy.Digest != blind.Digest || noisy.Student.Lesson.Embedder != nil {
		t.Errorf("it wants %d numbers", noisy.Dims)
	}
}

// TestWhatIsHeldBackDoesNotDecideWhetherVectorsHelp: whatever they say of it.
func TestWhatIsHeldBackDoesNotDecideWhetherVectorsHelp(t *testing.T) {
	large(t)
	good, bad := told(t, shop(t, 6, 400), 0.5), told(t, shop(t, 6, 400), 0.5)
	for in := range bad.Vectors.Of {
		if HeldBack(in) {
			bad.Vectors.Of[in] = make([]float32, 16)
		}
	}
	a, b := ran(t, good), ran(t, bad)
	if a.Dims != 16 || b.Dims != 16 || b.Accuracy() > a.Accuracy()-0.02 {
		t.Errorf("%d and %d numbers, accuracy %.3f and %.3f", a.Dims, b.Dims, a.Accuracy(), b.Accuracy())
	}
}

func TestAllThatAStudentIsAskedIsEmbeddedOnce(t *testing.T) {
	c := shop(t, 7, 300)
	c.Texts = append(c.Texts, c.Texts...)
	inputs, err := c.Inputs()
	if err != nil {
		t.Fatal(err)
	}
	if len(inputs) != 300+len(c.Cases) || !slices.IsSorted(inputs) || slices.Contains(inputs, "") {
		t.Errorf("%d inputs", len(inputs))
	}
	c.Skill.Rubric.Candidates = nil
	if _, err := c.Inputs(); err == nil {
		t.Error("nobody asks for a student, and texts are embedded")
	}
}

func TestWhatASimulatedModelReadProvesNothing(t *testing.T) {
	c := told(t, shop(t, 8, 1000), 0.3)
	c.Vectors.Simulated = true
	r := ran(t, c)
	if r.Warrant == nil || !r.Warrant.Simulated || !r.Outcomes[0].Simulated {
		t.Errorf("%s: %+v", r.Why, r.Warrant)
	}
}
