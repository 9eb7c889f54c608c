package ledger

import (
	"context"
	"os"
	"testing"

	"pgregory.net/rapid"

	"starling"
)

// books is a model of a ledger: what each team has spent and holds.
type books struct {
	t    *rapid.T
	p    place
	l    *Ledger
	caps []Budget
	open []*trial
	all  starling.Money            // spent
	team map[string]starling.Money // spent
	n    int64                     // receipts
}

// A trial is an open account with what the model knows of it.
type trial struct {
	*Account
	team            string
	reserved, spent starling.Money
	held            starling.Money // as the journal has it
}

var teams = []string{"sales", "legal", ""}

func (b *books) begin(*rapid.T) {
	team := rapid.SampledFrom(teams).Draw(b.t, "team")
	b.open = append(b.open, &trial{Account: b.l.Begin(starling.Caller{Team: team}, ""), team: team})
}

func (b *books) pick() *trial {
	if len(b.open) == 0 {
		b.t.Skip("no account is open")
	}
	return rapid.SampledFrom(b.open).Draw(b.t, "account")
}

// reserve must be granted exactly when there is room.
func (b *books) reserve(*rapid.T) {
	a, amount := b.pick(), starling.Money(rapid.Int64Range(0, 60).Draw(b.t, "amount"))
	want := a.spent + amount
	room := want <= a.held || b.spentAndHeld("all", "")+want-a.held <= b.caps[0].Limit &&
		(a.team != "sales" || b.spentAndHeld("team", "sales")+want-a.held <= b.caps[1].Limit)
	err := a.Reserve(context.Background(), amount)
	if (err == nil) != room || err != nil && starling.KindOf(err) != starling.OverBudget {
		b.t.Fatalf("reserve %d of team %q: %v, room %v", amount, a.team, err, room)
	}
	if err == nil {
		a.reserved, a.held = amount, want
	}
}

func (b *books) spend(*rapid.T) {
	a := b.pick()
	amount := starling.Money(rapid.Int64Range(0, int64(a.reserved)).Draw(b.t, "amount"))
	a.Spend(amount)
	a.spent, a.reserved = a.spent+amount, 0
}

func (b *books) settle(*rapid.T) {
	a := b.pick()
	r, err := a.Settle(&starling.Exchange{Attempts: []starling.Attempt{{Outcome: starling.Answered, Cost: a.spent}}})
	if err != nil || r.Cost != a.spent {
		b.t.Fatalf("settled %v with %v, want %v", r, err, a.spent)
	}
	b.book(a, a.spent)
}

func (b *books) book(a *trial, cost starling.Money) {
	b.all += cost
	b.team[a.team] += cost
	b.n++
	for i := range b.open {
		if b.open[i] == a {
			b.open = append(b.open[:i], b.open[i+1:]...)
			break
		}
	}
}

// crash loses what is in memory alone: open accounts become receipts over what
// they held.
func (b *books) crash(t *rapid.T) {
	b.l.crash(nopTB{})
	for len(b.open) > 0 {
		if a := b.open[0]; a.Account.recorded {
			b.book(a, a.held)
		} else {
			b.open = b.open[1:]
		}
	}
	b.reopen()
}

func (b *books) reopen() {
	o := b.p.Options
	o.Budgets = b.caps
	var err error
	if b.l, err = Open(context.Background(), o); err != nil {
		b.t.Fatal(err)
	}
}

func (b *books) spentAndHeld(scope, name string) (sum starling.Money) {
	for team, spent := range b.team {
		if scope == "all" || team == name {
			sum += spent
		}
	}
	for _, a := range b.open {
		if scope == "all" || a.team == name {
			sum += a.held
		}
	}
	return sum
}

// check compares the ledger with the model.
func (b *books) check(*rapid.T) {
	standing, err := b.l.Standing(context.Background())
	if err != nil {
		b.t.Fatal(err)
	}
	for _, s := range standing {
		want := b.all
		if s.Scope == ForTeam {
			want = b.team[s.Name]
		}
		if s.Spent != want || s.Spent+s.Held != b.spentAndHeld(string(s.Scope), s.Name) || s.Spent+s.Held > s.Limit {
			b.t.Fatalf("%s: spent %d and held %d of %d; want %d spent, %d in all", s.Budget, s.Spent, s.Held, s.Limit, want, b.spentAndHeld(string(s.Scope), s.Name))
		}
	}
}

type nopTB struct{ testing.TB }

func (nopTB) Helper() {}

func TestInAnyOrderSumsAreReceiptsAndCapsHold(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp("", "ledger")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		b := &books{t: t, p: place{Options: Options{Dir: dir, Log: quiet()}}, team: map[string]starling.Money{}, caps: []Budget{
			{Scope: ForAll, Limit: starling.Money(rapid.Int64Range(0, 400).Draw(t, "all")), Per: InTotal},
			{Scope: ForTeam, Name: "sales", Limit: starling.Money(rapid.Int64Range(0, 200).Draw(t, "sales")), Per: PerMonth},
		}}
		b.reopen()
		defer func() { b.l.Close() }()
		t.Repeat(map[string]func(*rapid.T){
			"begin": b.begin, "reserve": b.reserve, "spend": b.spend, "settle": b.settle, "crash": b.crash, "": b.check,
		})
		if err := b.l.Flush(context.Background()); err != nil {
			t.Fatal(err)
		}
		report, err := b.l.Verify(context.Background(), Audit{})
		if err != nil || !report.OK() || report.Receipts != b.n {
			t.Fatalf("%v %+v, want %d receipts", err, report, b.n)
		}
	})
}
