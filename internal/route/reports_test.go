package route

import (
	"testing"

	"starling"
)

// reported is the receipt of a part with one attempt of so many tokens.
func reported(verifier, model string, u starling.Usage) *starling.Receipt {
	return &starling.Receipt{PartOf: "rcp_whole", Plan: starling.Plan{Candidates: []starling.Candidate{{Verify: []string{verifier}}}}, Attempts: []starling.Attempt{{Model: model, Usage: u}}}
}

func TestHowLongReportsAreIsLearnedOfEachReader(t *testing.T) {
	s := NewReports()
	var none *Reports
	none.Fold(reported("quotes", "a", starling.Usage{Output: 500}))
	if none.usual("a") != 60 || s.usual("a") != 60 {
		t.Errorf("before any: %d, %d", none.usual("a"), s.usual("a"))
	}
	whole := reported("quotes", "a", starling.Usage{Output: 500})
	whole.PartOf = ""
	for _, r := range []*starling.Receipt{
		nil, {PartOf: "rcp_whole"}, whole, reported("plan", "a", starling.Usage{Output: 500}),
		reported("quotes", "a", starling.Usage{Input: 2000}), reported("quotes", "a", starling.Usage{Output: 500, Estimated: true}),
	} {
		s.Fold(r)
	}
	if s.usual("a") != 60 {
		t.Errorf("what is no report was one: %d", s.usual("a"))
	}
	for range 4 {
		s.Fold(reported("quotes", "a", starling.Usage{Output: 500}))
	}
	if n := s.usual("a"); n != 280 || s.usual("b") != 60 { // four of 60 and four of 500
		t.Errorf("after four: %d; of another %d", n, s.usual("b"))
	}
	for range 400 {
		s.Fold(reported("quotes", "a", starling.Usage{Output: 100}))
	}
	if n := s.usual("a"); n < 100 || n > 105 {
		t.Errorf("what was long ago counts for much: %d", n)
	}
}
