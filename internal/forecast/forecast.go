package forecast

// A Row is a case of the past: how each candidate did on a prompt.
type Row struct {
	Skill  string
	Prompt string
	// Grades holds one grade in [0, 1] for each candidate; NaN where the
	// candidate was not tried.
	Grades []float64
}

// A Forecast says how likely candidates are to pass. It is immutable and safe
// for concurrent use.
type Forecast struct {
	means  *means
	head   *head // nil where it helps nobody
	stacks []*stack
	heeds  map[string][]bool // per skill, whether the stack of a candidate is heeded
}

// Odds returns the probability that each candidate passes, in the order of the
// rows' grades. It reads the prompt's first 1024 and last 2048 bytes that are no
// white space, and its length, and allocates little more than what it returns.
func (f *Forecast) Odds(skill, prompt string) []float64 {
	odds := make([]float64, len(f.stacks))
	for c := range odds {
		odds[c] = f.means.at(skill, c)
	}
	if heeds := f.heeds[skill]; heeds != nil {
		f.correct(odds, heeds, prompt)
	}
	return odds
}

// Reads reports whether the prompts of a skill make a difference to its odds:
// whether reading them has helped. It never does for an unknown skill.
func (f *Forecast) Reads(skill string) bool { return f.heeds[skill] != nil }

// correct applies the stacks that are heeded to the means in odds.
func (f *Forecast) correct(odds []float64, heeds []bool, prompt string) {
	r := readers.Get().(*reader)
	defer readers.Put(r)
	said := r.hear(f.head, prompt)
	for c, p := range odds {
		if heeds[c] {
			odds[c] = f.stacks[c].odds(termsOf(p, said, c))
		}
	}
}

// termsOf are the terms of a candidate with a mean and what the head said.
func termsOf(mean float64, said []float32, c int) terms {
	return terms{1, logit(mean), float64(said[0]), float64(said[1+c])}
}
