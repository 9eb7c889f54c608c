package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"time"

	"starling"
	"starling/internal/corpus"
	"starling/internal/distill"
	"starling/internal/evidence"
	"starling/internal/ledger"
	"starling/internal/privacy"
	"starling/internal/provider"
	"starling/internal/route"
	"starling/internal/skill"
	"starling/internal/verify"
)

// A school is what it takes to make a student and to put it in the place of the one
// before: the skills and models as they are, and the books.
type school struct {
	dir       string // of the data
	files     fs.FS  // of the skills
	set       *skill.Set
	directory *route.Directory
	students  *provider.Students // that there are
	embedder  *provider.Embedder // that they may learn with; nil if there is none
	policy    *privacy.Policy
	books     *ledger.Records
	board     *evidence.Board

	// accounts opens the ledger to book what an embedding model costs, and what
	// gives it back. It is nil where another process has it.
	accounts func(context.Context) (*ledger.Ledger, func() error, error)
	log      *slog.Logger
}

// school is of what is in force now.
func (g *gateway) school() school {
	own := func(context.Context) (*ledger.Ledger, func() error, error) {
		return g.ledger, func() error { return nil }, nil
	}
	return school{
		dir: g.dir, files: g.cfg.skillFiles(), set: g.set, directory: g.parts.directory, students: g.parts.students, embedder: g.parts.embedder,
		policy: g.parts.policy, books: g.ledger.Records, board: g.news.Board, accounts: own, log: g.log,
	}
}

// course puts together what there is to learn in a skill.
func (s school) course(ctx context.Context, name string) (*distill.Course, error) {
	sk, ok := s.set.Find(name)
	if !ok {
		return nil, noSkill(name, s.set)
	}
	c := &distill.Course{Skill: sk}
	c.Reference, _ = s.directory.Find(sk.Rubric.Reference)
	var err error
	if c.Verifiers, err = verify.ForSkill(sk); err != nil {
		return nil, err
	}
	if c.Texts, err = s.texts(ctx, name); err != nil || sk.Cases == "" {
		return c, err
	}
	for cs, err := range skill.Cases(s.files, sk.Dir) {
		if err != nil {
			return nil, err
		}
		c.Cases = append(c.Cases, cs)
	}
	return c, nil
}

// texts reads those of a skill, none where nothing was ever kept.
func (s school) texts(ctx context.Context, name string) (all []corpus.Text, err error) {
	if !exists(s.dir, corpus.File) {
		return nil, nil
	}
	texts, err := corpus.Open(ctx, s.dir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, texts.Close()) }()
	for t, err := range texts.Texts(ctx, name) {
		if err != nil {
			return nil, err
		}
		all = append(all, t)
	}
	return all, nil
}

// warranted returns the warrant by which a skill's student answers now, nil if it
// may not, and why not.
func (s school) warranted(name string) (w *evidence.Warrant, why string) {
	t, ok := s.students.Find(name)
	if !ok {
		return nil, "there is no student"
	}
	sk, ok := s.set.Find(name)
	if !ok {
		return nil, "there is no such skill"
	}
	if m, _ := s.directory.Find(starling.StudentName + "/" + name); m.Away != "" {
		return nil, m.Away
	}
	now := s.board.Standing(name, sk.Hash, sk.Unit(provider.StudentModel(t)))
	switch {
	case now.Warrant == nil:
		return nil, "it was never shown to be good enough"
	case now.Revoked != nil:
		return nil, "its warrant was revoked: " + now.Revoked.Why
	}
	if why := now.Warrant.Lapsed(sk.Hash, sk.Cases, time.Now()); why != "" {
		return nil, why
	}
	return now.Warrant, ""
}

// keep writes down what a course came to, and puts the student in its place. The
// warrant comes first: one of a student that is not there lets nobody answer, and
// a student without one does not either. It reports false, and keeps nothing, where
// a student that was not shown to be good enough would replace one that was.
func (s school) keep(ctx context.Context, r *distill.Result) (bool, error) {
	if before, _ := s.warranted(r.Skill); r.Warrant == nil && before != nil {
		return false, nil
	}
	var notes []evidence.Note
	for i := range r.Outcomes {
		notes = append(notes, evidence.Note{Outcome: &r.Outcomes[i]})
	}
	if r.Warrant != nil {
		notes = append(notes, evidence.Note{Warrant: r.Warrant})
	}
	if err := s.books.AddNotes(ctx, notes...); err != nil {
		return false, err
	}
	return true, writeStudent(s.dir, r.Student)
}

// file is where a skill's student is.
func (s school) file(name string) string {
	return filepath.Join(s.dir, studentsFolder, name+studentEnding)
}

// A student is taught again once so much more was kept since.
const (
	moreShare = 0.2
	moreTexts = 50
)

