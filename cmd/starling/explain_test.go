package main

import (
	"bytes"
	"strings"
	"testing"

	"starling"
)

func TestOnlyAnAnswerIsComparedWithTheReference(t *testing.T) {
	premium := &starling.Model{Provider: "far", Name: "premium"}
	for _, c := range []struct {
		name    string
		receipt starling.Receipt
		says    string
		silent  string
	}{
		{"an answer", starling.Receipt{Outcome: starling.Answered, Estimate: true, Cost: 1, Reference: 3, Saved: 2},
			"reference  $0.000000003 at far/premium for the same tokens\nsaved      $0.000000002 (an estimate", "lost"},
		{"an answer whose reference is free", starling.Receipt{Outcome: starling.Answered, Estimate: true, Cost: 1, Saved: -1},
			"reference  $0.00 at far/premium", "lost"},
		{"an answer with a search in it", starling.Receipt{Outcome: starling.Answered, Estimate: true, Cost: 1, Reference: 3, Response: starling.Response{Unpriced: true}},
			"cost       $0.000000001, and what has no known price; so no saving is claimed\n", "lost"},
		{"a part of an answer", starling.Receipt{Outcome: starling.Broken, Estimate: true, Cost: 1, Reference: 3, Saved: 2},
			"reference  $0.000000003 at far/premium", "lost"},
		{"a caller who left before anything came", starling.Receipt{Outcome: starling.Abandoned, Estimate: true}, "cost       $0.00\n", "reference"},
		{"a refusal", starling.Receipt{Outcome: starling.Failed}, "cost       $0.00\n", "saved"},
		{"an exchange whose process died", starling.Receipt{Outcome: starling.Interrupted, Kind: starling.Internal, Cost: 5},
			"outcome    interrupted (internal)", "may travel as far as"},
		{"answers that were rejected", starling.Receipt{Outcome: starling.Failed, Cost: 5, Saved: -5},
			"saved      -$0.000000005: nothing was answered, and what it cost is lost\n", "reference"},
		{"an audit", starling.Receipt{Outcome: starling.Answered, AuditOf: "rcp_1", Cost: 5, Saved: -5},
			"saved      -$0.000000005: it was asked to compare, and what it cost is spent\n", "estimate"},
	} {
		c.receipt.Plan.Reference = premium
		var out bytes.Buffer
		explain(&out, &c.receipt)
		if text := out.String(); !strings.Contains(text, c.says) || strings.Contains(text, c.silent) {
			t.Errorf("%s: it should say %q and not %q:\n%s", c.name, c.says, c.silent, text)
		}
	}
}

func TestWhatIsNotPaidByTokensHasNone(t *testing.T) {
	var out bytes.Buffer
	r := starling.Receipt{Attempts: []starling.Attempt{{Model: "local/small", Lines: []starling.CostLine{{What: "electricity", Amount: 7}, {What: "input", Tokens: 12, Amount: 9}, {What: "search", Count: 2, Amount: 4}, {What: "hosted_tools", Unpriced: true}}}}}
	r.Plan.Candidates = []starling.Candidate{{Model: starling.Model{Provider: "local", Name: "small", Price: starling.Price{Source: "30 W modelled"}}}}
	explainAttempts(&out, &r)
	if text := out.String(); strings.Contains(text, " 0 tokens") || !strings.Contains(text, "12 tokens  $0.000000009") || !strings.Contains(text, "2 times  $0.000000004") || !strings.Contains(text, "may be charged, at a price") ||
		!strings.Contains(text, "$0.000000007: 30 W modelled\n") || strings.Count(text, "modelled") > 1 {
		t.Error(text)
	}
}
