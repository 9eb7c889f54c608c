package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"starling"
	"starling/internal/evidence"
	"starling/internal/ledger"
	"starling/internal/skill"
)

// observed reports what would have been done.
func (c ledgerReportCmd) observed(p *program, l *ledger.Records, q ledger.Query) error {
	cfg, err := loadConfig(p.flags.Config)
	if err != nil {
		return err
	}
	set, err := cfg.loadSkills()
	if err != nil {
		return err
	}
	o, err := observe(p.ctx, l, q, set)
	if err != nil {
		return err
	}
	if c.JSON {
		return p.encode(o)
	}
	o.print(p.stdout)
	return nil
}

// An observation is what receipts say of a gateway that only observed: a fold over
// them, and over the outcomes of their shadows.
type observation struct {
	Since  *time.Time     `json:"since,omitempty"`
	Says   string         `json:"says"`
	Skills []*skillView   `json:"skills"`   // in the order of their names
	None   sums           `json:"no_skill"` // of requests for which nothing would have changed
	Total  sums           `json:"total"`
	Cost   starling.Money `json:"shadows_cost_nanodollars"` // of all shadows
	by     map[string]*skillView
	asked  map[string]*shadowed // by receipt
}

const unchanged = "Nothing was changed: every request was answered as it would have been without Starling."

// sums are of requests and what they cost.
type sums struct {
	Requests  int            `json:"requests"`
	Answered  int            `json:"answered"`
	Simulated int            `json:"simulated,omitempty"`             // answered by simulated upstreams
	Cost      starling.Money `json:"cost_nanodollars"`                // as it was
	Would     starling.Money `json:"would_have_cost_nanodollars"`     // an estimate, at the tokens that were counted
	Saved     starling.Money `json:"would_have_saved_nanodollars"`    // Cost − Would
	Expected  starling.Money `json:"would_have_expected_nanodollars"` // as the plans had it, before anybody answered
}

// A skillView is what was observed of one skill.
type skillView struct {
	Skill string `json:"skill"`
	sums
	First []*firstView `json:"first"` // who would have been asked first, those of most requests first
	bar   skill.Bar    // of the rubric as it is now; the zero one if there is no such skill any more
}

// A firstView is what was observed of one model that would have been asked first.
type firstView struct {
	Model    string  `json:"model"` // "" nobody: the request would have been refused
	Requests int     `json:"requests"`
	Odds     float64 `json:"expected_accepted"` // mean of what the plans expected; what the estimate rests on, and shadows put to the test
	Shadows  shadows `json:"shadows"`
}

// shadows are what was measured: all Asked are Climbed, Failed or Accepted, and of
// these Compared or Incomparable.
type shadows struct {
	Asked        int            `json:"asked"`
	Accepted     int            `json:"accepted"`
	Climbed      int            `json:"climbed"` // the next candidate would have been asked
	Failed       int            `json:"failed"`
	Compared     int            `json:"compared"`
	Agreed       int            `json:"agreed"`
	Incomparable int            `json:"not_comparable"`
	Cost         starling.Money `json:"cost_nanodollars"`
	Low          float64        `json:"agreed_low"` // exact, of 95 %
	High         float64        `json:"agreed_high"`
	Missing      *int           `json:"missing,omitempty"` // shadows that have to agree until the bar is shown; 0 if it is, -1 if none can. Absent without a bar
}

// A shadowed is one shadow.
type shadowed struct {
	of       *shadows
	answered bool
	outcome  *evidence.Outcome
}

// observe folds what a query selects.
func observe(ctx context.Context, l *ledger.Records, q ledger.Query, set *skill.Set) (*observation, error) {
	o := &observation{Says: unchanged, Skills: []*skillView{}, by: map[string]*skillView{}, asked: map[string]*shadowed{}}
	if !q.Since.IsZero() {
		o.Since = &q.Since
	}
	for r, err := range l.Receipts(ctx, q) {
		if err != nil {
			return nil, err
		}
		o.add(r)
	}
	if len(o.asked) > 0 {
		for outcome, err := range l.Outcomes(ctx, "", "") {
			if err != nil {
				return nil, err
			}
			if s := o.asked[outcome.Receipt]; s != nil && outcome.Source == evidence.FromAudit {
				s.outcome = outcome
			}
		}
	}
	o.close(set)
	return o, nil
}

func (o *observation) add(r *starling.Receipt) {
	switch {
	case r.Observed == nil:
	case r.Observed.Shadow:
		o.shadow(r)
	case r.Observed.Skill == "":
		o.None.add(r)
		o.Total.add(r)
	default:
		s := o.skill(r.Observed.Skill)
		s.add(r)
		s.first(r.Observed.First()).add(r.Observed)
		o.Total.add(r)
	}
}

