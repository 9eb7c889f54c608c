package route

import (
	"math"
	"sync/atomic"

	"starling"
	"starling/internal/evidence"
	"starling/internal/forecast"
	"starling/internal/skill"
)

// An Insight is what was learned in the background, for routers that come and go:
// somebody else studies and puts it in force. Safe for concurrent use; a nil one
// knows nothing.
type Insight struct {
	found  atomic.Pointer[Findings]
	skills atomic.Pointer[Recogniser]
	wanted atomic.Bool
}

// Take puts findings in force.
func (i *Insight) Take(f *Findings) { i.found.Store(f) }

// TakeRecogniser puts a recogniser of skills in force.
func (i *Insight) TakeRecogniser(r *Recogniser) { i.skills.Store(r) }

// Wanted reports whether somebody left the choice of a skill to us. Until then
// there is no reason to learn to recognise any.
func (i *Insight) Wanted() bool { return i.wanted.Load() }

func (i *Insight) findings() *Findings {
	if i == nil {
		return nil
	}
	return i.found.Load()
}

// guard returns what the guard said of a skill, and whether it was asked about this
// rubric.
func (i *Insight) guard(s *skill.Skill) (Guard, bool) {
	f := i.findings()
	if f == nil {
		return Guard{}, false
	}
	found, ok := f.skills[s.Name]
	return found.Guard, ok && found.Rubric == s.Hash
}

// Findings are what the evidence says of skills as they were. They are immutable.
type Findings struct {
	skills   map[string]Finding
	forecast *forecast.Forecast // nil without enough to learn from
	columns  map[string]int     // of a model in the forecast, by "provider/name"
}

// FindingsOf returns findings that do not rest on a forecast: of who knows by other means
// where routing pays.
func FindingsOf(skills map[string]Finding) *Findings {
	return &Findings{skills: skills, columns: map[string]int{}}
}

// A Finding is what was found of one skill.
type Finding struct {
	Rubric string // hash of the one that it is about
	Reads  bool   // prompts tell how likely an answer is accepted
	Guard  Guard
}

// Of returns the finding of a skill.
func (f *Findings) Of(name string) (Finding, bool) {
	found, ok := f.skills[name]
	return found, ok
}

func (f *Findings) reads(s *skill.Skill) bool {
	found, ok := f.skills[s.Name]
	return ok && found.Reads && found.Rubric == s.Hash
}

// A Past is what there is to learn of a skill: its cases, and its outcomes in the
// order in which they were written down.
type Past struct {
	Skill    *skill.Skill
	Cases    []skill.Case
	Outcomes []*evidence.Outcome
}

// Study learns from the past of all skills: it fits the forecast, and has the guard
// judge each skill that has outcomes. It takes seconds, and is no work for a
// request's way. The same past gives the same findings.
func (r *Router) Study(past []Past) (*Findings, error) {
	f := &Findings{skills: map[string]Finding{}, columns: map[string]int{}}
	var fields []*studied
	var rows []forecast.Row
	for _, p := range past {
		if s := r.prepare(p, f.columns); s != nil {
			fields = append(fields, s)
		}
	}
	for _, s := range fields {
		rows = append(rows, s.rows(f.columns, s.trials)...)
	}
	if len(rows) >= leastCases {
		fitted, err := forecast.Fit(rows, forecast.Options{})
		if err != nil {
			return nil, &starling.Error{Kind: starling.Internal, Op: "route: study the evidence", Err: err}
		}
		f.forecast = fitted
	}
	for _, s := range fields {
		found := Finding{Rubric: s.skill.Hash, Reads: f.forecast != nil && f.forecast.Reads(s.skill.Name)}
		if field := s.field(); len(field.Names) > 1 {
			if found.Reads {
				field.Foresee = s.foresee(f.columns, fields)
			}
			found.Guard = Judge(field)
			f.skills[s.skill.Name] = found
		}
	}
	return f, nil
}

// A studied is a skill with the candidates that may answer, and their outcomes.
type studied struct {
	skill     *skill.Skill
	inputs    map[string]string // of its cases, by id
	models    []string          // of the candidates
	reference int
	trials    []known
}

// A known is a case with what is known of each candidate; nil where it was not
// asked.
type known struct {
	id    string
	tries []*Try
}

