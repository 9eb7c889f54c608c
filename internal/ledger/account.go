package ledger

import (
	"context"
	"hash"
	"sync"
	"time"

	"starling"
)

// An Account is one exchange's place in the books, from its first reservation to
// its receipt. Its methods may be called from several goroutines, one after the
// other takes effect.
type Account struct {
	ledger *Ledger
	id     string
	began  time.Time
	opened time.Time // as began, but of a part, which has the time of its whole
	whole  *Account  // that this one is a part of; nil: it is none

	mu       sync.Mutex
	hold     hold           // as it is in the journal
	recorded bool           // it is in the journal
	held     starling.Money // as the meter has it; never less than the journal's. Of a part: what its whole has lent it
	spent    starling.Money // of a whole: without its parts
	lent     starling.Money // of what is held, what the open parts have reserved and spent
	parts    int64          // that have settled
	cost     starling.Money // of those
	drawn    starling.Money // of that, what the row of the shared meter has taken or will when the parts are stored
	cells    *accountCells  // owned by the local meter
	shared   bool           // owned by the shared meter: it may have a row there

	answer  hash.Hash // nil unless somebody asked for it
	receipt *starling.Receipt
	err     error // of Settle
}

// ID returns the id that the exchange's receipt will have.
func (a *Account) ID() string { return a.id }

// Began returns when the account was opened, which is the time on its receipt
// and decides the day and month that it is counted in.
func (a *Account) Began() time.Time { return a.began }

// Use says which skill the plan chose, and so whose caps apply. It has no effect
// after the first reservation.
func (a *Account) Use(skill string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.recorded && a.receipt == nil {
		a.hold.Skill = skill
	}
}

// Reserve makes sure that the next call may cost amount on top of all that was
// spent, and takes the place of any earlier reservation. When it returns nil the
// reservation is in the journal: if the process dies, what was spent and
// reserved is booked. Errors: OverBudget naming the cap, which leaves everything
// as it was; Internal when the journal cannot be written, Overloaded when the
// store has not taken receipts for too long.
//
// Of a part it takes from what its whole has reserved, and from nothing else: where
// that has no room it is OverBudget, and nothing is written.
func (a *Account) Reserve(ctx context.Context, amount starling.Money) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.receipt != nil {
		return &starling.Error{Kind: starling.Internal, Op: "ledger: reserve on a settled account"}
	}
	if err := a.ledger.journal.full(); err != nil { // before anything is held anywhere
		return err
	}
	to := a.spent.Plus(max(amount, 0))
	if a.whole != nil {
		return a.whole.lend(a, to)
	}
	return a.move(ctx, to.Plus(a.lent))
}

// move changes the reservation. On the way up the meter comes first, on the way
// down the journal: what the journal holds is never more than what the meter
// does, so replaying it never breaks a cap.
func (a *Account) move(ctx context.Context, to starling.Money) error {
	before := a.held
	if to > before {
		if err := a.ledger.meter.hold(ctx, a, to); err != nil {
			return err
		}
		a.held = to
	}
	if err := a.record(to); err != nil {
		if a.ledger.meter.hold(context.WithoutCancel(ctx), a, before) == nil {
			a.held = before
		}
		return err
	}
	if to < before && a.ledger.meter.hold(ctx, a, to) == nil { // else the room comes back later
		a.held = to
	}
	return nil
}

// record writes the reservation to the journal, unless it is there.
func (a *Account) record(amount starling.Money) error {
	h := a.hold
	h.Held = bounded(amount)
	if a.recorded && h.Held == a.hold.Held {
		return nil
	}
	if err := a.ledger.journal.hold(h); err != nil {
		return err
	}
	a.hold, a.recorded = h, true
	return nil
}

// Spend says what a call did cost. Its reservation is over, but the room that it
// leaves is free only after the next Reserve or Settle has written that down.
func (a *Account) Spend(amount starling.Money) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.receipt != nil {
		return
	}
	a.spent = a.spent.Plus(max(amount, 0))
	if a.whole != nil {
		a.whole.lendMore(a)
		return
	}
	a.exceed()
}

// exceed tells the meter of calls that cost more than was held for them.
func (a *Account) exceed() {
	if used := a.spent.Plus(a.lent); used > a.held {
		a.ledger.meter.overrun(a, used)
		a.held = used
	}
}

// AnswerDigest returns a writer for the bytes that the caller is sent, from
// which the receipt's AnswerMAC is made. It is for one goroutine, and done with
// before Settle.
func (a *Account) AnswerDigest() hash.Hash {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.answer == nil {
		a.answer = a.ledger.signer.mac()
	}
	return a.answer
}

// Settle makes the exchange's receipt, sets ex.Receipt, releases the reservation
// and books what the attempts cost. When it returns without an error the receipt
// is in the journal and survives the death of the process; with an error the
// spend is booked all the same and the receipt is on its way to the store, unless
// it is Overloaded: that of a refusal is dropped when too many wait. The second
// call returns what the first did.
func (a *Account) Settle(ex *starling.Exchange) (*starling.Receipt, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.receipt == nil {
		if !a.recorded && ex.Plan.Skill != "" {
			a.hold.Skill = ex.Plan.Skill
		}
		a.receipt = a.receiptOf(ex)
		a.err = a.settle()
	}
	ex.Receipt = a.receipt
	return a.receipt, a.err
}

func (a *Account) settle() error {
	if a.whole != nil {
		return a.whole.take(a)
	}
	e := newEntry(a.receipt)
	e.held = a.shared
	if bounded(a.receipt.Cost) > a.held {
		a.ledger.meter.overrun(a, a.receipt.Cost)
		a.held = a.receipt.Cost
	}
	err := a.ledger.journal.settle(e)
	a.ledger.meter.book(a, e)
	a.held = 0
	return err
}