func (f *firstView) add(o *starling.Observed) {
	f.Requests++
	if len(o.Candidates) > 0 {
		f.Odds += (o.Candidates[0].Probability - f.Odds) / float64(f.Requests)
	}
}

// add counts a request. Where it was not answered, or would not have been, or cost
// more than anybody knows, no saving is claimed: it counts with what it did cost.
func (s *sums) add(r *starling.Receipt) {
	s.Requests++
	s.Cost = s.Cost.Plus(r.Cost)
	would := r.Cost
	if r.Outcome == starling.Answered {
		s.Answered++
		if r.Response.Simulated {
			s.Simulated++
		}
		if r.Observed.First() != "" && !r.Response.Unpriced {
			would = r.Observed.AtTokens
		}
	}
	s.Would, s.Expected = s.Would.Plus(would), s.Expected.Plus(r.Observed.Expected)
	s.Saved = s.Cost.Plus(-s.Would)
}

// shadow counts an exchange that asked who would have answered. One that was kept
// from asking, by a cap or a zone, says nothing and has cost nothing.
func (o *observation) shadow(r *starling.Receipt) {
	model := ""
	for i := range r.Attempts {
		if r.Attempts[i].Outcome != starling.Skipped {
			model = r.Attempts[i].Model
		}
	}
	if model == "" || len(r.Plan.Candidates) == 0 {
		return
	}
	of := &o.skill(r.Plan.Skill).first(r.Plan.Candidates[0].Model.ID()).Shadows
	of.Asked++
	of.Cost, o.Cost = of.Cost.Plus(r.Cost), o.Cost.Plus(r.Cost)
	o.asked[r.ID] = &shadowed{of: of, answered: r.Outcome == starling.Answered}
}

func (o *observation) skill(name string) *skillView {
	if o.by[name] == nil {
		o.by[name] = &skillView{Skill: name}
	}
	return o.by[name]
}

func (s *skillView) first(model string) *firstView {
	for _, f := range s.First {
		if f.Model == model {
			return f
		}
	}
	f := &firstView{Model: model}
	s.First = append(s.First, f)
	return f
}

// close works out what follows from the counts, and orders them.
func (o *observation) close(set *skill.Set) {
	for _, s := range o.asked {
		s.count()
	}
	for _, s := range o.by {
		if sk, ok := set.Find(s.Skill); ok {
			s.bar = sk.Rubric.Bar
		}
		for _, f := range s.First {
			f.Shadows.weigh(s.bar)
		}
		slices.SortFunc(s.First, func(a, b *firstView) int {
			return cmp.Or(cmp.Compare(b.Requests, a.Requests), cmp.Compare(a.Model, b.Model))
		})
		o.Skills = append(o.Skills, s)
	}
	slices.SortFunc(o.Skills, func(a, b *skillView) int { return cmp.Compare(a.Skill, b.Skill) })
}

// count says what came of a shadow.
func (s *shadowed) count() {
	switch of := s.of; {
	case s.outcome != nil && s.outcome.Rejected:
		of.Climbed++
	case !s.answered:
		of.Failed++
	case s.outcome == nil:
		of.Accepted++
		of.Incomparable++
	default:
		of.Accepted++
		if of.Compared++; s.outcome.Grade == 1 {
			of.Agreed++
		}
	}
}

// weigh says what the comparisons show.
func (s *shadows) weigh(bar skill.Bar) {
	s.Low, s.High = evidence.ClopperPearson(s.Agreed, s.Compared, 0.95)
	if !bar.Set() {
		return
	}
	missing := 0
	if bar.Pass > 0 {
		missing = evidence.Missing(s.Agreed, s.Compared, bar.Pass, bar.Confidence)
	} else {
		differences := make([]float64, s.Compared) // the reference's own grade is 1
		for i := range s.Compared - s.Agreed {
			differences[i] = -1
		}
		missing = evidence.MissingTies(differences, bar.Margin, bar.Confidence)
	}
	if missing == evidence.Never {
		missing = -1
	}
	s.Missing = &missing
}

// line is one skill in one line.
func (s *skillView) line() string {
	return fmt.Sprintf("%d requests, %s as it was, %s as it would have been (estimate), saved %s", s.Requests, s.Cost, s.Would, s.savedText())
}

