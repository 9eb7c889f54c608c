package ledger

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"starling"
)

// shelf returns books of 25 receipts: five of nobody's, then ada's with a failed
// one.
func shelf(t *testing.T, p place) (*Ledger, []string) {
	l := p.open(t)
	var ids []string
	for i := range 25 {
		caller := ada
		if i < 5 {
			caller = clerk
		}
		a := l.Begin(caller, fmt.Sprintf("skill-%d", i%2))
		ex := exchange(a, starling.Money(i))
		if i == 24 {
			ex.Err = &starling.Error{Kind: starling.Overloaded, Op: "generate"}
		}
		_, err := a.Settle(ex)
		must(t, err)
		ids = append(ids, a.ID())
	}
	must(t, l.Flush(context.Background()))
	slices.Sort(ids) // two may begin in the same 250 ns
	return l, ids
}

func TestReceiptsAreFoundByTheirColumnsInOrder(t *testing.T) {
	eachStore(t, func(t *testing.T, p place) {
		l, ids := shelf(t, p)
		newest := slices.Clone(ids)
		slices.Reverse(newest)
		hour := time.Hour
		for _, c := range []struct {
			name string
			q    Query
			want []string
		}{
			{"all of them", Query{}, ids},
			{"a page", Query{Limit: 3}, ids[:3]},
			{"the next page", Query{Limit: 3, After: ids[2]}, ids[3:6]},
			{"the newest", Query{Limit: 2, Newest: true}, newest[:2]},
			{"those before them", Query{Limit: 2, Newest: true, After: newest[1]}, newest[2:4]},
			{"of a team", Query{Team: "sales"}, ids[5:]},
			{"of a key", Query{Key: ada.Key, Limit: 1}, ids[5:6]},
			{"of a skill and a team", Query{Skill: "skill-1", Team: "sales", Limit: 2}, []string{ids[5], ids[7]}},
			{"that failed", Query{Outcome: starling.Failed}, ids[24:]},
			{"of a model", Query{Model: "nobody/nothing"}, nil},
			{"since an hour", Query{Since: time.Now().Add(-hour)}, ids},
			{"before that", Query{Until: time.Now().Add(-hour)}, nil},
			{"since the epoch", Query{Since: time.Unix(0, 0)}, ids},
		} {
			var got []string
			for r, err := range l.Receipts(context.Background(), c.q) {
				must(t, err)
				got = append(got, r.ID)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("%s:\n%s", c.name, diff)
			}
		}
		for range l.Receipts(context.Background(), Query{}) {
			break // leaves nothing behind: the ledger closes
		}
	})
}

func TestMoreThanAPageIsRead(t *testing.T) {
	l := place{Options: Options{Dir: t.TempDir(), Log: quiet()}}.open(t)
	for range 2*page + 7 {
		_, err := l.Begin(ada, "").Settle(&starling.Exchange{})
		must(t, err)
	}
	must(t, l.Flush(context.Background()))
	seen := map[string]bool{}
	for r, err := range l.Receipts(context.Background(), Query{}) {
		must(t, err)
		seen[r.ID] = true
	}
	if len(seen) != 2*page+7 {
		t.Fatalf("%d receipts, want %d", len(seen), 2*page+7)
	}
}

func TestTotalsSumReceipts(t *testing.T) {
	eachStore(t, func(t *testing.T, p place) {
		l, _ := shelf(t, p)
		ctx := context.Background()
		const price = 8_100_000 // of 1200 and 300 tokens at the reference's rates
		teams, err := l.Totals(ctx, Query{}, "team")
		must(t, err)
		want := []Totaled{
			{Name: "", Receipts: 5, Answered: 5, Cost: 10, Compared: 10, Reference: 5 * price, Saved: 5*price - 10},
			{Name: "sales", Receipts: 20, Answered: 19, Cost: 290, Compared: 290, Reference: 20 * price, Saved: 20*price - 290},
		}
		if diff := cmp.Diff(want, teams); diff != "" {
			t.Fatal(diff)
		}
		all, err := l.Totals(ctx, Query{Outcome: starling.Answered}, "all")
		must(t, err)
		if len(all) != 1 || all[0].Receipts != 24 || all[0].Cost != 276 {
			t.Fatalf("got %+v", all)
		}
		days, err := l.Totals(ctx, Query{}, "day")
		must(t, err)
		var receipts int64
		for _, d := range days {
			if _, err := time.Parse(time.DateOnly, d.Name); err != nil {
				t.Fatal(err)
			}
			receipts += d.Receipts
		}
		if receipts != 25 {
			t.Fatalf("got %+v", days)
		}
		_, err = l.Totals(ctx, Query{}, "payload; DROP TABLE receipts")
		wantKind(t, err, starling.Invalid)
	})
}

func TestCommandsReadBesideARunningGateway(t *testing.T) {
	eachStore(t, func(t *testing.T, p place) {
		l := p.open(t)
		r := run(t, l, ada, 10, 5)
		must(t, l.Flush(context.Background()))
		beside := reopened(t, p)
		s, err := beside.Receipt(context.Background(), r.ID)
		must(t, err)
		must(t, s.Check())
		stop := make(chan struct{})
		done := make(chan struct{})
		go func() {
			defer close(done)
			for {
				select {
				case <-stop:
					return
				default:
					for range 20 {
						run(t, l, ada, 10, 5)
					}
					must(t, l.Flush(context.Background())) // no more than the store takes
				}
			}
		}()
		defer func() { close(stop); <-done }()
		for range 5 {
			verified(t, beside) // while receipts are being added
		}
	})
}

// TestAHeadThatIsWrittenMeanwhileAccusesNobody: the view of a verification is older
// than what a gateway writes down while it goes on.
func TestAHeadThatIsWrittenMeanwhileAccusesNobody(t *testing.T) {
	eachStore(t, func(t *testing.T, p place) {
		ctx := context.Background()
		l := still(p.open(t))
		grow := func() {
			run(t, l, ada, 10, 5)
			must(t, l.Flush(ctx))
			must(t, l.saveHead())
		}
		grow()
		grown := false
		report, err := reopened(t, p).Verify(ctx, Audit{Progress: func(done, total int64) {
			if !grown {
				grown = true
				grow()
			}
		}})
		must(t, err)
		if !grown || !report.OK() || report.Receipts != 1 || !report.Chains[0].Anchored {
			t.Fatalf("grown %t, got %+v", grown, report)
		}
	})
}
