package ledger

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"path/filepath"
	"strings"
)

// A chainWalk follows one chain from its first link to its last.
type chainWalk struct {
	*walk
	number   int64
	id       string
	public   ed25519.PublicKey
	last     int64 // as the table of chains has it
	anchored bool
	known    bool // by a head file or the published head

	seq      int64     // of the last link seen
	receipts int64     // seen
	notes    int64     // seen
	prev     digest    // the hash after it
	subjects []subject // since the last checkpoint
	before   digest    // the hash before the first of them
}

// signed is a checkpoint as it is stored.
type signed struct {
	last, first int64
	envelope    []byte
}

// stored is a receipt or a note as it is stored.
type stored struct {
	link  int64
	entry      // of a note only what is linked, and its skill
	note  note // the rest; its kind is "" for a receipt
	hash  []byte
}

func (c *chainWalk) fault(seq int64, id, what string) {
	c.report.fault(Fault{Chain: c.id, Seq: seq, ID: id, What: what})
}

func (c *chainWalk) run(ctx context.Context) error {
	if len(c.public) != ed25519.PublicKeySize || chainID(c.public) != c.id {
		c.fault(0, "", "the chain's key was changed")
	}
	c.prev = genesis(c.public)
	c.before = c.prev
	end := linkNumber(c.number+1, 0)
	for at := linkNumber(c.number, 0); ; {
		checkpoints, err := c.checkpoints(ctx, at, end)
		if err != nil {
			return err
		}
		until := end // behind the last checkpoint: nothing, or unsigned receipts
		if len(checkpoints) > 0 {
			until = checkpoints[len(checkpoints)-1].last
		}
		if err := c.follow(ctx, at, until, checkpoints); err != nil {
			return err
		}
		if at = until; len(checkpoints) == 0 {
			break
		}
	}
	if len(c.subjects) > 0 {
		c.fault(c.seq, c.subjects[0].Name, "the last receipts of the chain are not signed")
	}
	if c.last != c.seq {
		c.fault(c.seq, "", fmt.Sprintf("the chain ends at %d; its table says %d", c.seq, c.last))
	}
	return nil
}

// checkpoints returns the next few checkpoints after a link.
func (c *chainWalk) checkpoints(ctx context.Context, after, end int64) ([]signed, error) {
	rows, err := c.tx.QueryContext(ctx, "SELECT link, first, envelope FROM checkpoints WHERE link > $1 AND link < $2 ORDER BY link LIMIT 100", after, end)
	if err != nil {
		return nil, err
	}
	var all []signed
	err = each(rows, func() error {
		var s signed
		err := rows.Scan(&s.last, &s.first, &s.envelope)
		all = append(all, s)
		return err
	})
	c.report.Checkpoints += int64(len(all))
	return all, err
}

// follow walks the receipts and notes up to a link and the checkpoints between
// them.
func (c *chainWalk) follow(ctx context.Context, after, until int64, checkpoints []signed) error {
	rows, err := c.tx.QueryContext(ctx, `SELECT link, id, time, key, team, skill, model, outcome, cost, reference, saved, hash, payload, '' AS kind, '' AS candidate, '' AS name
			FROM receipts WHERE link > $1 AND link <= $2
		UNION ALL
		SELECT link, id, time, '', '', skill, '', '', 0, 0, 0, hash, payload, kind, candidate, name
			FROM notes WHERE link > $1 AND link <= $2
		ORDER BY link`, after, until)
	if err != nil {
		return err
	}
	err = each(rows, func() error {
		var s stored
		err := rows.Scan(&s.link, &s.id, &s.time, &s.key, &s.team, &s.skill, &s.model, &s.outcome, &s.cost, &s.ref, &s.saved, &s.hash, &s.payload, &s.note.kind, &s.note.candidate, &s.note.name)
		if err != nil {
			return err
		}
		for len(checkpoints) > 0 && checkpoints[0].last < s.link { // its last receipt is missing
			c.checkpoint(checkpoints[0])
			checkpoints = checkpoints[1:]
		}
		c.one(&s)
		if len(checkpoints) > 0 && checkpoints[0].last == s.link {
			c.checkpoint(checkpoints[0])
			checkpoints = checkpoints[1:]
		}
		return ctx.Err()
	})
	for _, s := range checkpoints {
		c.checkpoint(s)
	}
	return err
}

