package evidence

import (
	"fmt"
	"math"
	"time"

	"starling"
)

// A Source says where a grade is from. What a claim may rest on is for those who
// make it to say.
type Source string

// The sources.
const (
	FromCase     Source = "case"     // the skill's own cases, graded by their gold
	FromVerifier Source = "verifier" // a verdict on live traffic
	FromAudit    Source = "audit"    // compared with the reference's answer to the same request
	FromReview   Source = "review"   // a person looked at it
	FromFeedback Source = "feedback" // the caller said so
	FromImport   Source = "import"   // brought from elsewhere
)

var sources = map[Source]bool{FromCase: true, FromVerifier: true, FromAudit: true, FromReview: true, FromFeedback: true, FromImport: true}

// An Outcome is one graded answer. It holds no content: what was asked is named
// by its case.
type Outcome struct {
	ID        string    `json:"id"` // "out_…", given when it is written down
	Time      time.Time `json:"time"`
	Skill     string    `json:"skill"`
	Rubric    string    `json:"rubric,omitempty"` // sha256 of the rubric that it was graded under
	Candidate string    `json:"candidate"`        // names the whole unit that answers: change any part of it and it is another
	Model     string    `json:"model"`            // the candidate for people: "provider/name"
	Case      string    `json:"case"`             // of the skill, or a digest of what was asked
	Digest    string    `json:"digest,omitempty"` // of what the case asks and what is right: change it and it is another case

	Grade      float64        `json:"grade"`                // in [0, 1]
	Why        string         `json:"why,omitempty"`        // of a grade below 1; it quotes no answer
	Rejected   bool           `json:"rejected,omitempty"`   // a verifier said no: nobody would have seen it
	Confidence float64        `json:"confidence,omitempty"` // the candidate's own, in (0, 1]; 0 unknown
	Cost       starling.Money `json:"cost_nanodollars"`     // of the answer and of grading it
	Took       time.Duration  `json:"took_ns"`              // to the whole answer
	Source     Source         `json:"source"`               //
	Receipt    string         `json:"receipt_id,omitempty"` // of the exchange
	Warrant    string         `json:"warrant,omitempty"`    // for an audit: id of the one that covered the answer
	Reference  string         `json:"reference,omitempty"`  // for an audit: who answered beside it, "provider/name"
	Simulated  bool           `json:"simulated,omitempty"`  // the answer was a simulated upstream's: it proves nothing of a model
}

// Check returns an Invalid error for an outcome that says nothing of anybody.
func (o *Outcome) Check() error {
	what := ""
	switch {
	case o.Skill == "", o.Candidate == "", o.Case == "":
		what = "it names no skill, candidate or case"
	case !(0 <= o.Grade && o.Grade <= 1):
		what = fmt.Sprintf("its grade is %v", o.Grade)
	case !(0 <= o.Confidence && o.Confidence <= 1) || math.IsNaN(o.Confidence):
		what = fmt.Sprintf("its confidence is %v", o.Confidence)
	case !sources[o.Source]:
		what = fmt.Sprintf("its source is %q", o.Source)
	case o.Time.IsZero():
		what = "it has no time"
	}
	return invalid("an outcome", what, "say what was graded, from 0 to 1")
}
