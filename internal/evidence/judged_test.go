package evidence

import (
	"slices"
	"testing"

	"starling"
)

// judgedReceipt is of a ladder of three: the first was rejected, the second could
// not be judged, the third was accepted.
func judgedReceipt() *starling.Receipt {
	model := func(name string) starling.Model { return starling.Model{Provider: "near", Name: name} }
	no, yes := starling.Verdict{Verifier: "label", Why: "the answer is none of the labels"}, starling.Verdict{Verifier: "label", Accept: true}
	return &starling.Receipt{
		ID: "rcp_1", Time: issued, RequestMAC: "ab", Plan: starling.Plan{Skill: "triage", Rubric: "r1", Candidates: []starling.Candidate{
			{Model: model("small"), Unit: "u-small"}, {Model: model("open"), Unit: "u-open"}, {Model: model("large"), Unit: "u-large"},
		}},
		Attempts: []starling.Attempt{
			{Model: "near/small", Outcome: starling.Rejected, Verdicts: []starling.Verdict{yes, no}, Confidence: 0.4, Cost: 3, Took: 5},
			{Model: "near/open", Outcome: starling.Failed, Verdicts: []starling.Verdict{yes}},
			{Model: "near/large", Outcome: starling.Answered, Verdicts: []starling.Verdict{yes, yes}, Simulated: true},
			{Model: "near/large", Outcome: starling.Lost},
		},
	}
}

func TestWhatVerifiersSaidOnAReceiptAreOutcomes(t *testing.T) {
	got := slices.Collect(Judged(judgedReceipt()))
	want := []Outcome{
		{Time: issued, Skill: "triage", Rubric: "r1", Candidate: "u-small", Model: "near/small", Case: "mac ab", Rejected: true, Confidence: 0.4, Cost: 3, Took: 5, Source: FromVerifier, Receipt: "rcp_1"},
		{Time: issued, Skill: "triage", Rubric: "r1", Candidate: "u-large", Model: "near/large", Case: "mac ab", Grade: 1, Source: FromVerifier, Receipt: "rcp_1", Simulated: true},
	}
	if !slices.Equal(got, want) {
		t.Errorf("%+v", got)
	}
	for i := range got {
		if err := got[i].Check(); err != nil {
			t.Error(err)
		}
	}
}

func TestABoardCountsAReceiptAsItsOutcomes(t *testing.T) {
	r := judgedReceipt()
	whole, each := NewBoard(), NewBoard()
	whole.FoldReceipt(r)
	for o := range Judged(r) {
		each.Fold(Note{Outcome: &o})
	}
	for _, name := range []string{"u-small", "u-open", "u-large"} {
		a, b := whole.Standing("triage", "r1", name), each.Standing("triage", "r1", name)
		if a != b || (a.Tried == 1) != (name != "u-open") || (a.Accepted == 1) != (name == "u-large") {
			t.Errorf("%s: %+v, %+v", name, a, b)
		}
	}
	var none *Board
	none.FoldReceipt(r)
	whole.FoldReceipt(nil)
}

// BenchmarkFoldReceipt is what every exchange waits for.
func BenchmarkFoldReceipt(b *testing.B) {
	board, r := NewBoard(), judgedReceipt()
	b.ReportAllocs()
	for b.Loop() {
		board.FoldReceipt(r)
	}
}

func TestAnAnswerThatIsAuditedAndReviewedCountsOnce(t *testing.T) {
	b := NewBoard()
	b.Fold(Note{Warrant: sound("w")})
	for range 3 {
		n := audit("w", 0)
		n.Outcome.Receipt = "rcp_1"
		b.Fold(n)
	}
	if s := b.Standing("triage", "r1", "small"); s.Audits != 1 {
		t.Errorf("%d audits", s.Audits)
	}
}
