package route

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"slices"

	"starling"
)

// A Trial is a case of a skill with what came of asking each of its candidates, in
// the order of the rubric.
type Trial struct {
	Case   string
	Length int // of the prompt, in bytes
	Tries  []Try
}

// A Try is a candidate's answer to a case.
type Try struct {
	Accepted bool // somebody would have seen it
	Passed   bool // and it was right
	Cost     starling.Money
}

// A Guard says whether ordering by evidence pays in a skill: on cases that it was
// not fitted on it has to do at least as well as everything that is simpler.
type Guard struct {
	On     bool
	Why    string // not, for people; "" if it is on
	Cases  int
	Scores []Score // of routing, the first, and of what it was compared with
}

// A Score is what a way of choosing came to on held-out cases.
type Score struct {
	Name    string
	Quality float64 // share of cases that were answered rightly
	Cost    float64 // nanodollars a case, failed attempts included
}

const (
	// leastCases are needed to judge at all.
	leastCases = 40
	folds      = 5
)

// A Field is what is judged: candidates in the rubric's order.
type Field struct {
	Names     []string // of the candidates, for people
	Reference int      // position of the one that is always right in the rubric's eyes
	Pass      float64  // the bar; 0 without one
	Trials    []Trial
	// Foresee fits odds on trials, for others; nil is the candidates' mean.
	Foresee func(past []Trial) func(Trial) []float64
}

// Judge compares ordering by evidence with the rubric's order, the cheapest and the
// reference alone, the single candidate that is best, the cheapest and the
// reference mixed at random, and prompt length, by cross-validation over the cases:
// whatever is chosen is chosen on the other folds. It is on if nothing that reaches
// its quality costs less, and if it answers no worse than the bar, or, where there is
// none, than the rubric's order.
func Judge(f Field) Guard {
	g := Guard{Cases: len(f.Trials)}
	if len(f.Trials) < leastCases {
		g.Why = fmt.Sprintf("%d cases are known of all its candidates, and it takes %d", len(f.Trials), leastCases)
		return g
	}
	ways := []way{f.routed, f.listed, f.cheapest, f.reference, f.best, f.byLength}
	names := []string{"routing", "the rubric's order", "the cheapest", "the reference", "the best single candidate", "prompt length"}
	sums := make([]Score, len(ways))
	parts := deal(f.Trials)
	for held := range folds {
		var past []Trial
		for i, part := range parts {
			if i != held {
				past = append(past, part...)
			}
		}
		for w, way := range ways {
			choose := way(past)
			for _, t := range parts[held] {
				sums[w].add(t, choose(t))
			}
		}
	}
	for w := range sums {
		sums[w].Name = names[w]
		sums[w].Quality /= float64(len(f.Trials))
		sums[w].Cost /= float64(len(f.Trials))
	}
	g.Scores = append(sums, mixture(sums[2], sums[3], sums[0].Quality))
	g.Why = f.verdict(g)
	g.On = g.Why == ""
	return g
}

func (f *Field) verdict(g Guard) string {
	ours, listed := g.Scores[0], g.Scores[1]
	const rounding = 1e-9
	for _, other := range g.Scores[1:] {
		if other.Quality >= ours.Quality-rounding && other.Cost < ours.Cost*(1-rounding) {
			return fmt.Sprintf("it did not beat %s on %d held-out cases", other.Name, g.Cases)
		}
	}
	if ours.Quality < listed.Quality-rounding && (f.Pass == 0 || ours.Quality < f.Pass) {
		return fmt.Sprintf("it answered worse than the rubric's order on %d held-out cases", g.Cases)
	}
	return ""
}

// deal shares the trials out evenly, by their cases' names alone.
func deal(trials []Trial) [folds][]Trial {
	sum := func(t Trial) uint64 {
		h := fnv.New64a()
		_, _ = h.Write([]byte(t.Case))
		return h.Sum64()
	}
	all := slices.Clone(trials)
	slices.SortFunc(all, func(a, b Trial) int { return cmp.Or(cmp.Compare(sum(a), sum(b)), cmp.Compare(a.Case, b.Case)) })
	var parts [folds][]Trial
	for i, t := range all {
		parts[i%folds] = append(parts[i%folds], t)
	}
	return parts
}

