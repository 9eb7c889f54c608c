package ledger

import (
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"

	"starling"
)

// Records are the books as they are stored. Commands open them beside a running
// gateway to look things up, to verify, and to make and revoke keys; receipts
// that are still in the gateway's journal, a few milliseconds' worth, are not in
// them. Safe for concurrent use.
type Records struct {
	store *store
	dir   string
}

// OpenRecords opens the store, making it if there is none, and leaves the
// gateway's journal and lock alone. Errors: as for [Open].
func OpenRecords(ctx context.Context, o Options) (*Records, error) {
	if err := makeDir(o.Dir); err != nil {
		return nil, err
	}
	return openRecords(ctx, o)
}

func openRecords(ctx context.Context, o Options) (*Records, error) {
	open := openSQLite
	switch {
	case isPostgres(o.URL):
		open = openPostgres
	case o.URL != "":
		return nil, &starling.Error{Kind: starling.Invalid, Op: "ledger: the store's URL", Hint: "write postgres://…, or nothing for SQLite in the data directory"}
	}
	db, e, err := open(o)
	if err != nil {
		return nil, err
	}
	s := &store{db: db, engine: e, prepared: map[string]*sql.Stmt{}}
	if err := s.migrate(ctx); err != nil {
		s.close()
		return nil, err
	}
	return &Records{store: s, dir: o.Dir}, nil
}

// Close gives the store back.
func (r *Records) Close() error {
	if err := r.store.close(); err != nil {
		return r.store.engine.explain("close the store", err)
	}
	return nil
}

// Receipt returns a stored receipt with its proof. Errors: NotFound, Internal.
func (r *Records) Receipt(ctx context.Context, id string) (*Sealed, error) {
	s := &Sealed{ID: id}
	err := r.store.inTx(ctx, r.store.engine.snapshot(), func(tx *sql.Tx) error { return s.load(ctx, tx) })
	if errors.Is(err, sql.ErrNoRows) {
		return nil, &starling.Error{Kind: starling.NotFound, Op: fmt.Sprintf("ledger: no receipt %q", cut(id, 64)), Hint: "ids look like " + idPrefix + "0190…; the last are in the header of each answer"}
	}
	if err != nil {
		return nil, r.store.engine.explain("read a receipt", err)
	}
	return s, nil
}

func (s *Sealed) load(ctx context.Context, tx *sql.Tx) error {
	var link int64
	var hash, payload, envelope []byte
	err := tx.QueryRowContext(ctx, "SELECT link, hash, payload FROM receipts WHERE id = $1", s.ID).Scan(&link, &hash, &payload)
	if err != nil {
		return err
	}
	number := link >> seqBits
	s.Seq, s.Hash, s.Payload = link-linkNumber(number, 0), hexOf(hash), payload
	if err := tx.QueryRowContext(ctx, "SELECT id, public FROM chains WHERE number = $1", number).Scan(&s.Chain, &s.Public); err != nil {
		return err
	}
	if s.Prev = s.Chain; s.Seq > 1 {
		if err := tx.QueryRowContext(ctx, "SELECT hash FROM links WHERE link = $1", link-1).Scan(&hash); err != nil {
			return err
		}
		s.Prev = hexOf(hash)
	}
	err = tx.QueryRowContext(ctx, "SELECT envelope FROM checkpoints WHERE link >= $1 ORDER BY link LIMIT 1", link).Scan(&envelope)
	s.Checkpoint = envelope
	return err
}

// A Query selects receipts. The zero value selects all, oldest first.
type Query struct {
	After   string // an id: begin behind it, in the order asked for
	Limit   int    // 0 none
	Newest  bool   // newest first
	Since   time.Time
	Until   time.Time // exclusive
	Key     string
	Team    string
	Skill   string
	Model   string // that answered
	Outcome starling.Outcome
}

// where returns the conditions and their arguments.
func (q Query) where() (string, []any) {
	conditions, args := []string{"TRUE"}, []any{}
	add := func(condition, value string) {
		if value != "" {
			args = append(args, value)
			conditions = append(conditions, fmt.Sprintf("%s $%d", condition, len(args)))
		}
	}
	if !q.Since.IsZero() {
		add("id >=", firstID(q.Since))
	}
	if !q.Until.IsZero() {
		add("id <", firstID(q.Until))
	}
	add("key =", q.Key)
	add("team =", q.Team)
	add("skill =", q.Skill)
	add("model =", q.Model)
	add("outcome =", string(q.Outcome))
	if q.Newest {
		add("id <", q.After)
	} else {
		add("id >", q.After)
	}
	return strings.Join(conditions, " AND "), args
}

