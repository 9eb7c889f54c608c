package ledger

import (
	"context"
	"sync"
)

// underway are the accounts that have reserved and not settled. Whoever asks for
// the receipt of one waits for it: a caller may read the last of an answer a
// moment before its exchange is settled. The zero value is empty and ready.
type underway struct {
	mu      sync.Mutex
	waiting map[string]chan struct{} // closed when settled; nil while nobody waits
}

func (u *underway) add(id string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.waiting == nil {
		u.waiting = map[string]chan struct{}{}
	}
	u.waiting[id] = nil
}

func (u *underway) settled(id string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if c := u.waiting[id]; c != nil {
		close(c)
	}
	delete(u.waiting, id)
}

// wait returns when the account is settled, is not under way, or ctx ends.
func (u *underway) wait(ctx context.Context, id string) {
	u.mu.Lock()
	c, open := u.waiting[id]
	if open && c == nil {
		c = make(chan struct{})
		u.waiting[id] = c
	}
	u.mu.Unlock()
	if !open {
		return
	}
	select {
	case <-c:
	case <-ctx.Done():
	}
}
