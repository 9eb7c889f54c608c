package ledger

import (
	"fmt"
	"time"

	"starling"
)

// Some exchanges are made of others: a long document is read in parts, each of them an
// exchange with a receipt of its own. The whole reserves what all may cost before the
// first begins; each part takes from that, and when it settles what it did cost is
// booked under the same names, and by as much less is held. So at every moment what is
// booked and held is what was reserved, or less, and never less than what was spent.
//
// A part has no hold of its own in the journal. Its receipt says what it is a part of,
// and whoever replays the journal takes its cost from the hold of the whole
// ([lessen]): one record does both. Where gateways share a store the hold is a row there
// too, and the transaction that stores the part's receipt takes its cost from that row
// ([store.append]).

// Part opens the account of an exchange that is made for this one, and has its names
// and its time, which decides the day on which it counts. The whole must settle after
// all its parts. Errors: Internal of a settled account and of a part.
func (a *Account) Part() (*Account, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.receipt != nil || a.whole != nil {
		return nil, &starling.Error{Kind: starling.Internal, Op: "ledger: a part of what is settled, or a part itself"}
	}
	now := time.Now()
	part := &Account{ledger: a.ledger, id: newID(idPrefix, now), began: a.began, opened: now, whole: a, hold: a.hold}
	part.hold.ID, part.hold.Held = part.id, 0
	return part, nil
}

// lend gives a part so much of the reservation, in the place of what it has.
func (a *Account) lend(part *Account, amount starling.Money) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	lent := (a.lent - part.held).Plus(amount)
	if a.receipt != nil || a.spent.Plus(lent) > a.hold.Held {
		return &starling.Error{Kind: starling.OverBudget, Hint: "raise budget.request in the rubric, or send less",
			Op: fmt.Sprintf("what was reserved for the whole: %s, of it in use %s, asked %s", a.hold.Held, a.spent.Plus(a.lent), amount-part.held)}
	}
	a.lent, part.held = lent, amount
	return nil
}

// lendMore follows a part whose call cost more than it had reserved.
func (a *Account) lendMore(part *Account) {
	if part.spent <= part.held {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.lent = (a.lent - part.held).Plus(part.spent)
	part.held = part.spent
	a.exceed()
}

// take books a part, and holds by what it cost less.
func (a *Account) take(part *Account) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	e := newEntry(part.receipt)
	a.lent = (a.lent - part.held).Plus(e.cost) // until it is booked
	part.held = 0
	a.exceed()
	err := a.ledger.journal.settle(e)
	a.ledger.meter.book(part, e)
	a.lent -= e.cost
	a.held = max(0, a.held-e.cost)
	a.hold.Held = max(0, a.hold.Held-e.cost)
	a.drawn = a.drawn.Plus(e.cost)
	a.parts++
	a.cost = a.cost.Plus(part.receipt.Cost)
	return err
}
