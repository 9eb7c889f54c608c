package ledger

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"

	"starling"
)

// lease is how long a gateway may be silent before its holds are written off.
const lease = 2 * time.Minute

// writtenOff is the SQLSTATE of a reservation for an exchange that was written
// off.
const writtenOff = "SL001"

// postgresEngine is a database that several gateways share.
type postgresEngine struct {
	db    *sql.DB
	user  string // as whom we connect; never shown
	epoch int64  // counts the lives of this gateway
}

func openPostgres(o Options) (*sql.DB, engine, error) {
	config, err := parsePostgres(o.URL)
	if err != nil {
		return nil, nil, &starling.Error{Kind: starling.Invalid, Op: "ledger: the store's URL", Err: err,
			Hint: "write postgres://user:password@host/database, with @ and / in the user and the password as %40 and %2F"}
	}
	if config.RuntimeParams["application_name"] == "" {
		config.RuntimeParams["application_name"] = "starling"
	}
	db := stdlib.OpenDB(*config)
	db.SetMaxOpenConns(16)
	db.SetMaxIdleConns(16)
	db.SetConnMaxIdleTime(5 * time.Minute)
	return db, &postgresEngine{db: db, user: config.User}, nil
}

// parsePostgres reads the store's URL. Where the user and the password end must
// be beyond doubt, or a part of them would be looked up as a host, and be shown;
// and an error is about the URL without them.
func parsePostgres(url string) (*pgx.ConnConfig, error) {
	scheme, rest, _ := strings.Cut(url, "://")
	if i := strings.IndexAny(rest, "@/"); i >= 0 && rest[i] == '@' {
		rest = rest[i+1:]
	}
	if strings.Contains(rest, "@") {
		return nil, errors.New("there is an @ too many, or a / before it")
	}
	config, err := pgx.ParseConfig(url)
	if err == nil {
		return config, nil
	}
	if _, err = pgx.ParseConfig(scheme + "://" + rest); err == nil {
		return nil, errors.New("the user or the password is not as it is written in URLs")
	}
	text := err.Error() // the URL in backquotes, and what is wrong with it
	return nil, errors.New(strings.TrimPrefix(text[strings.LastIndexByte(text, '`')+1:], ": "))
}

func isPostgres(url string) bool {
	return strings.HasPrefix(url, "postgres://") || strings.HasPrefix(url, "postgresql://")
}

func (e *postgresEngine) schema() fs.FS            { return subtree("migrations/postgres") }
func (e *postgresEngine) rowsPerInsert() int       { return 64 }
func (e *postgresEngine) placeholder(i int) string { return dollar(i) }
func (e *postgresEngine) patience() time.Duration  { return 30 * time.Second }
func (e *postgresEngine) shared() bool             { return true }

func (e *postgresEngine) snapshot() *sql.TxOptions {
	return &sql.TxOptions{ReadOnly: true, Isolation: sql.LevelRepeatableRead}
}

// lockSchema makes gateways that start at once take turns.
func (e *postgresEngine) lockSchema(ctx context.Context, tx *sql.Tx) error {
	_, err := tx.ExecContext(ctx, "SELECT pg_advisory_xact_lock(hashtextextended('starling schema', 0))")
	return err
}

func (e *postgresEngine) sound(context.Context, *sql.Tx) (string, error) { return "", nil }

func (e *postgresEngine) meter(_ context.Context, l *Ledger) (meter, error) {
	return &sharedMeter{db: e.db, engine: e, ledger: l, patience: e.patience()}, nil
}

// lockFirst is a statement about the rows of holds h that are due. It locks them in the
// order of their ids, as all do, so that none waits for another in a circle.
func lockFirst(which, then string) string {
	return "WITH due AS MATERIALIZED (SELECT h.id FROM holds h " + which + " ORDER BY h.id FOR UPDATE OF h) " + then
}

