package provider

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"time"

	"starling"
)

// An Upstream is an address that may be called, and the zone that it is in.
type Upstream struct {
	URL  string
	Zone starling.Zone
}

// A Guard is the one way out. It knows every upstream's zone by itself, whatever
// a plan says, and checks twice: before a call, that its data may travel to that
// zone; and at the socket, that the address in hand can be in it. So a name that
// is registered as this machine's and resolves to somebody else's is refused
// before a byte leaves.
//
// It keeps the connections, one pool per zone. It is immutable and safe for
// concurrent use.
type Guard struct {
	zones map[string]starling.Zone // by "host:port", lower case
	doors [starling.Cloud + 1]*http.Transport
}

// NewGuard returns a guard that knows the given upstreams and nothing else.
// Errors are Invalid: an address that is not http or https, has credentials in
// it, stands in two zones or plainly not in its own, or would send a key to a
// cloud unencrypted.
func NewGuard(upstreams ...Upstream) (*Guard, error) {
	return newGuard(net.Dialer{}, upstreams...)
}

func newGuard(dialer net.Dialer, upstreams ...Upstream) (*Guard, error) {
	g := &Guard{zones: make(map[string]starling.Zone, len(upstreams))}
	for _, up := range upstreams {
		u, err := address(up.URL)
		if err != nil {
			return nil, err
		}
		if err := plausible(u, up.Zone); err != nil {
			return nil, err
		}
		at := hostport(u)
		if zone, known := g.zones[at]; known && zone != up.Zone {
			return nil, &starling.Error{Kind: starling.Invalid, Op: fmt.Sprintf("upstream %s is in zone %s and in zone %s", at, zone, up.Zone), Hint: "give one address one zone"}
		}
		g.zones[at] = up.Zone
	}
	for zone := starling.Machine; zone <= starling.Cloud; zone++ {
		g.doors[zone] = door(zone, dialer)
	}
	return g, nil
}

// Do sends req to its upstream, if that is no further than furthest. Nothing is
// resolved or dialled for a call that may not leave. A redirect is returned, not
// followed.
//
// Errors: Forbidden when the call may not leave; else what [transport] says of
// the failure. None holds a URL, a header or content.
func (g *Guard) Do(req *http.Request, furthest starling.Zone) (*http.Response, error) {
	zone, err := g.pass(req.URL, furthest)
	if err != nil {
		return nil, err
	}
	resp, err := g.doors[zone].RoundTrip(req)
	if err != nil {
		return nil, transport(err)
	}
	return resp, nil
}

// pass returns the zone of u, or why it may not be called: Forbidden.
func (g *Guard) pass(u *url.URL, furthest starling.Zone) (starling.Zone, error) {
	at := hostport(u)
	zone, known := g.zones[at]
	switch {
	case !known:
		return 0, &starling.Error{Kind: starling.Forbidden, Op: "egress to " + at + ": no such upstream", Hint: "name it in the configuration"}
	case zone > furthest:
		return 0, &starling.Error{Kind: starling.Forbidden, Op: fmt.Sprintf("egress to %s: it is in zone %s, the data may go no further than %s", at, zone, furthest), Hint: "use a model in a nearer zone, or say that the data may travel"}
	}
	return zone, nil
}

// Close closes the connections that nobody is using.
func (g *Guard) Close() {
	for _, t := range g.doors {
		if t != nil {
			t.CloseIdleConnections()
		}
	}
}

// door is the way to one zone. Proxies are for the far zones alone: to a near
// one they would be a detour by somebody else's machine.
func door(zone starling.Zone, dialer net.Dialer) *http.Transport {
	dialer.Timeout = 30 * time.Second // a call's own connect limit is shorter
	dialer.KeepAlive = 30 * time.Second
	dialer.ControlContext = func(_ context.Context, network, at string, _ syscall.RawConn) error {
		return socket(zone, network, at)
	}
	t := &http.Transport{
		DialContext:            dialer.DialContext,
		ForceAttemptHTTP2:      true,
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: 15 * time.Second, PingTimeout: 15 * time.Second},
		TLSHandshakeTimeout:    30 * time.Second,
		MaxIdleConns:           1024,
		MaxIdleConnsPerHost:    256,
		IdleConnTimeout:        90 * time.Second,
		DisableCompression:     true,
		MaxResponseHeaderBytes: 256 << 10,
		WriteBufferSize:        16 << 10,
		ReadBufferSize:         16 << 10,
	}
	if zone > starling.Office {
		t.Proxy = http.ProxyFromEnvironment
	}
	return t
}

// socket refuses an address that cannot be in the zone. It is called with the
// resolved address, after the socket is made and before it is connected.
func socket(zone starling.Zone, network, at string) error {
	if zone > starling.Office {
		return nil
	}
	a, err := netip.ParseAddrPort(at)
	if err == nil && strings.HasPrefix(network, "tcp") && within(zone, a.Addr()) {
		return nil
	}
	return &starling.Error{Kind: starling.Forbidden, Op: fmt.Sprintf("egress: %s is not in zone %s", at, zone), Hint: "check what the upstream's name resolves to, or correct its zone"}
}

// within reports whether a can be in the zone.
func within(zone starling.Zone, a netip.Addr) bool {
	a = a.Unmap()
	switch zone {
	case starling.Machine:
		return a.IsLoopback()
	case starling.Office:
		return a.IsLoopback() || a.IsPrivate() || a.IsLinkLocalUnicast()
	default:
		return zone <= starling.Cloud && zone > starling.Nowhere
	}
}

// address parses the URL of an upstream. The error does not repeat it: what is
// wrong with it may be the credentials in it.
func address(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Hostname() == "" || (u.Scheme != "http" && u.Scheme != "https"):
		return nil, &starling.Error{Kind: starling.Invalid, Op: "upstream url", Hint: "write it like https://api.example.com/v1"}
	case u.User != nil:
		return nil, &starling.Error{Kind: starling.Invalid, Op: "url of upstream " + u.Host + " holds credentials", Hint: "give the key by environment variable or file"}
	case u.Fragment != "":
		return nil, &starling.Error{Kind: starling.Invalid, Op: "url of upstream " + u.Host + " has a fragment", Hint: "remove the # and what follows it"}
	}
	return u, nil
}

// plausible refuses what can be seen to be wrong without resolving a name.
func plausible(u *url.URL, zone starling.Zone) error {
	a, err := netip.ParseAddr(u.Hostname())
	literal := err == nil
	local := u.Hostname() == "localhost" || literal && a.Unmap().IsLoopback()
	switch {
	case zone == starling.Nowhere || zone > starling.Cloud:
		return &starling.Error{Kind: starling.Invalid, Op: "upstream " + u.Host + " has no zone", Hint: "give it one of machine, office, tenant, cloud"}
	case literal && !within(zone, a):
		return &starling.Error{Kind: starling.Invalid, Op: fmt.Sprintf("upstream %s is not in zone %s", u.Host, zone), Hint: "correct its zone"}
	case zone > starling.Office && u.Scheme == "http" && !local:
		return &starling.Error{Kind: starling.Invalid, Op: fmt.Sprintf("upstream %s in zone %s is not encrypted", u.Host, zone), Hint: "use https"}
	}
	return nil
}

// hostport returns the key of u in the guard's table: with the port spelt out.
func hostport(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = "80"
		if u.Scheme == "https" {
			port = "443"
		}
	}
	return net.JoinHostPort(strings.ToLower(u.Hostname()), port)
}