// prepare finds the candidates of a skill that may answer, as far as evidence says,
// and what became of their answers to its cases. It returns nil if there is
// nothing.
func (r *Router) prepare(p Past, columns map[string]int) *studied {
	s := &studied{skill: p.Skill, inputs: map[string]string{}, reference: -1}
	plan := r.beforehand(p.Skill)
	units := map[string]int{}
	var judged []starling.Candidate
	for i, c := range p.Skill.Rubric.Candidates {
		m, ok := r.Directory.Find(c.Model)
		if !ok {
			continue
		}
		next := plan.candidate(c, m)
		proof := plan.proof(&next, i == len(p.Skill.Rubric.Candidates)-1)
		if _, twice := units[next.Unit]; twice || proof.against != "" {
			continue
		}
		if plan.Reference != nil && plan.Reference.ID() == m.ID() {
			s.reference = len(judged)
		}
		units[next.Unit] = len(judged)
		judged, s.models = append(judged, next), append(s.models, m.ID())
	}
	if s.reference < 0 {
		s.reference = len(judged) - 1
	}
	s.gather(p, judged, units)
	if len(s.trials) == 0 {
		return nil
	}
	for _, model := range s.models {
		if _, ok := columns[model]; !ok {
			columns[model] = len(columns)
		}
	}
	return s
}

// gather brings the outcomes together case by case. One of a case as it was before
// somebody changed it is of another, and of several answers the first counts, as on
// the board.
func (s *studied) gather(p Past, judged []starling.Candidate, units map[string]int) {
	digests := map[string]string{}
	for _, c := range p.Cases {
		s.inputs[c.ID], digests[c.ID] = c.Input, c.Digest()
	}
	at := map[string]int{}
	for _, o := range p.Outcomes {
		i, ok := units[o.Candidate]
		digest, there := digests[o.Case]
		if !ok || !there || o.Digest != "" && o.Digest != digest || o.Source != evidence.FromCase || o.Rubric != s.skill.Hash {
			continue
		}
		if _, seen := at[o.Case]; !seen {
			at[o.Case] = len(s.trials)
			s.trials = append(s.trials, known{o.Case, make([]*Try, len(judged))})
		}
		if t := s.trials[at[o.Case]]; t.tries[i] == nil {
			t.tries[i] = tryOf(o, &judged[i])
		}
	}
}

// tryOf says what the cascade would have made of an answer.
func tryOf(o *evidence.Outcome, c *starling.Candidate) *Try {
	accepted := !o.Rejected || len(c.Verify) == 0
	if c.Threshold > 0 && o.Confidence < c.Threshold {
		accepted = false
	}
	return &Try{Accepted: accepted, Passed: o.Grade == 1, Cost: o.Cost}
}

// field is what the guard judges: the cases that every candidate was asked.
func (s *studied) field() Field {
	f := Field{Names: s.models, Reference: s.reference, Pass: s.skill.Rubric.Bar.Pass}
	for _, k := range s.trials {
		t := Trial{Case: k.id, Length: len(s.inputs[k.id])}
		for _, try := range k.tries {
			if try != nil {
				t.Tries = append(t.Tries, *try)
			}
		}
		if len(t.Tries) == len(s.models) {
			f.Trials = append(f.Trials, t)
		}
	}
	return f
}

// rows are trials as the forecast takes them: whether answers were accepted.
func (s *studied) rows(columns map[string]int, trials []known) []forecast.Row {
	var rows []forecast.Row
	for _, k := range trials {
		row := forecast.Row{Skill: s.skill.Name, Prompt: s.inputs[k.id], Grades: make([]float64, len(columns))}
		for i := range row.Grades {
			row.Grades[i] = math.NaN()
		}
		for i, try := range k.tries {
			if try != nil {
				row.Grades[columns[s.models[i]]] = grade(try.Accepted)
			}
		}
		rows = append(rows, row)
	}
	return rows
}

func grade(accepted bool) float64 {
	if accepted {
		return 1
	}
	return 0
}

// foresee fits a forecast without the cases that are held back. If it cannot, it
// foresees nothing.
func (s *studied) foresee(columns map[string]int, all []*studied) func([]Trial) func(Trial) []float64 {
	return func(past []Trial) func(Trial) []float64 {
		kept := map[string]bool{}
		for _, t := range past {
			kept[t.Case] = true
		}
		var rows []forecast.Row
		for _, other := range all {
			trials := other.trials
			if other == s {
				trials = nil
				for _, k := range s.trials {
					if kept[k.id] {
						trials = append(trials, k)
					}
				}
			}
			rows = append(rows, other.rows(columns, trials)...)
		}
		fitted, err := forecast.Fit(rows, forecast.Options{})
		return func(t Trial) []float64 {
			if err != nil {
				return nil
			}
			odds := fitted.Odds(s.skill.Name, s.inputs[t.Case])
			own := make([]float64, len(s.models))
			for i, model := range s.models {
				own[i] = odds[columns[model]]
			}
			return own
		}
	}
}
