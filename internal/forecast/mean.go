package forecast

import "slices"

// means holds what passed, per skill and candidate.
type means struct {
	global   []float64 // per candidate
	strength []float64 // per candidate: how many outcomes the prior is worth
	skills   map[string]*tally
}

// A tally counts the outcomes of one skill, per candidate.
type tally struct{ n, sum []float64 }

func newTally(width int) *tally {
	return &tally{make([]float64, width), make([]float64, width)}
}

func (t *tally) add(grades []float64) {
	for c, g := range grades {
		if !missing(g) {
			t.n[c]++
			t.sum[c] += g
		}
	}
}

// newMeans tallies the rows that keep says.
func newMeans(rows []Row, keep func(int) bool) *means {
	width := len(rows[0].Grades)
	m := &means{skills: map[string]*tally{}}
	all := newTally(width)
	for i, r := range rows {
		if !keep(i) {
			continue
		}
		if m.skills[r.Skill] == nil {
			m.skills[r.Skill] = newTally(width)
		}
		m.skills[r.Skill].add(r.Grades)
		all.add(r.Grades)
	}
	names := names(m.skills)
	for c := range width {
		m.global = append(m.global, clamp((all.sum[c]+0.5)/(all.n[c]+1)))
		m.strength = append(m.strength, m.bestStrength(names, c))
	}
	return m
}

// names returns the keys of a map in order: what is added up in another order
// has another sum, and the same rows have to give the same forecast.
func names[V any](of map[string]V) []string {
	all := make([]string, 0, len(of))
	for name := range of {
		all = append(all, name)
	}
	slices.Sort(all)
	return all
}

// strengths are tried for the prior.
var strengths = []float64{1, 2, 4, 8, 16, 32, 64, 128, 256}

// bestStrength is the strength of the prior under which every outcome is
// foreseen best from the others of its skill.
func (m *means) bestStrength(names []string, c int) float64 {
	best, least := 0.0, 0.0
	for _, strength := range strengths {
		sum := 0.0
		for _, name := range names {
			sum += m.skills[name].leaveOneOut(c, strength, m.global[c])
		}
		if best == 0 || sum < least {
			best, least = strength, sum
		}
	}
	return best
}

// leaveOneOut is the loss of foreseeing each outcome from the others. Grades
// between 0 and 1 count as that share of passes.
func (t *tally) leaveOneOut(c int, strength, prior float64) float64 {
	n, passed := t.n[c], t.sum[c]
	if n == 0 {
		return 0
	}
	without := func(g float64) float64 { return (strength*prior + passed - g) / (strength + n - 1) }
	return passed*loss(without(1), 1) + (n-passed)*loss(without(0), 0)
}

// at returns the mean of a Beta posterior whose prior has the candidate's
// global mean, which is also what an unknown skill gets.
func (m *means) at(skill string, c int) float64 {
	t := m.skills[skill]
	if t == nil {
		return m.global[c]
	}
	return clamp((m.strength[c]*m.global[c] + t.sum[c]) / (m.strength[c] + t.n[c]))
}
