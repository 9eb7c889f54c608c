package serve

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"path"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"starling"
)

// guard stands before every route. A page in a browser must not be able to
// spend the user's money (Origin), nor a name that an attacker points at this
// machine (Host, DNS rebinding).
func (s *Server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer s.bug(r)
		s.hurry(w)
		switch {
		case upgrades(r.Header):
			s.upgrade(w, r)
		case !s.hostAllowed(r.Host):
			s.refuse(w, r, &starling.Error{Kind: starling.Forbidden, Op: "host " + clip(r.Host), Hint: "call 127.0.0.1 or localhost, or add the name to hosts in the configuration"})
		case !s.originAllowed(r):
			s.refuse(w, r, &starling.Error{Kind: starling.Forbidden, Op: "a web page may not call this gateway", Hint: "add its origin to origins in the configuration if you trust it"})
		case s.ledger.Keyless() && !isLoopback(r.RemoteAddr):
			s.refuse(w, r, &starling.Error{Kind: starling.Forbidden, Op: "there are no keys, so only this machine is served", Hint: "make one: starling key create"})
		case !isClean(r.URL.EscapedPath()):
			s.refuse(w, r, &starling.Error{Kind: starling.NotFound, Op: r.Method + " " + clip(r.URL.Path), Hint: "ask for " + clip(path.Clean("/"+r.URL.Path))})
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// bug logs what a handler panicked with, and cuts the connection: a caller must
// not take for a whole answer what may be a part of one.
func (s *Server) bug(r *http.Request) {
	p := recover()
	if p == nil {
		return
	}
	if p != http.ErrAbortHandler {
		what := fmt.Sprintf("%T", p) // only the runtime's own words are sure to quote nobody
		if e, ok := p.(runtime.Error); ok {
			what = e.Error()
		}
		s.log.ErrorContext(r.Context(), "a bug ended a request", "panic", what, "stack", string(debug.Stack()))
	}
	panic(http.ErrAbortHandler)
}

// hurry bounds how long a caller may take with its body and with our answer. It
// holds for every route, since net/http reads what is left of a body before it
// answers; who asks a model gets more time as the answer comes ([reply.push]).
func (s *Server) hurry(w http.ResponseWriter) {
	ctl, now := http.NewResponseController(w), time.Now()
	_ = ctl.SetReadDeadline(now.Add(s.opts.BodyTime)) // a writer without deadlines (a test's recorder) has no slow callers
	_ = ctl.SetWriteDeadline(now.Add(s.opts.BodyTime + s.opts.SendTime))
}

// upgrades reports whether the caller wants another protocol than HTTP. An offer
// of HTTP/2, which some clients make with every first request, may be ignored.
func upgrades(h http.Header) bool {
	wanted := h.Get("Upgrade")
	return wanted != "" && !strings.EqualFold(wanted, "h2c")
}

// upgrade refuses WebSockets in the one way after which clients fall back to
// HTTP at once.
func (s *Server) upgrade(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Connection", "close")
	e := &starling.Error{Kind: starling.Invalid, Op: "no WebSocket here", Hint: "use HTTP"}
	f := s.doorRefusal(dialectOf(r), w, e)
	f.status = http.StatusUpgradeRequired
	f.send(w)
}

// isClean reports whether an escaped path says what it means: the router would
// answer any other with a redirect that tells nobody anything.
func isClean(escaped string) bool {
	clean := path.Clean(escaped)
	return strings.HasPrefix(escaped, "/") && (escaped == clean || escaped == clean+"/")
}

func (s *Server) hostAllowed(hostport string) bool {
	if a, err := netip.ParseAddrPort(hostport); err == nil && a.Addr().IsLoopback() {
		return true // as nearly every caller says it
	}
	host := hostname(hostport)
	if host == "localhost" || host != "" && slices.Contains(s.opts.Hosts, host) {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

// hostname strips port and brackets. A host that is not plainly a name or an
// address ("x/#@evil") is nobody's.
func hostname(hostport string) string {
	u, err := url.Parse("http://" + hostport)
	if err != nil || u.Host != hostport || u.User != nil || strings.ContainsAny(hostport, "/?#@\\") {
		return ""
	}
	return strings.ToLower(strings.TrimSuffix(u.Hostname(), "."))
}

func (s *Server) originAllowed(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if origin == "" {
		site := r.Header.Get("Sec-Fetch-Site")
		return site == "" || site == "none" || site == "same-origin"
	}
	return slices.Contains(s.opts.Origins, origin)
}

func isLoopback(remote string) bool {
	host, _, err := net.SplitHostPort(remote)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

func clip(s string) string {
	const most = 120
	if len(s) <= most {
		return s
	}
	return s[:most] + "…"
}
