package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"starling/internal/evidence"
	"starling/internal/sim"
	"starling/internal/skill"
)

// How many messages are sent in each step of the loop.
const (
	loopEvidence = 1400 // before there is a student
	loopFresh    = 500  // to the student
	loopDrift    = 1500 // at most, until its warrant is revoked
	loopMore     = 600  // from which it is taught again
	loopAgain    = 300  // to the student that was taught again
)

// A loop is the second part of the demo: a skill whose questions a dear model answers
// learns from it, is watched, loses its warrant when the world changes, and learns
// again. Start reading at [loop.tell].
type loop struct {
	*scene
	p        *program
	home     string
	pack     *pack
	client   *client
	workers  int
	messages []skill.Case // that nobody has sent yet

	warrants []*evidence.Warrant // of its students, in their order
	chapters []*chapter
	next     result // the first request after the revocation
	strange  string // a message of the new world, which the student got wrong if one can be shown
	over     bool   // the story cannot go on
}

// loop plays the second part.
func (c demoCmd) loop(p *program, dir string) (*ending, error) {
	l, err := c.openLoop(p, dir)
	if err != nil {
		return nil, err
	}
	err = l.tell(p.ctx)
	l.client.close()
	if err := errors.Join(err, l.end()); err != nil {
		return nil, err
	}
	return l.ending(), nil
}

func (c demoCmd) openLoop(p *program, dir string) (*loop, error) {
	cases := loopCases(c.Seed, loopEvidence+loopFresh, loopDrift+1+loopMore+loopAgain)
	simulation, err := simulate([]sim.Model{sim.Teacher()}, cases, sim.Options{Seed: c.Seed}, func(int) string { return "127.0.0.1:0" })
	if err != nil {
		return nil, err
	}
	home, cfg, pack, err := loopHome(dir, simulation)
	if err != nil {
		return nil, errors.Join(err, simulation.close())
	}
	st, err := p.scene(cfg, home, simulation)
	if err != nil {
		return nil, err
	}
	st.look = 20 * time.Millisecond // a demo does not wait for a student to be noticed
	st.lessons = 24 * time.Hour     // it is taught again when the story comes to that
	st.begin(p.ctx)
	return &loop{scene: st, p: p, home: home, pack: pack, client: newClient(st.url()), workers: max(c.Workers, 1), messages: messagesOf(cases)}, nil
}

// messagesOf are cases as the client sends and grades them.
func messagesOf(cases []sim.Case) []skill.Case {
	all := make([]skill.Case, len(cases))
	for i, c := range cases {
		all[i] = skill.Case{ID: fmt.Sprintf("m%d", i), Input: c.Input, Answer: c.Answer, Gold: skill.Gold{Label: c.Answer}}
	}
	return all
}

// tell is the story, step by step, each told as it happens.
func (l *loop) tell(ctx context.Context) error {
	l.introduce()
	for _, step := range []func(context.Context) error{l.evidence, l.lesson, l.answers, l.change, l.again} {
		if l.over {
			break
		}
		if err := step(ctx); err != nil {
			return err
		}
	}
	l.picture()
	return l.invoice(ctx)
}

// evidence has the reference answer alone, and keeps what it says.
func (l *loop) evidence(ctx context.Context) error {
	l.step(1, "Evidence. %d messages go to starling/%s, which has no student yet.", loopEvidence, loopSkill)
	c, err := l.chapter(ctx, 1, loopEvidence)
	if err != nil {
		return err
	}
	l.say("answered", "%s", c.answerers())
	l.say("cost", "%s, %s for 100", short(c.cost), short(c.per(100)))
	kept, missed, err := l.kept(ctx)
	l.say("kept", "%d messages with what premium answered, in corpus.db on this machine and nowhere else%s", kept, missed)
	return err
}

// lesson does what starling distill does.
func (l *loop) lesson(ctx context.Context) error {
	l.step(2, "Student and warrant: starling distill %s.", loopSkill)
	return l.distill(ctx)
}

// distill makes a student, tells what it is worth and waits until it is in force.
func (l *loop) distill(ctx context.Context) error {
	s, err := l.current(ctx)
	if err != nil {
		return err
	}
	course, err := s.course(ctx, loopSkill)
	if err != nil {
		return err
	}
	d, err := s.distill(l.p, course)
	if err != nil {
		return err
	}
	l.say("learned", "from %d texts in %.1f s; %d are held back, and the %d cases of the pack", d.Train, d.Took.Seconds(), d.Held, d.Asked-d.Held)
	if d.Warrant == nil {
		l.say("answers", "nothing: %s", d.Why)
		l.over = true
		return nil
	}
	l.say("answers", "from a confidence of %.4g on: %d of %d such answers pass, at least %.1f %% at a confidence of %g %%; the bar is %g %%",
		d.Threshold, d.Passed, d.Covered, 100*d.Bound, 100*d.Bar.Confidence, 100*d.Bar.Pass)
	l.say("student", "%d kB in the gateway's process; warrant %s until %s", (d.Size+999)/1000, d.Warrant.ID, d.Warrant.Expires.Format(time.DateOnly))
	l.warrants = append(l.warrants, d.Warrant)
	return l.inForce(ctx, d.Digest)
}

// answers has the student answer what it can.
func (l *loop) answers(ctx context.Context) error {
	l.step(3, "It answers. %d fresh messages; premium is asked again for %s of what it answers, to compare.", loopFresh, percent(l.pack.Rubric.Audit))
	c, err := l.chapter(ctx, 3, loopFresh)
	if err != nil {
		return err
	}
	l.tellAnswers(c)
	l.say("time", "p50: %s added by the gateway, %s for an answer of the student as a whole", quantile(c.added, 0.5), quantile(c.thought, 0.5))
	return nil
}

