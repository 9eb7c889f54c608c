package ledger

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"iter"
	"path/filepath"
	"time"

	"starling"
	"starling/internal/evidence"
)

// The kinds of notes.
const (
	outcomeNote   = "outcome"
	outcomePrefix = "out_"
)

// A note is what is in a chain beside receipts: its exact bytes, and the columns
// by which it is found. Anybody who has the key may append one, the gateway and
// commands beside it; a note is in the store or nowhere, and in no journal.
type note struct {
	linked
	kind      string
	skill     string
	candidate string
	name      string
}

// outcomePayload is the JSON of an outcome. What has a type is no receipt.
type outcomePayload struct {
	Type string `json:"type"`
	*evidence.Outcome
}

func noteOfOutcome(o *evidence.Outcome) (*note, error) {
	payload, err := json.Marshal(outcomePayload{outcomeNote, o})
	if err != nil {
		return nil, &starling.Error{Kind: starling.Invalid, Op: "ledger: write down an outcome", Err: err}
	}
	return &note{
		linked: linked{o.ID, payload, o.Time.UnixNano()},
		kind:   outcomeNote, skill: column(o.Skill), candidate: column(o.Candidate), name: column(o.Case),
	}, nil
}

// readNote is the inverse.
func readNote(payload []byte) (*note, error) {
	o := new(evidence.Outcome)
	p := outcomePayload{Outcome: o}
	if err := json.Unmarshal(payload, &p); err != nil {
		return nil, err
	}
	n, err := noteOfOutcome(o)
	if err == nil && p.Type != outcomeNote {
		err = fmt.Errorf("a note of the type %q", cut(p.Type, 32))
	}
	return n, err
}

// AddOutcomes writes outcomes down, gives them their ids, and returns when the
// store has them, chained and signed. They may be added beside a running gateway.
// Errors: Invalid for an outcome that is none; then no outcome is added. After any
// other the first few may have been.
func (r *Records) AddOutcomes(ctx context.Context, outcomes []evidence.Outcome) error {
	notes := make([]*note, len(outcomes))
	for i := range outcomes {
		o := &outcomes[i]
		if err := o.Check(); err != nil {
			return err
		}
		o.ID, o.Time = newID(outcomePrefix, time.Now()), o.Time.UTC()
		o.Why, o.Model = shorten(o.Why, longestWhy), shorten(o.Model, longestName)
		n, err := noteOfOutcome(o)
		if err != nil {
			return err
		}
		notes[i] = n
	}
	for len(notes) > 0 {
		n := min(len(notes), batchSize)
		if err := r.note(ctx, notes[:n]); err != nil {
			return r.store.engine.explain("write down outcomes", err)
		}
		notes = notes[n:]
	}
	return nil
}

// note appends notes to the chain of the directory's key.
func (r *Records) note(ctx context.Context, notes []*note) error {
	signer, err := openSigner(filepath.Join(r.dir, keyFile))
	if err != nil {
		return err
	}
	c, err := r.store.openChain(ctx, signer)
	if err != nil {
		return err
	}
	var b *batch
	err = r.store.inTx(ctx, nil, func(tx *sql.Tx) error {
		if err := c.find(ctx, tx); err != nil {
			return err
		}
		if b, err = seal(c, notes, time.Now()); err != nil {
			return err
		}
		return r.store.insertNotes(ctx, tx, c, b, notes)
	})
	if err != nil {
		return err
	}
	return writeHead(r.dir, c, b)
}

func (s *store) insertNotes(ctx context.Context, tx *sql.Tx, c *chain, b *batch, notes []*note) error {
	if err := c.sign(ctx, tx, b); err != nil {
		return err
	}
	rows := make([][]any, len(notes))
	for i, n := range notes {
		rows[i] = []any{linkNumber(c.number, b.first+int64(i)), n.id, n.time, n.kind, n.skill, n.candidate, n.name, b.links[i][:], n.payload}
	}
	return s.insertRows(ctx, tx, "INSERT INTO notes (link, id, time, kind, skill, candidate, name, hash, payload) VALUES ", "", rows)
}

// Outcomes yields the outcomes of a skill and of one of its candidates, of all if
// they are "", chain by chain in the order in which they were written down. It
// reads them a page at a time. After an error nothing follows.
func (r *Records) Outcomes(ctx context.Context, skill, candidate string) iter.Seq2[*evidence.Outcome, error] {
	return func(yield func(*evidence.Outcome, error) bool) {
		for after := int64(0); ; {
			found, last, err := r.outcomes(ctx, skill, candidate, after)
			if err != nil {
				yield(nil, r.store.engine.explain("read outcomes", err))
				return
			}
			for _, o := range found {
				if !yield(o, nil) {
					return
				}
			}
			if len(found) < page {
				return
			}
			after = last
		}
	}
}

func (r *Records) outcomes(ctx context.Context, skill, candidate string, after int64) (found []*evidence.Outcome, last int64, err error) {
	rows, err := r.store.db.QueryContext(ctx, fmt.Sprintf(`SELECT link, payload FROM notes
		WHERE ($1 = '' OR skill = $1) AND kind = $2 AND link > $3 AND ($4 = '' OR candidate = $4) ORDER BY link LIMIT %d`, page),
		column(skill), outcomeNote, after, column(candidate))
	if err != nil {
		return nil, 0, err
	}
	err = each(rows, func() error {
		var payload []byte
		if err := rows.Scan(&last, &payload); err != nil {
			return err
		}
		o := new(evidence.Outcome)
		found = append(found, o)
		return json.Unmarshal(payload, o)
	})
	return found, last, err
}
