package ledger

import (
	"context"
	"errors"
	"strings"
	"testing"

	"starling"
)

func TestAReceiptComparesWithTheReference(t *testing.T) {
	dear := model("dear", 10_000_000_000, 30_000_000_000) // $10 and $30 per million
	usage := starling.Usage{Input: 1000, Output: 100}     // $0.013 at those rates
	attempt := func(o starling.Outcome, u starling.Usage, cost starling.Money) starling.Attempt {
		return starling.Attempt{Outcome: o, Usage: u, Cost: cost}
	}
	unpriced := attempt(starling.Answered, usage, 1_000_000)
	unpriced.Lines = []starling.CostLine{{What: "hosted_tools", Unpriced: true}}
	broken := &starling.Error{Kind: starling.Overloaded, Op: "provider x: generate", Err: errors.New("eof")}
	for _, c := range []struct {
		name      string
		reference *starling.Model
		attempts  []starling.Attempt
		err       error
		outcome   starling.Outcome
		cost      starling.Money
		price     starling.Money
		saved     starling.Money
		estimate  bool
	}{
		{"a cheap answer saves", &dear, []starling.Attempt{attempt(starling.Answered, usage, 1_000_000)}, nil, starling.Answered, 1_000_000, 13_000_000, 12_000_000, true},
		{"a rejected try is a cost", &dear, []starling.Attempt{attempt(starling.Rejected, usage, 4_000_000), attempt(starling.Answered, usage, 12_000_000)}, nil, starling.Answered, 16_000_000, 13_000_000, -3_000_000, true},
		{"a refusal has saved nothing", &dear, []starling.Attempt{attempt(starling.Rejected, usage, 4_000_000)}, broken, starling.Failed, 4_000_000, 0, -4_000_000, false},
		{"a broken answer is compared by what came", &dear, []starling.Attempt{attempt(starling.Broken, usage, 1_000_000)}, broken, starling.Broken, 1_000_000, 13_000_000, 12_000_000, true},
		{"a call that the caller left counts too", &dear, []starling.Attempt{attempt(starling.Abandoned, usage, 1_000_000)}, &starling.Error{Kind: starling.Cancelled}, starling.Abandoned, 1_000_000, 13_000_000, 12_000_000, true},
		{"without a reference nothing is claimed", nil, []starling.Attempt{attempt(starling.Answered, usage, 1_000_000)}, nil, starling.Answered, 1_000_000, 0, 0, false},
		{"a reference without a price claims nothing", &starling.Model{Name: "x"}, []starling.Attempt{attempt(starling.Answered, usage, 1_000_000)}, nil, starling.Answered, 1_000_000, 0, 0, false},
		{"a hedge that lost costs too", &dear, []starling.Attempt{attempt(starling.Answered, usage, 1_000_000), attempt(starling.Lost, usage, 2_000_000)}, nil, starling.Answered, 3_000_000, 13_000_000, 10_000_000, true},
		{"what may cost more than is known has saved nothing", &dear, []starling.Attempt{unpriced}, nil, starling.Answered, 1_000_000, 13_000_000, 0, true},
		{"nobody was called", &dear, nil, &starling.Error{Kind: starling.Forbidden}, starling.Failed, 0, 0, 0, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := place{Options: Options{Dir: t.TempDir(), Log: quiet()}}.open(t)
			a := l.Begin(ada, "triage")
			r, err := a.Settle(&starling.Exchange{Plan: starling.Plan{Reference: c.reference}, Attempts: c.attempts, Err: c.err})
			must(t, err)
			if r.Outcome != c.outcome || r.Cost != c.cost || r.Reference != c.price || r.Saved != c.saved || r.Estimate != c.estimate || r.Kind != starling.KindOf(c.err) {
				t.Fatalf("got %s cost %v reference %v saved %v estimate %v kind %q", r.Outcome, r.Cost, r.Reference, r.Saved, r.Estimate, r.Kind)
			}
			if r.Plan.Skill != "triage" || r.Response.Cost != r.Cost {
				t.Fatalf("got %+v", r)
			}
		})
	}
}

