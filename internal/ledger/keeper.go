package ledger

import (
	"context"
	"errors"
	"time"
)

const (
	keepEvery = time.Second
	beatEvery = 15 // seconds
)

// keep does once a second what nobody waits for: it notices keys that others
// made, copies the chain's head, and in a shared store says that this gateway
// lives and writes off what the dead have left.
func (l *Ledger) keep(ctx context.Context) {
	defer close(l.kept)
	tick := time.NewTicker(keepEvery)
	defer tick.Stop()
	failing := false
	for n := 1; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		err := l.keepOnce(ctx, n)
		if err != nil && !failing && ctx.Err() == nil {
			l.log.Error("the ledger's upkeep fails", "error", err)
		}
		failing = err != nil
	}
}

// keepOnce does each of its jobs, whatever becomes of the others.
func (l *Ledger) keepOnce(ctx context.Context, n int) error {
	err := errors.Join(l.refreshKeys(ctx), l.saveHead())
	if n%beatEvery == 0 {
		err = errors.Join(err, l.beat(ctx))
	}
	return err
}

func (l *Ledger) beat(ctx context.Context) error {
	abandoned, err := l.store.engine.beat(ctx, l.chain.number)
	if err != nil || len(abandoned) == 0 {
		return err
	}
	l.log.Warn("writing off exchanges of a gateway that is gone", "exchanges", len(abandoned))
	entries := make([]*entry, len(abandoned))
	for i, h := range abandoned {
		entries[i] = h.writtenOff()
	}
	l.journal.enqueue(entries)
	return nil
}
