package ledger

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/secure-systems-lab/go-securesystemslib/dsse"

	"starling"
)

// kept returns books with a few receipts under several names, closed, and the
// last head.
func kept(t *testing.T, p place) (head string) {
	t.Helper()
	l := p.open(t)
	for i := range 12 {
		run(t, l, ada, 100, 40)
		if i%3 == 0 {
			must(t, l.Flush(context.Background()))
		}
		run(t, l, clerk, 100, 30)
	}
	must(t, l.Flush(context.Background()))
	report := verified(t, l.Records)
	must(t, l.Close())
	return report.Chains[0].Head
}

func reopened(t *testing.T, p place) *Records {
	t.Helper()
	r, err := OpenRecords(context.Background(), p.Options)
	must(t, err)
	t.Cleanup(func() { r.Close() })
	return r
}

func TestVerifyFindsEveryChange(t *testing.T) {
	one := "(1::BIGINT<<40|7)"
	for _, c := range []struct {
		name string
		sql  []string
		want string
	}{
		{"a receipt's cost", []string{"UPDATE receipts SET payload = $2 WHERE link = " + one}, "the receipt or its hash was changed"},
		{"a hash", []string{"UPDATE receipts SET hash = $1 WHERE link = " + one}, "the receipt or its hash was changed"},
		{"a column of cost", []string{"UPDATE receipts SET cost = cost - 1 WHERE link = " + one}, "column cost"},
		{"a column of team", []string{"UPDATE receipts SET team = 'x' WHERE link = " + one}, "column team"},
		{"a column of key", []string{"UPDATE receipts SET key = 'x' WHERE link = " + one}, "column key"},
		{"a column of skill", []string{"UPDATE receipts SET skill = 'x' WHERE link = " + one}, "column skill"},
		{"a column of model", []string{"UPDATE receipts SET model = 'x' WHERE link = " + one}, "column model"},
		{"a column of outcome", []string{"UPDATE receipts SET outcome = 'x' WHERE link = " + one}, "column outcome"},
		{"a column of time", []string{"UPDATE receipts SET time = time + 1 WHERE link = " + one}, "column time"},
		{"a column of reference", []string{"UPDATE receipts SET reference = 1 WHERE link = " + one}, "column reference"},
		{"a column of saved", []string{"UPDATE receipts SET saved = 1 WHERE link = " + one}, "column saved"},
		{"an id", []string{"UPDATE receipts SET id = 'rcp_x' WHERE link = " + one}, "column id"},
		{"a receipt taken out", []string{"DELETE FROM receipts WHERE link = " + one}, "1 receipts are missing"},
		{"the first receipt taken out", []string{"DELETE FROM receipts WHERE link = (1::BIGINT<<40|1)"}, "1 receipts are missing"},
		{"two receipts swapped", []string{
			"UPDATE receipts SET link = 5 WHERE link = " + one, "UPDATE receipts SET link = " + one + " WHERE link = (1::BIGINT<<40|8)",
			"UPDATE receipts SET link = (1::BIGINT<<40|8) WHERE link = 5"}, "the receipt or its hash was changed"},
		{"the tail cut off", []string{"DELETE FROM receipts WHERE link > " + one, "DELETE FROM checkpoints WHERE link > " + one}, "its tail was removed"},
		{"everything removed", []string{"DELETE FROM receipts", "DELETE FROM checkpoints", "DELETE FROM spend"}, "its tail was removed"},
		{"a signature removed", []string{"DELETE FROM checkpoints WHERE link = (SELECT max(link) FROM checkpoints)"}, "not signed"},
		{"a signature changed", []string{"UPDATE checkpoints SET envelope = $3 WHERE link = (SELECT max(link) FROM checkpoints)"}, "checkpoint: "},
		{"a signature of other receipts", []string{"UPDATE checkpoints SET first = first + 1 WHERE link = (SELECT max(link) FROM checkpoints)"}, "covers other receipts"},
		{"a signature from nowhere", []string{"INSERT INTO checkpoints (link, first, envelope) VALUES (9, 9, $1)"}, "sign nothing"},
		{"a sum", []string{"UPDATE spend SET spent = spent - 1 WHERE scope = 'team'"}, `the sum for team "sales"`},
		{"a sum removed", []string{"DELETE FROM spend WHERE scope = 'all'"}, "is missing"},
		{"a sum made up", []string{"INSERT INTO spend (scope, name, day, spent) VALUES ('team', 'x', 20261123, 5)"}, `the sum for team "x"`},
		{"a sum of nothing made up", []string{"INSERT INTO spend (scope, name, day, spent) VALUES ('team', 'x', 20261123, 0)"}, `the sum for team "x"`},
		{"a sum in a scope of its own", []string{"INSERT INTO spend (scope, name, day, spent) VALUES ('moon', 'x', 20261123, 0)"}, `the sum for moon "x"`},
		{"the name of a signature's key removed", []string{"UPDATE checkpoints SET envelope = $4 WHERE link = (SELECT max(link) FROM checkpoints)"}, "not as it was written"},
		{"the key", []string{"UPDATE chains SET public = $1"}, "the chain's key was changed"},
		{"the chain's name", []string{"UPDATE chains SET id = 'x'"}, "the chain's key was changed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			eachStore(t, func(t *testing.T, p place) {
				kept(t, p)
				r := reopened(t, p)
				var payload, envelope []byte
				must(t, r.store.db.QueryRow("SELECT payload FROM receipts WHERE link = "+dialect(p, one)).Scan(&payload))
				must(t, r.store.db.QueryRow("SELECT envelope FROM checkpoints ORDER BY link DESC LIMIT 1").Scan(&envelope))
				for _, text := range c.sql {
					spoil(t, r, dialect(p, text), []byte("0123456789abcdef0123456789abcdef"), anotherByte(payload), anotherByte(envelope), nameless(t, envelope))
				}
				report, err := r.Verify(context.Background(), Audit{})
				must(t, err)
				if !strings.Contains(fmt.Sprint(report.Faults), c.want) {
					t.Fatalf("got %+v, want %q", report.Faults, c.want)
				}
			})
		})
	}
}

