package local

import (
	"math"
	"time"

	"starling/internal/engine"
)

// forgetting is how long it takes until a use counts half.
const forgetting = 7 * 24 * time.Hour

// expected is from what sum on a model is loaded before anybody asks for it: twice at
// this hour within a week.
const expected = 1.5

// A habit is how often a model was asked for at each hour of the day. An old use counts
// less than a new one: half after a week.
type habit struct {
	hours [24]float64
	at    time.Time // of which the sums are
}

// used counts a use, also one of long ago.
func (h *habit) used(when time.Time) {
	if when.Before(h.at) {
		h.hours[when.Hour()] += kept(h.at.Sub(when))
		return
	}
	h.fade(when)
	h.hours[when.Hour()]++
}

// due is how often the model was used at this hour of the day.
func (h *habit) due(now time.Time) float64 {
	h.fade(now)
	return h.hours[now.Hour()]
}

func (h *habit) fade(now time.Time) {
	if since := now.Sub(h.at); !h.at.IsZero() && since > 0 {
		left := kept(since)
		for i := range h.hours {
			h.hours[i] *= left
		}
	}
	h.at = now
}

// kept is what a use counts after so long.
func kept(since time.Duration) float64 { return math.Exp2(-float64(since) / float64(forgetting)) }

// A speed is in tokens a second, as the latest answers had it; 0 unknown.
type speed struct{ reads, writes float64 }

// latest is how much the latest answer counts.
const latest = 0.3

// with is the speed after one more answer. One of too few tokens tells nothing.
func (s speed) with(d *engine.Done) speed {
	if d == nil {
		return s
	}
	s.reads = averaged(s.reads, d.Prompt-d.Cached, d.Reading)
	s.writes = averaged(s.writes, d.Output-1, d.Writing)
	return s
}

func averaged(before float64, tokens int, seconds float64) float64 {
	const few = 8
	switch now := float64(tokens) / seconds; {
	case tokens < few || seconds <= 0:
		return before
	case before == 0:
		return now
	default:
		return before + latest*(now-before)
	}
}
