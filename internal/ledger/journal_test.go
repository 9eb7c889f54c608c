package ledger

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"starling"
)

// segmentOf returns a segment with one hold and one receipt, and where its last
// record begins.
func segmentOf() (data []byte, last int) {
	data = appendHold([]byte(magic), hold{ID: "rcp_a", At: 7, Key: "key_ada", Held: 40})
	last = len(data)
	return appendRecord(data, settledRecord, newEntry(&starling.Receipt{ID: "rcp_b", Cost: 5}).payload), last
}

// read reads a segment that is the last.
func read(data []byte) (*recovery, bool) {
	r := &recovery{open: map[string]hold{}}
	whole := r.read(data, true)
	return r, whole
}

func TestARecordThatWasCutOffIsIgnored(t *testing.T) {
	data, last := segmentOf()
	for end := range len(data) {
		r, whole := read(data[:end])
		if !whole {
			t.Fatalf("a segment that ends at byte %d of %d is called damaged", end, len(data))
		}
		if want := 0; len(r.settled) != want {
			t.Fatalf("%d receipts at byte %d", len(r.settled), end)
		}
		if want := min(end/last, 1); len(r.open) != want {
			t.Fatalf("%d holds at byte %d, want %d", len(r.open), end, want)
		}
	}
}

func TestAChangedByteInAJournalIsNeverBelieved(t *testing.T) {
	data, last := segmentOf()
	for i := range data {
		changed := bytes.Clone(data)
		changed[i] ^= 0x20
		r, whole := read(changed)
		if len(r.settled) != 0 {
			t.Fatalf("byte %d was changed and the receipt believed", i)
		}
		if i < last && len(r.open) != 0 {
			t.Fatalf("byte %d was changed and the hold believed", i)
		}
		if whole {
			t.Fatalf("byte %d was changed and the segment called whole", i)
		}
	}
}

func TestAWrongLengthIsDamageAndNoNaturalEnd(t *testing.T) {
	data, last := segmentOf()
	for bit := range 32 {
		for _, at := range []int{len(magic), last} {
			changed := bytes.Clone(data)
			changed[at+bit/8] ^= 1 << (bit % 8)
			if r, whole := read(changed); whole || len(r.settled) != 0 {
				t.Errorf("bit %d of the length at %d was changed: whole %v, %d receipts", bit, at, whole, len(r.settled))
			}
		}
	}
}

func TestOnlyTheLastSegmentMayEndInAPiece(t *testing.T) {
	data, last := segmentOf()
	for end := range len(data) {
		r := &recovery{open: map[string]hold{}}
		if whole := r.read(data[:end], false); whole != (end == len(magic) || end == last) {
			t.Fatalf("a segment that others follow ends at byte %d of %d: whole %v", end, len(data), whole)
		}
	}
	p := place{Options: Options{Dir: t.TempDir(), Log: quiet()}}
	must(t, os.WriteFile(filepath.Join(p.Dir, "journal-00000001.log"), data[:len(data)-1], 0o600))
	must(t, os.WriteFile(filepath.Join(p.Dir, "journal-00000002.log"), []byte(magic), 0o600))
	if l := p.open(t); !l.Health().Lost {
		t.Fatal("nobody is told that a receipt was lost")
	}
	kept, err := filesLike(p.Dir, "journal-00000001.log.damaged-*")
	must(t, err)
	if len(kept) != 1 {
		t.Fatalf("%d damaged segments are kept aside", len(kept))
	}
}

func TestADamagedSegmentIsKeptAsideAndTheRestIsUsed(t *testing.T) {
	p := place{Options: Options{Dir: t.TempDir(), Log: quiet()}}
	l := p.open(t)
	first, second := run(t, l, ada, 10, 5), l.Begin(ada, "")
	must(t, second.Reserve(context.Background(), 30))
	l.crash(t)
	path := journals(t, p.Dir)[0]
	data, err := os.ReadFile(path)
	must(t, err)
	data[len(data)-3] ^= 1 // in the second exchange's hold
	must(t, os.WriteFile(path, append(data, data[len(magic):]...), 0o600))

	l = p.open(t)
	_, err = l.Receipt(context.Background(), first.ID)
	must(t, err)
	if !l.Health().Lost {
		t.Fatal("nobody is told that something was lost")
	}
	entries, err := os.ReadDir(p.Dir)
	must(t, err)
	var kept bool
	for _, e := range entries {
		kept = kept || strings.Contains(e.Name(), ".damaged-")
	}
	if !kept {
		t.Fatalf("the damaged segment is gone: %v", entries)
	}
}

