package ledger

import (
	"context"
	"iter"
	"sync"
	"time"

	"starling"
)

// A meter keeps the sums that caps are checked against: what is spent, and what
// open exchanges hold. One is in memory, for a gateway that has its store to
// itself; one is in Postgres, for gateways that share theirs.
type meter interface {
	// hold changes what the account holds to amount. A change upwards must fit
	// under every cap or is OverBudget and changes nothing; one downwards always
	// succeeds.
	hold(ctx context.Context, a *Account, amount starling.Money) error

	// overrun notes that a call cost more than was held for it. It happened, so
	// there is nothing to refuse.
	overrun(a *Account, amount starling.Money)

	// book turns what the account holds into what its receipt says was spent; of a
	// part, so much of what its whole holds.
	book(a *Account, e *entry)

	// standing says how the caps are used on a day.
	standing(ctx context.Context, budgets []Budget, today day) ([]Standing, error)
}

// localMeter is the meter in memory. It counts under every name and in every
// period, whether there is a cap or not, so that a new cap finds its sum.
type localMeter struct {
	caps func() *caps

	mu    sync.Mutex
	cells map[cellName]*cell
	swept day // the last day on which cells of the past were dropped
}

// A cellName is a scope (its index), a name in it, and the span of days.
type cellName struct {
	scope    int
	name     string
	from, to day
}

type cell struct{ spent, held starling.Money }

// accountCells are the cells of one account: scopes × periods, nil where the
// account has no name in the scope.
type accountCells [len(scopes)][len(periods)]*cell

func (cells *accountCells) all() iter.Seq[*cell] {
	return func(yield func(*cell) bool) {
		for i := range cells {
			for _, c := range cells[i] {
				if c != nil && !yield(c) {
					return
				}
			}
		}
	}
}

func (m *localMeter) hold(_ context.Context, a *Account, amount starling.Money) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.bind(a)
	if asked := amount - a.held; asked > 0 {
		if err := m.fits(a, asked); err != nil {
			return err
		}
	}
	m.change(a, amount)
	return nil
}

func (m *localMeter) overrun(a *Account, amount starling.Money) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.bind(a)
	m.change(a, amount)
}

func (m *localMeter) book(a *Account, e *entry) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if w := a.whole; w != nil {
		m.change(w, max(0, w.held-e.cost))
	} else {
		m.change(a, 0)
	}
	if e.cost == 0 {
		return
	}
	m.bind(a) // the receipt has the account's own names and day
	for c := range a.cells.all() {
		c.spent += e.cost
	}
}

func (m *localMeter) standing(_ context.Context, budgets []Budget, today day) ([]Standing, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := make([]Standing, len(budgets))
	for i, b := range budgets {
		c := m.cell(b.scope(), b.Name, b.Per, today)
		all[i] = Standing{Budget: b, Spent: c.spent, Held: c.held}
	}
	return all, nil
}

// bind finds the account's cells. They stay its cells over midnight: an exchange
// belongs to the day on which it began.
func (m *localMeter) bind(a *Account) {
	if a.cells != nil {
		return
	}
	a.cells = new(accountCells)
	today := dayOf(a.began)
	for i, name := range a.hold.names() {
		if !a.hold.names().counts(i) {
			continue
		}
		for j, p := range periods {
			a.cells[i][j] = m.cell(i, name, p, today)
		}
	}
}

func (m *localMeter) fits(a *Account, asked starling.Money) error {
	for _, b := range m.caps().on(a.hold.names()) {
		c := a.cells[b.scope()][b.period()]
		if c.spent.Plus(c.held).Plus(asked) > b.Limit {
			return Standing{Budget: b, Spent: c.spent, Held: c.held}.over(asked)
		}
	}
	return nil
}

func (m *localMeter) change(a *Account, amount starling.Money) {
	if a.cells == nil {
		return
	}
	for c := range a.cells.all() {
		c.held += bounded(amount) - bounded(a.held)
	}
}

func (m *localMeter) cell(scope int, name string, p Period, d day) *cell {
	if d > m.swept {
		m.sweep(d)
	}
	from, to := p.span(d)
	key := cellName{scope, name, from, to}
	c := m.cells[key]
	if c == nil {
		c = new(cell)
		m.cells[key] = c
	}
	return c
}

// sweep drops cells of days that nobody can ask for any more: those that were past
// when it was last done, so that a clock which was ahead finds what it left.
func (m *localMeter) sweep(today day) {
	oldest := m.swept.earlier()
	m.swept = today
	for name, c := range m.cells {
		if name.to < oldest && c.held == 0 {
			delete(m.cells, name)
		}
	}
}

// newLocalMeter loads the sums of the present periods, and of those that a clock may
// come to that was wrong or is.
func newLocalMeter(ctx context.Context, l *Ledger) (meter, error) {
	today := dayOf(time.Now())
	days, err := l.store.lastDays(ctx, today)
	if err != nil {
		return nil, err
	}
	m := &localMeter{caps: l.caps.Load, cells: map[cellName]*cell{}, swept: today}
	for _, d := range append(days, today) {
		for _, p := range periods {
			from, to := p.span(d)
			err := l.store.sums(ctx, from, to, func(scope int, name string, spent starling.Money) {
				m.cell(scope, name, p, d).spent = spent
			})
			if err != nil {
				return nil, err
			}
		}
	}
	return m, nil
}