// one follows one link. After a fault it goes on from what is stored, so that one
// changed receipt is one fault.
func (c *chainWalk) one(s *stored) {
	seq := s.link - linkNumber(c.number, 0)
	gap := seq != c.seq+1
	if gap {
		c.fault(c.seq+1, "", fmt.Sprintf("%d receipts are missing before %s", seq-c.seq-1, s.id))
	}
	sum := digest(sha256.Sum256(s.payload))
	next := c.prev.link(sum)
	if !gap && hexOf(s.hash) != next.String() {
		c.fault(seq, s.id, "the receipt or its hash was changed")
	}
	if what := s.mismatch(); what != "" {
		c.fault(seq, s.id, what)
	}
	copy(next[:], s.hash)
	c.seq, c.prev = seq, next
	c.subjects = append(c.subjects, subjectOf(s.id, sum))
	c.sums.add(&s.entry)
	c.count(s, next)
}

func (c *chainWalk) count(s *stored, head digest) {
	if s.note.kind == "" {
		c.receipts++
		c.report.Receipts++
	} else {
		c.notes++
		c.report.Notes++
	}
	if head.String() == c.audit.Head {
		c.found, c.known = true, true
	}
	if done := c.report.Receipts + c.report.Notes; c.audit.Progress != nil && (done%1000 == 0 || done == c.total) {
		c.audit.Progress(done, c.total)
	}
}

// mismatch compares the columns with the receipt or the note. Either would be
// hidden in the other's table.
func (s *stored) mismatch() string {
	if s.note.kind != "" {
		return s.noteMismatch()
	}
	r, err := DecodeReceipt(s.payload)
	if err != nil {
		return "the receipt cannot be read"
	}
	if !strings.HasPrefix(s.id, idPrefix) {
		return "what is no receipt is among the receipts"
	}
	want := entryOf(r, s.payload)
	for _, c := range []struct {
		name string
		same bool
	}{
		{"id", want.id == s.id}, {"time", want.time == s.time}, {"key", want.key == s.key}, {"team", want.team == s.team},
		{"skill", want.skill == s.skill}, {"model", want.model == s.model}, {"outcome", want.outcome == s.outcome},
		{"cost", want.cost == s.cost}, {"reference", want.ref == s.ref}, {"saved", want.saved == s.saved},
	} {
		if !c.same {
			return "its column " + c.name + " is not what the receipt says"
		}
	}
	if r.Cost < 0 { // which would make room under a cap
		return "its cost is negative"
	}
	return ""
}

func (s *stored) noteMismatch() string {
	want, err := readNote(s.payload)
	if err != nil {
		return "the note cannot be read"
	}
	for _, c := range []struct {
		name string
		same bool
	}{
		{"id", want.id == s.id}, {"time", want.time == s.time}, {"kind", want.kind == s.note.kind}, {"skill", want.skill == s.skill},
		{"candidate", want.candidate == s.note.candidate}, {"name", want.name == s.note.name},
	} {
		if !c.same {
			return "its column " + c.name + " is not what the note says"
		}
	}
	return ""
}

// checkpoint compares a signed statement with the receipts that were walked
// since the one before.
func (c *chainWalk) checkpoint(s signed) {
	subjects, before := c.subjects, c.before
	c.subjects, c.before = nil, c.prev
	last := s.last - linkNumber(c.number, 0)
	st, err := openEnvelope(s.envelope, c.public)
	if err != nil {
		c.fault(last, "", "checkpoint: "+err.Error())
		return
	}
	p := st.Predicate
	if p.Chain != c.id || p.Last != last || linkNumber(c.number, p.First) != s.first || int64(len(subjects)) != p.Last-p.First+1 {
		c.fault(last, "", "the checkpoint covers other receipts than are there")
		return
	}
	for i, want := range st.Subject {
		if i >= len(subjects) || subjects[i] != want {
			c.fault(p.First+int64(i), want.Name, "the receipt is not the one that was signed")
			return
		}
	}
	if p.Prev != before.String() || p.Head != c.prev.String() || len(st.Subject) != len(subjects) {
		c.fault(last, "", "the checkpoint signs other links than are there")
	}
}

func isHeadOf(path, chain string) bool {
	return len(chain) >= 16 && strings.HasPrefix(filepath.Base(path), "head-"+chain[:16])
}
