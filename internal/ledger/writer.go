package ledger

import (
	"context"
	"sync"
	"time"

	"starling"
)

const (
	batchSize    = 256
	linger       = 50 * time.Millisecond // how long a receipt waits for company
	firstBackoff = 100 * time.Millisecond
	longBackoff  = 10 * time.Second
)

// write moves receipts from the journal into the store until Close. It alone
// appends to the chain.
func (l *Ledger) write() {
	defer close(l.drained)
	state, pause := sure, firstBackoff
	for l.await() {
		batch := l.journal.front(batchSize)
		if len(batch) == 0 {
			continue
		}
		done, err := l.append(context.Background(), batch, state)
		if err != nil && state == sure { // another gateway may have written one of them off
			done, err = l.append(context.Background(), batch, unsure)
		}
		if err == nil {
			l.accepted(len(batch), done)
			state, pause = sure, firstBackoff
			continue
		}
		l.refused(err)
		state = unsure
		if l.stopping() || !l.rest(pause) && l.journal.waiting() == 0 {
			return
		}
		pause = min(2*pause, longBackoff)
	}
}

// await returns true when there is something to store and it had its time to
// find company, and false when the ledger is closing and nothing is left.
func (l *Ledger) await() bool {
	select {
	case <-l.journal.wake:
	case <-l.stop:
		return l.journal.waiting() > 0
	}
	if l.journal.waiting() >= batchSize {
		return true
	}
	company := time.NewTimer(linger)
	defer company.Stop()
	select {
	case <-company.C:
	case <-l.journal.hurry:
	case <-l.stop:
	}
	return true
}

func (l *Ledger) stopping() bool {
	select {
	case <-l.stop:
		return true
	default:
		return false
	}
}

// rest waits before the next try; somebody who waits for the store, or Close,
// ends it early. It reports whether it was not Close.
func (l *Ledger) rest(pause time.Duration) bool {
	t := time.NewTimer(pause)
	defer t.Stop()
	select {
	case <-t.C:
	case <-l.journal.hurry:
	case <-l.stop:
		return false
	}
	return true
}

// accepted ends the trouble, if there was any, before it wakes those who wait:
// they may look at once whether all is well.
func (l *Ledger) accepted(n int, done appended) {
	if l.trouble.end() {
		l.log.Info("the store takes receipts again")
	}
	l.tellDropped()
	if done.superseded > 0 {
		l.log.Warn("exchanges, or what they are parts of, had been written off as interrupted before they settled; their receipts were dropped", "receipts", done.superseded)
	}
	if done.batch != nil {
		l.latest.Store(done.batch)
	}
	l.journal.taken(n)
}

// tellDropped says how many receipts were dropped since it last did.
func (l *Ledger) tellDropped() {
	if dropped := l.journal.unkept(); dropped > l.told {
		l.log.Error("refusals have no receipt: too many receipts waited for the store", "refusals", dropped-l.told)
		l.told = dropped
	}
}

func (l *Ledger) refused(err error) {
	if l.trouble.begin(err) {
		l.log.Error("the store does not take receipts; they wait in the journal", "error", err)
	}
	l.journal.failed(err)
}

// append stores receipts at the end of the chain in one transaction.
func (l *Ledger) append(ctx context.Context, entries []*entry, state certainty) (appended, error) {
	if limit := l.store.engine.patience(); limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, limit)
		defer cancel()
	}
	done, err := l.store.append(ctx, l.chain, entries, state)
	if err != nil {
		return appended{}, l.store.engine.explain("store receipts", err)
	}
	return done, nil
}

// Health says whether the books are in order.
type Health struct {
	Pending int       // receipts in the journal that the store has yet to take
	Dropped uint64    // refusals since Open that have no receipt, as too many were pending
	Failing error     // why the store does not take them; nil if it does
	Since   time.Time // when that began
	Lost    bool      // a part of the journal, or the end of the store's chain, was missing at Open
}

// Health answers from memory.
func (l *Ledger) Health() Health {
	h := l.trouble.health()
	h.Pending, h.Dropped = l.journal.waiting(), l.journal.unkept()
	return h
}

// trouble remembers what is wrong, so that it is logged once.
type trouble struct {
	mu    sync.Mutex
	err   error
	since time.Time
	lost  bool
}

// begin reports whether the trouble is new.
func (t *trouble) begin(err error) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	fresh := t.err == nil
	if fresh {
		t.since = time.Now()
	}
	t.err = err
	return fresh
}

// end reports whether there was trouble.
func (t *trouble) end() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	was := t.err != nil
	t.err, t.since = nil, time.Time{}
	return was
}

func (t *trouble) lose() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lost = true
}

func (t *trouble) last() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.err == nil {
		return &starling.Error{Kind: starling.Internal, Op: "ledger: close", Hint: "open it again to store what is in the journal"}
	}
	return t.err
}

func (t *trouble) health() Health {
	t.mu.Lock()
	defer t.mu.Unlock()
	return Health{Failing: t.err, Since: t.since, Lost: t.lost}
}