func (q Query) order() string {
	if q.Newest {
		return "id DESC"
	}
	return "id"
}

const page = 200 // receipts that are in memory at once

// Receipts yields the receipts that a query selects, each as stored. It reads
// them a page at a time, so a slow consumer holds nothing up. After an error
// nothing follows.
func (r *Records) Receipts(ctx context.Context, q Query) iter.Seq2[*starling.Receipt, error] {
	return func(yield func(*starling.Receipt, error) bool) {
		for left := q.Limit; q.Limit == 0 || left > 0; {
			n := page
			if q.Limit > 0 {
				n = min(page, left)
			}
			receipts, err := r.page(ctx, q, n)
			if err != nil {
				yield(nil, err)
				return
			}
			for _, receipt := range receipts {
				if !yield(receipt, nil) {
					return
				}
			}
			if len(receipts) < n {
				return
			}
			left -= n
			q.After = receipts[n-1].ID
		}
	}
}

func (r *Records) page(ctx context.Context, q Query, n int) ([]*starling.Receipt, error) {
	where, args := q.where()
	rows, err := r.store.db.QueryContext(ctx, fmt.Sprintf("SELECT payload FROM receipts WHERE %s ORDER BY %s LIMIT %d", where, q.order(), n), args...)
	if err != nil {
		return nil, r.store.engine.explain("read receipts", err)
	}
	var all []*starling.Receipt
	err = each(rows, func() error {
		var payload []byte
		if err := rows.Scan(&payload); err != nil {
			return err
		}
		receipt, err := DecodeReceipt(payload)
		all = append(all, receipt)
		return err
	})
	if err != nil {
		return nil, r.store.engine.explain("read receipts", err)
	}
	return all, nil
}

// A Totaled is one line of a report.
type Totaled struct {
	Name      string         `json:"name"` // of the key, team, skill, model, outcome or day
	Receipts  int64          `json:"receipts"`
	Answered  int64          `json:"answered"`
	Cost      starling.Money `json:"cost_nanodollars"`
	Compared  starling.Money `json:"compared_nanodollars"` // what was measured against a reference: of Cost, and of the parts of those exchanges
	Reference starling.Money `json:"reference_nanodollars"`
	Saved     starling.Money `json:"saved_nanodollars"` // Reference − Compared
}

// columns by which totals can be made. A day is the number of days since 1970.
var totalBy = map[string]string{
	"all": "''", "key": "key", "team": "team", "skill": "skill", "model": "model", "outcome": "outcome",
	"day": "CAST(time / 86400000000000 AS TEXT)",
}

// Totals sums the receipts that a query selects (its After and Limit aside) by
// "all", "day", "key", "team", "skill", "model" or "outcome", in the order of
// the names. Errors: Invalid, Internal.
func (r *Records) Totals(ctx context.Context, q Query, by string) ([]Totaled, error) {
	column, ok := totalBy[by]
	if !ok {
		return nil, &starling.Error{Kind: starling.Invalid, Op: fmt.Sprintf("ledger: totals by %q", cut(by, 32)), Hint: "use all, day, key, team, skill, model or outcome"}
	}
	q.After = ""
	where, args := q.where()
	rows, err := r.store.db.QueryContext(ctx, `SELECT `+column+` AS label, count(*),
		CAST(sum(CASE WHEN outcome = 'answered' THEN 1 ELSE 0 END) AS BIGINT), CAST(sum(cost) AS BIGINT),
		CAST(sum(reference - saved) AS BIGINT),
		CAST(sum(reference) AS BIGINT), CAST(sum(saved) AS BIGINT)
		FROM receipts WHERE `+where+` GROUP BY label ORDER BY label`, args...)
	if err != nil {
		return nil, r.store.engine.explain("sum receipts", err)
	}
	var all []Totaled
	err = each(rows, func() error {
		var t Totaled
		err := rows.Scan(&t.Name, &t.Receipts, &t.Answered, &t.Cost, &t.Compared, &t.Reference, &t.Saved)
		if by == "day" {
			t.Name = dateOf(t.Name)
		}
		all = append(all, t)
		return err
	})
	if err != nil {
		return nil, r.store.engine.explain("sum receipts", err)
	}
	return all, nil
}

// dateOf turns a number of days since 1970 into a date.
func dateOf(days string) string {
	var n int
	fmt.Sscan(days, &n)
	return time.Unix(0, 0).UTC().AddDate(0, 0, n).Format(time.DateOnly)
}

func hexOf(b []byte) string { return hex.EncodeToString(b) }
