package provider

import (
	"net/http"
	"net/netip"
	"testing"
	"time"

	"starling"
)

func FuzzNoQueryCarriesACredential(f *testing.F) {
	for _, q := range []string{"", "beta=true", "key=1&beta=true", "%6Bey=1", "a;key=1", "&&=&", "%", "%6Be#y"} {
		f.Add(q)
	}
	f.Fuzz(func(t *testing.T, query string) {
		kept := cleared(query)
		if len(kept) > len(query) || cleared(kept) != kept {
			t.Errorf("%q becomes %q, which is longer or not final", query, kept)
		}
		r := http.Request{URL: Kinds[starling.OpenAI].at(mustAddress(t, "http://127.0.0.1/?"+kept), "/x")}
		for name := range r.URL.Query() {
			if credential(name) {
				t.Errorf("%q keeps the parameter %q", query, name)
			}
		}
	})
}

func FuzzAWaitIsNeverNegativeNorOverADay(f *testing.F) {
	for _, v := range []string{"", "1", "0.5", "-1", "1e309", "nan", "0x1p4", "Mon, 23 Nov 2026 12:00:30 GMT"} {
		f.Add(v, v)
	}
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, seconds, milliseconds string) {
		h := http.Header{"Retry-After": {seconds}, "Retry-After-Ms": {milliseconds}}
		if d := retryAfter(h, now); d < 0 || d > 24*time.Hour {
			t.Errorf("%q and %q wait %s", seconds, milliseconds, d)
		}
	})
}

func FuzzAListOfModelsIsReadOrRefused(f *testing.F) {
	for _, b := range []string{"", "{}", `{"data":[{"id":"m"}]}`, `{"data":[{"id":1}]}`, `{"data":[null]}`, `[`} {
		f.Add([]byte(b))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		models, err := Options{Name: "up", Dialect: starling.OpenAI, Zone: starling.Machine}.listed(body)
		if (err == nil) == (models == nil) {
			t.Errorf("%q gives %v and %v", body, models, err)
		}
		for _, m := range models {
			if m.Name == "" || m.Provider != "up" || m.Context < 0 {
				t.Errorf("%q gives %+v", body, m)
			}
		}
	})
}

func FuzzNothingButTheMachineIsWithinTheMachine(f *testing.F) {
	for _, a := range []string{"127.0.0.1:1", "[::1]:1", "8.8.8.8:1", "[::ffff:8.8.8.8]:1", "[fe80::1%lo]:1", ":1", ""} {
		f.Add(a)
	}
	f.Fuzz(func(t *testing.T, at string) {
		if socket(starling.Machine, "tcp", at) != nil {
			return
		}
		a, err := netip.ParseAddrPort(at)
		if v := a.Addr().Unmap(); err != nil || !(v.Is4() && v.As4()[0] == 127 || v == netip.IPv6Loopback() || v.WithZone("") == netip.IPv6Loopback()) {
			t.Errorf("%q is let through", at)
		}
	})
}
