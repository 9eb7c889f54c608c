package route

import (
	"cmp"
	"slices"
	"sync"

	"starling"
	"starling/internal/split"
)

// Reports say how long a reader's reports are, thoughts included: a fold over receipts, in
// memory. Safe for concurrent use; nil ones know nothing, and every report is taken to be
// as long as [split.UsualReport].
type Reports struct {
	mu sync.Mutex
	of map[string]*reports // by model, "provider/name"
}

// NewReports knows nothing yet.
func NewReports() *Reports { return &Reports{of: map[string]*reports{}} }

// reports are those of one model.
type reports struct {
	seen float64
	mean float64 // tokens
}

const (
	assumedReports = 4  // that what is assumed before any was seen counts like
	latestReports  = 64 // that the mean is of, about, once there are as many
)

// Fold takes in the reports of a settled exchange, right or wrong: each was paid for.
func (s *Reports) Fold(r *starling.Receipt) {
	if s == nil || r == nil || r.PartOf == "" || len(r.Plan.Candidates) == 0 || !slices.Contains(r.Plan.Candidates[0].Verify, split.Quotes) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range r.Attempts {
		a := &r.Attempts[i]
		if a.Usage.Estimated || a.Usage.Output == 0 {
			continue
		}
		of := cmp.Or(s.of[a.Model], &reports{seen: assumedReports, mean: split.UsualReport})
		of.seen = min(of.seen+1, latestReports)
		of.mean += (float64(a.Usage.Output) - of.mean) / of.seen
		s.of[a.Model] = of
	}
}

// usual is how many tokens a report of a model is expected to have.
func (s *Reports) usual(model string) int64 {
	if s == nil {
		return split.UsualReport
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if of := s.of[model]; of != nil {
		return int64(of.mean)
	}
	return split.UsualReport
}
