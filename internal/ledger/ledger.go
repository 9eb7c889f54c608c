// Package ledger keeps the accounts: a receipt for every exchange, budgets that
// hold, and the keys that callers show. It stores no content of a request or an
// answer, and no key, only what is needed to recognise them.
//
// An exchange opens an [Account] with [Ledger.Begin], reserves the worst that
// its next call may cost, says what the call did cost, and settles. Reservations
// and receipts go to an append-only journal first (journal.go), so they survive
// the death of the process; one goroutine (writer.go) moves receipts from there
// into SQLite or Postgres in batches, where they are chained and signed
// (chain.go, docs/spec/receipt.md). Commands that look at the books beside a
// running gateway use [Records].
//
// It is not a metrics store and not a log: everything in it is a receipt, or a
// sum over receipts that [Records.Verify] recomputes.
//
// To follow an exchange, open account.go and read down.
//
// Sources: DSSE v1.0.2 (github.com/secure-systems-lab/dsse), in-toto Statement
// v1 (github.com/in-toto/attestation), RFC 9562 for the order of ids, RFC 5869
// for the secret of the MACs.
package ledger

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/gofrs/flock"

	"starling"
)

// Options says where the books are kept and which caps hold.
type Options struct {
	Dir     string       // the data directory, made if missing; required
	URL     string       // "postgres://…"; "" is SQLite inside Dir
	Budgets []Budget     // the configured caps; those of keys are kept with the keys
	Log     *slog.Logger // background trouble goes there; required
	Sync    bool         // survive a power cut too: every journal record waits for the disk
}

// A Ledger is the open books of one gateway. It owns its directory: a second
// process cannot open the same one. All methods are safe for concurrent use.
type Ledger struct {
	*Records
	log     *slog.Logger
	lock    *flock.Flock
	signer  *signer
	chain   *chain // owned by the writer once it runs
	journal *journal
	meter   meter
	keys    *keyring
	capping sync.Mutex // held while caps are made anew
	config  []Budget   // guarded by capping
	caps    atomic.Pointer[caps]
	latest  atomic.Pointer[batch] // the newest
	saved   *batch                // the one that the head file vouches for; owned by the keeper
	told    uint64                // dropped receipts that the log has; owned by the writer
	trouble trouble

	stop       chan struct{} // closed by Close
	stopKeeper context.CancelFunc
	drained    chan struct{} // closed by the writer
	kept       chan struct{} // closed by the keeper
	closing    sync.Once
	result     error // of Close
}

// Open opens the books, or makes them, and brings them up to date: receipts that
// only the journal has are stored, and exchanges that were open when the last
// process died become receipts with the outcome Interrupted. It blocks until
// that is done. Errors: Invalid for options that make no sense and for data of a
// newer version, Overloaded of [ErrInUse], Internal with a hint for a directory or a store
// that is damaged, full or out of reach.
func Open(ctx context.Context, o Options) (*Ledger, error) {
	l := &Ledger{log: o.Log, config: o.Budgets, stop: make(chan struct{}), drained: make(chan struct{}), kept: make(chan struct{})}
	if err := l.open(ctx, o); err != nil {
		l.release()
		return nil, err
	}
	ctx, l.stopKeeper = context.WithCancel(context.WithoutCancel(ctx))
	go l.write()
	go l.keep(ctx)
	return l, nil
}

func (l *Ledger) open(ctx context.Context, o Options) (err error) {
	if err := checkAll(o.Budgets); err != nil {
		return err
	}
	if err := makeDir(o.Dir); err != nil {
		return err
	}
	if l.lock, err = lockDir(o.Dir); err != nil {
		return err
	}
	if l.signer, err = openSigner(filepath.Join(o.Dir, keyFile)); err != nil {
		return err
	}
	if l.Records, err = openRecords(ctx, o); err != nil {
		return err
	}
	if err := l.openChain(ctx); err != nil {
		return err
	}
	if err := l.recover(ctx); err != nil {
		return err
	}
	l.keys = newKeyring(l.store)
	l.caps.Store(newCaps(l.config, nil))
	if err := l.refreshKeys(ctx); err != nil {
		return err
	}
	if l.meter, err = l.store.engine.meter(ctx, l); err != nil {
		return err
	}
	l.journal, err = openJournal(o.Dir, o.Sync)
	return err
}

// openChain finds the end of this gateway's chain and compares it with the head
// that was last written down. A store that has fallen behind is reported and the
// head is kept aside: Verify goes on reporting it until a person removes it.
func (l *Ledger) openChain(ctx context.Context) (err error) {
	if l.chain, err = l.store.openChain(ctx, l.signer); err != nil {
		return err
	}
	head, err := readHead(headPath(l.dir, l.chain.id), l.signer.public)
	if err != nil || head == nil {
		return err
	}
	switch lost, err := l.store.lacks(ctx, l.chain, head); {
	case err != nil:
		return err
	case lost:
		l.trouble.lose()
		l.log.Error("the store lacks receipts that this gateway had signed", "chain", l.chain.id, "stored", l.chain.seq, "signed", head.Last,
			"hint", "restore the store from a copy, or run 'starling ledger verify' and find out who changed it")
		return keepAside(l.dir, l.chain.id, head.Last)
	}
	return nil
}

