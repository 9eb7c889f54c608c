package local

import (
	"math"
	"time"
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

// used counts a use.
func (h *habit) used(now time.Time) {
	h.fade(now)
	h.hours[now.Hour()]++
}

// due is how often the model was used at this hour of the day.
func (h *habit) due(now time.Time) float64 {
	h.fade(now)
	return h.hours[now.Hour()]
}

func (h *habit) fade(now time.Time) {
	if since := now.Sub(h.at); !h.at.IsZero() && since > 0 {
		left := math.Exp2(-float64(since) / float64(forgetting))
		for i := range h.hours {
			h.hours[i] *= left
		}
	}
	h.at = now
}
