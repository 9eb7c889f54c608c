package provider

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"starling"
)

// fragile streams a word, waits until it may go on, and says whether it could
// say all of its answer.
func fragile(t *testing.T, goOn <-chan struct{}, finished chan<- bool) *upstream {
	u := &upstream{dialect: starling.OpenAI, script: story, gone: make(chan struct{}, 1)}
	return u.start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, u.opening()[0]+u.word("a"))
		_ = http.NewResponseController(w).Flush()
		select {
		case <-goOn:
		case <-r.Context().Done():
		}
		for range 1000 {
			_, _ = io.WriteString(w, u.word("more"))
		}
		for _, e := range u.ending() {
			_, _ = io.WriteString(w, e)
		}
		finished <- http.NewResponseController(w).Flush() == nil && r.Context().Err() == nil
	}))
}

func TestAFragileUpstreamIsReadToItsEnd(t *testing.T) {
	stops := map[string]func(context.Context, context.CancelFunc, *HTTP){
		"when the caller ranges no further": func(ctx context.Context, _ context.CancelFunc, p *HTTP) {
			for range p.Generate(ctx, calling(p, true)) {
				break
			}
		},
		"when the caller leaves": func(ctx context.Context, cancel context.CancelFunc, p *HTTP) {
			for range p.Generate(ctx, calling(p, true)) {
				cancel()
			}
		},
	}
	for name, stop := range stops {
		t.Run(name, func(t *testing.T) {
			goOn, finished := make(chan struct{}), make(chan bool, 1)
			u := fragile(t, goOn, finished)
			o := u.options(t)
			o.Drain = true
			p := open(t, o)
			ctx, cancel := withCancel(t)
			stop(ctx, cancel, p)
			close(goOn) // only now, after the iterator has returned
			if !<-finished {
				t.Error("the upstream was cut")
			}
			p.drains.Wait()
		})
	}
}

func TestAFragileUpstreamMayFinishThoughItsCallerLeftBeforeItBegan(t *testing.T) {
	goOn, finished, arrived := make(chan struct{}), make(chan bool, 1), make(chan struct{})
	u := serveHandler(t, starling.OpenAI, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		close(arrived)
		select {
		case <-goOn:
		case <-r.Context().Done():
		}
		piece, err := make([]byte, 1<<20), error(nil)
		for range 16 { // more than lies on the way of a caller who has hung up
			_, more := w.Write(piece)
			err = errors.Join(err, more)
		}
		finished <- err == nil && r.Context().Err() == nil
	})
	o := u.options(t)
	o.Drain = true
	p := open(t, o)
	ctx, cancel := withCancel(t)
	go func() { <-arrived; cancel() }()
	for _, err := range p.Generate(ctx, calling(p, true)) {
		if starling.KindOf(err) != starling.Cancelled {
			t.Errorf("%v, want Cancelled", err)
		}
	}
	close(goOn)
	if !<-finished {
		t.Error("the upstream was cut")
	}
	p.drains.Wait()
}

func TestCallersWhoAskAndLeaveDoNotKeepAnUpstreamBusyForEver(t *testing.T) {
	var began, cut atomic.Int64
	u := serveHandler(t, starling.OpenAI, func(w http.ResponseWriter, r *http.Request) {
		began.Add(1)
		<-r.Context().Done()
		cut.Add(1)
	})
	o := u.options(t)
	o.Drain, o.Limits.Drain = true, time.Hour
	p := open(t, o)
	const more = 8
	for i := range int64(mostDrains + more) {
		ctx, cancel := withCancel(t)
		go func() {
			for began.Load() <= i {
				time.Sleep(time.Millisecond)
			}
			cancel()
		}()
		for range p.Generate(ctx, calling(p, true)) {
		}
	}
	for end := time.Now().Add(3 * time.Minute); cut.Load() < more && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	if cut.Load() != more {
		t.Errorf("%d of %d were cut, want %d", cut.Load(), began.Load(), more)
	}
	p.Close()
	if len(p.draining) != 0 {
		t.Errorf("%d places are still taken", len(p.draining))
	}
}

func TestDrainingEndsAtItsLimitAndWithItsProvider(t *testing.T) {
	for name, c := range map[string]struct {
		limit time.Duration
		end   func(*HTTP)
	}{
		"at its limit":       {10 * time.Millisecond, func(*HTTP) {}},
		"with its provider":  {time.Hour, (*HTTP).Close},
		"even with it twice": {time.Hour, func(p *HTTP) { p.Close(); p.Close() }},
	} {
		t.Run(name, func(t *testing.T) {
			finished := make(chan bool, 1)
			u := fragile(t, nil, finished)
			o := u.options(t)
			o.Drain, o.Limits.Drain = true, c.limit
			p := open(t, o)
			for range p.Generate(t.Context(), calling(p, true)) {
				break
			}
			c.end(p)
			if <-finished {
				t.Error("the upstream was not cut")
			}
			p.drains.Wait()
		})
	}
}