func TestADirectoryWithAPatternForANameLosesNothing(t *testing.T) {
	p := place{Options: Options{Dir: filepath.Join(t.TempDir(), "data[*?]"), Log: quiet()}}
	l := p.open(t)
	run(t, l, ada, 10, 5)
	must(t, l.Flush(context.Background()))
	must(t, l.saveHead())
	l.store.db.Close()
	last := run(t, l, ada, 10, 5)
	l.crash(t)

	l = p.open(t)
	_, err := l.Receipt(context.Background(), last.ID)
	must(t, err)
	must(t, l.saveHead())
	if report := verified(t, l.Records); report.Receipts != 2 || !report.Chains[0].Anchored {
		t.Fatalf("got %+v", report)
	}
}

// a full disk takes so many bytes and no more.
type full struct {
	segment
	room     *int
	stubborn bool // a write that was cut short cannot be undone
}

func (f full) Write(b []byte) (int, error) {
	n := min(len(b), *f.room)
	*f.room -= n
	n, err := f.segment.Write(b[:n])
	if err == nil && n < len(b) {
		err = syscall.ENOSPC
	}
	return n, err
}

func (f full) Truncate(size int64) error {
	if f.stubborn {
		return syscall.EIO
	}
	return f.segment.Truncate(size)
}

func TestAFullDiskRefusesReservationsAndLosesNothing(t *testing.T) {
	for _, stubborn := range []bool{false, true} {
		t.Run(fmt.Sprintf("stubborn %v", stubborn), func(t *testing.T) {
			p := place{Options: Options{Dir: t.TempDir(), Log: quiet()}}
			cap := Budget{Scope: ForAll, Limit: 100, Per: InTotal}
			l := p.open(t, cap)
			ctx := context.Background()
			before := l.Begin(ada, "")
			must(t, before.Reserve(ctx, 20))
			room := 50
			l.journal.file = full{l.journal.file, &room, stubborn}

			err := l.Begin(ada, "").Reserve(ctx, 80)
			wantKind(t, err, starling.Internal)
			if !strings.Contains(err.Error(), "free some disk space") {
				t.Fatalf("no hint in %v", err)
			}
			if standing, err := l.Standing(ctx); err != nil || standing[0].Held != 20 {
				t.Fatalf("the refused reservation is held: %+v, %v", standing, err)
			}
			if !stubborn {
				room = 0
				_, err = before.Settle(exchange(before, 20))
				wantKind(t, err, starling.Internal) // not durable yet, yet on its way
				_, err = l.Receipt(ctx, before.ID())
				must(t, err)
			}
			room = 1 << 20
			after := l.Begin(ada, "")
			must(t, after.Reserve(ctx, 80))
			l.crash(t)
			l = p.open(t, cap)
			if standing, err := l.Standing(ctx); err != nil || standing[0].Spent != 100 {
				t.Fatalf("got %+v, %v: a record hid behind a piece of another", standing, err)
			}
			verified(t, l.Records)
		})
	}
}

// TestWhereAReceiptFoundNoRoomNobodyIsAsked: a reservation may still fit, and the receipt
// of what it is for would not.
func TestWhereAReceiptFoundNoRoomNobodyIsAsked(t *testing.T) {
	l := place{Options: Options{Dir: t.TempDir(), Log: quiet()}}.open(t)
	ctx := context.Background()
	before := l.Begin(ada, "")
	must(t, before.Reserve(ctx, 20))
	room := 0
	l.journal.file = full{l.journal.file, &room, false}
	_, err := before.Settle(exchange(before, 20))
	wantKind(t, err, starling.Internal)

	room = 1000
	next := l.journal.path(l.journal.number + 1)
	must(t, os.Mkdir(next, 0o700)) // so nothing new can be written
	wantKind(t, l.Begin(ada, "").Reserve(ctx, 20), starling.Internal)
	must(t, os.Remove(next))
	after := l.Begin(ada, "")
	must(t, after.Reserve(ctx, 20))
	_, err = after.Settle(exchange(after, 20))
	must(t, err)
	must(t, l.Flush(ctx))
	if report := verified(t, l.Records); report.Receipts != 2 {
		t.Fatalf("%d receipts, want 2", report.Receipts)
	}
}

