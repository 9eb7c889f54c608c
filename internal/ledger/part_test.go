package ledger

import (
	"context"
	"math/rand/v2"
	"testing"

	"starling"
)

// costing is an exchange that cost an amount.
func costing(amount starling.Money) *starling.Exchange {
	return &starling.Exchange{Attempts: []starling.Attempt{{Outcome: starling.Answered, Cost: amount}}}
}

// stands returns what is spent and held under the only cap. In a shared store it looks
// twice: until a receipt is stored its exchange holds its worst case, and never less.
func (l *Ledger) stands(t *testing.T) Standing {
	t.Helper()
	before, err := l.Standing(context.Background())
	must(t, err)
	if !l.store.engine.shared() {
		return before[0]
	}
	must(t, l.Flush(context.Background()))
	after, err := l.Standing(context.Background())
	must(t, err)
	if before[0].Spent+before[0].Held < after[0].Spent+after[0].Held {
		t.Fatalf("%+v became %+v", before[0], after[0])
	}
	return after[0]
}

func TestPartsArePaidFromWhatTheirWholeHasReserved(t *testing.T) {
	eachStore(t, func(t *testing.T, p place) {
		ctx := context.Background()
		l := p.open(t, Budget{Scope: ForTeam, Name: "sales", Limit: 100, Per: PerDay})
		stands := func(spent, held starling.Money) {
			t.Helper()
			if s := l.stands(t); s.Spent != spent || s.Held != held {
				t.Fatalf("spent %d, held %d; want %d and %d", s.Spent, s.Held, spent, held)
			}
		}
		whole := l.Begin(ada, "reading")
		must(t, whole.Reserve(ctx, 100))
		one, err := whole.Part()
		must(t, err)
		two, err := whole.Part()
		must(t, err)
		must(t, one.Reserve(ctx, 60))
		wantKind(t, two.Reserve(ctx, 41), starling.OverBudget)
		must(t, two.Reserve(ctx, 40))
		stands(0, 100)
		one.Spend(20)
		must(t, one.Reserve(ctx, 10)) // a second call
		one.Spend(10)
		stands(0, 100)
		r, err := one.Settle(costing(30))
		must(t, err)
		if r.PartOf != whole.ID() || r.Plan.Skill != "reading" || r.Team != ada.Team || r.Saved != 0 || !r.Time.Equal(whole.Began()) {
			t.Errorf("%+v", r)
		}
		stands(30, 70)
		must(t, two.Reserve(ctx, 70))
		two.Spend(0)
		_, err = two.Settle(costing(0))
		must(t, err)
		stands(30, 70)
		must(t, whole.Reserve(ctx, 50))
		stands(30, 50)
		whole.Spend(40)
		ex := exchange(whole, 40)
		r, err = whole.Settle(ex)
		must(t, err)
		stands(70, 0)
		if r.Parts != 2 || r.PartsCost != 30 || r.Cost != 40 || r.Response.Cost != 70 || r.Saved != r.Reference-70 {
			t.Errorf("%+v", r)
		}
		must(t, l.Flush(ctx))
		verified(t, l.Records)
		all, err := l.Totals(ctx, Query{}, "skill")
		must(t, err)
		if sum := all[0]; len(all) != 1 || sum.Cost != 70 || sum.Compared != 70 || sum.Saved != sum.Reference-70 || sum.Receipts != 3 {
			t.Errorf("%+v", all)
		}
		_, err = whole.Part()
		wantKind(t, err, starling.Internal)
	})
}