func (e *postgresEngine) lock(ctx context.Context, tx *sql.Tx, entries []*entry) error {
	var ids []string
	for _, en := range entries {
		ids = append(ids, cmp.Or(en.whole, en.id))
	}
	_, err := tx.ExecContext(ctx, lockFirst("WHERE h.id = ANY($1)", "SELECT FROM due"), ids)
	return err
}

// draw goes by rows that are locked: what is left of a hold is what is left after the
// parts that are stored with it or were before.
func (e *postgresEngine) draw(ctx context.Context, tx *sql.Tx, entries []*entry) ([]*entry, error) {
	var wholes, off []string
	var costs []int64
	for _, en := range entries {
		if en.whole != "" {
			wholes, costs = append(wholes, en.whole), append(costs, int64(en.cost))
		}
		if en.off != nil {
			off = append(off, en.id)
		}
	}
	if len(wholes) > 0 {
		_, err := tx.ExecContext(ctx, `UPDATE holds h SET amount = greatest(h.amount - p.cost, 0), parts = h.parts + p.cost
			FROM (SELECT id, sum(cost)::BIGINT AS cost FROM unnest($1::TEXT[], $2::BIGINT[]) AS u(id, cost) GROUP BY id) p WHERE h.id = p.id`, wholes, costs)
		if err != nil {
			return nil, err
		}
	}
	if len(off) == 0 {
		return entries, nil
	}
	return e.left(ctx, tx, entries, off)
}

// left returns entries with those of the ids as they are with what is left of their holds.
func (e *postgresEngine) left(ctx context.Context, tx *sql.Tx, entries []*entry, ids []string) ([]*entry, error) {
	rows, err := tx.QueryContext(ctx, "SELECT id, amount FROM holds WHERE id = ANY($1)", ids)
	if err != nil {
		return nil, err
	}
	amounts := map[string]starling.Money{}
	err = each(rows, func() error {
		var id string
		var amount starling.Money
		err := rows.Scan(&id, &amount)
		amounts[id] = amount
		return err
	})
	all := slices.Clone(entries)
	for i, en := range all {
		if amount, ok := amounts[en.id]; ok && en.off != nil {
			h := *en.off
			h.Held = amount
			all[i] = h.writtenOff()
		}
	}
	return all, err
}

