package ledger

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"starling"
)

// A store is the database in which receipts, sums and keys end up. Its SQL is
// the part of the language that SQLite and Postgres share; what they do not
// share is the engine.
type store struct {
	db     *sql.DB
	engine engine

	mu       sync.Mutex
	prepared map[string]*sql.Stmt // of the inserts, by text
}

// An engine is what differs between the databases.
type engine interface {
	schema() fs.FS                                    // numbered migrations
	lockSchema(ctx context.Context, tx *sql.Tx) error // until the end of tx
	explain(op string, err error) error               // as an *Error with a hint
	rowsPerInsert() int
	placeholder(i int) string // of the i-th argument from 1 of an insert, given in order
	patience() time.Duration  // for one append; 0 is no limit
	snapshot() *sql.TxOptions
	shared() bool                                                        // whether other data directories have chains in it
	sound(ctx context.Context, tx *sql.Tx) (complaint string, err error) // the database's own check of itself

	meter(ctx context.Context, l *Ledger) (meter, error)
	lock(ctx context.Context, tx *sql.Tx, entries []*entry) error // the holds of exchanges and of parts' wholes, until the end of tx
	// draw takes what parts cost from the holds of their wholes, and returns the entries, of
	// which those that write off a hold cost what is left of it.
	draw(ctx context.Context, tx *sql.Tx, entries []*entry) ([]*entry, error)
	release(ctx context.Context, tx *sql.Tx, entries []*entry) error // the holds of settled exchanges
	enter(ctx context.Context, chain int64) error                    // begins a new life of this gateway
	beat(ctx context.Context, chain int64) ([]hold, error)           // says that it lives; returns holds of the dead, and of its own former lives
}

// seqBits is how many bits of a link number count receipts; the rest number the
// chain. One integer primary key so holds both, and a chain is a range of it.
const seqBits = 40

func linkNumber(chain, seq int64) int64 { return chain<<seqBits | seq }

// appended is what came of an append.
type appended struct {
	batch      *batch // nil if nothing was new
	superseded int    // settled receipts whose exchange, or whole, had been written off by another gateway
}

// certainty says whether the writer knows what the last append did.
type certainty int

const (
	sure   certainty = iota // the chain's head in memory is the store's, and no entry is there
	unsure                  // an error may have come after the commit, a dead process before, or a note of somebody else's
)

// append chains, signs and stores entries, books their cost and releases their
// holds, all or nothing. On success the chain has advanced.
//
// Two gateways may be at the same exchange: its own with parts of it, and one that
// writes it off. Both lock its hold before they look, so that one comes first. The
// cost of a part that does is on its receipt, and the write-off is by as much less; of
// one that does not it is in the write-off, and the receipt is superseded. All take
// locks in one order: their chain, holds by id, what they insert.
func (s *store) append(ctx context.Context, c *chain, entries []*entry, state certainty) (done appended, err error) {
	at := *c
	var b *batch
	err = s.inTx(ctx, nil, func(tx *sql.Tx) error {
		fresh := entries
		if state == unsure || s.engine.shared() && slices.ContainsFunc(entries, (*entry).contested) {
			if fresh, done.superseded, err = s.arbitrate(ctx, tx, &at, entries); err != nil {
				return err
			}
		}
		if len(fresh) > 0 {
			if b, err = seal(&at, fresh, time.Now()); err != nil {
				return err
			}
			if err := at.sign(ctx, tx, b); err != nil {
				return err
			}
		}
		if err := s.engine.release(ctx, tx, entries); err != nil || len(fresh) == 0 {
			return err
		}
		return s.insert(ctx, tx, &at, b, fresh)
	})
	if err != nil {
		return appended{}, err
	}
	if b != nil {
		at.advance(b)
		done.batch = b
	}
	c.seq, c.head = at.seq, at.head // the rest never changes, and others read it
	return done, nil
}

