// Package corpus keeps what somebody consented to keep: questions of a skill, and
// the answers that they should have, to train students and to write cases from.
// It is the only place in the program that keeps content. The content is in a
// file of its own that never leaves this machine: whoever removes the file has
// removed all of it. What is graded and what was spent is in the ledger, which
// holds no content.
//
// Start reading at [Corpus.Add]; how traces are read is in trace.go.
package corpus

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"iter"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	_ "modernc.org/sqlite" // the driver

	"starling"
)

// File is the corpus's file in the data directory.
const File = "corpus.db"

// A Text is a question and the answer that it should have.
type Text struct {
	Skill  string    `json:"skill"`
	Input  string    `json:"input"`
	Answer string    `json:"answer"`          // a label, for skills that have them
	Model  string    `json:"model,omitempty"` // that gave the answer; "" for a person's, or what nobody said
	Source string    `json:"source"`          // where it is from: the name of a file
	Time   time.Time `json:"time"`            // when it was added

	// Class is the class of the request that it is of, "" where nobody said one
	// beside the skill's own. It bounds who may ever be sent the text.
	Class starling.Class `json:"class,omitempty"`
}

// A Corpus is the open file. Safe for concurrent use, by several processes too.
type Corpus struct{ db *sql.DB }

const schema = `CREATE TABLE IF NOT EXISTS texts (
	number INTEGER PRIMARY KEY,
	skill  TEXT    NOT NULL,
	digest BLOB    NOT NULL, -- SHA-256 of the input, white space apart
	input  TEXT    NOT NULL,
	answer TEXT    NOT NULL,
	model  TEXT    NOT NULL,
	source TEXT    NOT NULL,
	time   INTEGER NOT NULL, -- seconds since 1970
	class  TEXT    NOT NULL DEFAULT '',
	UNIQUE (skill, digest, answer)
)`

// Open opens the corpus of a data directory, or makes it, readable for this user
// alone. Errors: Internal.
func Open(ctx context.Context, dir string) (*Corpus, error) {
	path := filepath.Join(dir, File)
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600) // so that nobody else can read it
	if err != nil {
		return nil, trouble("open "+path, err)
	}
	f.Close()
	q := url.Values{"_txlock": {"immediate"}, "_pragma": {"busy_timeout(10000)", "journal_mode(WAL)", "secure_delete(ON)"}}
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+"?"+q.Encode())
	if err == nil {
		_, err = db.ExecContext(ctx, schema)
	}
	if err == nil {
		err = widen(ctx, db)
	}
	if err != nil {
		return nil, trouble("open "+path, err)
	}
	return &Corpus{db}, nil
}

// widen gives the table of an older file the column that it lacks.
func widen(ctx context.Context, db *sql.DB) error {
	there := 0
	err := db.QueryRowContext(ctx, "SELECT count(*) FROM pragma_table_info('texts') WHERE name = 'class'").Scan(&there)
	if err != nil || there > 0 {
		return err
	}
	_, err = db.ExecContext(ctx, "ALTER TABLE texts ADD COLUMN class TEXT NOT NULL DEFAULT ''")
	if err != nil && strings.Contains(err.Error(), "duplicate column") { // another process was faster
		return nil
	}
	return err
}

func trouble(op string, err error) error {
	kind := starling.Internal
	if errors.Is(err, context.Canceled) {
		kind = starling.Cancelled
	}
	return &starling.Error{Kind: kind, Op: "corpus: " + op, Hint: "is the data folder writable, and the disk not full?", Err: err}
}

// Close gives the file back.
func (c *Corpus) Close() error { return c.db.Close() }

// Add keeps texts, all or none, and returns how many are new: the same answer to
// the same input, white space apart, is kept once.
func (c *Corpus) Add(ctx context.Context, texts []Text) (added int, err error) {
	tx, err := c.db.BeginTx(ctx, nil)
	if err != nil {
		return 0, trouble("add texts", err)
	}
	defer tx.Rollback()
	for _, t := range texts {
		digest := digestOf(t.Input)
		done, err := tx.ExecContext(ctx, `INSERT INTO texts (skill, digest, input, answer, model, source, time, class) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT (skill, digest, answer) DO NOTHING`, t.Skill, digest[:], t.Input, t.Answer, t.Model, t.Source, t.Time.Unix(), string(t.Class))
		if err != nil {
			return 0, trouble("add texts", err)
		}
		n, err := done.RowsAffected()
		if err != nil {
			return 0, trouble("add texts", err)
		}
		added += int(n)
	}
	if err := tx.Commit(); err != nil {
		return 0, trouble("add texts", err)
	}
	return added, nil
}

func digestOf(input string) [sha256.Size]byte {
	return sha256.Sum256([]byte(strings.Join(strings.Fields(input), " ")))
}

// Texts yields the texts of a skill in the order in which they were added. After
// an error nothing follows.
func (c *Corpus) Texts(ctx context.Context, skill string) iter.Seq2[Text, error] {
	return func(yield func(Text, error) bool) {
		rows, err := c.db.QueryContext(ctx, "SELECT skill, input, answer, model, source, time, class FROM texts WHERE skill = ? ORDER BY number", skill)
		if err != nil {
			yield(Text{}, trouble("read texts", err))
			return
		}
		defer rows.Close()
		for rows.Next() {
			var t Text
			var at int64
			err := rows.Scan(&t.Skill, &t.Input, &t.Answer, &t.Model, &t.Source, &at, &t.Class)
			t.Time = time.Unix(at, 0).UTC()
			if err != nil {
				yield(Text{}, trouble("read texts", err))
				return
			}
			if !yield(t, nil) {
				return
			}
		}
		if err := rows.Err(); err != nil {
			yield(Text{}, trouble("read texts", err))
		}
	}
}

// A Count is how much there is of a skill.
type Count struct {
	Skill    string `json:"skill"`
	Texts    int    `json:"texts"`
	Disputed int    `json:"disputed"` // inputs that have more than one answer
}

// Counts returns what there is, by skill.
func (c *Corpus) Counts(ctx context.Context) ([]Count, error) {
	rows, err := c.db.QueryContext(ctx, `SELECT skill, sum(n), sum(n > 1) FROM (SELECT skill, count(*) AS n FROM texts GROUP BY skill, digest) GROUP BY skill ORDER BY skill`)
	if err != nil {
		return nil, trouble("count texts", err)
	}
	defer rows.Close()
	var all []Count
	for rows.Next() {
		var n Count
		if err := rows.Scan(&n.Skill, &n.Texts, &n.Disputed); err != nil {
			return nil, trouble("count texts", err)
		}
		all = append(all, n)
	}
	if err := rows.Err(); err != nil {
		return nil, trouble("count texts", err)
	}
	return all, nil
}

// Forget removes every text of a skill, and overwrites it in the file. It returns
// how many there were.
func (c *Corpus) Forget(ctx context.Context, skill string) (int, error) {
	done, err := c.db.ExecContext(ctx, "DELETE FROM texts WHERE skill = ?", skill)
	if err == nil {
		_, err = c.db.ExecContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)") // the log may hold it too
	}
	if err != nil {
		return 0, trouble("forget texts", err)
	}
	n, err := done.RowsAffected()
	if err != nil {
		return 0, trouble("forget texts", err)
	}
	return int(n), nil
}
