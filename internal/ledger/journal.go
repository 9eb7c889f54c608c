package ledger

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"starling"
)

const (
	segmentSize = 8 << 20 // a segment that has grown to this is closed
	journalGlob = "journal-*.log"

	// backlog is how many receipts may wait for the store, about 100 MB of them,
	// before new reservations are refused, and refusals have no receipt.
	backlog = 50_000
)

// A journal is the append-only file in front of the store, and the queue of
// receipts that the store has yet to take. A record is in the kernel's hands
// when hold or settle returns, so it survives the process; with sync it is on
// the disk.
//
// Segments are removed when the store has every receipt in them. The holds that
// are open then were copied to the head of a later segment.
type journal struct {
	dir  string
	sync bool

	mu      sync.Mutex
	file    segment // nil after close
	number  int     // of file
	oldest  int     // of the segments on disk
	size    int64
	limit   int64 // segmentSize, less in tests
	most    int   // backlog, less in tests
	torn    bool  // file ends in a piece of a record that could not be undone
	cramped bool  // file had no room for a receipt; a reservation is smaller
	buf     []byte
	open    map[string]hold
	awaited map[string]chan struct{} // closed when the open exchange of that id is settled
	pending []*entry
	queued  uint64 // ever
	stored  uint64 // ever
	dropped uint64 // ever: receipts of nothing, when too many waited
	waiters []waiter
	wake    chan struct{} // holds a token when something is pending
	hurry   chan struct{} // holds a token when somebody waits for the store

	syncing sync.Mutex
	synced  uint64 // records on the disk
	written uint64 // records ever
}

// A segment is the part of *os.File that a journal needs; tests break it.
type segment interface {
	Write([]byte) (int, error)
	Truncate(int64) error
	Sync() error
	Close() error
}

type waiter struct {
	until uint64
	done  chan error
}

// openJournal begins a new segment after those that recovery has discarded.
func openJournal(dir string, sync bool) (*journal, error) {
	j := &journal{dir: dir, sync: sync, limit: segmentSize, most: backlog, open: map[string]hold{}, awaited: map[string]chan struct{}{}, wake: make(chan struct{}, 1), hurry: make(chan struct{}, 1)}
	if err := j.rotate(); err != nil {
		return nil, unwritable(dir, err)
	}
	j.oldest = j.number
	return j, nil
}

func (j *journal) path(n int) string {
	return filepath.Join(j.dir, fmt.Sprintf("journal-%08d.log", n))
}

// full returns an error when too many receipts wait for the store.
func (j *journal) full() error {
	if j.waiting() > j.most {
		return behind()
	}
	return nil
}

func behind() error {
	return &starling.Error{Kind: starling.Overloaded, Op: "ledger: the store has fallen too far behind", Hint: "look for the store's error in the log"}
}

// hold writes down what an exchange may cost. Where the last receipt found no room, none
// is reserved before there is some: what is asked must be paid, and could not be booked.
func (j *journal) hold(h hold) error {
	j.mu.Lock()
	if j.cramped && j.file != nil {
		if err := j.rotate(); err != nil {
			j.mu.Unlock()
			return j.unwritten(err)
		}
	}
	err := j.write(func(buf []byte) []byte { return appendHold(buf, h) })
	if err == nil {
		j.open[h.ID] = h
	}
	seq := j.written
	j.mu.Unlock()
	return j.settleDisk(seq, err)
}

// settle writes a receipt down and queues it for the store. It is queued even if
// it could not be written: the store may be well while the disk is not. When too
// many wait it is dropped and counted, if nothing hangs on it: refusals come
// without end.
func (j *journal) settle(e *entry) error {
	j.mu.Lock()
	if len(j.pending) > j.most && j.hangsNothingOn(e) {
		j.dropped++
		j.mu.Unlock()
		return behind()
	}
	err := j.write(func(buf []byte) []byte { return appendRecord(buf, settledRecord, e.payload) })
	j.cramped = err != nil
	delete(j.open, e.id)
	lessen(j.open, e)
	if done := j.awaited[e.id]; done != nil {
		close(done)
		delete(j.awaited, e.id)
	}
	j.queue(e)
	seq := j.written
	j.mu.Unlock()
	return j.settleDisk(seq, err)
}