// arbitrate returns the entries that the store does not have and that nobody else has
// answered for, and how many somebody has; what they take from holds is taken.
func (s *store) arbitrate(ctx context.Context, tx *sql.Tx, c *chain, entries []*entry) (fresh []*entry, superseded int, err error) {
	if err := c.find(ctx, tx); err != nil {
		return nil, 0, err
	}
	if err := s.engine.lock(ctx, tx, entries); err != nil {
		return nil, 0, err
	}
	if fresh, superseded, err = unknown(ctx, tx, entries); err != nil {
		return nil, 0, err
	}
	fresh, err = s.engine.draw(ctx, tx, fresh)
	return fresh, superseded, err
}

func (s *store) insert(ctx context.Context, tx *sql.Tx, c *chain, b *batch, entries []*entry) error {
	rows := make([][]any, len(entries))
	for i, e := range entries {
		rows[i] = []any{linkNumber(c.number, b.first+int64(i)), e.id, e.time, e.key, e.team, e.skill, e.model, e.outcome,
			int64(e.cost), int64(e.ref), int64(e.saved), b.links[i][:], e.payload}
	}
	err := s.insertRows(ctx, tx, "INSERT INTO receipts (link, id, time, key, team, skill, model, outcome, cost, reference, saved, hash, payload) VALUES ", "", rows)
	if err != nil {
		return err
	}
	return s.insertRows(ctx, tx, "INSERT INTO spend (scope, name, day, spent) VALUES ",
		" ON CONFLICT (scope, name, day) DO UPDATE SET spent = spend.spent + excluded.spent", spendRows(entries))
}

// find finds the chain's end, which stays where it is until the end of tx: others
// who append wait.
func (c *chain) find(ctx context.Context, tx *sql.Tx) error {
	if _, err := tx.ExecContext(ctx, "UPDATE chains SET last = last WHERE number = $1", c.number); err != nil {
		return err
	}
	if err := c.load(ctx, tx); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, "UPDATE chains SET last = $1 WHERE number = $2", c.seq, c.number)
	return err
}

var errMoved = errors.New("somebody else has appended to the chain")

// sign writes the checkpoint of a batch that begins where the chain ends.
func (c *chain) sign(ctx context.Context, tx *sql.Tx, b *batch) error {
	moved, err := tx.ExecContext(ctx, "UPDATE chains SET last = $1 WHERE number = $2 AND last = $3", b.last, c.number, b.first-1)
	if err != nil {
		return err
	}
	if n, err := moved.RowsAffected(); err != nil || n != 1 {
		return errors.Join(errMoved, err)
	}
	_, err = tx.ExecContext(ctx, "INSERT INTO checkpoints (link, first, envelope) VALUES ($1, $2, $3)",
		linkNumber(c.number, b.last), linkNumber(c.number, b.first), b.envelope)
	return err
}

// A spendKey is one sum: what was spent in a scope, under a name, on a day.
type spendKey struct {
	scope int
	name  string
	day   day
}

type sums map[spendKey]starling.Money

func (s sums) add(e *entry) {
	if e.cost == 0 {
		return
	}
	for i, name := range e.names() {
		if e.names().counts(i) {
			s[spendKey{i, name, e.day()}] += e.cost
		}
	}
}

// spendRows sums a batch, in an order that every gateway keeps so that none
// waits for another in a circle.
func spendRows(entries []*entry) [][]any {
	total := sums{}
	for _, e := range entries {
		total.add(e)
	}
	keys := slices.SortedFunc(maps.Keys(total), func(a, b spendKey) int {
		return strings.Compare(a.text(), b.text())
	})
	rows := make([][]any, len(keys))
	for i, k := range keys {
		rows[i] = []any{string(scopes[k.scope]), k.name, int64(k.day), int64(total[k])}
	}
	return rows
}

func (k spendKey) text() string {
	return strconv.Itoa(k.scope) + "/" + k.name + "/" + strconv.FormatInt(int64(k.day), 10)
}

