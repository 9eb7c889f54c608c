package main

import (
	"cmp"
	"fmt"
	"io"
	"time"

	"starling"
	"starling/internal/evidence"
	"starling/internal/ledger"
	"starling/internal/route"
	"starling/internal/skill"
)

type warrantCmd struct {
	List   warrantListCmd   `cmd:"" help:"List warrants and what became of them."`
	Show   warrantShowCmd   `cmd:"" help:"Explain one warrant."`
	Revoke warrantRevokeCmd `cmd:"" help:"Take a warrant back, from the next request on."`
}

// What can have become of a warrant.
const (
	inForce  = "in force"
	revoked  = "revoked"
	replaced = "replaced"
	lapsed   = "lapsed"
)

// A warranted is a warrant with what became of it.
type warranted struct {
	*evidence.Warrant
	State      string               `json:"state"`                // "in force", "revoked", "replaced" or "lapsed"
	Why        string               `json:"why,omitempty"`        // it is not in force
	Later      string               `json:"later,omitempty"`      // id of the one that took its place
	Revocation *evidence.Revocation `json:"revocation,omitempty"` // in force, or to come
	Audits     int                  `json:"audits"`               // since it was issued
	Agreed     float64              `json:"agreed"`               // their mean grade
	BoundNow   float64              `json:"bound_now"`
}

// warrants reads what became of every warrant. Whether one has lapsed depends on
// the skills and the models that there are now.
func (p *program) warrants(l *ledger.Records) ([]warranted, error) {
	board := evidence.NewBoard()
	for n, err := range l.Notes(p.ctx, new(ledger.Place)) {
		if err != nil {
			return nil, err
		}
		board.Fold(n)
	}
	all := board.Warrants()
	if len(all) == 0 {
		return nil, nil
	}
	cfg, err := loadConfig(p.flags.Config)
	if err != nil {
		return nil, err
	}
	parts, err := build(p.ctx, cfg, cfg.dataDir(p.flags.Data), nil)
	if err != nil {
		return nil, err
	}
	defer parts.close()
	set, err := cfg.loadSkills()
	if err != nil {
		return nil, err
	}
	out := make([]warranted, len(all))
	for i, s := range all {
		out[i] = warranted{Warrant: s.Warrant, Revocation: cmp.Or(s.Revoked, s.Coming), Audits: s.Audits, Agreed: s.Agreed, BoundNow: s.Bound}
		if s.Later != nil {
			out[i].Later = s.Later.ID
		}
		out[i].State, out[i].Why = became(s, parts, set)
	}
	return out, nil
}

// became says what became of a warrant, and why it is not in force.
func became(s evidence.Standing, parts *parts, set *skill.Set) (state, why string) {
	switch {
	case s.Revoked != nil:
		return revoked, s.Revoked.Why
	case s.Later != nil:
		return replaced, "by " + s.Later.ID
	}
	w := s.Warrant
	if why = ended(w, parts, set); why != "" {
		return lapsed, why
	}
	if s.Coming != nil {
		return inForce, "until " + s.Coming.Time.UTC().Format(time.DateOnly) + ", as " + s.Coming.Why
	}
	return inForce, ""
}

// ended says why nobody can lean on a warrant now, "" if they can.
func ended(w *evidence.Warrant, parts *parts, set *skill.Set) string {
	s, ok := set.Find(w.Skill)
	if !ok {
		return "there is no such skill any more"
	}
	if why := w.Lapsed(s.Hash, s.Cases, time.Now()); why != "" {
		return why
	}
	for _, c := range s.Rubric.Candidates {
		if m, ok := parts.directory.Find(route.Named(s.Name, c.Model)); ok && s.Unit(m) == w.Candidate {
			return ""
		}
	}
	return "what answers under this name is another now, or no candidate of the rubric"
}

