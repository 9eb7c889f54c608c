package ledger

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"starling"
)

// A Budget is a cap on what may be spent: by everybody, or under one name. Every
// cap that applies to an exchange must have room for all that it reserves.
type Budget struct {
	Scope Scope          `json:"scope"`
	Name  string         `json:"name,omitempty"` // of the key (its id), team or skill; "" for all
	Limit starling.Money `json:"limit_nanodollars"`
	Per   Period         `json:"per"`
}

// A Scope says whose spending a budget caps.
type Scope string

// The scopes.
const (
	ForAll   Scope = "all"
	ForKey   Scope = "key"
	ForTeam  Scope = "team"
	ForSkill Scope = "skill"
)

// scopes fixes the order in which an exchange's counters are touched.
var scopes = [...]Scope{ForAll, ForKey, ForTeam, ForSkill}

// A Period says when a budget starts afresh. Days and months are UTC.
type Period string

// The periods.
const (
	InTotal  Period = "total"
	PerMonth Period = "month"
	PerDay   Period = "day"
)

var periods = [...]Period{InTotal, PerMonth, PerDay}

// ceiling is the most that one exchange is counted with, in holds and in sums: a
// bound of a billion dollars must not overflow the sum of a thousand of them.
const ceiling = 1_000_000 * starling.Dollar

// highest is the highest cap that can be set.
const highest = 1_000_000_000 * starling.Dollar

// bounded returns m within ± ceiling.
func bounded(m starling.Money) starling.Money { return max(-ceiling, min(m, ceiling)) }

func (b Budget) check() error {
	op := fmt.Sprintf("budget for %s %q", b.Scope, b.Name)
	invalid := func(hint string) error {
		return &starling.Error{Kind: starling.Invalid, Op: op, Hint: hint}
	}
	switch {
	case !slices.Contains(scopes[:], b.Scope):
		return invalid(`use one of the scopes "all", "key", "team" and "skill"`)
	case !slices.Contains(periods[:], b.Per):
		return invalid(`use one of the periods "total", "month" and "day"`)
	case (b.Scope == ForAll) != (b.Name == ""):
		return invalid("name whose budget it is; only that for all has no name")
	case b.Limit < 0 || b.Limit > highest:
		return invalid("use a limit from $0 to " + highest.String())
	}
	return nil
}

// scope and period are the places of the budget's scope and period in scopes and
// periods.
func (b Budget) scope() int  { return slices.Index(scopes[:], b.Scope) }
func (b Budget) period() int { return slices.Index(periods[:], b.Per) }

func checkAll(budgets []Budget) error {
	for _, b := range budgets {
		if err := b.check(); err != nil {
			return err
		}
	}
	return nil
}

// String names the cap as people do: "team sales per month".
func (b Budget) String() string {
	who := string(b.Scope)
	if b.Name != "" {
		who += " " + b.Name
	}
	if b.Per == InTotal {
		return who + " in total"
	}
	return who + " per " + string(b.Per)
}

// A Standing is a cap and how it is used in its present period.
type Standing struct {
	Budget
	Spent starling.Money `json:"spent_nanodollars"`
	Held  starling.Money `json:"held_nanodollars"` // reserved by exchanges that are still open
}

// over is the refusal of a reservation.
func (s Standing) over(asked starling.Money) error {
	hint := "raise the cap, or choose a cheaper model"
	if s.Per != InTotal {
		hint += ", or wait for the next " + string(s.Per)
	}
	amount := asked.String()
	if asked == math.MaxInt64 { // of which no amount says anything
		amount, hint = "what nothing bounds", "leave the vendor's own tools, such as web_search, out of the request, whose reading has no bound, or ask with a key that no cap holds"
	}
	return &starling.Error{Kind: starling.OverBudget, Hint: hint,
		Op: fmt.Sprintf("budget of %s: cap %s, spent %s, held %s, asked %s", s.Budget, s.Limit, s.Spent, s.Held, amount)}
}

// A day is a date in UTC as the number yyyymmdd.
type day int64

func dayOf(t time.Time) day {
	y, m, d := t.UTC().Date()
	return day(y*10000 + int(m)*100 + d)
}

// earlier is two days before: exchanges are open over midnight, and clocks are set back.
func (d day) earlier() day {
	return dayOf(time.Date(int(d/10000), time.Month(d/100%100), int(d%100)-2, 0, 0, 0, 0, time.UTC))
}

// span returns the first and last day of the period that holds d. The numbers
// need not be dates; what matters is that every date compares rightly.
func (p Period) span(d day) (from, to day) {
	switch p {
	case PerDay:
		return d, d
	case PerMonth:
		return d / 100 * 100, d/100*100 + 99
	}
	return 0, 9999_99_99
}

// names are what an exchange is counted under, in the order of scopes. Only the scope "all"
// counts an exchange without a name.
type names [len(scopes)]string

func (n names) counts(i int) bool { return i == 0 || n[i] != "" }

// caps are all the budgets in effect, by scope and name. It is never changed.
type caps [len(scopes)]map[string][]Budget

func newCaps(config []Budget, keys []Key) *caps {
	c := new(caps)
	for i := range c {
		c[i] = map[string][]Budget{}
	}
	for _, b := range config {
		c.add(b)
	}
	for _, k := range keys {
		for _, b := range k.Budgets {
			c.add(b)
		}
	}
	return c
}

func (c *caps) add(b Budget) {
	i := b.scope()
	c[i][b.Name] = append(c[i][b.Name], b)
}

// on returns the caps that apply to an exchange.
func (c *caps) on(n names) []Budget {
	var on []Budget
	for i, name := range n {
		if n.counts(i) {
			on = append(on, c[i][name]...)
		}
	}
	return on
}

func (c *caps) all() []Budget {
	var all []Budget
	for _, byName := range c {
		for _, budgets := range byName {
			all = append(all, budgets...)
		}
	}
	slices.SortFunc(all, func(a, b Budget) int { return strings.Compare(a.String(), b.String()) })
	return all
}