func (e *postgresEngine) release(ctx context.Context, tx *sql.Tx, entries []*entry) error {
	var ids []string
	for _, en := range entries {
		if en.held {
			ids = append(ids, en.id)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	_, err := tx.ExecContext(ctx, lockFirst("WHERE h.id = ANY($1)", "DELETE FROM holds USING due WHERE holds.id = due.id"), ids)
	return err
}

func (e *postgresEngine) enter(ctx context.Context, chain int64) error {
	err := e.db.QueryRowContext(ctx, "UPDATE chains SET epoch = epoch + 1, seen = now() WHERE number = $1 RETURNING epoch", chain).Scan(&e.epoch)
	if err != nil {
		return e.explain("register this gateway", err)
	}
	return nil
}

// beat goes by the database's clock, which all gateways share. A hold of this
// gateway's former life can appear late, and so can one of an exchange that has
// its receipt: the server may finish a statement after whoever sent it has gone.
//
// A gateway that was silent may not be dead. What is written off is marked as it
// is read, and its gateway can reserve no more for it: so it spends no more than
// is booked, unless a call costs more than its worst case.
func (e *postgresEngine) beat(ctx context.Context, chain int64) ([]hold, error) {
	var epoch int64
	if err := e.db.QueryRowContext(ctx, "UPDATE chains SET seen = now() WHERE number = $1 RETURNING epoch", chain).Scan(&epoch); err != nil {
		return nil, e.explain("say that this gateway lives", err)
	}
	if epoch != e.epoch { // whose holds are of the life before, to the other one
		return nil, &starling.Error{Kind: starling.Internal, Op: "ledger: another gateway has this one's key, and writes off what it has reserved",
			Hint: "give each gateway a data folder of its own, not a copy of another's"}
	}
	settled := lockFirst("WHERE h.chain = $1 AND EXISTS (SELECT FROM receipts r WHERE r.id = h.id)", "DELETE FROM holds USING due WHERE holds.id = due.id")
	if _, err := e.db.ExecContext(ctx, settled, chain); err != nil {
		return nil, e.explain("end the holds of settled exchanges", err)
	}
	rows, err := e.db.QueryContext(ctx, lockFirst(`JOIN chains c ON c.number = h.chain
			WHERE h.epoch < 0 OR h.epoch < c.epoch AND h.chain = $1 OR c.seen < now() - make_interval(secs => $2)`,
		`, gone AS (UPDATE holds h SET epoch = -1 FROM due WHERE h.id = due.id RETURNING h.id, h.at, h.key, h.team, h.skill, h.amount)
		SELECT * FROM gone ORDER BY at`), chain, lease.Seconds())
	if err != nil {
		return nil, e.explain("read the holds", err)
	}
	var all []hold
	err = each(rows, func() error {
		var h hold
		err := rows.Scan(&h.ID, &h.At, &h.Key, &h.Team, &h.Skill, &h.Held)
		all = append(all, h)
		return err
	})
	if err != nil {
		return nil, e.explain("read the holds", err)
	}
	return all, nil
}

func (e *postgresEngine) explain(op string, err error) error {
	if known, ok := errors.AsType[*starling.Error](err); ok {
		return known
	}
	out := &starling.Error{Kind: starling.Internal, Op: "ledger: " + op + " in postgres", Err: e.unnamed(err)}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		out.Kind = starling.Cancelled
		return out
	}
	var pg *pgconn.PgError
	var connect *pgconn.ConnectError
	switch {
	case errors.As(err, &pg):
		out.Hint = postgresHint(pg.Code)
	case errors.As(err, &connect):
		out.Hint = "see that Postgres runs and that the store's URL is right"
	}
	return out
}

// anonymous is an error whose text does not say as whom we connect.
type anonymous struct {
	error
	text string
}

func (a anonymous) Error() string { return a.text }
func (a anonymous) Unwrap() error { return a.error }

// unnamed takes the user out of an error's text, where the driver puts it first
// and the server in quotes. The password is in none.
func (e *postgresEngine) unnamed(err error) error {
	text := err.Error()
	if connect, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		text = strings.Replace(text, connect.Error(), connect.Unwrap().Error(), 1)
	}
	return anonymous{err, strings.ReplaceAll(text, `"`+e.user+`"`, `"…"`)}
}

// postgresHint goes by the classes of Appendix A of the Postgres manual.
func postgresHint(code string) string {
	switch {
	case code == "53100":
		return "free some disk space on the database server"
	case code == "53300":
		return "raise max_connections, or run fewer gateways"
	case code == "3D000":
		return "create the database first"
	case code == "42501", code == "25006":
		return "give the database user the right to create and write tables"
	case strings.HasPrefix(code, "28"):
		return "check the user and the password in the store's URL"
	case strings.HasPrefix(code, "57P"):
		return "start the database server again"
	case code == writtenOff:
		return "this gateway was silent for too long; ask again"
	}
	return ""
}

// sharedMeter is the meter in Postgres. Only exchanges that a cap applies to are
// held there; the others are in their gateway's journal alone.
type sharedMeter struct {
	db       *sql.DB
	engine   *postgresEngine
	ledger   *Ledger
	patience time.Duration // for one answer of the database; a caller may have more than is good
}

// hold asks once, and once more when receipts are on their way to the store:
// until they arrive they still hold their worst case.
func (m *sharedMeter) hold(ctx context.Context, a *Account, amount starling.Money) error {
	if amount < a.held {
		return m.set(ctx, a, amount)
	}
	budgets := m.ledger.caps.Load().on(a.hold.names())
	if len(budgets) == 0 && !a.shared {
		return nil
	}
	if !a.shared && a.drawn > 0 { // parts that settled before there was a cap: they are spent, and no row has to know of them
		if err := m.ledger.Flush(ctx); err != nil {
			return err
		}
		a.drawn = 0
	}
	err := m.raise(ctx, a, amount, budgets)
	if starling.KindOf(err) == starling.OverBudget && m.ledger.journal.waiting() > 0 && m.ledger.Flush(ctx) == nil {
		err = m.raise(ctx, a, amount, budgets)
	}
	return err
}