func TestTextsOnAReceiptAreBoundedAndOurs(t *testing.T) {
	l := place{Options: Options{Dir: t.TempDir(), Log: quiet()}}.open(t)
	settle := func(model string, err error) *starling.Receipt {
		r, serr := l.Begin(starling.Caller{Team: "nul\x00 and \xff"}, "").Settle(&starling.Exchange{Request: starling.Request{Model: model}, Err: err})
		must(t, serr)
		return r
	}
	if r := settle(strings.Repeat("é", 5000), &starling.Error{Kind: starling.Invalid, Op: strings.Repeat("ü", 5000)}); len(r.Asked) > longestName || len(r.Why) > longestWhy || !strings.HasPrefix(r.Why, "üü") || strings.HasSuffix(r.Why, "\xc3") {
		t.Fatalf("%d %d bytes", len(r.Asked), len(r.Why))
	}
	if r := settle("m", errors.New(canary)); strings.Contains(r.Why, canary) || r.Kind != starling.Internal {
		t.Fatalf("a foreign error's text is on the receipt: %+v", r)
	}
	verified(t, l.Records)
}

func TestWhatAnUpstreamSaysOfItselfIsBounded(t *testing.T) {
	eachStore(t, func(t *testing.T, p place) {
		l := p.open(t)
		long := strings.Repeat("ü", 2<<20)
		a := l.Begin(ada, "")
		ex := exchange(a, 5)
		ex.Response.Model, ex.Response.Reason = long, long
		t0 := &ex.Attempts[0]
		t0.Model, t0.Why, t0.Usage.Tier, t0.Upstream, t0.Said = long, long, long, long, long
		for range 100_000 {
			t0.Left = append(t0.Left, long[:1000])
		}
		r, err := a.Settle(ex)
		must(t, err)
		got := r.Attempts[0]
		for _, text := range []string{got.Model, got.Usage.Tier, got.Upstream, got.Said, got.Left[0], r.Response.Model} {
			if len(text) > longestName || !strings.HasPrefix(text, "üü") || !strings.HasSuffix(text, "ü…") {
				t.Errorf("%d bytes: %.40q", len(text), text)
			}
		}
		for _, text := range []string{got.Why, r.Response.Reason} {
			if len(text) > longestWhy || !strings.HasSuffix(text, "ü…") {
				t.Errorf("%d bytes: %.40q", len(text), text)
			}
		}
		if n := len(got.Left); n != mostLeft+1 || got.Left[n-1] != "… and 99950 more" {
			t.Errorf("%d fields, the last: %.40q", n, got.Left[n-1])
		}
		if t0.Upstream != long || len(t0.Left) != 100_000 {
			t.Error("the exchange itself was changed")
		}
		s, err := l.Receipt(context.Background(), r.ID)
		must(t, err)
		if back, err := s.Receipt(); err != nil || back.Cost != 5 || len(s.Payload) > 32<<10 {
			t.Errorf("%d bytes, %v", len(s.Payload), err)
		}
		verified(t, l.Records)
	})
}

func TestAReceiptOfTooManyPartsIsKeptWithoutThem(t *testing.T) {
	p := place{Options: Options{Dir: t.TempDir(), Log: quiet()}}
	l := p.open(t)
	a := l.Begin(ada, "triage")
	ex := exchange(a, 5)
	for range 100_000 {
		ex.Attempts = append(ex.Attempts, ex.Attempts[0])
	}
	l.store.db.Close()
	r, err := a.Settle(ex)
	must(t, err)
	after := run(t, l, ada, 10, 7)
	l.crash(t)

	l = p.open(t)
	s, err := l.Receipt(context.Background(), r.ID)
	must(t, err)
	back, err := s.Receipt()
	must(t, err)
	if len(s.Payload) > longestReceipt || back.Cost != 500_005 || back.Plan.Skill != "triage" || back.Saved != r.Saved || !strings.Contains(back.Plan.Rule, "100001 attempts") {
		t.Errorf("%d bytes, cost %v, saved %v: %+v", len(s.Payload), back.Cost, back.Saved, back.Plan)
	}
	_, err = l.Receipt(context.Background(), after.ID)
	must(t, err)
	verified(t, l.Records)
}

// TestAnAuditHasSavedNothing: it is asked on top of what it is compared with.
func TestAnAuditHasSavedNothing(t *testing.T) {
	l := place{Options: Options{Dir: t.TempDir(), Log: quiet()}}.open(t)
	dear := model("dear", 10_000_000_000, 30_000_000_000)
	r, err := l.Begin(ada, "triage").Settle(&starling.Exchange{AuditOf: "rcp_1", Plan: starling.Plan{Reference: &dear},
		Attempts: []starling.Attempt{{Outcome: starling.Answered, Usage: starling.Usage{Input: 1000}, Cost: 10_000_000}}})
	must(t, err)
	if r.AuditOf != "rcp_1" || r.Saved != -r.Cost || r.Cost != 10_000_000 || r.Reference != 0 || r.Estimate {
		t.Fatalf("got %+v", r)
	}
}
