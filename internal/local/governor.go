package local

// steady is how many measurements in a row must find more idle cores before an engine
// gets another thread.
const steady = 3

// A governor says how many threads an engine may have. ggml's threads wait for each
// other in each step, so one that shares its core with somebody else holds up all:
// they become fewer at once, and more only when that seems to last.
type governor struct {
	threads int // at least 1; 0 before the first measurement
	more    int // measurements in a row that found more
}

// next is the governor after idle cores were found for this engine alone. Most is how
// many threads it may ever have.
func (g governor) next(idle, most int) governor {
	idle = max(1, min(idle, most))
	switch {
	case g.threads == 0 || idle < g.threads:
		return governor{threads: idle}
	case idle == g.threads:
		return governor{threads: g.threads}
	case g.more+1 < steady:
		return governor{threads: g.threads, more: g.more + 1}
	}
	return governor{threads: idle}
}

// share is how many cores each of the engines gets that are at work.
func share(idle, engines int) int { return max(1, idle/max(1, engines)) }
