package ledger

import (
	"context"
	"crypto/ed25519"
	"database/sql"
	"fmt"
	"path/filepath"
	"slices"

	"starling"
)

// An Audit says how to verify. The zero value verifies everything in silence.
type Audit struct {
	Head     string                  // a published head (hex) that some chain must contain; "" none
	Progress func(done, total int64) // receipts and notes; called now and then, from Verify's goroutine; may be nil
}

// A Report is what Verify found.
type Report struct {
	Receipts    int64         `json:"receipts"`
	Notes       int64         `json:"notes"` // graded outcomes and the like
	Checkpoints int64         `json:"checkpoints"`
	Chains      []ChainReport `json:"chains"`
	Faults      []Fault       `json:"faults"` // the first is where to look first; at most 20 are kept
}

// OK reports whether nothing was wrong.
func (r *Report) OK() bool { return len(r.Faults) == 0 }

// A ChainReport is one chain as it was found. Its Head is what to publish.
type ChainReport struct {
	Chain    string `json:"chain"`
	Receipts int64  `json:"receipts"`
	Notes    int64  `json:"notes"`
	Head     string `json:"head"`
	Anchored bool   `json:"anchored"` // a head file vouches for its end: a missing tail would have been noticed
	Known    bool   `json:"known"`    // it is of a gateway of this data directory, or contains the published head
}

// A Fault is something in the books that is not as it was written.
type Fault struct {
	Chain string `json:"chain,omitempty"`
	Seq   int64  `json:"seq,omitempty"`
	ID    string `json:"id,omitempty"` // of the receipt
	What  string `json:"what"`
}

const mostFaults = 20

func (r *Report) fault(f Fault) {
	if len(r.Faults) < mostFaults {
		r.Faults = append(r.Faults, f)
	}
}

// Verify recomputes everything from the receipts' bytes: every link of every
// chain, every signature, every column and every sum, and compares the ends of
// the chains with the head files in the data directory. It works on one
// consistent view and blocks nobody. Faults are in the report; an error means
// that it could not look.
func (r *Records) Verify(ctx context.Context, a Audit) (*Report, error) {
	heads, err := readHeads(r.dir) // before the view, which so contains them
	if err != nil {
		return nil, unwritable(r.dir, err)
	}
	w := &walk{audit: a, own: r.ownChain(), sums: sums{}, report: &Report{Chains: []ChainReport{}, Faults: []Fault{}}}
	err = r.store.inTx(ctx, r.store.engine.snapshot(), func(tx *sql.Tx) error {
		w.tx = tx
		return w.run(ctx, r.store.engine, heads)
	})
	if err != nil {
		return nil, r.store.engine.explain("verify", err)
	}
	return w.report, nil
}

// ownChain returns the chain of the key in the data directory. Without a key that
// can be read its head file alone vouches for it.
func (r *Records) ownChain() string {
	private, err := readPrivate(filepath.Join(r.dir, keyFile))
	if err != nil {
		return ""
	}
	return chainID(private.Public().(ed25519.PublicKey))
}

// A walk is one verification under way.
type walk struct {
	tx     *sql.Tx
	audit  Audit
	own    string // the chain of the key in the data directory
	report *Report
	sums   sums
	total  int64
	found  bool // the published head
}

func (w *walk) run(ctx context.Context, e engine, heads []headFile) error {
	complaint, err := e.sound(ctx, w.tx)
	if err != nil {
		return err
	}
	if complaint != "" {
		w.report.fault(Fault{What: "the database says of itself: " + complaint})
	}
	if err := w.tx.QueryRowContext(ctx, "SELECT count(*) FROM links").Scan(&w.total); err != nil {
		return err
	}
	if err := w.chains(ctx, heads); err != nil {
		return err
	}
	if !e.shared() {
		w.strangers()
	}
	if w.audit.Head != "" && !w.found {
		w.report.fault(Fault{What: "no chain contains the published head: receipts before it were removed or changed"})
	}
	return w.compareSums(ctx)
}

func (w *walk) chains(ctx context.Context, heads []headFile) error {
	rows, err := w.tx.QueryContext(ctx, "SELECT number, id, public, last FROM chains ORDER BY number")
	if err != nil {
		return err
	}
	var all []*chainWalk
	err = each(rows, func() error {
		c := &chainWalk{walk: w}
		all = append(all, c)
		return rows.Scan(&c.number, &c.id, (*[]byte)(&c.public), &c.last)
	})
	if err != nil {
		return err
	}
	for _, c := range all {
		if err := c.run(ctx); err != nil {
			return err
		}
	}
	if err := w.strays(ctx, all); err != nil {
		return err
	}
	return w.anchor(ctx, all, heads)
}

