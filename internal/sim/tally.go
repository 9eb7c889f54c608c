package sim

import (
	"sync"
	"time"

	"starling"
)

// A Tally is what a server truly served: the invoice that a ledger must agree
// with.
type Tally struct {
	Connections int64 // ever accepted; 0 unless the server was started
	Models      map[string]Count
}

// A Count is the tally of one model: of the requests that could be read and named
// it. They are the sum of the five ends.
type Count struct {
	Requests  int64
	Answered  int64 // whole
	Refused   int64 // by a check of the request
	Failed    int64 // by a stated failure, before the answer
	Broken    int64 // by a stated failure in the middle, or because the server closed
	Cancelled int64 // the client left

	Images int64          // in the requests that were billed
	Usage  starling.Usage // sums; of a broken or cancelled answer the output made so far
	Cost   starling.Money // at the stated price, rounded call by call
	Peak   int64          // most requests at the same time

	// Left holds the moments at which departures were noticed, at most the last
	// 256. Less the moment at which the client left, each is a time to notice.
	Left []time.Time
}

const maxLeft = 256

// Total returns the cost of all models.
func (t Tally) Total() starling.Money {
	var sum starling.Money
	for _, c := range t.Models {
		sum = sum.Plus(c.Cost)
	}
	return sum
}

// Tally returns a copy of the counts so far. A request is counted when its
// handler ends, which may be a moment after the client has read the answer.
func (s *Server) Tally() Tally {
	t := Tally{Connections: s.listening.conns.Load(), Models: make(map[string]Count, len(s.models))}
	for name, m := range s.models {
		t.Models[name] = m.snapshot()
	}
	return t
}

// A runner is a model at work.
type runner struct {
	Model
	cache promptCache

	mu      sync.Mutex
	running int64
	count   Count
}

func (m *runner) snapshot() Count {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := m.count
	c.Left = append([]time.Time(nil), c.Left...)
	return c
}

func (m *runner) begin() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.running++
	m.count.Peak = max(m.count.Peak, m.running)
}

// An end is how a request ended.
type end int

const (
	whole end = iota
	rejected
	failed
	brokenOff
	left
)

// settle books a call that has ended.
func (m *runner) settle(c *call) {
	usage := c.billed()
	_, cost := m.Price.Cost(usage, time.Since(c.pace.start))
	m.mu.Lock()
	defer m.mu.Unlock()
	m.running--
	n := &m.count
	if !n.ended(c.end) {
		return
	}
	n.Images += c.ask.images
	n.Cost = n.Cost.Plus(cost)
	n.add(usage)
	if !c.leftAt.IsZero() {
		n.Left = append(n.Left, c.leftAt)
		n.Left = n.Left[max(0, len(n.Left)-maxLeft):]
	}
}

// ended counts a request, and reports whether it is billed.
func (n *Count) ended(e end) bool {
	n.Requests++
	*[...]*int64{&n.Answered, &n.Refused, &n.Failed, &n.Broken, &n.Cancelled}[e]++
	return e != rejected && e != failed
}

func (n *Count) add(u starling.Usage) {
	n.Usage.Input += u.Input
	n.Usage.CacheRead += u.CacheRead
	n.Usage.CacheWrite += u.CacheWrite
	n.Usage.CacheWrite1h += u.CacheWrite1h
	n.Usage.Output += u.Output
	n.Usage.Reasoning += u.Reasoning
}