// Lessons teach the students of a gateway again when there is more to learn: one
// at a time, on one processor, so that requests do not wait.
type lessons struct {
	log   *slog.Logger
	every time.Duration
	ask   <-chan school
	tried map[string]int // texts at the last try of this gateway, by skill
}

func newLessons(g *gateway) *lessons {
	return &lessons{g.log, g.lessons, g.schools, map[string]int{}}
}

// run looks for more to learn until ctx ends, which ends a training too.
func (l *lessons) run(ctx context.Context) error {
	every := time.NewTicker(l.every)
	defer every.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-every.C:
		}
		select {
		case <-ctx.Done():
			return nil
		case s := <-l.ask:
			l.give(ctx, s)
		}
	}
}

// give teaches every student that is due.
func (l *lessons) give(ctx context.Context, s school) {
	if len(s.students.Models()) == 0 || !exists(s.dir, corpus.File) {
		return
	}
	kept, err := s.counts(ctx)
	if err != nil && ctx.Err() == nil {
		l.log.Error("nobody knows whether students have more to learn", "err", err)
	}
	for _, name := range s.set.Names() {
		n := kept[name]
		if !l.due(s, name, n) || ctx.Err() != nil {
			continue
		}
		l.tried[name] = n
		why, err := l.teach(ctx, s, name)
		switch {
		case ctx.Err() != nil:
		case err != nil:
			l.log.Error("student not taught again; the old one stays in force", "skill", name, "texts", n, "err", err)
		default:
			l.log.Info(why, "skill", name, "texts", n)
		}
	}
}

// due reports whether so much more is known than when the skill's student was
// taught, or when that was last tried.
func (l *lessons) due(s school, name string, texts int) bool {
	t, ok := s.students.Find(name)
	sk, known := s.set.Find(name)
	if !ok || !known || !distill.Named(sk) {
		return false
	}
	before := max(t.Lesson.Texts, l.tried[name])
	return texts >= before+moreTexts && float64(texts) >= (1+moreShare)*float64(before)
}

// teach makes a student and puts it in force if it is shown to be good enough.
func (l *lessons) teach(ctx context.Context, s school, name string) (why string, err error) {
	course, err := s.course(ctx, name)
	if err != nil {
		return "", err
	}
	course.Workers = 1
	if t, ok := s.students.Find(name); ok && t.Dims() > 0 { // as it was taught before
		if why := s.dear(course); why != "" {
			return "student not taught again by itself: " + why + "; starling distill " + name + " does it", nil
		}
		if _, err := s.embed(ctx, course, nil); err != nil {
			return "", err
		}
	}
	r, err := course.Run(ctx)
	if err != nil {
		return "", err
	}
	if r.Warrant == nil {
		return "student taught again, and not shown to be good enough; the old one stays: " + r.Why, nil
	}
	if _, err := s.keep(ctx, r); err != nil {
		return "", err
	}
	return fmt.Sprintf("student taught again: %s; %.1f %% of what was held back is covered", r.Why, 100*r.Coverage()), nil
}

// counts says how many texts are kept of each skill.
func (s school) counts(ctx context.Context) (kept map[string]int, err error) {
	texts, err := corpus.Open(ctx, s.dir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, texts.Close()) }()
	counts, err := texts.Counts(ctx)
	kept = map[string]int{}
	for _, n := range counts {
		kept[n.Skill] = n.Texts
	}
	return kept, err
}

// openSchool opens the books for a command, beside a gateway or without one.
func (p *program) openSchool() (*school, func() error, error) {
	cfg, books, err := p.books()
	if err != nil {
		return nil, nil, err
	}
	set, err := cfg.loadSkills()
	if err != nil {
		return nil, nil, err
	}
	parts, err := build(p.ctx, cfg, books.Dir, nil)
	if err != nil {
		return nil, nil, err
	}
	s := &school{
		dir: books.Dir, files: cfg.skillFiles(), set: set, directory: parts.directory, students: parts.students, embedder: parts.embedder,
		policy: parts.policy, board: evidence.NewBoard(), log: p.logger(true),
	}
	s.accounts = func(ctx context.Context) (*ledger.Ledger, func() error, error) {
		l, err := openLedger(ctx, cfg, books.Dir, set, s.log)
		switch {
		case errors.Is(err, ledger.ErrInUse):
			return nil, func() error { return nil }, nil
		case err != nil:
			return nil, nil, err
		}
		return l, l.Close, nil
	}
	for _, why := range parts.damaged {
		printf(p.stderr, "note: %s\n", why)
	}
	if s.books, err = openRecords(p.ctx, books); err != nil {
		parts.close()
		return nil, nil, err
	}
	end := func() error { parts.close(); return s.books.Close() }
	var all ledger.Place
	for n, err := range s.books.Notes(p.ctx, &all) {
		if err != nil {
			return nil, nil, errors.Join(err, end())
		}
		s.board.Fold(n)
	}
	return s, end, nil
}