func TestAFullDiskIsNoQuestionOfRights(t *testing.T) {
	full := unwritable("books", &fs.PathError{Op: "write", Path: "books/ledger.key.new-1", Err: syscall.ENOSPC})
	if said := full.Error(); !strings.Contains(said, "free some disk space") || strings.Contains(said, "writable") {
		t.Error(said)
	}
	if said := unwritable("books", fs.ErrPermission).Error(); !strings.Contains(said, "make the directory writable") {
		t.Error(said)
	}
}

func TestSegmentsGoWhenTheStoreHasThemAndHoldsMoveOn(t *testing.T) {
	p := place{Options: Options{Dir: t.TempDir(), Log: quiet()}}
	l := p.open(t)
	ctx := context.Background()
	l.journal.mu.Lock()
	l.journal.limit = 4000
	l.journal.mu.Unlock()
	long := l.Begin(bob, "")
	must(t, long.Reserve(ctx, 77))
	for range 50 {
		run(t, l, ada, 10, 5)
	}
	must(t, l.Flush(ctx))
	if left := journals(t, p.Dir); len(left) != 1 || l.journal.number < 10 {
		t.Fatalf("%v are left of %d", left, l.journal.number)
	}
	l.crash(t)
	l = p.open(t)
	s, err := l.Receipt(ctx, long.ID())
	must(t, err)
	if r, err := s.Receipt(); err != nil || r.Cost != 77 {
		t.Fatalf("got %+v, %v", r, err)
	}
	if report := verified(t, l.Records); report.Receipts != 51 {
		t.Fatalf("%d receipts, want 51", report.Receipts)
	}
}

func TestSegmentsStayUntilTheStoreHasThem(t *testing.T) {
	p := place{Options: Options{Dir: t.TempDir(), Log: quiet()}}
	l := p.open(t)
	_, err := l.store.db.Exec("ALTER TABLE checkpoints RENAME TO hidden")
	must(t, err)
	l.journal.mu.Lock()
	l.journal.limit = 4000
	l.journal.mu.Unlock()
	for range 20 {
		run(t, l, ada, 10, 5)
	}
	if left := journals(t, p.Dir); len(left) < 5 {
		t.Fatalf("only %v are left", left)
	}
	_, err = l.store.db.Exec("ALTER TABLE hidden RENAME TO checkpoints")
	must(t, err)
	l.crash(t)
	l = p.open(t)
	if report := verified(t, l.Records); report.Receipts != 20 {
		t.Fatalf("%d receipts, want 20", report.Receipts)
	}
}

// counting counts syncs, and the writes that none has covered.
type counting struct {
	segment
	syncs, open *int
}

func (c counting) Write(b []byte) (int, error) { *c.open++; return c.segment.Write(b) }
func (c counting) Sync() error                 { *c.syncs++; *c.open = 0; return c.segment.Sync() }

func TestWithSyncEveryPromiseIsOnTheDisk(t *testing.T) {
	p := place{Options: Options{Dir: t.TempDir(), Log: quiet(), Sync: true}}
	l := p.open(t)
	var syncs, unsynced int
	l.journal.file = counting{l.journal.file, &syncs, &unsynced}
	a := l.Begin(ada, "")
	must(t, a.Reserve(context.Background(), 10))
	if unsynced != 0 {
		t.Fatal("a reservation was promised before it was on the disk")
	}
	_, err := a.Settle(exchange(a, 5))
	must(t, err)
	if unsynced != 0 || syncs == 0 {
		t.Fatalf("%d syncs, %d writes without one", syncs, unsynced)
	}
	var mode int
	must(t, l.store.db.QueryRow("PRAGMA synchronous").Scan(&mode))
	if mode != 2 {
		t.Fatalf("SQLite syncs at level %d, want FULL", mode)
	}
}

func TestTooManyWaitingReceiptsRefuseReservations(t *testing.T) {
	p := place{Options: Options{Dir: t.TempDir(), Log: quiet()}}
	l := p.open(t)
	l.journal.mu.Lock()
	l.journal.pending = make([]*entry, backlog+1)
	l.journal.mu.Unlock()
	err := l.Begin(ada, "").Reserve(context.Background(), 1)
	l.journal.mu.Lock()
	l.journal.pending = nil
	l.journal.mu.Unlock()
	wantKind(t, err, starling.Overloaded)
}