// TestACapThatComesAfterTheFirstPartFindsWhatIsSpentAndHeld: where gateways share a store
// the whole has no row there until a cap applies to it.
func TestACapThatComesAfterTheFirstPartFindsWhatIsSpentAndHeld(t *testing.T) {
	eachStore(t, func(t *testing.T, p place) {
		ctx := context.Background()
		l := p.open(t)
		whole := l.Begin(ada, "")
		must(t, whole.Reserve(ctx, 100))
		pay := func(amount starling.Money) {
			t.Helper()
			part, err := whole.Part()
			must(t, err)
			must(t, part.Reserve(ctx, amount))
			part.Spend(amount)
			_, err = part.Settle(costing(amount))
			must(t, err)
		}
		pay(30)
		must(t, whole.Reserve(ctx, 40))
		must(t, l.Cap([]Budget{{Scope: ForAll, Limit: 100, Per: InTotal}}))
		must(t, whole.Reserve(ctx, 70))
		pay(10)
		for _, to := range []starling.Money{60, 20, 60} { // while the receipts of parts are on their way
			must(t, whole.Reserve(ctx, to))
			wantKind(t, whole.Reserve(ctx, 61), starling.OverBudget)
			if s := l.stands(t); s.Spent != 40 || s.Held != to {
				t.Fatalf("%+v", s)
			}
		}
		_, err := whole.Settle(costing(0))
		must(t, err)
		if s := l.stands(t); s.Spent != 40 || s.Held != 0 {
			t.Fatalf("%+v", s)
		}
		verified(t, l.Records)
	})
}

func TestACallOfAPartThatCostMoreThanItsWorstIsBooked(t *testing.T) {
	eachStore(t, func(t *testing.T, p place) {
		l := p.open(t, Budget{Scope: ForAll, Limit: 100, Per: InTotal})
		whole := l.Begin(ada, "")
		must(t, whole.Reserve(context.Background(), 50))
		part, err := whole.Part()
		must(t, err)
		must(t, part.Reserve(context.Background(), 10))
		part.Spend(70)
		if s := l.stands(t); s.Held != 70 {
			t.Errorf("%+v", s)
		}
		_, err = part.Settle(costing(70))
		must(t, err)
		if s := l.stands(t); s.Spent != 70 || s.Held != 0 {
			t.Errorf("%+v", s)
		}
		_, err = whole.Settle(costing(0))
		must(t, err)
		verified(t, l.Records)
	})
}

// TestAtEveryMomentAWholeAndItsPartsAreBookedAndHeldForWhatWasReserved kills the process
// after any number of steps: what is booked then is all that was reserved, no more and
// no less, however the journal's segments fell.
func TestAtEveryMomentAWholeAndItsPartsAreBookedAndHeldForWhatWasReserved(t *testing.T) {
	eachStore(t, func(t *testing.T, p place) {
		seeds := uint64(12)
		if p.URL != "" {
			seeds = 4
		}
		for seed := range seeds {
			if p.Dir = t.TempDir(); p.URL != "" {
				p.URL = emptyPostgres(t)
			}
			dieAmongParts(t, p, rand.New(rand.NewPCG(seed, 1)))
		}
	})
}

const reserved starling.Money = 1000

func dieAmongParts(t *testing.T, p place, r *rand.Rand) {
	ctx, cap := context.Background(), Budget{Scope: ForAll, Limit: reserved, Per: InTotal}
	l := p.open(t, cap)
	l.journal.limit = 200 + r.Int64N(4000)
	whole := l.Begin(ada, "")
	must(t, whole.Reserve(ctx, reserved))
	var open []*Account
	for range r.IntN(25) {
		switch step := r.IntN(4); {
		case step == 0 || len(open) == 0:
			part, err := whole.Part()
			must(t, err)
			open = append(open, part)
		case step < 3:
			if amount := starling.Money(r.Int64N(300)); open[0].Reserve(ctx, amount) == nil {
				open[0].Spend(amount / 2)
			}
		default:
			_, err := open[0].Settle(costing(open[0].spent))
			must(t, err)
			open = open[1:]
		}
		if s, err := l.Standing(ctx); err != nil || s[0].Spent+s[0].Held != reserved {
			t.Fatalf("spent and held %+v of %d, %v", s, reserved, err)
		}
	}
	if r.IntN(2) == 0 {
		must(t, l.Flush(ctx))
	}
	l.crash(t)
	l = p.open(t, cap)
	defer l.Close()
	if s, err := l.Standing(ctx); err != nil || s[0].Spent != reserved || s[0].Held != 0 {
		t.Fatalf("booked and held %+v of %d, %v", s, reserved, err)
	}
	verified(t, l.Records)
}
