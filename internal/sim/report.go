package sim

import (
	"math"
	"slices"
	"time"
)

// A Report is what a load measured.
type Report struct {
	Sent     int
	Answered int            // with status 200 and the dialect's proper end
	Left     int            // streams that were left on purpose
	Shed     int            // not sent: too many in flight
	Failed   map[string]int // by what went wrong: "status 429", "broken off", "error event", "timeout", "connection", "cancelled"

	Elapsed time.Duration
	Late    time.Duration // the latest that an open loop sent anything after it was due
	Bytes   int64         // of bodies
	Events  int64         // in streams

	// Of requests that were answered, measured from the moment of sending.
	FirstByte Samples // to the first byte of the body
	Gap       Samples // between two events of a stream
	Total     Samples // to the last byte
}

// PerSecond returns the answered requests a second.
func (r *Report) PerSecond() float64 {
	if r.Elapsed <= 0 {
		return 0
	}
	return float64(r.Answered) / r.Elapsed.Seconds()
}

func (r *Report) add(s Shot) {
	r.Sent++
	r.Bytes += s.Bytes
	r.Events += int64(s.Events)
	switch {
	case s.Failure != "":
		if r.Failed == nil {
			r.Failed = map[string]int{}
		}
		r.Failed[s.Failure]++
		return
	case s.Left:
		r.Left++
		return
	}
	r.Answered++
	r.FirstByte.add(s.FirstByte)
	r.Total.add(s.Total)
	for _, gap := range s.Gaps {
		r.Gap.add(gap)
	}
}

func (r *Report) sort() {
	for _, s := range []*Samples{&r.FirstByte, &r.Gap, &r.Total} {
		slices.Sort(s.sorted)
	}
}

// Samples are durations, every one kept, so that their quantiles are exact. In a
// report they are sorted and only read.
type Samples struct {
	sorted  []time.Duration
	sum     time.Duration
	Dropped int64 // samples beyond the four million that are kept
}

const maxSamples = 4 << 20

func (s *Samples) add(d time.Duration) {
	if len(s.sorted) >= maxSamples {
		s.Dropped++
		return
	}
	s.sorted = append(s.sorted, d)
	s.sum += d
}

// Count returns how many there are.
func (s *Samples) Count() int { return len(s.sorted) }

// Quantile returns the smallest sample that at least the share q of them does not
// exceed (nearest rank): 0.5 is the median, 1 the largest. Without samples it is 0.
func (s *Samples) Quantile(q float64) time.Duration {
	n := len(s.sorted)
	if n == 0 {
		return 0
	}
	rank := int(math.Ceil(q*float64(n) - 1e-9)) // 0.07 of 100 is the seventh, also in binary
	return s.sorted[min(max(rank, 1), n)-1]
}

// Mean returns the average, 0 without samples.
func (s *Samples) Mean() time.Duration {
	if len(s.sorted) == 0 {
		return 0
	}
	return s.sum / time.Duration(len(s.sorted))
}