// raise asks for more. Who leaves before the answer came does not know it: the
// row may be there.
func (m *sharedMeter) raise(ctx context.Context, a *Account, amount starling.Money, budgets []Budget) error {
	var by struct {
		scopes, names      []string
		froms, tos, limits []int64
	}
	for _, b := range budgets {
		from, to := b.Per.span(a.hold.day())
		by.scopes, by.names = append(by.scopes, string(b.Scope)), append(by.names, b.Name)
		by.froms, by.tos, by.limits = append(by.froms, int64(from)), append(by.tos, int64(to)), append(by.limits, int64(b.Limit))
	}
	n := a.hold.names()
	var cap int
	var spent, held starling.Money
	before := a.shared
	a.shared = true
	began := time.Now()
	limited, cancel := context.WithDeadline(ctx, began.Add(m.patience))
	defer cancel()
	err := m.db.QueryRowContext(limited, "SELECT cap, spent, held FROM starling_hold($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13,$14)",
		a.hold.ID, m.ledger.chain.number, m.engine.epoch, a.hold.At, int64(a.hold.day()), n[1], n[2], n[3], int64(amount.Plus(a.drawn)),
		by.scopes, by.names, by.froms, by.tos, by.limits).Scan(&cap, &spent, &held)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil
	case err != nil:
		return m.explain(ctx, began, "reserve", err)
	}
	a.shared = before // it was refused, and nothing has changed
	return Standing{Budget: budgets[cap-1], Spent: spent, Held: held}.over(amount - a.held)
}

// set changes what is held without asking whether it fits.
func (m *sharedMeter) set(ctx context.Context, a *Account, amount starling.Money) error {
	if !a.shared {
		return nil
	}
	began := time.Now()
	limited, cancel := context.WithDeadline(ctx, began.Add(m.patience))
	defer cancel()
	if _, err := m.db.ExecContext(limited, "UPDATE holds SET amount = greatest($2 - parts, 0) WHERE id = $1", a.hold.ID, int64(amount.Plus(a.drawn))); err != nil {
		return m.explain(ctx, began, "change a reservation", err)
	}
	return nil
}

// explain tells a database that said nothing in time from a caller that has left.
func (m *sharedMeter) explain(ctx context.Context, began time.Time, op string, err error) error {
	if ctx.Err() == nil && time.Since(began) >= m.patience { // what the driver says depends on what it waited for
		return &starling.Error{Kind: starling.Overloaded, Op: fmt.Sprintf("ledger: %s in postgres: no answer within %s", op, m.patience), Hint: "see that Postgres answers, and whether it can be reached"}
	}
	return m.engine.explain(op, err)
}

// overrun tells the other gateways at once, if it can; they will see it on the
// receipt in any case.
func (m *sharedMeter) overrun(a *Account, amount starling.Money) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = m.set(ctx, a, bounded(amount))
}

// book has nothing to do: storing the receipt books it and ends its hold.
func (m *sharedMeter) book(*Account, *entry) {}

func (m *sharedMeter) standing(ctx context.Context, budgets []Budget, today day) ([]Standing, error) {
	all := make([]Standing, len(budgets))
	for i, b := range budgets {
		from, to := b.Per.span(today)
		s := Standing{Budget: b}
		err := m.db.QueryRowContext(ctx, "SELECT spent, held FROM starling_standing($1, $2, $3, $4, '')", string(b.Scope), b.Name, int64(from), int64(to)).Scan(&s.Spent, &s.Held)
		if err != nil {
			return nil, m.engine.explain("read the standing of a budget", err)
		}
		all[i] = s
	}
	return all, nil
}
