package provider

import (
	"context"
	"encoding/binary"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"starling"
)

func TestAGuardRefusesUpstreamsThatCannotBeRight(t *testing.T) {
	for _, c := range []struct {
		name  string
		ups   []Upstream
		valid bool
	}{
		{"a local engine", []Upstream{{"http://127.0.0.1:11434/v1", starling.Machine}}, true},
		{"a colleague's machine", []Upstream{{"http://192.168.1.20:8000/v1", starling.Office}}, true},
		{"a machine by a unique local address", []Upstream{{"http://[fd00::7]:8000/v1", starling.Office}}, true},
		{"a vendor", []Upstream{{"https://api.openai.com/v1", starling.Cloud}}, true},
		{"a simulated vendor on loopback", []Upstream{{"http://127.0.0.1:9/v1", starling.Cloud}}, true},
		{"one address in one zone, twice", []Upstream{{"https://A.example/v1", starling.Cloud}, {"https://a.example:443/v2", starling.Cloud}}, true},
		{"one address in two zones", []Upstream{{"https://a.example/v1", starling.Cloud}, {"https://a.example:443/v2", starling.Tenant}}, false},
		{"a public address as the machine's", []Upstream{{"http://93.184.216.34/v1", starling.Machine}}, false},
		{"a public address as the office's", []Upstream{{"http://93.184.216.34/v1", starling.Office}}, false},
		{"a private address as the machine's", []Upstream{{"http://10.0.0.1/v1", starling.Machine}}, false},
		{"any address as the machine's", []Upstream{{"http://0.0.0.0:1/v1", starling.Machine}}, false},
		{"a mapped public address as the machine's", []Upstream{{"http://[::ffff:93.184.216.34]/v1", starling.Machine}}, false},
		{"no zone", []Upstream{{"https://api.openai.com/v1", starling.Nowhere}}, false},
		{"a zone that there is none of", []Upstream{{"https://api.openai.com/v1", starling.Cloud + 1}}, false},
		{"a vendor without encryption", []Upstream{{"http://api.openai.com/v1", starling.Cloud}}, false},
		{"a key in the address", []Upstream{{"https://user:" + canary + "@api.openai.com/v1", starling.Cloud}}, false},
		{"a fragment", []Upstream{{"https://api.openai.com/v1#" + canary, starling.Cloud}}, false},
		{"another protocol", []Upstream{{"ftp://127.0.0.1/" + canary, starling.Machine}}, false},
		{"no host", []Upstream{{"https:///v1", starling.Cloud}}, false},
		{"no URL", []Upstream{{"://" + canary, starling.Cloud}}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := NewGuard(c.ups...)
			if (err == nil) != c.valid || err != nil && starling.KindOf(err) != starling.Invalid {
				t.Errorf("error %v; valid should be %v", err, c.valid)
			}
			if err != nil && strings.Contains(err.Error(), canary) {
				t.Errorf("the error holds what stood in the URL: %v", err)
			}
		})
	}
}

func TestAnAddressIsInItsZone(t *testing.T) {
	for _, c := range []struct {
		address         string
		machine, office bool
	}{
		{"127.0.0.1", true, true},
		{"127.8.8.8", true, true},
		{"::1", true, true},
		{"::ffff:127.0.0.1", true, true},
		{"10.1.2.3", false, true},
		{"172.16.0.1", false, true},
		{"172.32.0.1", false, false},
		{"192.168.0.1", false, true},
		{"169.254.1.1", false, true},
		{"fe80::1", false, true},
		{"fd12:3456::1", false, true},
		{"0.0.0.0", false, false},
		{"::", false, false},
		{"8.8.8.8", false, false},
		{"::ffff:8.8.8.8", false, false},
		{"64:ff9b::7f00:1", false, false},
		{"2606:4700::1111", false, false},
		{"224.0.0.1", false, false},
		{"255.255.255.255", false, false},
	} {
		at := netip.AddrPortFrom(netip.MustParseAddr(c.address), 443).String()
		for zone, allowed := range map[starling.Zone]bool{starling.Machine: c.machine, starling.Office: c.office, starling.Tenant: true, starling.Cloud: true} {
			if err := socket(zone, "tcp", at); (err == nil) != allowed {
				t.Errorf("%s from zone %s: %v; allowed should be %v", at, zone, err, allowed)
			}
		}
	}
	for _, at := range []string{"", "nonsense", "127.0.0.1", "localhost:80"} {
		if socket(starling.Machine, "tcp", at) == nil {
			t.Errorf("an address like %q is let through", at)
		}
	}
	if socket(starling.Machine, "udp", "127.0.0.1:53") == nil {
		t.Error("a datagram is let through")
	}
}

// listener counts the connections that reach it.
func listener(t *testing.T) (at string, reached func() bool) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	came := make(chan struct{}, 1)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			came <- struct{}{}
			c.Close()
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return l.Addr().String(), func() bool { return len(came) > 0 }
}

