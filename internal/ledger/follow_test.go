package ledger

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"starling/internal/evidence"
)

func warranted() *evidence.Warrant {
	now := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	return &evidence.Warrant{
		Time: now, Skill: "triage", Rubric: "ab12", Cases: "cd34", Candidate: "candidate-1", Model: "near/small",
		Pass: 0.9, Confidence: 0.95, Threshold: 0.75, Asked: 100, Covered: 80, Passed: 80, Bound: evidence.LowerBound(80, 80, 0.95), Expires: now.AddDate(0, 3, 0),
	}
}

func TestEveryKindOfNoteIsReadAsItWasWritten(t *testing.T) {
	eachStore(t, func(t *testing.T, p place) {
		r, ctx := reopened(t, p), context.Background()
		o, w := graded(1), warranted()
		must(t, r.AddNotes(ctx, evidence.Note{Outcome: &o}, evidence.Note{Warrant: w}))
		revoked := &evidence.Revocation{Time: w.Time, Warrant: w.ID, Skill: w.Skill, Candidate: w.Candidate, Model: w.Model, End: evidence.Withdrawn, Why: "by hand"}
		must(t, r.AddNotes(ctx, evidence.Note{Revocation: revoked}))

		var read []evidence.Note
		var place Place
		for n, err := range r.Notes(ctx, &place) {
			must(t, err)
			read = append(read, n)
		}
		if diff := cmp.Diff([]evidence.Note{{Outcome: &o}, {Warrant: w}, {Revocation: revoked}}, read); diff != "" {
			t.Fatal(diff)
		}
		for n := range r.Notes(ctx, &place) {
			t.Fatalf("%+v came again", n)
		}
		if report := verified(t, r); report.Notes != 3 {
			t.Fatalf("got %+v", report)
		}
		if got := found(t, r, "triage", ""); len(got) != 1 {
			t.Fatalf("%d outcomes", len(got))
		}
	})
}

// TestAFollowerWritesDownWhatItRevokes: whoever follows later finds it revoked,
// and writes nothing more.
func TestAFollowerWritesDownWhatItRevokes(t *testing.T) {
	eachStore(t, func(t *testing.T, p place) {
		r, ctx := reopened(t, p), context.Background()
		f := &Follower{Records: r, Board: evidence.NewBoard()}
		w := warranted()
		must(t, r.AddNotes(ctx, evidence.Note{Warrant: w}))
		must(t, f.Catch(ctx))
		if s := f.Board.Standing("triage", "ab12", "candidate-1"); s.Warrant == nil || s.Revoked != nil {
			t.Fatalf("%+v", s)
		}
		audits := outcomes(40)
		for i := range audits {
			audits[i].Source, audits[i].Candidate, audits[i].Warrant, audits[i].Grade = evidence.FromAudit, "candidate-1", w.ID, 0
		}
		must(t, r.AddOutcomes(ctx, audits))
		must(t, f.Catch(ctx))
		if s := f.Board.Standing("triage", "ab12", "candidate-1"); s.Revoked == nil || s.Audits != 40 {
			t.Fatalf("%+v", s)
		}
		later := &Follower{Records: r, Board: evidence.NewBoard()}
		must(t, later.Catch(ctx))
		if s := later.Board.Standing("triage", "ab12", "candidate-1"); s.Revoked == nil || s.Revoked.ID == "" {
			t.Fatalf("%+v", s.Revoked)
		}
		if report := verified(t, r); report.Notes != 42 {
			t.Fatalf("%d notes", report.Notes)
		}
	})
}
