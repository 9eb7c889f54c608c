package sim

import (
	"slices"
	"time"
)

// Add and Sort fill samples as a report does.
func (s *Samples) Add(d time.Duration) { s.add(d) }
func (s *Samples) Sort()               { slices.Sort(s.sorted) }