// lessen takes what a part has cost from what its whole holds, which has so much less
// to answer for. It follows from the part's receipt, so that one record says both: a
// process that dies in between has written neither.
func lessen(open map[string]hold, part *entry) {
	if h, ok := open[part.whole]; ok && part.whole != "" {
		h.Held = max(0, h.Held-part.cost)
		open[part.whole] = h
	}
}

// hangsNothingOn reports whether the exchange cost nothing and holds nothing.
func (j *journal) hangsNothingOn(e *entry) bool {
	_, open := j.open[e.id]
	return !open && !e.held && e.cost == 0
}

// settled waits while the exchange of that id is open: whoever reads the last of
// an answer may ask for its receipt a moment before it is written. The error is
// Cancelled.
func (j *journal) settled(ctx context.Context, id string) error {
	j.mu.Lock()
	if _, open := j.open[id]; !open {
		j.mu.Unlock()
		return nil
	}
	done := j.awaited[id]
	if done == nil {
		done = make(chan struct{})
		j.awaited[id] = done
	}
	j.mu.Unlock()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return &starling.Error{Kind: starling.Cancelled, Op: "ledger: the exchange is still under way", Hint: "ask again when it has been answered", Err: ctx.Err()}
	}
}

// enqueue queues receipts that the store itself will remember until it has them.
func (j *journal) enqueue(entries []*entry) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, e := range entries {
		j.queue(e)
	}
}

func (j *journal) queue(e *entry) {
	e.segment = j.number
	j.pending = append(j.pending, e)
	j.queued++
	signal(j.wake)
}

// write appends one record. A write that was cut short is undone, so that the
// next record does not hide behind it.
func (j *journal) write(record func([]byte) []byte) error {
	if j.file == nil {
		return &starling.Error{Kind: starling.Internal, Op: "ledger: it is closed"}
	}
	if j.torn || j.size >= j.limit {
		if err := j.rotate(); err != nil && j.torn { // else the segment just grows
			return j.unwritten(err)
		}
	}
	j.buf = record(j.buf[:0])
	n, err := j.file.Write(j.buf)
	if err != nil {
		j.torn = n > 0 && j.file.Truncate(j.size) != nil
		return j.unwritten(err)
	}
	j.size += int64(n)
	j.written++
	return nil
}

func (j *journal) unwritten(err error) error {
	return &starling.Error{Kind: starling.Internal, Op: "ledger: write the journal in " + j.dir, Hint: "free some disk space", Err: err}
}

// rotate begins a new segment with the holds that are open.
func (j *journal) rotate() error {
	number := j.number + 1
	f, err := os.OpenFile(j.path(number), os.O_CREATE|os.O_EXCL|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	buf := []byte(magic)
	for _, h := range j.open {
		buf = appendHold(buf, h)
	}
	_, err = f.Write(buf)
	if err == nil && j.sync {
		err = j.syncBoth(f)
	}
	if err != nil {
		return errors.Join(err, f.Close(), os.Remove(j.path(number)))
	}
	if j.file != nil {
		j.file.Close()
	}
	j.file, j.number, j.size, j.torn, j.cramped = f, number, int64(len(buf)), false, false
	return nil
}

// syncBoth makes the old segment safe, and the new one with its name, before the
// new one stands for it.
func (j *journal) syncBoth(next *os.File) error {
	err := errors.Join(next.Sync(), syncDir(j.dir))
	if j.file != nil {
		err = errors.Join(err, j.file.Sync())
	}
	j.synced = j.written
	return err
}

// settleDisk waits until the record is on the disk, if that was asked for. One
// sync serves everybody who waited for it.
func (j *journal) settleDisk(seq uint64, err error) error {
	if err != nil || !j.sync {
		return err
	}
	j.syncing.Lock()
	defer j.syncing.Unlock()
	j.mu.Lock()
	file, written, done := j.file, j.written, j.synced >= seq
	j.mu.Unlock()
	if done || file == nil {
		return nil
	}
	if err := file.Sync(); err != nil && !errors.Is(err, fs.ErrClosed) { // a closed segment was synced by rotate
		return &starling.Error{Kind: starling.Internal, Op: "ledger: sync the journal in " + j.dir, Hint: "check the disk", Err: err}
	}
	j.mu.Lock()
	j.synced = max(j.synced, written)
	j.mu.Unlock()
	return nil
}

// front returns up to n receipts that are to be stored next.
func (j *journal) front(n int) []*entry {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.pending[:min(n, len(j.pending))])
}

