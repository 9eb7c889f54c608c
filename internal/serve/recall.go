package serve

import (
	"container/list"
	"fmt"
	"sync"
	"time"

	"starling"
	"starling/internal/wire"
)

// mostRecalled bounds the memory of all answers that are kept together.
const mostRecalled = 64 << 20

// A recall keeps answers for a while, for the callers who did not say that they want
// none kept and may refer to them. It is memory and nothing else: no disk, no log, and
// after a restart it is empty. A key sees its own answers only. Safe for concurrent use.
type recall struct {
	span time.Duration // how long; not positive never

	mu    sync.Mutex
	found map[recallID]*list.Element // by the ids of answers and of their items
	byAge *list.List                 // of *recalledAnswer, the oldest in front
	bytes int
}

// A recallID is an id as one key sees it.
type recallID struct{ key, id string }

type recalledAnswer struct {
	wire.Kept
	key   string
	until time.Time
}

func newRecall(span time.Duration) *recall {
	return &recall{span: span, found: map[recallID]*list.Element{}, byAge: list.New()}
}

func (a *recalledAnswer) size() int { return len(a.Response) + len(a.Input) }

// keep takes an answer as it was written, unless its caller wants it not kept.
func (r *recall) keep(req *starling.Request, id string, written []byte) {
	if r.span <= 0 {
		return
	}
	k, ok := wire.KeptOf(req, id, written)
	a := &recalledAnswer{Kept: k, key: req.Caller.Key, until: time.Now().Add(r.span)}
	if !ok || a.size() > mostRecalled/4 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.bytes += a.size()
	at := r.byAge.PushBack(a)
	r.found[recallID{a.key, a.ID}] = at
	for id := range a.Items {
		r.found[recallID{a.key, id}] = at
	}
	r.age()
}

// age forgets what is too old, and the oldest of what is too much.
func (r *recall) age() {
	now := time.Now()
	for at := r.byAge.Front(); at != nil; at = r.byAge.Front() {
		if a := at.Value.(*recalledAnswer); r.bytes <= mostRecalled && now.Before(a.until) {
			return
		}
		r.drop(at)
	}
}

func (r *recall) drop(at *list.Element) {
	a := r.byAge.Remove(at).(*recalledAnswer)
	r.bytes -= a.size()
	delete(r.found, recallID{a.key, a.ID})
	for id := range a.Items {
		delete(r.found, recallID{a.key, id})
	}
}

// find returns a key's answer by its id, or by that of one of its items.
func (r *recall) find(key, id string) (wire.Kept, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.age()
	at, ok := r.found[recallID{key, id}]
	if !ok {
		return wire.Kept{}, false
	}
	return at.Value.(*recalledAnswer).Kept, true
}

// forget drops a key's answer, and reports whether there was one.
func (r *recall) forget(key, id string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	at, ok := r.found[recallID{key, id}]
	if ok {
		r.drop(at)
	}
	return ok
}

// recalled returns a question with what it refers to.
func (s *Server) recalled(c starling.Caller, body []byte) ([]byte, error) {
	whole, err := wire.Recalled(body, func(id string) (wire.Kept, bool) { return s.kept.find(c.Key, id) })
	if err == nil && int64(len(whole)) > s.opts.MaxBody {
		err = s.tooLarge(fmt.Sprintf("the body with what it refers to, of %d bytes,", len(whole)))
	}
	return whole, err
}