// strays finds rows that belong to no chain.
func (w *walk) strays(ctx context.Context, all []*chainWalk) error {
	var links, checkpoints int64
	if err := w.tx.QueryRowContext(ctx, "SELECT count(*) FROM checkpoints").Scan(&checkpoints); err != nil {
		return err
	}
	for _, c := range all {
		links += c.receipts + c.notes
	}
	if links != w.total {
		w.report.fault(Fault{What: fmt.Sprintf("%d receipts belong to no chain", w.total-links)})
	}
	if w.report.Checkpoints != checkpoints {
		w.report.fault(Fault{What: fmt.Sprintf("%d checkpoints sign nothing", checkpoints-w.report.Checkpoints)})
	}
	return nil
}

// anchor compares the ends of the chains with the heads that were written down
// outside the store.
func (w *walk) anchor(ctx context.Context, all []*chainWalk, heads []headFile) error {
	for _, head := range heads {
		i := slices.IndexFunc(all, func(c *chainWalk) bool { return isHeadOf(head.path, c.id) })
		if i < 0 {
			w.report.fault(Fault{What: "the chain that " + head.path + " vouches for is not in the store"})
			continue
		}
		if err := w.anchorOne(ctx, all[i], head); err != nil {
			return err
		}
	}
	for _, c := range all {
		w.report.Chains = append(w.report.Chains, ChainReport{Chain: c.id, Receipts: c.receipts, Notes: c.notes, Head: c.prev.String(), Anchored: c.anchored, Known: c.known || c.id == w.own})
	}
	return nil
}

// strangers finds chains that no gateway of this data directory began: a key of
// one's own is all that it takes to sign one.
func (w *walk) strangers() {
	for _, c := range w.report.Chains {
		if !c.Known && c.Receipts+c.Notes > 0 {
			w.report.fault(Fault{Chain: c.Chain, What: "the chain is neither of this directory's key nor of one that left a head file, and contains no published head"})
		}
	}
}

func (w *walk) anchorOne(ctx context.Context, c *chainWalk, file headFile) error {
	said, err := openEnvelope(file.content, c.public)
	if err != nil {
		w.report.fault(Fault{Chain: c.id, What: "the head file " + file.path + " is not signed by the chain's key"})
		return nil
	}
	c.known = true
	head := said.Predicate
	var hash []byte
	err = w.tx.QueryRowContext(ctx, "SELECT hash FROM links WHERE link = $1", linkNumber(c.number, head.Last)).Scan(&hash)
	switch {
	case err == sql.ErrNoRows:
		w.report.fault(Fault{Chain: c.id, Seq: head.Last, What: fmt.Sprintf("the chain ends at %d; the head file says that it had reached %d: its tail was removed", c.seq, head.Last)})
	case err != nil:
		return err
	case head.Chain != c.id || hexOf(hash) != head.Head:
		w.report.fault(Fault{Chain: c.id, Seq: head.Last, What: "the chain is not the one that the head file was written for"})
	default:
		c.anchored = true
	}
	return nil
}

// compareSums compares what budgets are checked against with what the receipts
// sum to.
func (w *walk) compareSums(ctx context.Context) error {
	rows, err := w.tx.QueryContext(ctx, "SELECT scope, name, day, spent FROM spend ORDER BY scope, name, day")
	if err != nil {
		return err
	}
	err = each(rows, func() error {
		var scope, name string
		var on, spent int64
		if err := rows.Scan(&scope, &name, &on, &spent); err != nil {
			return err
		}
		k := spendKey{slices.Index(scopes[:], Scope(scope)), name, day(on)}
		switch sum, ok := w.sums[k]; {
		case !ok: // a sum of nothing is never stored
			w.report.fault(Fault{What: fmt.Sprintf("the sum for %s %q on %d is %s; no receipt counts there", scope, name, on, starling.Money(spent))})
		case int64(sum) != spent:
			w.report.fault(Fault{What: fmt.Sprintf("the sum for %s %q on %d is %s; the receipts say %s", scope, name, on, starling.Money(spent), sum)})
		}
		delete(w.sums, k)
		return nil
	})
	for k, sum := range w.sums {
		w.report.fault(Fault{What: fmt.Sprintf("the sum for %s %q on %d is missing; the receipts say %s", scopes[k.scope], k.name, k.day, sum)})
	}
	return err
}