// insertRows inserts rows in statements of a power of two of them, so that few
// different statements have to be prepared.
func (s *store) insertRows(ctx context.Context, tx *sql.Tx, head, tail string, rows [][]any) error {
	for len(rows) > 0 {
		n := 1
		for 2*n <= min(len(rows), s.engine.rowsPerInsert()) {
			n *= 2
		}
		stmt, err := s.prepare(ctx, head+placeholders(n, len(rows[0]), s.engine.placeholder)+tail)
		if err != nil {
			return err
		}
		if _, err := tx.StmtContext(ctx, stmt).ExecContext(ctx, slices.Concat(rows[:n]...)...); err != nil {
			return err
		}
		rows = rows[n:]
	}
	return nil
}

func (s *store) prepare(ctx context.Context, text string) (*sql.Stmt, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if stmt := s.prepared[text]; stmt != nil {
		return stmt, nil
	}
	stmt, err := s.db.PrepareContext(ctx, text)
	if err == nil {
		s.prepared[text] = stmt
	}
	return stmt, err
}

// placeholders returns "($1,$2),($3,$4)" for rows of a width.
func placeholders(rows, width int, one func(i int) string) string {
	var b strings.Builder
	for i := range rows * width {
		switch {
		case i == 0:
			b.WriteString("(")
		case i%width == 0:
			b.WriteString("),(")
		default:
			b.WriteString(",")
		}
		b.WriteString(one(i + 1))
	}
	b.WriteString(")")
	return b.String()
}

func dollar(i int) string { return "$" + strconv.Itoa(i) }

// unknown returns the entries that the store does not have, and how many it has
// as interrupted although we know how they ended. A part is stored before its whole
// is, so one whose whole the store has is among those: it is in what that is booked with.
func unknown(ctx context.Context, tx *sql.Tx, entries []*entry) (fresh []*entry, superseded int, err error) {
	var ids []any
	for _, e := range entries {
		ids = append(ids, e.id)
		if e.whole != "" {
			ids = append(ids, e.whole)
		}
	}
	rows, err := tx.QueryContext(ctx, "SELECT id, outcome FROM receipts WHERE id IN "+placeholders(1, len(ids), dollar), ids...)
	if err != nil {
		return nil, 0, err
	}
	known := map[string]string{}
	err = each(rows, func() error {
		var id, outcome string
		err := rows.Scan(&id, &outcome)
		known[id] = outcome
		return err
	})
	for _, e := range entries {
		switch stored, ok := known[e.id]; {
		case !ok && e.whole != "" && known[e.whole] != "":
			superseded++
		case !ok:
			fresh = append(fresh, e)
			known[e.id] = e.outcome // once is enough
		case stored == string(starling.Interrupted) && e.outcome != stored:
			superseded++
		}
	}
	return fresh, superseded, err
}

// openChain finds or registers the chain of a key, and its end.
func (s *store) openChain(ctx context.Context, k *signer) (*chain, error) {
	c := &chain{id: chainID(k.public), signer: k}
	err := s.inTx(ctx, nil, func(tx *sql.Tx) error {
		if err := s.engine.lockSchema(ctx, tx); err != nil { // numbers are dealt one at a time
			return err
		}
		if err := c.register(ctx, tx); err != nil {
			return err
		}
		return c.load(ctx, tx)
	})
	if err != nil {
		return nil, s.engine.explain("open the chain", err)
	}
	return c, nil
}

// register finds the chain's number, or takes the next.
func (c *chain) register(ctx context.Context, tx *sql.Tx) error {
	err := tx.QueryRowContext(ctx, "SELECT number FROM chains WHERE id = $1", c.id).Scan(&c.number)
	if !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	if err := tx.QueryRowContext(ctx, "SELECT coalesce(max(number), 0) + 1 FROM chains").Scan(&c.number); err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, "INSERT INTO chains (number, id, public) VALUES ($1, $2, $3)", c.number, c.id, []byte(c.signer.public))
	return err
}