func TestNothingLeavesForAForbiddenZone(t *testing.T) {
	at, reached := listener(t)
	g, err := NewGuard(Upstream{"http://" + at, starling.Cloud})
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	for name, target := range map[string]string{
		"a zone that is too far":     "http://" + at,
		"an upstream nobody named":   "http://127.0.0.1:1",
		"another port of a good one": "http://127.0.0.1",
		"another scheme":             "https://127.0.0.1",
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, target, strings.NewReader("x"))
		if err != nil {
			t.Fatal(err)
		}
		for _, furthest := range []starling.Zone{starling.Nowhere, starling.Machine, starling.Office, starling.Tenant} {
			if _, err := g.Do(req, furthest); starling.KindOf(err) != starling.Forbidden {
				t.Errorf("%s, furthest %s: %v, want Forbidden", name, furthest, err)
			}
		}
	}
	if reached() {
		t.Error("a connection was made")
	}
}

// resolver is a name server on loopback that gives every name one address.
func resolver(t *testing.T, answer netip.Addr) *net.Resolver {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		q := make([]byte, 1500)
		for {
			n, from, err := conn.ReadFrom(q)
			if err != nil {
				return
			}
			_, _ = conn.WriteTo(reply(q[:n], answer), from)
		}
	}()
	t.Cleanup(func() { conn.Close(); <-done })
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
}

// reply answers a query for an address (RFC 1035, section 4): A queries with the
// address, others with nothing.
func reply(query []byte, answer netip.Addr) []byte {
	end := 12
	for query[end] != 0 {
		end += int(query[end]) + 1
	}
	end += 5
	out := append([]byte(nil), query[:end]...)
	binary.BigEndian.PutUint16(out[2:], 0x8180)
	binary.BigEndian.PutUint16(out[6:], 0)
	binary.BigEndian.PutUint32(out[8:], 0)
	if binary.BigEndian.Uint16(query[end-4:]) == 1 {
		binary.BigEndian.PutUint16(out[6:], 1)
		out = append(out, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4)
		out = append(out, answer.AsSlice()...)
	}
	return out
}

func TestANameThatResolvesOutOfItsZoneIsRefusedAtTheSocket(t *testing.T) {
	_, port, err := net.SplitHostPort(strings.TrimPrefix(serveHandler(t, starling.OpenAI, func(w http.ResponseWriter, _ *http.Request) {}).URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name     string
		resolves string
		zone     starling.Zone
		kind     starling.Kind // "" if it gets through
	}{
		{"a name of this machine that stays here", "127.0.0.1", starling.Machine, ""},
		{"a name of the office that is here", "127.0.0.1", starling.Office, ""},
		{"a name of this machine that was rebound to the world", "93.184.216.34", starling.Machine, starling.Forbidden},
		{"a name of this machine that was rebound to the office", "10.0.0.1", starling.Machine, starling.Forbidden},
		{"a name of the office that was rebound to the world", "93.184.216.34", starling.Office, starling.Forbidden},
		{"a name of this machine that is any address", "0.0.0.0", starling.Machine, starling.Forbidden},
	} {
		t.Run(c.name, func(t *testing.T) {
			to := "http://engine.example:" + port
			g, err := newGuard(net.Dialer{Resolver: resolver(t, netip.MustParseAddr(c.resolves))}, Upstream{to, c.zone})
			if err != nil {
				t.Fatal(err)
			}
			defer g.Close()
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, to, nil)
			if err != nil {
				t.Fatal(err)
			}
			resp, err := g.Do(req, starling.Cloud)
			if got := starling.KindOf(err); got != c.kind {
				t.Errorf("kind %q, want %q: %v", got, c.kind, err)
			}
			if err == nil {
				resp.Body.Close()
			}
		})
	}
}

func TestAProxyIsForTheFarZonesAlone(t *testing.T) {
	g, err := NewGuard()
	if err != nil {
		t.Fatal(err)
	}
	for zone := starling.Machine; zone <= starling.Cloud; zone++ {
		if proxied := g.doors[zone].Proxy != nil; proxied != (zone >= starling.Tenant) {
			t.Errorf("zone %s: goes by a proxy is %v", zone, proxied)
		}
	}
}

func TestARedirectIsNotFollowed(t *testing.T) {
	at, reached := listener(t)
	u := serveHandler(t, starling.OpenAI, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://"+at+"/"+canary, http.StatusTemporaryRedirect)
	})
	p := open(t, u.options(t))
	_, _, err := collect(t, p, calling(p, true))
	if starling.KindOf(err) != starling.Refused || strings.Contains(err.Error(), canary) {
		t.Errorf("%v, want Refused without the target", err)
	}
	if reached() {
		t.Error("the redirect was followed")
	}
}

func TestThePortIsPartOfAnUpstreamsName(t *testing.T) {
	for raw, want := range map[string]string{
		"https://API.Example/v1":    "api.example:443",
		"http://a.example":          "a.example:80",
		"http://[::1]:8080/v1":      "[::1]:8080",
		"https://a.example:8443/v1": "a.example:8443",
	} {
		u, err := url.Parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		if got := hostport(u); got != want {
			t.Errorf("%s is %s, want %s", raw, got, want)
		}
	}
}
