package sim

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"starling"
)

// listening is the network side of a server that was started.
type listening struct {
	mu    sync.Mutex
	http  *http.Server
	base  context.Context // of every request; nil until started
	stop  context.CancelFunc
	done  chan struct{} // closed when accepting has ended
	conns atomic.Int64  // connections ever accepted
}

// ctx returns the context of every request.
func (l *listening) ctx() context.Context {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.base == nil {
		return context.Background()
	}
	return l.base
}

// Start listens on a loopback address, such as "127.0.0.1:0", and returns the
// base URL, "http://127.0.0.1:43117". It does not block. A simulated upstream is
// no service for others: any other address is Forbidden. A second start, a start
// after Close, and an address in use are Invalid.
func (s *Server) Start(addr string) (string, error) {
	if err := loopback(addr); err != nil {
		return "", err
	}
	l := &s.listening
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.http != nil || s.closed() {
		return "", &starling.Error{Kind: starling.Invalid, Op: "simulator: start", Hint: "make a new server"}
	}
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return "", &starling.Error{Kind: starling.Invalid, Op: "simulator: listen on " + addr, Hint: "is another one running? choose another address", Err: err}
	}
	l.base, l.stop = context.WithCancel(context.Background())
	l.done = make(chan struct{})
	base := l.base
	l.http = &http.Server{
		Handler:           s,
		BaseContext:       func(net.Listener) context.Context { return base },
		ConnState:         l.count,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          log.New(io.Discard, "", 0), // clients that leave are counted, not logged
	}
	go func(srv *http.Server) {
		defer close(l.done)
		srv.Serve(ln) // ends with ErrServerClosed, or because the listener is gone
	}(l.http)
	return "http://" + ln.Addr().String(), nil
}

func (l *listening) count(_ net.Conn, state http.ConnState) {
	if state == http.StateNew {
		l.conns.Add(1)
	}
}

// Close stops listening, lets open answers go on for the grace period, cuts the
// rest and waits for them. It is safe to call twice, and on a server that never
// started.
func (s *Server) Close() error {
	s.mu.Lock()
	s.closing = true
	s.mu.Unlock()
	if s.listening.shut(s.grace) {
		s.running.Wait()
	}
	return nil
}

func (s *Server) closed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closing
}

// shut ends the HTTP server; it reports whether there was one.
func (l *listening) shut(grace time.Duration) bool {
	l.mu.Lock()
	srv, stop, done := l.http, l.stop, l.done
	l.mu.Unlock()
	if srv == nil {
		return false
	}
	patience, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	err := srv.Shutdown(patience)
	stop()
	if err != nil {
		srv.Close() // what is left is cut, as it says above
	}
	<-done
	return true
}

func loopback(addr string) error {
	host, _, err := net.SplitHostPort(addr)
	if err == nil && host == "localhost" {
		return nil
	}
	ip, bad := netip.ParseAddr(host)
	if err == nil && bad == nil && ip.IsLoopback() {
		return nil
	}
	return &starling.Error{Kind: starling.Forbidden, Op: fmt.Sprintf("simulator: listen on %q", addr), Hint: "use a loopback address like 127.0.0.1:0"}
}
