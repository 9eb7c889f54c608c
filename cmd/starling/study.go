package main

import (
	"context"
	"io/fs"
	"iter"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"starling"
	"starling/internal/evidence"
	"starling/internal/ledger"
	"starling/internal/route"
	"starling/internal/skill"
	"starling/internal/tokens"
)

// outcomesOf yields the outcomes of a skill, as the ledger does.
type outcomesOf = func(ctx context.Context, skill, candidate string) iter.Seq2[*evidence.Outcome, error]

// A study learns from the evidence beside the requests: how likely answers are
// accepted, whether routing pays, which skill a message is for. What it found, how models
// count, how long readers' reports are, and the conversations under way, outlive the routers
// that a reload replaces.
type study struct {
	files    fs.FS // of the skills
	log      *slog.Logger
	insight  *route.Insight
	sessions *route.Sessions
	factors  *tokens.Factors
	reports  *route.Reports
	router   atomic.Pointer[route.Router] // in force

	// Of run alone.
	set   *skill.Set // that was studied last
	cases int        // then
	at    time.Time  // when
	seen  int        // cases, at the last look
	since time.Time  // of the first look that saw so many
	known *skill.Set // whose skills the recogniser learned
}

const (
	// restudy is how long a study rests: it takes seconds of a processor.
	restudy = time.Minute
	// settled is how long no outcome has to come before those that came are studied:
	// they come in batches.
	settled = 3 * time.Second
)

func newStudy(files fs.FS, log *slog.Logger) *study {
	return &study{files: files, log: log, insight: &route.Insight{}, sessions: route.NewSessions(), factors: tokens.NewFactors(), reports: route.NewReports()}
}

// of gives a router what was learned, before it is in force.
func (s *study) of(r *route.Router) {
	r.Insight, r.Sessions, r.Factors, r.Reports = s.insight, s.sessions, s.factors, s.reports
	s.router.Store(r)
}

// remembered is how many of the latest receipts say at the start how models count, and
// how long readers' reports are.
const remembered = 2000

// recall takes in how the models' tokens compared with ours lately, and how long readers'
// reports were. Until then they are taken to be alike, and as is assumed.
func (s *study) recall(ctx context.Context, books *ledger.Records) {
	var latest []*starling.Receipt
	for r, err := range books.Receipts(ctx, ledger.Query{Newest: true, Limit: remembered}) {
		if err != nil {
			if ctx.Err() == nil {
				s.log.Error("the receipts were not read; how models count and readers report is learned anew", "err", err)
			}
			break
		}
		if r.PartOf != "" || slices.ContainsFunc(r.Attempts, func(a starling.Attempt) bool { return a.Counted > 0 }) {
			latest = append(latest, r)
		}
	}
	for _, r := range slices.Backward(latest) {
		s.factors.Fold(r)
		s.reports.Fold(r)
	}
}

// run studies whenever there is something new, until ctx ends.
func (s *study) run(ctx context.Context, outcomes outcomesOf) error {
	every := time.NewTicker(time.Second)
	defer every.Stop()
	for {
		if err := s.look(ctx, outcomes); err != nil && ctx.Err() == nil {
			s.log.Error("the evidence was not studied; what was found before stays in force", "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-every.C:
		}
	}
}

// look studies what has changed. Nobody waits for it.
func (s *study) look(ctx context.Context, outcomes outcomesOf) error {
	r := s.router.Load()
	cases, learn := r.Board.Cases(), s.insight.Wanted() && s.known != r.Skills
	news := cases != s.cases || s.set != r.Skills && cases > 0
	if cases != s.seen {
		s.seen, s.since = cases, time.Now()
	}
	news = news && time.Since(s.since) >= settled && time.Since(s.at) >= restudy
	if !learn && !news {
		return nil
	}
	past, err := s.past(ctx, r, outcomes)
	if err != nil {
		return err
	}
	if learn {
		s.known = r.Skills // whatever comes of it: the same cases teach the same
		if err := s.recognise(ctx, past); err != nil {
			return err
		}
	}
	if !news {
		return nil
	}
	s.at, s.set, s.cases = time.Now(), r.Skills, cases
	return s.judge(r, past)
}

// judge puts in force what the past says.
func (s *study) judge(r *route.Router, past []route.Past) error {
	found, err := r.Study(past)
	if err != nil {
		return err
	}
	s.insight.Take(found)
	for _, p := range past {
		if f, ok := found.Of(p.Skill.Name); ok {
			s.log.Info("the evidence was studied", "skill", p.Skill.Name, "cases", f.Guard.Cases, "routing", f.Guard.On, "why", f.Guard.Why)
		}
	}
	return nil
}

// recognise learns to tell the skills apart. That it cannot is no error: what
// nobody names is then unknown.
func (s *study) recognise(ctx context.Context, past []route.Past) error {
	known, err := route.LearnSkills(ctx, past)
	if err != nil {
		return err
	}
	s.insight.TakeRecogniser(known)
	s.log.Info("the skills were learned", "tested", known.Tested, "named", known.Answered, "rightly", known.Right, "from", known.Threshold)
	return nil
}

// past reads what there is to learn of every skill. A case that cannot be read
// teaches nothing.
func (s *study) past(ctx context.Context, r *route.Router, outcomes outcomesOf) ([]route.Past, error) {
	var all []route.Past
	for _, name := range r.Skills.Names() {
		sk, _ := r.Skills.Find(name)
		p := route.Past{Skill: sk}
		for c, err := range skill.Cases(s.files, sk.Dir) {
			if err == nil {
				p.Cases = append(p.Cases, c)
			}
		}
		for o, err := range outcomes(ctx, name, "") {
			if err != nil {
				return nil, err
			}
			p.Outcomes = append(p.Outcomes, o)
		}
		all = append(all, p)
	}
	return all, nil
}