// add asks the candidates in order until an answer is accepted.
func (s *Score) add(t Trial, order []int) {
	for _, i := range order {
		try := t.Tries[i]
		s.Cost += float64(try.Cost)
		if try.Accepted {
			if try.Passed {
				s.Quality++
			}
			return
		}
	}
}

func scoreOf(trials []Trial, choose func(Trial) []int) (s Score) {
	for _, t := range trials {
		s.add(t, choose(t))
	}
	return s
}

// A way learns from trials whom to ask, in which order.
type way func(past []Trial) func(Trial) []int

func always(order ...int) func(Trial) []int { return func(Trial) []int { return order } }

// routed is what arrange does, at the mean cost of past answers.
func (f *Field) routed(past []Trial) func(Trial) []int {
	c := &climb{steps: make([]step, len(f.Names))}
	for i := range c.steps {
		accepted, cost := 0, 0.0
		for _, t := range past {
			if cost += float64(t.Tries[i].Cost); t.Tries[i].Accepted {
				accepted++
			}
		}
		c.steps[i] = step{odds: shrunk(0.9, accepted, len(past)), now: cost / float64(len(past))}
	}
	if f.Foresee == nil {
		return always(c.cheapest()...)
	}
	foresee := f.Foresee(past)
	return func(t Trial) []int {
		own := &climb{steps: slices.Clone(c.steps)}
		for i, odds := range foresee(t) {
			own.steps[i].odds = max(odds, 1e-6)
		}
		return own.cheapest()
	}
}

func (f *Field) listed([]Trial) func(Trial) []int {
	return always((&climb{steps: make([]step, len(f.Names))}).listed()...)
}

func (f *Field) cheapest(past []Trial) func(Trial) []int { return always(f.least(past)) }

func (f *Field) least(past []Trial) int {
	costs := make([]float64, len(f.Names))
	for i := range costs {
		costs[i] = scoreOf(past, always(i)).Cost
	}
	return slices.Index(costs, slices.Min(costs))
}

func (f *Field) reference([]Trial) func(Trial) []int { return always(f.Reference) }

// best is the candidate that answers most rightly alone, of equals the cheapest.
func (f *Field) best(past []Trial) func(Trial) []int {
	best, most := 0, scoreOf(past, always(0))
	for i := 1; i < len(f.Names); i++ {
		s := scoreOf(past, always(i))
		if s.Quality > most.Quality || s.Quality == most.Quality && s.Cost < most.Cost {
			best, most = i, s
		}
	}
	return always(best)
}

// byLength asks the cheapest up to a length and the reference beyond: the length
// that costs least of those with routing's quality on the past, else the one that
// answers most rightly.
func (f *Field) byLength(past []Trial) func(Trial) []int {
	plain := *f
	plain.Foresee = nil // to fit it again is not worth the time
	least, goal := f.least(past), scoreOf(past, plain.routed(past)).Quality
	upTo := func(most int) func(Trial) []int {
		return func(t Trial) []int {
			if t.Length <= most {
				return []int{least}
			}
			return []int{f.Reference}
		}
	}
	lengths := []int{-1}
	for _, t := range past {
		lengths = append(lengths, t.Length)
	}
	slices.Sort(lengths)
	best, at := Score{}, -1
	for tenth := range 11 {
		length := lengths[tenth*(len(lengths)-1)/10]
		s := scoreOf(past, upTo(length))
		enough, had := s.Quality >= goal, best.Quality >= goal
		better := enough && !had || enough == had && (enough && s.Cost < best.Cost || !enough && s.Quality > best.Quality)
		if tenth == 0 || better {
			best, at = s, length
		}
	}
	return upTo(at)
}

// mixture asks the cheapest or the reference, by lot, so that it is as good as
// routing, if it can be.
func mixture(cheap, dear Score, goal float64) Score {
	share := 1.0
	if dear.Quality > cheap.Quality {
		share = min(1, max(0, (goal-cheap.Quality)/(dear.Quality-cheap.Quality)))
	} else if cheap.Quality >= goal {
		share = 0
	}
	return Score{
		Name:    "the cheapest and the reference by lot",
		Quality: cheap.Quality + share*(dear.Quality-cheap.Quality),
		Cost:    cheap.Cost + share*(dear.Cost-cheap.Cost),
	}
}
