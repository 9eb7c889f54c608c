package ledger

import (
	"context"
	"sync"
	"time"

	"starling/internal/evidence"
)

// A Follower keeps a board up to date with the notes of all chains: its gateway's
// own, those of commands beside it and of other gateways. The zero value with
// Records and Board set is ready. Safe for concurrent use.
type Follower struct {
	Records *Records
	Board   *evidence.Board
	Revoked func(*evidence.Revocation) // is told of each that is due, once; nil is told nothing

	mu    sync.Mutex
	place Place
}

// Catch folds in what is new, and writes down the revocations that are due from
// it. They are in force on the board whether or not that succeeds; what was not
// written down is due again when the board is made anew.
func (f *Follower) Catch(ctx context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for n, err := range f.Records.Notes(ctx, &f.place) {
		if err != nil {
			return err
		}
		f.Board.Fold(n)
	}
	var due []evidence.Note
	for _, r := range f.Board.Due(time.Now()) {
		if f.Revoked != nil {
			f.Revoked(r)
		}
		due = append(due, evidence.Note{Revocation: r})
	}
	if len(due) == 0 {
		return nil
	}
	return f.Records.AddNotes(ctx, due...)
}