type warrantListCmd struct {
	Skill string `arg:"" optional:"" help:"One skill alone."`
	All   bool   `help:"Also those whose place a later one has taken."`
	JSON  bool   `help:"Print JSON."`
}

// Run lists the warrants, the latest of each candidate unless all are asked for.
func (c warrantListCmd) Run(p *program) error {
	all, err := c.read(p)
	if err != nil {
		return err
	}
	some := []warranted{}
	for _, w := range all {
		if (c.Skill == "" || c.Skill == w.Skill) && (c.All || w.Later == "") {
			some = append(some, w)
		}
	}
	cfg, _, err := p.books()
	if err != nil {
		return err
	}
	if err := knownSkill(cfg, c.Skill, len(some)); err != nil {
		return err
	}
	if c.JSON {
		return p.encode(some)
	}
	if len(some) == 0 {
		printf(p.stdout, "no warrants: starling rightsize <skill> issues them\n")
		return nil
	}
	t := newTable(p.stdout, "WARRANT", "SKILL", "MODEL", "FROM", "BAR", "SHOWN", "AUDITS SINCE", "UNTIL", "STATE")
	for _, w := range some {
		state := w.State
		if w.Why != "" {
			state += ": " + w.Why
		}
		t.row(w.ID, w.Skill, modelText(w.Warrant), threshold(w.Warrant), barText(w.Warrant), shownText(w.Warrant), auditText(&w), w.Expires.UTC().Format(time.DateOnly), state)
	}
	return t.Flush()
}

