package sim_test

import (
	"fmt"
	"math"
	"sync"
	"testing"

	"starling/internal/sim"
)

func TestTheSameSeedMakesTheSameWorldInAnyOrder(t *testing.T) {
	const n = 200
	o := sim.Options{Models: []sim.Model{{Name: "m", Quality: 0.5}}, Cases: numbered(n), Seed: 7}
	read := func(s *sim.Server, i int) string {
		return whole(t, "openai", ask(s, chat("openai", "m", input(i%n))).Body.String()).text
	}
	forward, backward := sim.New(o), sim.New(o)
	want := make([]string, n)
	for i := range n {
		want[i] = read(forward, i)
	}
	var wg sync.WaitGroup
	for i := n - 1; i >= 0; i-- {
		wg.Go(func() {
			if got := read(backward, i); got != want[i] {
				t.Errorf("input %d: %q, then %q", i, want[i], got)
			}
		})
	}
	wg.Wait()
	o.Seed = 8
	other, same := sim.New(o), 0
	for i := range n {
		if read(other, i) == want[i] {
			same++
		}
	}
	if same == n {
		t.Error("another seed made the same world")
	}
}

func TestADialectDoesNotChangeWhoIsRight(t *testing.T) {
	s := sim.New(sim.Options{Models: []sim.Model{{Name: "m", Quality: 0.5}}, Cases: numbered(50)})
	for i := range 50 {
		openai := whole(t, "openai", ask(s, chat("openai", "m", input(i))).Body.String()).text
		system := post{"anthropic", `{"model":"m","max_tokens":99,"system":"be brief","messages":[{"role":"user","content":[{"type":"text","text":` + quote(input(i)) + `}]}]}`, nil}
		if got := whole(t, "anthropic", ask(s, system).Body.String()).text; got != openai {
			t.Errorf("input %d: %q in one dialect, %q in the other", i, openai, got)
		}
	}
}

// Twenty inputs in a million would fall outside of five standard deviations of a
// fair draw; the seed is fixed, so this either always passes or never.
func TestQualityIsTheShareOfRightAnswers(t *testing.T) {
	cases := numbered(many(5000))
	for i := range cases {
		cases[i].Skill = []string{"plain", "hard"}[i%2]
	}
	s := sim.New(sim.Options{Cases: cases, Models: []sim.Model{
		{Name: "poor", Quality: 0.2}, {Name: "good", Quality: 0.985, QualityBySkill: map[string]float64{"hard": 0.6}}, {Name: "perfect", Quality: 1},
	}})
	for _, tt := range []struct {
		model, skill string
		share        float64
	}{{"poor", "plain", 0.2}, {"poor", "hard", 0.2}, {"good", "plain", 0.985}, {"good", "hard", 0.6}, {"perfect", "plain", 1}} {
		right, total := 0, 0
		for i, c := range cases {
			if c.Skill != tt.skill {
				continue
			}
			total++
			if whole(t, "openai", ask(s, chat("openai", tt.model, input(i))).Body.String()).text == c.Answer {
				right++
			}
		}
		sigma := math.Sqrt(tt.share * (1 - tt.share) * float64(total))
		if off := math.Abs(float64(right) - tt.share*float64(total)); off > 5*sigma {
			t.Errorf("%s in %s: %d right of %d, stated is %v", tt.model, tt.skill, right, total, tt.share)
		}
	}
}

func TestARetryCanSucceed(t *testing.T) {
	s := sim.New(sim.Options{Models: []sim.Model{{Name: "m", Failure: sim.Failure{Error500: 0.5}}}})
	saved := 0
	for i := range 100 {
		if ask(s, chat("openai", "m", input(i))).Code == 200 {
			continue
		}
		for range 20 {
			if ask(s, chat("openai", "m", input(i))).Code == 200 {
				saved++
				break
			}
		}
	}
	c := s.Tally().Models["m"]
	if saved < 30 || c.Answered != 100 || c.Requests != c.Answered+c.Failed {
		t.Errorf("%d inputs were answered at a later try; %+v", saved, c)
	}
}

func TestFailuresComeAtTheirRate(t *testing.T) {
	n := many(4000)
	s := sim.New(sim.Options{Models: []sim.Model{{Name: "m", Words: 1, Failure: sim.Failure{Overloaded429: 0.1, Overloaded: 0.05, Error500: 0.2}}}})
	seen := map[int]int{}
	for i := range n {
		seen[ask(s, chat(dialects[i%2], "m", fmt.Sprint("x", i))).Code]++
	}
	for code, share := range map[int]float64{429: 0.1, 500: 0.2, 503: 0.025, 529: 0.025, 200: 0.65} {
		sigma := math.Sqrt(share * (1 - share) * float64(n))
		if off := math.Abs(float64(seen[code]) - share*float64(n)); off > 5*sigma {
			t.Errorf("status %d came %d times of %d, stated is %v", code, seen[code], n, share)
		}
	}
}

// many is a tenth where tests are to be short: one request follows the other, which
// the race detector makes slow, and sees nothing in that the first ones lack.
func many(n int) int {
	if testing.Short() {
		return n / 10
	}
	return n
}

func numbered(n int) []sim.Case {
	cases := make([]sim.Case, n)
	for i := range cases {
		cases[i] = sim.Case{Input: input(i), Answer: fmt.Sprint("right ", i), Wrong: []string{fmt.Sprint("wrong ", i), "wrong"}}
	}
	return cases
}

func input(i int) string { return fmt.Sprintf("What is the answer to question %d?", i) }
