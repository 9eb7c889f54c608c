package serve

import (
	"context"
	"sync"

	"starling/internal/cascade"
)

// Answers that wait to be looked at again hold content and memory, so they are
// few, however many are asked for.
const (
	mostWaiting = 64       // samples
	mostBytes   = 64 << 20 // of their requests and answers
)

// A queue holds what is done after callers have their answers. It never has one
// wait: what does not fit is not done. Safe for concurrent use.
type queue struct {
	mu      sync.Mutex
	samples chan *cascade.Sample
	bytes   int64 // of samples that wait or are worked on
	over    bool  // nothing is taken any more
	workers sync.WaitGroup
}

func newQueue() *queue { return &queue{samples: make(chan *cascade.Sample, mostWaiting)} }

// offer takes a sample if there is room.
func (q *queue) offer(s *cascade.Sample) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	size := s.Size()
	if q.over || q.bytes+size > mostBytes {
		return false
	}
	select {
	case q.samples <- s:
		q.bytes += size
		return true
	default:
		return false
	}
}

// work begins so many workers, who end when the queue is closed and empty. Each
// takes all that waits, and most at once.
func (q *queue) work(ctx context.Context, workers, most int, do func(context.Context, []*cascade.Sample)) {
	for range workers {
		q.workers.Go(func() {
			for first := range q.samples {
				some, size := q.behind(first, most), int64(0)
				for _, s := range some {
					size += s.Size() // before it is read
				}
				do(ctx, some)
				q.mu.Lock()
				q.bytes -= size
				q.mu.Unlock()
			}
		})
	}
}

// behind returns a sample that was taken, and those that wait behind it.
func (q *queue) behind(first *cascade.Sample, most int) []*cascade.Sample {
	some := []*cascade.Sample{first}
	for len(some) < most {
		select {
		case next, ok := <-q.samples:
			if !ok {
				return some
			}
			some = append(some, next)
		default:
			return some
		}
	}
	return some
}

// close takes nothing any more.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.over {
		q.over = true
		close(q.samples)
	}
}

// drop closes the queue and returns what still waits.
func (q *queue) drop() (dropped []*cascade.Sample) {
	q.close()
	for s := range q.samples {
		dropped = append(dropped, s)
	}
	return dropped
}

// wait returns when all workers have ended, or with false when ctx has.
func (q *queue) wait(ctx context.Context) bool {
	ended := make(chan struct{})
	go func() { q.workers.Wait(); close(ended) }()
	select {
	case <-ended:
		return true
	case <-ctx.Done():
		return false
	}
}
