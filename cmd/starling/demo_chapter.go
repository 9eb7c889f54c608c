package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"starling"
	"starling/internal/evidence"
	"starling/internal/ledger"
	"starling/internal/skill"
)

// A chapter is what was asked in a stretch of the loop, in order, with what the
// client saw of it and what the ledger says.
type chapter struct {
	line
	number   int // of the step
	began    time.Time
	results  []result
	receipts map[string]*starling.Receipt
	audits   map[string]*starling.Receipt // by the receipt that each is of

	audited  starling.Money  // what the audits cost, which cost has too
	thought  []time.Duration // how long the student's answers took as a whole
	own, mis int             // answers of the student, and those of them that are wrong
	missed   string          // the first of those that can be said on a command line
}

// student reports whether the student gave the answer.
func (c *chapter) student(r *result) bool {
	return c.receipts[r.receipt].Response.Provider == starling.StudentName
}

// answerer names who gave an answer.
func (c *chapter) answerer(r *result) string {
	return strings.TrimPrefix(c.receipts[r.receipt].Response.Provider, "sim-")
}

// taught is how many answers the reference gave, itself and in audits.
func (c *chapter) taught() int { return c.answered - c.own + len(c.audits) }

// per is what so many requests cost in the mean.
func (c *chapter) per(n int) starling.Money {
	return c.cost * starling.Money(n) / starling.Money(max(c.asked, 1))
}

// chapter has the next messages answered, several at once, and begins them in their
// order.
func (l *loop) chapter(ctx context.Context, number, n int) (*chapter, error) {
	c := &chapter{number: number, began: time.Now(), results: make([]result, n)}
	bar := l.p.progress("asking")
	bar.ChangeMax(n)
	group, asking := errgroup.WithContext(ctx)
	group.SetLimit(l.workers)
	messages := l.take(n)
	for i, m := range messages {
		group.Go(func() (err error) {
			c.results[i], err = l.client.ask(asking, l.pack, m, ways[i%len(ways)])
			_ = bar.Add(1)
			return err
		})
	}
	err := group.Wait()
	_ = bar.Finish()
	if err != nil {
		return nil, err
	}
	return c, l.settle(ctx, c, messages)
}

// inOrder asks one after the other, until the student's warrant is revoked.
func (l *loop) inOrder(ctx context.Context, c *chapter, most int) error {
	bar := l.p.progress("asking")
	defer bar.Finish()
	bar.ChangeMax(most)
	var messages []skill.Case
	for len(messages) < most && l.standing().Revoked == nil {
		m := l.take(1)[0]
		r, err := l.client.ask(ctx, l.pack, m, ways[len(messages)%len(ways)])
		if err != nil {
			return err
		}
		messages, c.results = append(messages, m), append(c.results, r)
		_ = bar.Add(1)
	}
	return l.settle(ctx, c, messages)
}

// take returns the next messages.
func (l *loop) take(n int) []skill.Case {
	next := l.messages[:n]
	l.messages = l.messages[n:]
	return next
}

// settle waits until the audits are done, and adds a chapter up.
func (l *loop) settle(ctx context.Context, c *chapter, messages []skill.Case) error {
	if err := wait(ctx, func() (bool, error) { return l.read(ctx, c) }); err != nil {
		return err
	}
	c.who = map[string]int{}
	for i := range c.results {
		r := &c.results[i]
		receipt, ok := c.receipts[r.receipt]
		if !ok {
			return &starling.Error{Kind: starling.Internal, Op: "receipt " + r.receipt + " is not in the ledger"}
		}
		c.add(*r, receipt)
		if c.student(r) {
			c.thinks(r, receipt, &messages[i])
		}
	}
	for _, a := range c.audits {
		c.audited = c.audited.Plus(a.Cost)
	}
	c.cost = c.cost.Plus(c.audited)
	l.chapters = append(l.chapters, c)
	return nil
}

func (c *chapter) thinks(r *result, receipt *starling.Receipt, m *skill.Case) {
	c.own, c.thought = c.own+1, append(c.thought, receipt.Took)
	if r.right {
		return
	}
	if c.mis++; c.missed == "" && sayable(m.Input) {
		c.missed = m.Input
	}
}

// sayable reports whether a text can stand between single quotes on any command line.
func sayable(text string) bool {
	const longest = 100
	odd := func(r rune) bool { return r == '\'' || r == '"' || r == '!' || r == '\\' || r < ' ' || r > '~' }
	return len(text) <= longest && !strings.HasPrefix(text, "-") && !strings.ContainsFunc(text, odd)
}

// read takes a chapter's receipts from the ledger, and reports whether every audit
// that was drawn is among them.
func (l *loop) read(ctx context.Context, c *chapter) (bool, error) {
	if err := l.ledger.Flush(ctx); err != nil {
		return false, err
	}
	c.receipts, c.audits = map[string]*starling.Receipt{}, map[string]*starling.Receipt{}
	for r, err := range l.ledger.Receipts(ctx, ledger.Query{Since: c.began}) {
		if err != nil {
			return false, err
		}
		if c.receipts[r.ID] = r; r.AuditOf != "" {
			c.audits[r.AuditOf] = r
		}
	}
	for i := range c.results {
		id := c.results[i].receipt
		if r := c.receipts[id]; r == nil || r.Response.Provider == starling.StudentName && evidence.Drawn(id, l.pack.Rubric.Audit) && c.audits[id] == nil {
			return false, nil
		}
	}
	return true, nil
}

// tellAnswers says who answered, how well and for how much.
func (l *loop) tellAnswers(c *chapter) {
	lo, hi := evidence.ClopperPearson(c.right, c.asked, 0.95)
	l.say("answered", "student %d (%s); %d climbed", c.own, percent(ratio(c.own, c.asked)), c.asked-c.own)
	l.say("right", "%s by gold [%.1f–%.1f %%]", percent(ratio(c.right, c.asked)), 100*lo, 100*hi)
	l.say("cost", "%s with %s for %d audits: %s of what premium alone would cost (%s, an estimate)",
		short(c.cost), short(c.audited), len(c.audits), percent(float64(c.cost)/float64(max(c.reference, 1))), short(c.reference))
}

// invoice holds the ledger against what the upstream counted itself. The student is
// no call: its electricity is beside.
func (l *loop) invoice(ctx context.Context) error {
	var calls int
	var charged, drawn starling.Money
	for r, err := range l.ledger.Receipts(ctx, ledger.Query{}) {
		if err != nil {
			return err
		}
		for _, a := range r.Attempts {
			if strings.HasPrefix(a.Model, starling.StudentName+"/") {
				drawn = drawn.Plus(a.Cost)
			} else {
				calls, charged = calls+1, charged.Plus(a.Cost)
			}
		}
	}
	bill := l.sim.tally()
	same := "the same to the nanodollar"
	if bill.Cost != charged {
		same = fmt.Sprintf("%s apart", max(bill.Cost-charged, charged-bill.Cost))
	}
	_, err := fmt.Fprintf(l.p.stdout, "\nThe upstream counted %d calls and %s itself, audits too; the ledger says %d and %s: %s. The student's electricity is %s.\n",
		bill.Requests, bill.Cost, calls, charged, same, drawn)
	return err
}
