package main

import (
	"math/rand/v2"
	"testing"

	"starling/internal/distill"
	"starling/internal/student"
)

// TestAPromiseIsBrokenNoMoreOftenThanStated makes up answers of which it is known
// how many are right: those with confidence c in 0.8 + 0.2·c. Above a threshold
// of one half the bar is kept, below it is broken.
func TestAPromiseIsBrokenNoMoreOftenThanStated(t *testing.T) {
	var steps []student.Step
	for c := 0.99; c > 0; c -= 0.03 {
		steps = append(steps, student.Step{Confidence: c, Coverage: 1 - c, Agreement: 0.9 + 0.1*c})
	}
	random := rand.New(rand.NewPCG(1, 3))
	const times = 100
	broken, found := 0, 0
	for range times {
		answers := make([]answer, 1000)
		for i := range answers {
			c := random.Float64()
			answers[i] = answer{c, random.Float64() < 0.8+0.2*c}
		}
		switch threshold := taken(distill.FromSafest(steps, len(answers), confidence), answers); {
		case threshold < 0.5:
			broken++
			fallthrough
		case threshold < 1:
			found++
		}
	}
	if broken > times*12/100 || found < times/2 { // 5 % and three standard deviations
		t.Errorf("of %d: broken in %d, found in %d", times, broken, found)
	}
}

func TestASplitDoesNotDependOnTheOrderOfRows(t *testing.T) {
	rows := []student.Example{{Text: "a"}, {Text: "b"}, {Text: "c"}, {Text: "d"}, {Text: "e"}, {Text: "f"}}
	most, rest := split(rows, 1, 2, 3)
	other, _ := split([]student.Example{rows[4], rows[1], rows[5], rows[0], rows[3], rows[2]}, 1, 2, 3)
	if len(most) != 4 || len(rest) != 2 || most[0].Text != other[0].Text || most[3].Text != other[3].Text {
		t.Errorf("%v and %v", most, other)
	}
}
