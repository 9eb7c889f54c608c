package ledger

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"path/filepath"
	"slices"
	"time"

	"starling"
	"starling/internal/evidence"
)

// The kinds of notes.
const (
	outcomeNote    = "outcome"
	warrantNote    = "warrant"
	revocationNote = "revocation"
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

// What has a type is no receipt.
type (
	outcomePayload struct {
		Type string `json:"type"`
		*evidence.Outcome
	}
	warrantPayload struct {
		Type string `json:"type"`
		*evidence.Warrant
	}
	revocationPayload struct {
		Type string `json:"type"`
		*evidence.Revocation
	}
)

// noteOf encodes what has its id and time.
func noteOf(n evidence.Note) (*note, error) {
	var made note
	var payload any
	switch {
	case n.Outcome != nil:
		o := n.Outcome
		payload = outcomePayload{outcomeNote, o}
		made = note{linked{o.ID, nil, o.Time.UnixNano()}, outcomeNote, o.Skill, o.Candidate, o.Case}
	case n.Warrant != nil:
		w := n.Warrant
		payload = warrantPayload{warrantNote, w}
		made = note{linked{w.ID, nil, w.Time.UnixNano()}, warrantNote, w.Skill, w.Candidate, w.Model}
	default:
		r := n.Revocation
		payload = revocationPayload{revocationNote, r}
		made = note{linked{r.ID, nil, r.Time.UnixNano()}, revocationNote, r.Skill, r.Candidate, r.Warrant}
	}
	made.skill, made.candidate, made.name = column(made.skill), column(made.candidate), column(made.name)
	var err error
	if made.payload, err = json.Marshal(payload); err != nil {
		return nil, &starling.Error{Kind: starling.Invalid, Op: "ledger: write down a note", Err: err}
	}
	return &made, nil
}

// readNote reads a payload and what it says.
func readNote(payload []byte) (*note, error) {
	n, err := decodeNote(payload)
	if err != nil {
		return nil, err
	}
	return noteOf(n)
}

func decodeNote(payload []byte) (n evidence.Note, err error) {
	var typed struct {
		Type string `json:"type"`
	}
	if err := json.Unmarshal(payload, &typed); err != nil {
		return n, err
	}
	switch typed.Type {
	case outcomeNote:
		n.Outcome = new(evidence.Outcome)
		err = json.Unmarshal(payload, n.Outcome)
	case warrantNote:
		n.Warrant = new(evidence.Warrant)
		err = json.Unmarshal(payload, n.Warrant)
	case revocationNote:
		n.Revocation = new(evidence.Revocation)
		err = json.Unmarshal(payload, n.Revocation)
	default:
		err = fmt.Errorf("a note of the type %q", cut(typed.Type, 32))
	}
	return n, err
}

// name gives a note its id, and bounds its texts.
func name(n evidence.Note, now time.Time) {
	switch {
	case n.Outcome != nil:
		o := n.Outcome
		o.ID, o.Time = newID("out_", now), o.Time.UTC()
		o.Why, o.Model = shorten(o.Why, longestWhy), shorten(o.Model, longestName)
	case n.Warrant != nil:
		w := n.Warrant
		w.ID, w.Time, w.Expires = newID("war_", now), w.Time.UTC(), w.Expires.UTC()
		w.Model, w.Reference = shorten(w.Model, longestName), shorten(w.Reference, longestName)
	default:
		r := n.Revocation
		r.ID, r.Time = newID("rev_", now), r.Time.UTC()
		r.Why, r.Model = shorten(r.Why, longestWhy), shorten(r.Model, longestName)
	}
}

// AddNotes writes notes down, gives them their ids, and returns when the store has
// them, chained and signed. They may be added beside a running gateway. Errors:
// Invalid for a note that is none; then no note is added. After any other the
// first few may have been.
func (r *Records) AddNotes(ctx context.Context, all ...evidence.Note) error {
	for _, n := range all {
		if err := n.Check(); err != nil {
			return err
		}
	}
	notes := make([]*note, len(all))
	for i, n := range all {
		name(n, time.Now())
		var err error
		if notes[i], err = noteOf(n); err != nil {
			return err
		}
	}
	for some := range slices.Chunk(notes, batchSize) {
		if err := r.note(ctx, some); err != nil {
			return r.store.engine.explain("write down notes", err)
		}
	}
	return nil
}

// AddOutcomes is AddNotes for outcomes alone; their ids are written into them.
func (r *Records) AddOutcomes(ctx context.Context, outcomes []evidence.Outcome) error {
	all := make([]evidence.Note, len(outcomes))
	for i := range outcomes {
		all[i].Outcome = &outcomes[i]
	}
	return r.AddNotes(ctx, all...)
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
		kind, skill, candidate := outcomeNote, column(skill), column(candidate)
		for n, err := range r.pages(ctx, 0, "kind = $2 AND ($3 = '' OR skill = $3) AND ($4 = '' OR candidate = $4)", kind, skill, candidate) {
			if !yield(n.Outcome, err) {
				return
			}
		}
	}
}

// A Place is how far the notes of each chain were read: by the chain's number, the
// link behind which to go on. The zero value is the beginning.
type Place map[int64]int64

// Notes yields the notes behind a place, chain by chain in the order in which they
// were written down, and moves the place along. After an error nothing follows.
func (r *Records) Notes(ctx context.Context, p *Place) iter.Seq2[evidence.Note, error] {
	return func(yield func(evidence.Note, error) bool) {
		ends, err := r.ends(ctx)
		if err != nil {
			yield(evidence.Note{}, r.store.engine.explain("read notes", err))
			return
		}
		if *p == nil {
			*p = Place{}
		}
		for _, number := range slices.Sorted(maps.Keys(ends)) {
			after, end := max((*p)[number], linkNumber(number, 0)), ends[number]
			if after >= end {
				continue
			}
			for n, err := range r.pages(ctx, after, "link <= $2", end) {
				if !yield(n, err) || err != nil {
					return
				}
			}
			(*p)[number] = end
		}
	}
}

// ends returns the last link of each chain.
func (r *Records) ends(ctx context.Context) (map[int64]int64, error) {
	rows, err := r.store.db.QueryContext(ctx, "SELECT number, last FROM chains")
	if err != nil {
		return nil, err
	}
	ends := map[int64]int64{}
	return ends, each(rows, func() error {
		var number, last int64
		err := rows.Scan(&number, &last)
		ends[number] = linkNumber(number, last)
		return err
	})
}

// pages yields the notes behind a link that fulfil a condition, whose arguments
// begin with $2.
func (r *Records) pages(ctx context.Context, after int64, condition string, args ...any) iter.Seq2[evidence.Note, error] {
	return func(yield func(evidence.Note, error) bool) {
		for {
			found, last, err := r.notesPage(ctx, after, condition, args)
			if err != nil {
				yield(evidence.Note{}, r.store.engine.explain("read notes", err))
				return
			}
			for _, n := range found {
				if !yield(n, nil) {
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

func (r *Records) notesPage(ctx context.Context, after int64, condition string, args []any) (found []evidence.Note, last int64, err error) {
	rows, err := r.store.db.QueryContext(ctx, fmt.Sprintf("SELECT link, payload FROM notes WHERE link > $1 AND %s ORDER BY link LIMIT %d", condition, page), append([]any{after}, args...)...)
	if err != nil {
		return nil, 0, err
	}
	err = each(rows, func() error {
		var payload []byte
		if err := rows.Scan(&last, &payload); err != nil {
			return err
		}
		n, err := decodeNote(payload)
		found = append(found, n)
		return err
	})
	return found, last, err
}