// recover stores what only the journal has.
func (l *Ledger) recover(ctx context.Context) error {
	found, err := replay(l.dir)
	if err != nil {
		return err
	}
	if len(found.damaged) > 0 {
		l.log.Error("a part of the journal could not be read; it was kept aside", "files", found.damaged)
		l.trouble.lose()
	}
	entries := found.settled
	for _, h := range found.holds() {
		entries = append(entries, h.interrupted())
	}
	if err := l.store.engine.enter(ctx, l.chain.number); err != nil {
		return err
	}
	orphans, err := l.store.engine.beat(ctx, l.chain.number)
	if err != nil {
		return err
	}
	for _, h := range orphans {
		entries = append(entries, h.writtenOff())
	}
	for len(entries) > 0 {
		n := min(len(entries), batchSize)
		if _, err := l.append(ctx, entries[:n], unsure); err != nil {
			return err
		}
		entries = entries[n:]
	}
	return found.discard()
}

// Close stops taking reservations, stores what is pending and gives the
// directory back. What the store does not take stays in the journal for the next
// Open, and the error says so. Accounts that are still open become Interrupted
// then.
func (l *Ledger) Close() error {
	l.closing.Do(func() {
		close(l.stop)
		l.stopKeeper()
		<-l.drained
		<-l.kept
		l.tellDropped()
		pending := l.journal.close()
		if pending > 0 {
			l.result = l.trouble.last()
		}
		l.result = errors.Join(l.result, l.saveHead())
		l.release()
	})
	return l.result
}

// release gives back what Open took, however far it came.
func (l *Ledger) release() {
	if l.journal != nil {
		l.journal.close()
	}
	if l.Records != nil {
		l.Records.Close()
	}
	if l.lock != nil {
		l.lock.Unlock()
	}
}

// Flush waits until everything that was settled before the call is stored. When
// the store is failing it returns that error after one more try.
func (l *Ledger) Flush(ctx context.Context) error {
	select {
	case err := <-l.journal.barrier():
		return err
	case <-ctx.Done():
		return &starling.Error{Kind: starling.Cancelled, Op: "ledger: wait for the store", Err: ctx.Err()}
	}
}

// Begin opens the account of an exchange. It does no I/O and always succeeds;
// an account that is dropped without Reserve and Settle leaves no trace. The
// skill may be "" and said later with [Account.Use].
func (l *Ledger) Begin(c starling.Caller, skill string) *Account {
	now := time.Now()
	id := newID(idPrefix, now)
	return &Account{
		ledger: l,
		id:     id,
		began:  now,
		opened: now,
		hold:   hold{ID: id, At: now.UnixNano(), Key: c.Key, Team: c.Team, Skill: skill},
	}
}

// Receipt returns a stored receipt with its proof; what was settled before the
// call is found, and what is under way is waited for. Errors: NotFound,
// Cancelled, Internal.
func (l *Ledger) Receipt(ctx context.Context, id string) (*Sealed, error) {
	if err := l.journal.settled(ctx, id); err != nil {
		return nil, err
	}
	if err := l.Flush(ctx); err != nil {
		return nil, err
	}
	return l.Records.Receipt(ctx, id)
}

// Cap replaces the configured caps from the next reservation on; those of keys
// stay. What was spent counts under a new cap too; in Postgres as soon as it is
// stored ([Ledger.Flush]), and there what an exchange under way holds counts only
// if a cap applied to it when it began. Errors: Invalid, and then nothing has
// changed.
func (l *Ledger) Cap(budgets []Budget) error {
	if err := checkAll(budgets); err != nil {
		return err
	}
	l.capping.Lock()
	defer l.capping.Unlock()
	l.config = slices.Clone(budgets)
	l.caps.Store(newCaps(l.config, l.keys.known.Load().all()))
	return nil
}

// Standing returns every cap with what is spent and held against it now.
func (l *Ledger) Standing(ctx context.Context) ([]Standing, error) {
	return l.meter.standing(ctx, l.caps.Load().all(), dayOf(time.Now()))
}

func makeDir(dir string) error {
	if dir == "" {
		return &starling.Error{Kind: starling.Invalid, Op: "ledger: no data directory", Hint: "name one with --data"}
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return unwritable(dir, err)
	}
	return nil
}

// ErrInUse is the cause of an error of Open in a directory that another process
// serves from.
var ErrInUse = errors.New("another process has this ledger")

// lockFile is locked by who serves from the directory.
const lockFile = "ledger.lock"

// InUse reports whether a process serves from the directory now.
func InUse(dir string) bool {
	file := filepath.Join(dir, lockFile)
	if _, err := os.Stat(file); err != nil {
		return false
	}
	lock := flock.New(file, flock.SetPermissions(0o600))
	free, err := lock.TryRLock()
	if free {
		_ = lock.Close()
	}
	return err == nil && !free
}

func lockDir(dir string) (*flock.Flock, error) {
	lock := flock.New(filepath.Join(dir, lockFile), flock.SetPermissions(0o600))
	ok, err := lock.TryLock()
	if err != nil {
		return nil, unwritable(dir, err)
	}
	if !ok {
		return nil, &starling.Error{Kind: starling.Overloaded, Op: "ledger: data directory " + dir, Err: ErrInUse, Hint: "stop the other starling, or give this one its own data directory"}
	}
	return lock, nil
}

// takeTurn waits until no other process is at the files of the directory that a
// gateway and commands beside it write. Whoever has the turn closes it, soon.
func takeTurn(dir string) (*flock.Flock, error) {
	turn := flock.New(filepath.Join(dir, "turn.lock"), flock.SetPermissions(0o600))
	if err := turn.Lock(); err != nil {
		return nil, unwritable(dir, err)
	}
	return turn, nil
}

func unwritable(dir string, err error) error {
	hint := "make the directory writable for this user, or name another one"
	if errors.Is(err, syscall.ENOSPC) {
		hint = "free some disk space"
	}
	return &starling.Error{Kind: starling.Internal, Op: "ledger: data directory " + dir, Hint: hint, Err: err}
}