// dialect takes the casts out of a statement for SQLite.
func dialect(p place, text string) string {
	if p.URL == "" {
		return strings.ReplaceAll(text, "::BIGINT", "")
	}
	return text
}

// spoil runs a statement with those of the arguments that it names.
func spoil(t *testing.T, r *Records, text string, args ...any) {
	t.Helper()
	var used []any
	for i, a := range args {
		if name := fmt.Sprintf("$%d", i+1); strings.Contains(text, name) {
			used = append(used, a)
			text = strings.ReplaceAll(text, name, fmt.Sprintf("$%d", len(used)))
		}
	}
	_, err := r.store.db.Exec(text, used...)
	must(t, err)
}

// anotherByte changes one bit of one byte somewhere.
func anotherByte(b []byte) []byte {
	b = append([]byte(nil), b...)
	b[rand.IntN(len(b))] ^= 1 << rand.IntN(7)
	return b
}

// nameless takes the key's id out of an envelope, which is no part of what is
// signed.
func nameless(t *testing.T, envelope []byte) []byte {
	t.Helper()
	var e dsse.Envelope
	must(t, json.Unmarshal(envelope, &e))
	e.Signatures[0].KeyID = ""
	out, err := json.Marshal(e)
	must(t, err)
	return out
}

func TestVerifyNamesTheFirstBadReceipt(t *testing.T) {
	eachStore(t, func(t *testing.T, p place) {
		kept(t, p)
		r := reopened(t, p)
		var id string
		must(t, r.store.db.QueryRow("SELECT id FROM receipts ORDER BY link LIMIT 1 OFFSET 4").Scan(&id))
		_, err := r.store.db.Exec("UPDATE receipts SET hash = payload WHERE id >= $1", id)
		must(t, err)
		report, err := r.Verify(context.Background(), Audit{})
		must(t, err)
		if len(report.Faults) == 0 || report.Faults[0].ID != id || report.Faults[0].Seq != 5 {
			t.Fatalf("got %+v, want %s at 5", report.Faults, id)
		}
	})
}

func TestVerifyFindsAnyChangedByteOfAnyReceiptAndSignature(t *testing.T) {
	p := place{Options: Options{Dir: t.TempDir(), Log: quiet()}}
	kept(t, p)
	r := reopened(t, p)
	for _, column := range []string{"receipts.payload", "receipts.hash", "checkpoints.envelope"} {
		table, name, _ := strings.Cut(column, ".")
		for range 150 {
			var link int64
			var was []byte
			must(t, r.store.db.QueryRow("SELECT link, "+name+" FROM "+table+" ORDER BY random() LIMIT 1").Scan(&link, &was))
			set := func(to []byte) {
				_, err := r.store.db.Exec("UPDATE "+table+" SET "+name+" = $1 WHERE link = $2", to, link)
				must(t, err)
			}
			changed := anotherByte(was)
			set(changed)
			report, err := r.Verify(context.Background(), Audit{})
			must(t, err)
			if report.OK() {
				t.Fatalf("%s: nobody saw that\n%q\nbecame\n%q", column, was, changed)
			}
			set(was)
		}
	}
	verified(t, r)
}

