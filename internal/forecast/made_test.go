package forecast

import (
	"math/rand/v2"
	"strings"
	"testing"
)

// babble makes up a text of about so many characters.
func babble(rng *rand.Rand, length int) string {
	var b strings.Builder
	for b.Len() < length {
		for range 2 + rng.IntN(8) {
			b.WriteByte('a' + byte(rng.IntN(26)))
		}
		b.WriteByte(" ,.\n"[min(rng.IntN(12), 3)])
	}
	return b.String()
}

// foretold makes up rows of one skill whose prompts foretell the outcomes: every
// candidate mostly passes what is easy, and fails what is hard.
func foretold(rng *rand.Rand, n, candidates int) []Row {
	var rows []Row
	for range n {
		word, chance := "easy", 0.9
		if rng.IntN(2) == 0 {
			word, chance = "hard", 0.1
		}
		r := Row{Skill: "easy or hard", Prompt: "this is " + word + " " + babble(rng, 100)}
		for range candidates {
			r.Grades = append(r.Grades, toss(rng, chance))
		}
		rows = append(rows, r)
	}
	return rows
}

// unforetold makes up rows of a skill of which prompts say nothing: candidate c
// passes with the chance that stands at c.
func unforetold(rng *rand.Rand, skill string, n int, chances ...float64) []Row {
	var rows []Row
	for range n {
		r := Row{Skill: skill, Prompt: babble(rng, 60)}
		for _, chance := range chances {
			r.Grades = append(r.Grades, toss(rng, chance))
		}
		rows = append(rows, r)
	}
	return rows
}

func toss(rng *rand.Rand, chance float64) float64 {
	if rng.Float64() < chance {
		return 1
	}
	return 0
}

func fitted(t testing.TB, rows []Row) *Forecast {
	t.Helper()
	f, err := Fit(rows, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return f
}