func (j *journal) waiting() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return len(j.pending)
}

func (j *journal) unkept() uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.dropped
}

// taken says that the store has the first n receipts, and removes the segments
// that nothing is missing from.
func (j *journal) taken(n int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	clear(j.pending[:n])
	j.pending = j.pending[n:]
	j.stored += uint64(n)
	needed := j.number
	if len(j.pending) > 0 {
		needed = j.pending[0].segment
		signal(j.wake)
	} else {
		j.pending = nil
	}
	for ; j.oldest < needed; j.oldest++ {
		os.Remove(j.path(j.oldest))
	}
	j.tell(nil)
}

// failed tells those who wait for the store that it did not take anything.
func (j *journal) failed(err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.tell(err)
	signal(j.wake)
}

// barrier returns a channel that yields nil when all that is queued now is
// stored, or the error of the store if it fails before.
func (j *journal) barrier() <-chan error {
	j.mu.Lock()
	defer j.mu.Unlock()
	w := waiter{until: j.queued, done: make(chan error, 1)}
	j.waiters = append(j.waiters, w)
	if j.file == nil || j.stored >= j.queued {
		j.tell(nil)
	} else {
		signal(j.hurry)
	}
	return w.done
}

func (j *journal) tell(err error) {
	j.waiters = slices.DeleteFunc(j.waiters, func(w waiter) bool {
		if err == nil && w.until > j.stored && j.file != nil {
			return false
		}
		w.done <- err
		return true
	})
}

// close ends the journal and returns how many receipts the store does not have.
// A journal that holds nothing anybody needs is removed.
func (j *journal) close() (pending int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.file == nil {
		return len(j.pending)
	}
	if j.sync {
		j.file.Sync()
	}
	j.file.Close()
	j.file = nil
	j.tell(nil)
	if len(j.pending)+len(j.open) == 0 {
		os.Remove(j.path(j.number))
	}
	return len(j.pending)
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// replay reads what a dead process left.
func replay(dir string) (*recovery, error) {
	files, err := filesLike(dir, journalGlob)
	if err != nil {
		return nil, unwritable(dir, err)
	}
	r := &recovery{open: map[string]hold{}, files: files}
	for i, path := range files {
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, unwritable(dir, err)
		}
		if !r.read(data, i == len(files)-1) {
			r.damaged = append(r.damaged, path)
		}
	}
	return r, nil
}

// discard removes what has been recovered, newest last so that a crash between
// leaves a journal that means the same. Damaged segments are kept aside.
func (r *recovery) discard() error {
	for _, path := range r.files {
		var err error
		if slices.Contains(r.damaged, path) {
			err = os.Rename(path, fmt.Sprintf("%s.damaged-%d", path, time.Now().Unix()))
		} else {
			err = os.Remove(path)
		}
		if err != nil {
			return unwritable(filepath.Dir(path), err)
		}
	}
	return nil
}

// holds returns the exchanges that were open, oldest first.
func (r *recovery) holds() []hold {
	return slices.SortedFunc(maps.Values(r.open), func(a, b hold) int { return int(a.At - b.At) })
}
