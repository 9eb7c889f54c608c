package ledger

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"starling"
	"starling/internal/evidence"
)

// graded is the i-th outcome of a skill, of one of two candidates.
func graded(i int) evidence.Outcome {
	return evidence.Outcome{
		Time: time.Date(2026, 11, 23, 12, 0, i, 5, time.UTC), Skill: "triage", Rubric: "ab12", Candidate: fmt.Sprintf("candidate-%d", i%2), Model: "near/small",
		Case: fmt.Sprintf("case-%d", i), Grade: float64(i%3) / 2, Why: "the label is another", Confidence: 0.25, Cost: 7, Took: time.Second,
		Source: evidence.FromCase,
	}
}

func outcomes(n int) []evidence.Outcome {
	all := make([]evidence.Outcome, n)
	for i := range all {
		all[i] = graded(i)
	}
	return all
}

func found(t *testing.T, r *Records, skill, candidate string) []evidence.Outcome {
	t.Helper()
	var all []evidence.Outcome
	for o, err := range r.Outcomes(context.Background(), skill, candidate) {
		must(t, err)
		all = append(all, *o)
	}
	return all
}

func TestOutcomesAreReadAsTheyWereWritten(t *testing.T) {
	eachStore(t, func(t *testing.T, p place) {
		r := reopened(t, p)
		want := outcomes(batchSize + page + 7)
		must(t, r.AddOutcomes(context.Background(), want))
		if diff := cmp.Diff(want, found(t, r, "triage", "")); diff != "" {
			t.Fatal(diff)
		}
		if got := found(t, r, "triage", "candidate-1"); len(got) != len(want)/2 || got[0].Case != "case-1" {
			t.Fatalf("%d outcomes of one candidate", len(got))
		}
		if got := found(t, r, "another", ""); len(got) != 0 {
			t.Fatalf("%d outcomes of another skill", len(got))
		}
		report := verified(t, r)
		if report.Notes != int64(len(want)) || report.Receipts != 0 || !report.Chains[0].Anchored || !report.Chains[0].Known {
			t.Fatalf("got %+v", report)
		}
	})
}

func TestWhatIsNoOutcomeIsRefusedBeforeAnyIsAdded(t *testing.T) {
	r := reopened(t, place{Options: Options{Dir: t.TempDir(), Log: quiet()}})
	for name, spoil := range map[string]func(*evidence.Outcome){
		"no skill":            func(o *evidence.Outcome) { o.Skill = "" },
		"no candidate":        func(o *evidence.Outcome) { o.Candidate = "" },
		"no case":             func(o *evidence.Outcome) { o.Case = "" },
		"more than right":     func(o *evidence.Outcome) { o.Grade = 1.5 },
		"a source of its own": func(o *evidence.Outcome) { o.Source = "rumour" },
		"no time":             func(o *evidence.Outcome) { o.Time = time.Time{} },
		"too sure":            func(o *evidence.Outcome) { o.Confidence = 2 },
	} {
		all := outcomes(3)
		spoil(&all[2])
		wantKind(t, r.AddOutcomes(context.Background(), all), starling.Invalid)
		if got := found(t, r, "triage", ""); len(got) != 0 {
			t.Errorf("%s: %d outcomes were added", name, len(got))
		}
	}
}

// TestNotesAreAddedBesideARunningGateway: by it and by a command at the same
// time, and neither loses anything or forks the chain.
func TestNotesAreAddedBesideARunningGateway(t *testing.T) {
	eachStore(t, func(t *testing.T, p place) {
		l := p.open(t)
		command := reopened(t, p)
		var all sync.WaitGroup
		for _, r := range []*Records{l.Records, command} {
			all.Go(func() {
				for i := range 15 {
					if err := r.AddOutcomes(context.Background(), []evidence.Outcome{graded(i), graded(i)}); err != nil {
						t.Error(err)
					}
				}
			})
		}
		for range 60 {
			run(t, l, ada, 100, 40)
			time.Sleep(time.Millisecond)
		}
		all.Wait()
		must(t, l.Flush(context.Background()))
		if h := l.Health(); h.Failing != nil {
			t.Fatal(h.Failing)
		}
		must(t, l.Close())
		report := verified(t, command)
		if len(report.Chains) != 1 || report.Receipts != 60 || report.Notes != 60 || !report.Chains[0].Anchored {
			t.Fatalf("got %+v", report)
		}
		// Who opens it again goes on where the last of them ended.
		l = p.open(t)
		run(t, l, ada, 100, 40)
		must(t, l.Flush(context.Background()))
		verified(t, l.Records)
	})
}