func TestAPublishedHeadIsLookedFor(t *testing.T) {
	p := place{Options: Options{Dir: t.TempDir(), Log: quiet()}}
	head := kept(t, p)
	r := reopened(t, p)
	var calls, last int64
	report, err := r.Verify(context.Background(), Audit{Head: head, Progress: func(done, total int64) { calls++; last = total - done }})
	must(t, err)
	if !report.OK() || calls == 0 || last != 0 || !report.Chains[0].Anchored {
		t.Fatalf("got %+v after %d calls", report, calls)
	}
	report, err = r.Verify(context.Background(), Audit{Head: strings.Repeat("0", 64)})
	must(t, err)
	if report.OK() || !strings.Contains(report.Faults[0].What, "published head") {
		t.Fatalf("got %+v", report)
	}
}

func TestACutTailStaysKnownAfterTheGatewayWentOn(t *testing.T) {
	eachStore(t, func(t *testing.T, p place) {
		kept(t, p)
		r := reopened(t, p)
		for _, table := range []string{"receipts", "checkpoints"} {
			_, err := r.store.db.Exec(dialect(p, "DELETE FROM "+table+" WHERE link > (SELECT link FROM checkpoints ORDER BY link LIMIT 1)"))
			must(t, err)
		}
		l := p.open(t)
		if !l.Health().Lost {
			t.Fatal("nobody is told")
		}
		for range 30 {
			run(t, l, ada, 10, 5)
		}
		must(t, l.Close())
		report, err := r.Verify(context.Background(), Audit{})
		must(t, err)
		if report.OK() || !strings.Contains(fmt.Sprint(report.Faults), "head file") {
			t.Fatalf("got %+v", report.Faults)
		}
	})
}

func TestALostKeyBeginsANewChainBesideTheOld(t *testing.T) {
	eachStore(t, func(t *testing.T, p place) {
		kept(t, p)
		must(t, os.Remove(p.Dir+"/"+keyFile))
		l := p.open(t)
		run(t, l, ada, 10, 5)
		must(t, l.Flush(context.Background()))
		if report := verified(t, l.Records); len(report.Chains) != 2 || report.Chains[0].Receipts != 24 || report.Chains[1].Receipts != 1 {
			t.Fatalf("got %+v", report)
		} else if !report.Chains[0].Known || !report.Chains[1].Known {
			t.Fatalf("one of the chains is not known: %+v", report.Chains)
		}
	})
}

// forged adds a receipt to the store, in a chain of a key that no gateway has.
func forged(t *testing.T, r *Records, cost starling.Money) {
	t.Helper()
	s, err := openSigner(filepath.Join(t.TempDir(), keyFile))
	must(t, err)
	c, err := r.store.openChain(context.Background(), s)
	must(t, err)
	at := time.Now().UTC()
	e := newEntry(&starling.Receipt{ID: newID(idPrefix, at), Time: at, Team: "sales", Outcome: starling.Answered, Cost: cost})
	_, err = r.store.append(context.Background(), c, []*entry{e}, sure)
	must(t, err)
}

func TestAChainOfNobodyHereIsAFault(t *testing.T) {
	eachStore(t, func(t *testing.T, p place) {
		kept(t, p)
		r := reopened(t, p)
		forged(t, r, 5)
		report, err := r.Verify(context.Background(), Audit{})
		must(t, err)
		if len(report.Chains) != 2 || !report.Chains[0].Known || report.Chains[1].Known {
			t.Fatalf("got %+v", report.Chains)
		}
		if r.store.engine.shared() { // it may be of another gateway
			if !report.OK() {
				t.Fatalf("got %+v", report.Faults)
			}
			return
		}
		if !strings.Contains(fmt.Sprint(report.Faults), "neither of this directory's key") || report.Faults[0].Chain != report.Chains[1].Chain {
			t.Fatalf("got %+v", report.Faults)
		}
	})
}

func TestANegativeCostIsAFaultWhoeverSignedIt(t *testing.T) {
	eachStore(t, func(t *testing.T, p place) {
		kept(t, p)
		r := reopened(t, p)
		forged(t, r, -900)
		report, err := r.Verify(context.Background(), Audit{})
		must(t, err)
		if !strings.Contains(fmt.Sprint(report.Faults), "its cost is negative") {
			t.Fatalf("got %+v", report.Faults)
		}
	})
}

func TestAChainWhoseKeyAndHeadFileAreGoneIsKnownByAPublishedHead(t *testing.T) {
	p := place{Options: Options{Dir: t.TempDir(), Log: quiet()}}
	head := kept(t, p)
	heads, err := headFiles(p.Dir)
	must(t, err)
	must(t, os.Remove(heads[0]))
	r := reopened(t, p)
	verified(t, r) // its key is there
	must(t, os.Remove(filepath.Join(p.Dir, keyFile)))
	report, err := r.Verify(context.Background(), Audit{})
	must(t, err)
	if report.OK() {
		t.Fatal("nothing vouches for the chain")
	}
	report, err = r.Verify(context.Background(), Audit{Head: head})
	must(t, err)
	if !report.OK() || !report.Chains[0].Known {
		t.Fatalf("got %+v", report)
	}
}
