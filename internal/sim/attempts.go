package sim

import "sync"

// maxRemembered bounds every memory that grows with what callers send.
const maxRemembered = 1 << 16

// attempts counts how often each conversation was asked, so that a failure need
// not repeat itself. It forgets the older half of what it knows when full; a
// forgotten conversation starts again at its first attempt.
type attempts struct {
	mu       sync.Mutex
	new, old map[uint64]int64
}

// next returns 0 for the first attempt, 1 for the second.
func (t *attempts) next(conversation uint64) int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	n, ok := t.new[conversation]
	if !ok {
		n = t.old[conversation]
	}
	if t.new == nil || len(t.new) >= maxRemembered/2 {
		t.old, t.new = t.new, map[uint64]int64{}
	}
	t.new[conversation] = n + 1
	return n
}