// load reads the chain's end.
func (c *chain) load(ctx context.Context, tx *sql.Tx) error {
	var link int64
	var hash []byte
	err := tx.QueryRowContext(ctx, "SELECT link, hash FROM links WHERE link BETWEEN $1 AND $2 ORDER BY link DESC LIMIT 1",
		linkNumber(c.number, 1), linkNumber(c.number+1, 0)).Scan(&link, &hash)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		c.seq, c.head = 0, genesis(c.signer.public)
		return nil
	case err != nil:
		return err
	case len(hash) != len(c.head):
		return errors.New("the last link of the chain is damaged")
	}
	c.seq = link - linkNumber(c.number, 0)
	copy(c.head[:], hash)
	return nil
}

// lacks reports whether the store cannot show the link that a head names.
func (s *store) lacks(ctx context.Context, c *chain, head *span) (bool, error) {
	var hash []byte
	err := s.db.QueryRowContext(ctx, "SELECT hash FROM links WHERE link = $1", linkNumber(c.number, head.Last)).Scan(&hash)
	if errors.Is(err, sql.ErrNoRows) {
		return true, nil
	}
	if err != nil {
		return false, s.engine.explain("compare the head", err)
	}
	return head.Chain != c.id || head.Head != hexOf(hash), nil
}

// sums calls add for every scope and name with what was spent in a span of days.
func (s *store) sums(ctx context.Context, from, to day, add func(scope int, name string, spent starling.Money)) error {
	rows, err := s.db.QueryContext(ctx, "SELECT scope, name, CAST(sum(spent) AS BIGINT) FROM spend WHERE day BETWEEN $1 AND $2 GROUP BY scope, name", int64(from), int64(to))
	if err != nil {
		return s.engine.explain("read what was spent", err)
	}
	err = each(rows, func() error {
		var scope, name string
		var spent int64
		err := rows.Scan(&scope, &name, &spent)
		if i := slices.Index(scopes[:], Scope(scope)); err == nil && i >= 0 {
			add(i, name, starling.Money(spent))
		}
		return err
	})
	if err != nil {
		return s.engine.explain("read what was spent", err)
	}
	return nil
}

// lastDays returns the days on which something was spent, from shortly before today on,
// or before the last of them, whichever is earlier.
func (s *store) lastDays(ctx context.Context, today day) (days []day, err error) {
	const op = "read when was spent"
	last := today
	if err := s.db.QueryRowContext(ctx, "SELECT coalesce(max(day), $1) FROM spend WHERE scope = 'all'", int64(today)).Scan(&last); err != nil {
		return nil, s.engine.explain(op, err)
	}
	rows, err := s.db.QueryContext(ctx, "SELECT day FROM spend WHERE scope = 'all' AND day >= $1 ORDER BY day", int64(min(today, last).earlier()))
	if err != nil {
		return nil, s.engine.explain(op, err)
	}
	err = each(rows, func() error {
		var d day
		err := rows.Scan(&d)
		days = append(days, d)
		return err
	})
	if err != nil {
		return nil, s.engine.explain(op, err)
	}
	return days, nil
}

func (s *store) inTx(ctx context.Context, o *sql.TxOptions, do func(*sql.Tx) error) error {
	tx, err := s.db.BeginTx(ctx, o)
	if err != nil {
		return err
	}
	if err := do(tx); err != nil {
		tx.Rollback()
		return err
	}
	return tx.Commit()
}

func (s *store) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, stmt := range s.prepared {
		stmt.Close()
	}
	return s.db.Close()
}

// each calls row for every row and closes rows.
func each(rows *sql.Rows, row func() error) error {
	defer rows.Close()
	for rows.Next() {
		if err := row(); err != nil {
			return err
		}
	}
	return rows.Err()
}