// read reads the warrants. Where nobody has ever served there are none.
func (warrantListCmd) read(p *program) ([]warranted, error) {
	l, err := p.records()
	if starling.KindOf(err) == starling.NotFound {
		printf(p.stderr, "note: %s\n", err)
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer l.Close()
	return p.warrants(l)
}

func modelText(w *evidence.Warrant) string {
	if w.Simulated {
		return w.Model + " [simulated]"
	}
	return w.Model
}

func threshold(w *evidence.Warrant) string {
	if w.Threshold == 0 {
		return "-"
	}
	return fmt.Sprintf("%.4g", w.Threshold)
}

func barText(w *evidence.Warrant) string {
	if w.Margin > 0 {
		return fmt.Sprintf("%+g points, at %g %%", -100*w.Margin, 100*w.Confidence)
	}
	return fmt.Sprintf("%g %%, at %g %%", 100*w.Pass, 100*w.Confidence)
}

// boundText is a bound in the terms of the warrant's bar.
func boundText(w *evidence.Warrant, bound float64) string {
	if w.Margin > 0 {
		return fmt.Sprintf("%+.1f points", 100*(2*bound-1))
	}
	return fmt.Sprintf("%.1f %%", 100*bound)
}

func shownText(w *evidence.Warrant) string {
	return fmt.Sprintf("%d of %d, %s", w.Passed, w.Covered, boundText(w, w.Bound))
}

func auditText(w *warranted) string {
	if w.Audits == 0 {
		return "-"
	}
	return fmt.Sprintf("%d, %.1f %% agree, %s", w.Audits, 100*w.Agreed, boundText(w.Warrant, w.BoundNow))
}

// warrant finds one. Errors: NotFound.
func (p *program) warrant(l *ledger.Records, id string) (warranted, error) {
	all, err := p.warrants(l)
	if err != nil {
		return warranted{}, err
	}
	var ids []string
	for _, w := range all {
		if w.ID == id {
			return w, nil
		}
		ids = append(ids, w.ID)
	}
	return warranted{}, &starling.Error{Kind: starling.NotFound, Op: fmt.Sprintf("there is no warrant %q", id), Hint: meant(id, ids, "starling warrant list --all shows them")}
}

type warrantShowCmd struct {
	ID   string `arg:"" help:"The warrant's id."`
	JSON bool   `help:"Print JSON."`
}

// Run explains one warrant: what it says, what shows it, and what became of it.
func (c warrantShowCmd) Run(p *program) error {
	l, err := p.records()
	if err != nil {
		return err
	}
	defer l.Close()
	w, err := p.warrant(l, c.ID)
	if err != nil {
		return err
	}
	if c.JSON {
		return p.encodeWide(w)
	}
	showWarrant(p.stdout, &w)
	return nil
}

func showWarrant(w io.Writer, x *warranted) {
	printf(w, "warrant    %s\n", x.ID)
	printf(w, "skill      %s, rubric %.12s…, cases %.12s…\n", x.Skill, x.Rubric, dash(x.Cases))
	printf(w, "candidate  %s, unit %s\n", modelText(x.Warrant), x.Candidate)
	printf(w, "says       %s\n", saying(x.Warrant))
	printf(w, "shown      on %s by %d of %d answers, to %d cases: the bound is %s\n", x.Time.UTC().Format(time.RFC3339), x.Passed, x.Covered, x.Asked, boundText(x.Warrant, x.Bound))
	if x.Audits > 0 {
		printf(w, "audits     %d since then, of which %.1f %% agree; with them the bound is %s\n", x.Audits, 100*x.Agreed, boundText(x.Warrant, x.BoundNow))
	} else {
		printf(w, "audits     none since then\n")
	}
	printf(w, "holds      until %s, if neither rubric nor cases change\n", x.Expires.UTC().Format(time.RFC3339))
	switch r := x.Revocation; {
	case r != nil && r.ID != "" && x.State == revoked:
		printf(w, "state      %s on %s (%s, %s): %s\n", x.State, r.Time.UTC().Format(time.RFC3339), r.End, r.ID, dash(r.Why))
	case r != nil && x.State == revoked: // due, and not written down yet
		printf(w, "state      %s (%s): %s\n", x.State, r.End, r.Why)
	case x.Why != "":
		printf(w, "state      %s: %s\n", x.State, x.Why)
	default:
		printf(w, "state      %s\n", x.State)
	}
}

// saying is what a warrant claims, in a sentence.
func saying(w *evidence.Warrant) string {
	which := ""
	if w.Verified {
		which += " that verifiers accept"
	}
	if w.Threshold > 0 {
		which += fmt.Sprintf(" from a confidence of its own of %.4g on", w.Threshold)
	}
	if w.Margin > 0 {
		return fmt.Sprintf("the answers%s are at most %g points worse in the mean than those of the reference, unit %s, at a confidence of %g %%", which, 100*w.Margin, w.Reference, 100*w.Confidence)
	}
	return fmt.Sprintf("of the answers%s at least %g %% pass, at a confidence of %g %%", which, 100*w.Pass, 100*w.Confidence)
}

type warrantRevokeCmd struct {
	ID  string `arg:"" help:"The warrant's id."`
	Why string `default:"a person took it back" help:"Reason, for whoever reads the books." placeholder:"TEXT"`
}

// Run writes the revocation down. A gateway that serves these books reads it by
// itself.
func (c warrantRevokeCmd) Run(p *program) error {
	l, err := p.records()
	if err != nil {
		return err
	}
	defer l.Close()
	w, err := p.warrant(l, c.ID)
	if err != nil {
		return err
	}
	if w.State == revoked {
		return &starling.Error{Kind: starling.Invalid, Op: "warrant " + w.ID + " is revoked already", Hint: "starling warrant show " + w.ID + " says why"}
	}
	r := &evidence.Revocation{Time: time.Now().UTC(), Warrant: w.ID, Skill: w.Skill, Candidate: w.Candidate, Model: w.Model, End: evidence.Withdrawn, Why: c.Why}
	if err := l.AddNotes(p.ctx, evidence.Note{Revocation: r}); err != nil {
		return err
	}
	printf(p.stdout, "%s of %s in %s is revoked: %s\n", w.ID, w.Model, w.Skill, c.Why)
	return nil
}
