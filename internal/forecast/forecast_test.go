package forecast

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func rng(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 0)) }

func near(got, want, within float64) bool { return math.Abs(got-want) <= within }

func TestAnUnknownSkillGetsTheMeansOfAllWhateverThePrompt(t *testing.T) {
	rows := foretold(rng(1), 150, 2)
	f := fitted(t, rows)
	mean := 0.0
	for _, r := range rows {
		mean += r.Grades[0] / float64(len(rows))
	}
	easy, hard := f.Odds("new", "this is easy"), f.Odds("new", "this is hard")
	if !slices.Equal(easy, hard) || !near(easy[0], mean, 0.01) {
		t.Errorf("an easy prompt has %v, a hard one %v, and the mean is %v", easy, hard, mean)
	}
	if f.Reads("new") {
		t.Error("the prompt of an unknown skill is read")
	}
}

func TestFewOutcomesMoveAForecastLittleAndManyMoveItAllTheWay(t *testing.T) {
	others := slices.Concat(unforetold(rng(2), "a", 80, 0.9), unforetold(rng(3), "b", 80, 0.7), unforetold(rng(4), "c", 80, 0.8))
	failed := func(n int) float64 {
		f := fitted(t, slices.Concat(others, unforetold(rng(5), "hard", n, 0)))
		return f.Odds("hard", "hm")[0]
	}
	one, ten, many := failed(1), failed(10), failed(200)
	if !(one > 0.5 && ten < one && many < ten && many < 0.05) {
		t.Errorf("after 1, 10 and 200 failures: %v, %v, %v", one, ten, many)
	}
}

func TestWhatPromptsForetellIsForecast(t *testing.T) {
	f := fitted(t, foretold(rng(6), 300, 2))
	if !f.Reads("easy or hard") {
		t.Fatal("prompts that foretell the outcome are not read")
	}
	test := foretold(rng(7), 300, 2)
	for c := range 2 {
		sums, counts := map[bool]float64{}, map[bool]float64{}
		for _, r := range test {
			easy := strings.Contains(r.Prompt, " easy ")
			sums[easy] += f.Odds(r.Skill, r.Prompt)[c]
			counts[easy]++
		}
		if easy, hard := sums[true]/counts[true], sums[false]/counts[false]; !near(easy, 0.9, 0.06) || !near(hard, 0.1, 0.06) {
			t.Errorf("candidate %d: %v of the easy and %v of the hard, want 0.9 and 0.1", c, easy, hard)
		}
	}
}

func TestPromptsThatSayNothingChangeNothing(t *testing.T) {
	for seed := range uint64(2) {
		f := fitted(t, unforetold(rng(seed), "s", 200, 0.7, 0.4))
		off := 0.0
		for _, r := range unforetold(rng(seed+100), "s", 200, 0.7, 0.4) {
			off += math.Abs(f.Odds("s", r.Prompt)[0]-f.means.at("s", 0)) / 200
		}
		if off > 0.03 {
			t.Errorf("seed %d: prompts move the forecast by %v", seed, off)
		}
	}
}

func TestAPromptThatMisleadsInASkillIsNotReadThere(t *testing.T) {
	rows := foretold(rng(8), 600, 1)
	for _, r := range foretold(rng(9), 120, 1) {
		r.Skill, r.Grades = "the other way round", []float64{1 - r.Grades[0]}
		rows = append(rows, r)
	}
	f := fitted(t, rows)
	if !f.Reads("easy or hard") || f.Reads("the other way round") {
		t.Errorf("read where it helps: %v, and where it misleads: %v", f.Reads("easy or hard"), f.Reads("the other way round"))
	}
}

func TestForecastsCanBeTakenAtTheirWord(t *testing.T) {
	var rows, test []Row
	for i, chances := range [][]float64{{0.95, 0.6}, {0.3, 0.5}, {0.75, 0.1}} {
		skill := string(rune('a' + i))
		rows = append(rows, unforetold(rng(uint64(20+i)), skill, 300, chances...)...)
		test = append(test, unforetold(rng(uint64(30+i)), skill, 1500, chances...)...)
	}
	f := fitted(t, rows)
	var off [2][10]float64
	for _, r := range test {
		for c, p := range f.Odds(r.Skill, r.Prompt) {
			off[c][min(int(p*10), 9)] += (p - r.Grades[c]) / float64(len(test))
		}
	}
	for c := range off {
		sum := 0.0
		for _, o := range off[c] {
			sum += math.Abs(o)
		}
		if sum > 0.04 {
			t.Errorf("candidate %d: off by %v", c, sum)
		}
	}
}

func TestACandidateThatWasSeldomTriedIsForecastFromWhatThereIs(t *testing.T) {
	rows := unforetold(rng(10), "s", 200, 0.8, 0.3)
	for i := range rows {
		if i%10 > 0 {
			rows[i].Grades[1] = math.NaN()
		}
	}
	rows = append(rows, Row{"s", "nobody was tried", []float64{math.NaN(), math.NaN()}})
	got := fitted(t, rows).Odds("s", "hm")
	if !near(got[0], 0.8, 0.1) || !near(got[1], 0.3, 0.2) {
		t.Errorf("%v, want about 0.8 and 0.3", got)
	}
}

func TestWhatCannotBeLearnedFromIsAnError(t *testing.T) {
	for _, c := range []struct {
		name string
		rows []Row
		o    Options
		want string
	}{
		{"nothing", nil, Options{}, "no rows"},
		{"no candidates", []Row{{"s", "p", nil}}, Options{}, "no candidates"},
		{"more candidates than before", []Row{{"s", "p", []float64{1}}, {"s", "p", []float64{1, 0}}}, Options{}, "row 1 has 2 grades"},
		{"a grade above 1", []Row{{"s", "p", []float64{1.5}}}, Options{}, "not in [0, 1]"},
		{"a grade below 0", []Row{{"s", "p", []float64{-1}}}, Options{}, "not in [0, 1]"},
		{"one fold", []Row{{"s", "p", []float64{1}}}, Options{Folds: 1}, "at least 2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := Fit(c.rows, c.o); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}

func TestAnErrorNamesNoWordOfAPrompt(t *testing.T) {
	_, err := Fit([]Row{{"s", "the secret", []float64{2}}}, Options{})
	if err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("%v", err)
	}
}

func TestOneRowIsEnoughToStart(t *testing.T) {
	got := fitted(t, []Row{{"s", "p", []float64{1, 0}}}).Odds("s", "p")
	if !(got[0] > got[1]) {
		t.Errorf("%v after one pass and one failure", got)
	}
}

func TestTheSameRowsGiveTheSameForecast(t *testing.T) {
	rows := foretold(rng(11), 200, 2)
	for i := range rows {
		rows[i].Skill = string(rune('a' + i%7))
	}
	f, g := fitted(t, rows), fitted(t, rows)
	for _, r := range foretold(rng(12), 50, 2) {
		if a, b := f.Odds("c", r.Prompt), g.Odds("c", r.Prompt); !slices.Equal(a, b) {
			t.Fatalf("%v and %v", a, b)
		}
	}
}

func TestOddsAreProbabilitiesWhateverThePrompt(t *testing.T) {
	f := fitted(t, foretold(rng(13), 200, 2))
	rapid.Check(t, func(t *rapid.T) {
		prompt := string(rapid.SliceOfN(rapid.Byte(), 0, 9000).Draw(t, "prompt"))
		for _, p := range f.Odds("easy or hard", prompt) {
			if !(p > 0 && p < 1) {
				t.Fatalf("%v", p)
			}
		}
	})
}
