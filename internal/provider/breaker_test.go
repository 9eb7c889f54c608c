package provider

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"starling"
)

func TestABreakerHearsOnlyTheUpstreamsOwnFailures(t *testing.T) {
	good, bad, left := (*permit).good, (*permit).bad, (*permit).unknown
	for _, c := range []struct {
		name  string
		words []func(*permit)
		shut  bool
	}{
		{"too few failures", []func(*permit){bad, bad}, false},
		{"failures in a row", []func(*permit){bad, bad, bad}, true},
		{"failures with a success between", []func(*permit){bad, bad, good, bad, bad}, false},
		{"callers who leave", []func(*permit){left, left, left, left}, false},
		{"callers who leave between failures", []func(*permit){bad, left, bad, left, bad}, true},
		{"a second word does not count", []func(*permit){func(p *permit) { p.good(); p.bad() }, func(p *permit) { p.good(); p.bad() }, func(p *permit) { p.good(); p.bad() }}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBreaker("up/m", Options{Trip: 3, Rest: time.Hour})
			for _, word := range c.words {
				p, err := b.admit()
				if err != nil {
					t.Fatal(err)
				}
				word(p)
			}
			_, err := b.admit()
			if (err != nil) != c.shut {
				t.Errorf("it is shut: %v, want %v", err, c.shut)
			}
			if err != nil && (err.Kind != starling.Overloaded || err.Billed || !strings.Contains(err.Hint, "next try in")) {
				t.Errorf("%+v, want Overloaded that says when", err)
			}
		})
	}
}

func TestAfterARestOneCallMayTry(t *testing.T) {
	for _, c := range []struct {
		name string
		word func(*permit)
		open bool
	}{
		{"and opens the way by a success", (*permit).good, true},
		{"and shuts it again by a failure", (*permit).bad, false},
		{"and shuts it again by leaving", (*permit).unknown, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBreaker("up/m", Options{Trip: 1, Rest: time.Minute})
				p, err := b.admit()
				if err != nil {
					t.Fatal(err)
				}
				p.bad()
				time.Sleep(2 * time.Minute)
				probe, err := b.admit()
				if err != nil || !probe.probe {
					t.Fatalf("after its rest: %v", err)
				}
				if _, err := b.admit(); err == nil {
					t.Error("a second call may try beside the first")
				}
				c.word(probe)
				if _, err := b.admit(); (err == nil) != c.open {
					t.Errorf("afterwards %v; open should be %v", err, c.open)
				}
			})
		})
	}
}