func TestVerifyFindsEveryChangeOfANote(t *testing.T) {
	if testing.Short() {
		t.Skip("one goroutine changes and verifies; TestCommandsReadBesideARunningGateway verifies beside another")
	}
	one := "(1::BIGINT<<40|26)" // the second of three, behind 24 receipts
	for _, c := range []struct {
		name string
		sql  []string
		want string
	}{
		{"its bytes", []string{"UPDATE notes SET payload = $2 WHERE link = " + one}, "the receipt or its hash was changed"},
		{"its hash", []string{"UPDATE notes SET hash = $1 WHERE link = " + one}, "the receipt or its hash was changed"},
		{"its id", []string{"UPDATE notes SET id = 'out_x' WHERE link = " + one}, "column id"},
		{"its time", []string{"UPDATE notes SET time = time + 1 WHERE link = " + one}, "column time"},
		{"its kind", []string{"UPDATE notes SET kind = 'x' WHERE link = " + one}, "column kind"},
		{"its skill", []string{"UPDATE notes SET skill = 'x' WHERE link = " + one}, "column skill"},
		{"its candidate", []string{"UPDATE notes SET candidate = 'x' WHERE link = " + one}, "column candidate"},
		{"its case", []string{"UPDATE notes SET name = 'x' WHERE link = " + one}, "column name"},
		{"it is taken out", []string{"DELETE FROM notes WHERE link = " + one}, "1 receipts are missing"},
		{"all are taken off the end", []string{"DELETE FROM checkpoints WHERE link >= " + one, "DELETE FROM notes", "UPDATE chains SET last = 24"}, "its tail was removed"},
		{"it is hidden among the receipts", []string{
			"INSERT INTO receipts SELECT link, id, time, '', '', '', '', '', 0, 0, 0, hash, payload FROM notes WHERE link = " + one,
			"DELETE FROM notes WHERE link = " + one}, "what is no receipt is among the receipts"},
		{"a receipt is hidden among them", []string{
			"INSERT INTO notes SELECT link, id, time, 'outcome', skill, '', '', hash, payload FROM receipts WHERE link = (1::BIGINT<<40|7)",
			"DELETE FROM receipts WHERE link = (1::BIGINT<<40|7)"}, "the note cannot be read"},
		{"the place of the end", []string{"UPDATE chains SET last = 3"}, "the chain ends at 27; its table says 3"},
		{"one from nowhere", []string{"INSERT INTO notes (link, id, time, kind, skill, candidate, name, hash, payload) VALUES (9, 'out_9', 9, 'outcome', '', '', '', $1, $1)"}, "belong to no chain"},
	} {
		t.Run(c.name, func(t *testing.T) {
			eachStore(t, func(t *testing.T, p place) {
				kept(t, p)
				r := reopened(t, p)
				must(t, r.AddOutcomes(context.Background(), outcomes(3)))
				verified(t, r)
				var payload []byte
				must(t, r.store.db.QueryRow("SELECT payload FROM notes WHERE link = "+dialect(p, one)).Scan(&payload))
				for _, text := range c.sql {
					spoil(t, r, dialect(p, text), []byte("0123456789abcdef0123456789abcdef"), anotherByte(payload))
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

// TestAChangedEndOfAChainStopsNobody: whoever appends finds out where it is.
func TestAChangedEndOfAChainStopsNobody(t *testing.T) {
	eachStore(t, func(t *testing.T, p place) {
		l := p.open(t)
		run(t, l, ada, 100, 40)
		must(t, l.Flush(context.Background()))
		_, err := l.store.db.Exec("UPDATE chains SET last = 77")
		must(t, err)
		run(t, l, ada, 100, 40)
		must(t, l.Flush(context.Background()))
		_, err = l.store.db.Exec("UPDATE chains SET last = 0")
		must(t, err)
		must(t, l.AddOutcomes(context.Background(), outcomes(1)))
		if report := verified(t, l.Records); report.Receipts != 2 || report.Notes != 1 {
			t.Fatalf("got %+v", report)
		}
	})
}

// TestTwoWhoComeFirstMakeOneKey: the key of the one who was slower would be gone,
// and what it had signed with it.
func TestTwoWhoComeFirstMakeOneKey(t *testing.T) {
	p := place{Options: Options{Dir: t.TempDir(), Log: quiet()}}
	var all sync.WaitGroup
	for range 4 {
		r := reopened(t, p)
		all.Go(func() {
			if err := r.AddOutcomes(context.Background(), outcomes(1)); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if report := verified(t, reopened(t, p)); len(report.Chains) != 1 || report.Notes != 4 {
		t.Fatalf("got %+v", report)
	}
}

// TestBooksFromBeforeThereWereNotesGoOn: the chain's end is found when the table
// of chains learns to hold it.
func TestBooksFromBeforeThereWereNotesGoOn(t *testing.T) {
	eachStore(t, func(t *testing.T, p place) {
		kept(t, p)
		r := reopened(t, p)
		for _, text := range []string{"DROP VIEW links", "DROP TABLE notes", "ALTER TABLE chains DROP COLUMN last"} {
			spoil(t, r, text)
		}
		if p.URL == "" {
			spoil(t, r, "UPDATE meta SET value = 1 WHERE name = 'schema'")
		} else {
			spoil(t, r, "ALTER TABLE holds DROP COLUMN parts")
			spoil(t, r, "UPDATE meta SET value = 2 WHERE name = 'schema'")
		}
		must(t, r.Close())
		l := p.open(t)
		run(t, l, ada, 100, 40)
		must(t, l.AddOutcomes(context.Background(), outcomes(1)))
		run(t, l, ada, 100, 40)
		must(t, l.Flush(context.Background()))
		if report := verified(t, l.Records); report.Receipts != 26 || report.Notes != 1 || len(report.Chains) != 1 {
			t.Fatalf("got %+v", report)
		}
	})
}