func TestRefusalsDoNotFillMemoryAndDiskWhileTheStoreIsAway(t *testing.T) {
	eachStore(t, func(t *testing.T, p place) {
		var log bytes.Buffer
		p.Log = slog.New(slog.NewTextHandler(&log, nil))
		l := p.open(t, Budget{Scope: ForAll, Limit: 1000, Per: InTotal})
		ctx := context.Background()
		refuse := func() error {
			a := l.Begin(ada, "")
			err := a.Reserve(ctx, 10)
			wantKind(t, err, starling.Overloaded)
			_, err = a.Settle(&starling.Exchange{Err: err})
			return err
		}
		_, err := l.store.db.Exec("ALTER TABLE checkpoints RENAME TO hidden")
		must(t, err)
		l.journal.most = 5
		open := l.Begin(ada, "")
		must(t, open.Reserve(ctx, 10))
		for range 6 {
			_, err := l.Begin(ada, "").Settle(&starling.Exchange{})
			must(t, err)
		}
		size := l.journal.size
		for range 10 {
			wantKind(t, refuse(), starling.Overloaded)
		}
		if h := l.Health(); h.Pending != 6 || h.Dropped != 10 || l.journal.size != size {
			t.Errorf("got %+v, and the journal grew from %d to %d bytes", h, size, l.journal.size)
		}
		if standing, err := l.Standing(ctx); err != nil || standing[0].Held != 10 {
			t.Errorf("%v is held, %v", standing[0].Held, err)
		}
		open.Spend(10)
		_, err = open.Settle(exchange(open, 10)) // what cost something is kept
		must(t, err)

		_, err = l.store.db.Exec("ALTER TABLE hidden RENAME TO checkpoints")
		must(t, err)
		for l.Flush(ctx) != nil { // a try that was under way may still fail
		}
		if report := verified(t, l.Records); report.Receipts != 7 {
			t.Errorf("%d receipts, want 7", report.Receipts)
		}
		must(t, l.Close())
		if !strings.Contains(log.String(), "refusals=10") {
			t.Errorf("the log does not say how many were dropped:\n%s", log.String())
		}
	})
}

func TestIdsSortByTime(t *testing.T) {
	at := time.Date(2026, 11, 23, 23, 59, 59, 999_999_000, time.UTC)
	previous := ""
	for range 100 {
		at = at.Add(250 * time.Nanosecond * 1000)
		id := newID(idPrefix, at)
		if id <= previous || id < firstID(at) || id >= firstID(at.Add(time.Millisecond)) || len(id) != 36 {
			t.Fatalf("%s after %s", id, previous)
		}
		previous = id
	}
}

// FuzzJournal feeds anything to the journal's decoder. What it believes must
// survive being written and read again.
func FuzzJournal(f *testing.F) {
	data, last := segmentOf()
	f.Add(data)
	f.Add(data[:last])
	f.Add([]byte(magic + "\x00\x00\x00\x00\x00\x00\x00\x00h{}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, _ := read(data)
		again := []byte(magic)
		for _, h := range r.open {
			again = appendHold(again, h)
			h.interrupted()
		}
		for _, e := range r.settled {
			again = appendRecord(again, settledRecord, e.payload)
		}
		back, whole := read(again)
		if !whole || len(back.settled) != len(r.settled) {
			t.Fatalf("%d receipts became %d", len(r.settled), len(back.settled))
		}
	})
}

func TestTheReceiptOfAnOpenExchangeIsWaitedFor(t *testing.T) {
	j, err := openJournal(t.TempDir(), false)
	if err != nil {
		t.Fatal(err)
	}
	defer j.close()
	if err := j.hold(hold{ID: "rcp_a"}); err != nil {
		t.Fatal(err)
	}
	impatient, cancel := context.WithCancel(t.Context())
	cancel()
	if err := j.settled(impatient, "rcp_a"); starling.KindOf(err) != starling.Cancelled {
		t.Errorf("who gives up is told %v", err)
	}
	if err := j.settled(t.Context(), "rcp_b"); err != nil {
		t.Errorf("an exchange that is not open is waited for: %v", err)
	}
	came := make(chan error, 2)
	for range 2 {
		go func() { came <- j.settled(t.Context(), "rcp_a") }()
	}
	if err := j.settle(newEntry(&starling.Receipt{ID: "rcp_a"})); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := <-came; err != nil {
			t.Error(err)
		}
	}
	if len(j.awaited) != 0 {
		t.Errorf("%d exchanges are still awaited", len(j.awaited))
	}
}

func TestAHoldIsWrittenAsItIsRead(t *testing.T) {
	want := hold{ID: "rcp_a", At: 7, Key: `key_"ä`, Team: "<t>", Skill: "s", Held: 40}
	r, whole := read(appendHold([]byte(magic), want))
	if got := r.open["rcp_a"]; !whole || got != want {
		t.Errorf("%+v is read as %+v", want, got)
	}
}
