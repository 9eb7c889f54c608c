package sim

import "strings"

// A Case is an input whose right answer is known. A model answers it rightly
// with the probability that its quality states, else with one of Wrong.
type Case struct {
	Skill  string
	Input  string // as the last user message, give or take surrounding space
	Answer string
	Wrong  []string
}

// answer returns the right answer in the given share of throws. Whether a model
// is right about a case depends on nothing but the seed, its name, the input and
// the number of the choice: not on the dialect, the system prompt or the day.
func (c *Case) answer(d die, quality float64) string {
	switch {
	case d.about("quality").share() < quality:
		return c.Answer
	case len(c.Wrong) == 0:
		return marker + "A wrong answer was due here, and the case states none."
	}
	return c.Wrong[d.about("wrong").pick(len(c.Wrong))]
}

func index(cases []Case) map[string]*Case {
	byInput := make(map[string]*Case, len(cases))
	for i := range cases {
		input := strings.TrimSpace(cases[i].Input)
		if _, twice := byInput[input]; !twice && input != "" {
			byInput[input] = &cases[i]
		}
	}
	return byInput
}

// known finds the case that the last user message asks: its whole text, or else
// one of its parts. Of two cases with one input the first counts.
func (s *Server) known(a *ask) *Case {
	if len(s.cases) == 0 {
		return nil
	}
	if c := s.cases[strings.TrimSpace(a.said)]; c != nil {
		return c
	}
	for _, part := range a.parts {
		if c := s.cases[strings.TrimSpace(part)]; c != nil {
			return c
		}
	}
	return nil
}