// change launches a product, and asks one after the other until the gateway itself
// takes the student's warrant away.
func (l *loop) change(ctx context.Context) error {
	if l.standing().Revoked != nil {
		if err := l.bySheerChance(ctx); err != nil || l.over {
			return err
		}
	}
	l.step(4, "The world changes: the shop launches a product that comes every month. Three messages in ten are about it, in words\n   that were about orders until now. Nobody tells the student.")
	c := &chapter{number: 4, began: time.Now()}
	if err := l.inOrder(ctx, c, loopDrift); err != nil {
		return err
	}
	stood := l.standing()
	if stood.Revoked == nil {
		l.say("revoked", "no: %d messages and %d audits later it stands, so the story ends here", len(c.results), len(c.audits))
		l.over = true
		return nil
	}
	l.say("revoked", "after %d messages and %d audits: %s", len(c.results), len(c.audits), stood.Revoked.Why)
	l.say("meanwhile", "%d of the %d answers were wrong by gold (%s), all of them the student's", c.mis, c.asked, percent(ratio(c.mis, c.asked)))
	l.strange = cmp.Or(c.missed, "can my box come a week later next month?")
	return l.after(ctx)
}

// byChance is said of a revocation before anything has changed.
const byChance = "Nothing has changed: among so many audits that happens to one student in twenty. It is taught again"

// bySheerChance is for the one time in some twenty that audits speak against a
// student which is as good as ever: it is taught again, as somebody would.
func (l *loop) bySheerChance(ctx context.Context) error {
	l.say("revoked", "%s. %s", l.standing().Revoked.Why, byChance)
	return l.distill(ctx)
}

// after asks once more.
func (l *loop) after(ctx context.Context) (err error) {
	c, err := l.chapter(ctx, 4, 1)
	if err != nil {
		return err
	}
	l.next = c.results[0]
	l.say("next", "%s answered the next request, %s", c.answerer(&l.next), l.next.receipt)
	return nil
}

// again is what the background lessons of a gateway do, now and not by the clock.
func (l *loop) again(ctx context.Context) error {
	l.step(5, "It learns again. %d more messages, which premium answers. A gateway teaches its student again once a fifth more is kept\n   (it looks every five minutes; here it is told to).", loopMore)
	c, err := l.chapter(ctx, 5, loopMore)
	if err != nil {
		return err
	}
	l.say("answered", "%s", c.answerers())
	kept, missed, err := l.kept(ctx)
	if err != nil {
		return err
	}
	s, err := l.current(ctx)
	if err != nil {
		return err
	}
	lessons := newLessons(l.gateway)
	l.say("kept", "%d messages now%s", kept, missed)
	if !lessons.due(s, loopSkill, kept) {
		l.say("lesson", "none: that is not enough more, and the gateway goes on asking premium")
		return nil
	}
	why, err := lessons.teach(ctx, s, loopSkill)
	if err != nil {
		return err
	}
	l.say("lesson", "%s", why)
	return l.graduate(ctx, s)
}

// graduate has the one that was taught again answer, if it may.
func (l *loop) graduate(ctx context.Context, s school) error {
	t, err := readStudent(s.file(loopSkill))
	if err != nil {
		return err
	}
	if err := l.inForce(ctx, t.Digest()); err != nil {
		return err
	}
	if s, err = l.current(ctx); err != nil {
		return err
	}
	if w, why := s.warranted(loopSkill); w == nil {
		l.say("warrant", "none, %s; premium goes on, and what it answers is kept", why)
	} else {
		l.say("warrant", "%s, from a confidence of %.4g on", w.ID, w.Threshold)
		l.warrants = append(l.warrants, w)
	}
	c, err := l.chapter(ctx, 5, loopAgain)
	if err == nil {
		l.say("asked", "%d fresh messages of the new world", loopAgain)
		l.tellAnswers(c)
	}
	return err
}

// step begins a step of the story, say tells something of it.
func (l *loop) step(n int, format string, args ...any) {
	l.tellLine("\n%d  %s", n, fmt.Sprintf(format, args...))
}

func (l *loop) say(what, format string, args ...any) {
	l.tellLine("   %-10s %s", what, fmt.Sprintf(format, args...))
}

func (l *loop) tellLine(format string, args ...any) {
	fmt.Fprintln(l.p.stdout, strings.TrimRight(fmt.Sprintf(format, args...), " "))
}

func (l *loop) introduce() {
	r := l.pack.Rubric
	fmt.Fprintf(l.p.stdout, `
The loop, on one skill: %s, asked what customers of a made-up shop write. premium is a simulated teacher here, which answers
by gold and so is always right. No other quality is simulated: student, warrant, audits and revocation are real. The rubric is the pack's, but
for candidates: [student, premium], keep: %t, audit: %g and a larger budget; its bar is %g %% at a confidence of %g %%.
`, loopSkill, r.Keep, r.Audit, 100*r.Bar.Pass, 100*r.Bar.Confidence)
}

// ending names what there is to look at. A folder that the user named for all books,
// by a flag or in the environment, would be taken for the loop's too.
func (l *loop) ending() *ending {
	at := "--config " + filepath.Join(l.home, configFile) + " "
	if l.p.flags.Data != "" {
		at += "--data " + l.home + " "
	}
	look := []string{at + "warrant list"}
	for _, w := range l.warrants[:min(len(l.warrants), 1)] {
		look = append(look, at+"warrant show "+w.ID)
	}
	if l.strange != "" {
		look = append(look, fmt.Sprintf("%sstudent explain %s '%s'", at, loopSkill, l.strange))
	}
	if l.next.receipt != "" {
		look = append(look, at+"explain "+l.next.receipt)
	}
	return &ending{models: l.sim.models, look: append(look, at+"ledger verify")}
}
