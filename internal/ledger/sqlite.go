package ledger

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"

	"starling"
)

//go:embed migrations
var migrations embed.FS

const databaseFile = "ledger.db"

// sqliteEngine is a database file in the data directory. One gateway writes it;
// commands may read it, and make keys, at the same time.
type sqliteEngine struct{ path string }

// openSQLite opens or makes the database. Write-ahead logging lets readers and
// the writer work at once; with synchronous NORMAL a commit is safe from the
// death of the process, and from a power cut after the next checkpoint.
func openSQLite(o Options) (*sql.DB, engine, error) {
	e := sqliteEngine{path: filepath.Join(o.Dir, databaseFile)}
	f, err := os.OpenFile(e.path, os.O_CREATE|os.O_RDWR, 0o600) // so that nobody else can read it
	if err != nil {
		return nil, nil, unwritable(e.path, err)
	}
	f.Close()
	q := url.Values{"_txlock": {"immediate"}, "_pragma": {
		"busy_timeout(10000)", "page_size(16384)", "journal_mode(WAL)", "synchronous(" + durability(o) + ")", "foreign_keys(ON)"}}
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: e.path}).EscapedPath()+"?"+q.Encode())
	if err != nil {
		return nil, nil, e.explain("open the store", err)
	}
	db.SetMaxOpenConns(4)
	db.SetMaxIdleConns(4)
	return db, e, nil
}

func durability(o Options) string {
	if o.Sync {
		return "FULL"
	}
	return "NORMAL"
}

func (e sqliteEngine) schema() fs.FS { return subtree("migrations/sqlite") }

func subtree(dir string) fs.FS {
	sub, err := fs.Sub(migrations, dir)
	if err != nil {
		panic("ledger: the migrations are embedded: " + err.Error())
	}
	return sub
}

// lockSchema has nothing to do: a writing transaction has the database to itself.
func (e sqliteEngine) lockSchema(context.Context, *sql.Tx) error { return nil }

func (e sqliteEngine) rowsPerInsert() int { return 16 }

// placeholder has no name: SQLite looks names up one by one for each row.
func (e sqliteEngine) placeholder(int) string { return "?" }

func (e sqliteEngine) patience() time.Duration  { return 0 }
func (e sqliteEngine) snapshot() *sql.TxOptions { return &sql.TxOptions{ReadOnly: true} }
func (e sqliteEngine) shared() bool             { return false }

// sound checks the file's structure, indexes included: a row that its index
// does not find is as good as lost.
func (e sqliteEngine) sound(ctx context.Context, tx *sql.Tx) (string, error) {
	var said string
	if err := tx.QueryRowContext(ctx, "PRAGMA integrity_check(1)").Scan(&said); err != nil {
		return "", err
	}
	if said == "ok" {
		return "", nil
	}
	return said, nil
}

func (e sqliteEngine) meter(ctx context.Context, l *Ledger) (meter, error) {
	return newLocalMeter(ctx, l)
}

// Holds are in the journal alone, where a part's receipt takes from them.
func (e sqliteEngine) draw(_ context.Context, _ *sql.Tx, entries []*entry) ([]*entry, error) {
	return entries, nil
}

// Nor is there anybody else who could write one off.
func (e sqliteEngine) release(context.Context, *sql.Tx, []*entry) error { return nil }
func (e sqliteEngine) lock(context.Context, *sql.Tx, []*entry) error    { return nil }
func (e sqliteEngine) enter(context.Context, int64) error               { return nil }
func (e sqliteEngine) beat(context.Context, int64) ([]hold, error)      { return nil, nil }

func (e sqliteEngine) explain(op string, err error) error {
	if known, ok := errors.AsType[*starling.Error](err); ok {
		return known
	}
	out := &starling.Error{Kind: starling.Internal, Op: "ledger: " + op + " in " + e.path, Err: err}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		out.Kind = starling.Cancelled
		return out
	}
	if s, ok := errors.AsType[*sqlite.Error](err); ok {
		out.Hint = sqliteHints[s.Code()&0xff]
	}
	return out
}

var sqliteHints = map[int]string{
	lib.SQLITE_FULL:     "free some disk space",
	lib.SQLITE_IOERR:    "check the disk and its free space",
	lib.SQLITE_READONLY: "make the file and its directory writable for this user",
	lib.SQLITE_CANTOPEN: "make the file and its directory writable for this user",
	lib.SQLITE_PERM:     "make the file and its directory writable for this user",
	lib.SQLITE_CORRUPT:  "the file is damaged: restore it from a copy, or move it away to begin anew",
	lib.SQLITE_NOTADB:   "the file is damaged: restore it from a copy, or move it away to begin anew",
	lib.SQLITE_BUSY:     "another program holds the file; stop it",
}
