package sim

import (
	"context"
	"time"
)

// A pace says when each token is due. Delays are measured from the start, so
// that late wake-ups do not add up.
type pace struct {
	start      time.Time
	first, per time.Duration
}

func (l Latency) pace(start time.Time, d die) pace {
	factor := 1 + l.Jitter*(2*d.about("jitter").share()-1)
	factor = max(factor, 0)
	return pace{
		start: start,
		first: time.Duration(float64(l.FirstToken) * factor),
		per:   time.Duration(float64(l.PerToken) * factor),
	}
}

// wait returns when n tokens after the first are due, or with ctx's error.
func (p pace) wait(ctx context.Context, n int64) error {
	due := p.first + time.Duration(n)*p.per
	if due == 0 {
		return ctx.Err()
	}
	left := due - time.Since(p.start)
	if left <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(left)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// made returns how many of total tokens were made by now.
func (p pace) made(total int64) int64 {
	took := time.Since(p.start) - p.first
	switch {
	case took < 0:
		return 0
	case p.per <= 0:
		return total
	}
	return min(total, int64(took/p.per))
}