// savedText is what would have been saved, with its share of the cost.
func (s *sums) savedText() string {
	if s.Cost == 0 {
		return s.Saved.String()
	}
	return fmt.Sprintf("%s, %.1f %%", s.Saved, 100*float64(s.Saved)/float64(s.Cost))
}

func (s *sums) requestsText() string {
	text := fmt.Sprintf("%d requests, %d answered", s.Requests, s.Answered)
	if s.Simulated > 0 {
		text += fmt.Sprintf(", %d of them by simulated upstreams: that is no model's price or quality", s.Simulated)
	}
	return text
}

// print writes the report for people.
func (o *observation) print(w io.Writer) {
	fmt.Fprintln(w, unchanged)
	if o.Since != nil {
		fmt.Fprintf(w, "Since %s.\n", o.Since.Local().Format(time.DateTime))
	}
	for _, s := range o.Skills {
		s.print(w)
	}
	if o.None.Requests > 0 {
		fmt.Fprintf(w, "\nno skill: would not have changed\n  %s, %s\n", o.None.requestsText(), o.None.Cost)
	}
	if o.Total.Requests == 0 {
		fmt.Fprintln(w, "\nnothing was observed: starling serve --observe does")
		return
	}
	fmt.Fprint(w, "\nall\n")
	o.Total.print(w)
	fmt.Fprintf(w, "  shadows did cost           %s, which is in no figure above\n", o.Cost)
	fmt.Fprintln(w, "\nAn estimate prices the ladder at the tokens that each answer took, every candidate as often as those before it are expected to fail;\nwithout audits, and without verifiers that ask a model. This is a report and no warrant: starling rightsize and starling distill issue those.")
}

func (s *sums) print(w io.Writer) {
	fmt.Fprintf(w, "  cost as it was             %s\n", s.Cost)
	fmt.Fprintf(w, "  would have cost (estimate) %s\n", s.Would)
	fmt.Fprintf(w, "  saved (estimate)           %s\n", s.savedText())
}

func (s *skillView) print(w io.Writer) {
	printf(w, "\n%s\n", s.Skill)
	fmt.Fprintf(w, "  %s\n", s.requestsText())
	s.sums.print(w)
	for _, f := range s.First {
		f.print(w, s)
	}
}

func (f *firstView) print(w io.Writer, s *skillView) {
	share := 0.0
	if s.Requests > 0 {
		share = 100 * float64(f.Requests) / float64(s.Requests)
	}
	if f.Model == "" {
		fmt.Fprintf(w, "  refused                    %d (%.1f %%): nobody might have answered; no saving is claimed of these\n", f.Requests, share)
		return
	}
	printf(w, "  first asked                %s: %d (%.1f %%)\n", f.Model, f.Requests, share)
	m := &f.Shadows
	if m.Asked == 0 {
		fmt.Fprintf(w, "    risk                     not measured: no shadow was asked%s\n", m.missing(s.bar))
		return
	}
	fmt.Fprintf(w, "    shadows                  %d asked for %s: %s; %.0f %% were expected to be accepted\n", m.Asked, m.Cost, m.parts(), 100*f.Odds)
	if m.Compared > 0 {
		fmt.Fprintf(w, "    risk                     agreed %d of %d: %.1f %%, at 95 %% between %.1f and %.1f %%%s\n", m.Agreed, m.Compared, 100*float64(m.Agreed)/float64(m.Compared), 100*m.Low, 100*m.High, m.missing(s.bar))
	}
}

// parts says what came of the shadows.
func (m *shadows) parts() string {
	parts := []string{fmt.Sprintf("%d accepted", m.Accepted), fmt.Sprintf("%d climbed", m.Climbed)}
	if m.Failed > 0 {
		parts = append(parts, fmt.Sprintf("%d failed", m.Failed))
	}
	if m.Incomparable > 0 {
		parts = append(parts, fmt.Sprintf("%d could not be compared", m.Incomparable))
	}
	return strings.Join(parts, ", ")
}

// missing says how far it is to the bar.
func (m *shadows) missing(bar skill.Bar) string {
	if m.Missing == nil {
		return ""
	}
	level := fmt.Sprintf("the bar of %.4g %% at %.4g %%", 100*bar.Pass, 100*bar.Confidence)
	if bar.Margin > 0 {
		level = fmt.Sprintf("the bar of %.4g %% below the reference at %.4g %%", 100*bar.Margin, 100*bar.Confidence)
	}
	switch *m.Missing {
	case 0:
		return "; that shows " + level
	case -1:
		return "; no number of shadows shows " + level
	}
	return fmt.Sprintf("; %d more that agree would show %s", *m.Missing, level)
}
