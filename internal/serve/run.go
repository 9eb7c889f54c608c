package serve

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"starling"
	"starling/internal/cascade"
)

// farewell is how long it may take to book answers that a stopping gateway ends, and callers to
// receive that end: a busy machine takes a second for the one, a slow caller for the other.
const farewell = 5 * time.Second

// Serve answers on the listener, which it closes, until ctx ends. The requests
// under way then have Options.Grace to end; those that are left are ended with an
// error of their dialect, and what they cost is booked as it is known. When it
// returns every exchange is settled. It is called once.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	base, end := context.WithCancelCause(context.WithoutCancel(ctx))
	defer end(nil)
	srv := s.http(base)
	s.background(base)
	failed := make(chan error, 1)
	go func() { failed <- srv.Serve(ln) }()
	select {
	case err := <-failed:
		return errors.Join(err, s.stop(srv, end))
	case <-ctx.Done():
	}
	err := s.stop(srv, end)
	if died := <-failed; !errors.Is(died, http.ErrServerClosed) {
		return errors.Join(died, err)
	}
	return err
}

// stop lets the requests under way end, then ends them.
func (s *Server) stop(srv *http.Server, end context.CancelCauseFunc) error {
	patience, cancel := context.WithTimeout(context.Background(), s.opts.Grace)
	defer cancel()
	s.stopAudits()
	defer s.endBackground()
	if srv.Shutdown(patience) == nil && s.auditing.wait(patience) {
		return nil
	}
	end(&starling.Error{Kind: starling.Overloaded, Op: "the gateway is stopping", Hint: "ask again in a moment", Billed: true})
	last, cancel := context.WithTimeout(context.Background(), farewell)
	defer cancel()
	if srv.Shutdown(last) == nil {
		return nil
	}
	err := srv.Close()
	for range cap(s.slots) { // nobody holds one who has settled
		s.slots <- struct{}{}
	}
	return err
}

// http returns an http.Server with the timeouts that slow and half-open callers
// call for. Writing is limited piece by piece, since an answer may be long.
func (s *Server) http(base context.Context) *http.Server {
	return &http.Server{
		Handler:           s.Handler(),
		BaseContext:       func(net.Listener) context.Context { return base },
		ReadHeaderTimeout: s.opts.HeaderTime,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),

		DisableGeneralOptionsHandler: true, // "OPTIONS *" comes to the guard like everything else
	}
}

// A shift is a cascade and those who answer with it.
type shift struct {
	cascade *cascade.Cascade
	under   sync.WaitGroup
}

// begin joins the shift that answers now, and end leaves it.
func (s *Server) begin() *shift {
	s.swapping.RLock()
	defer s.swapping.RUnlock()
	s.shift.under.Add(1)
	return s.shift
}

func (s *shift) end() { s.under.Done() }

// current returns the cascade for a look at its names.
func (s *Server) current() *cascade.Cascade {
	s.swapping.RLock()
	defer s.swapping.RUnlock()
	return s.shift.cascade
}

// Swap makes c answer from the next request on; those under way end with the
// cascade they began with. The function it returns waits until they have.
func (s *Server) Swap(c *cascade.Cascade) (ended func()) {
	s.swapping.Lock()
	defer s.swapping.Unlock()
	old := s.shift
	s.shift = &shift{cascade: c}
	return old.under.Wait
}
