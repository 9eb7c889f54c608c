package starling

import "time"

// An Exchange is a request on its way to a receipt. Each stage reads the fields
// above its own and writes exactly one. It belongs to one goroutine.
type Exchange struct {
	ID      string // the receipt's id, known from the start
	Started time.Time
	AuditOf string // id of the receipt whose request is asked again; "" a caller's own

	Request  Request
	Screen   Screen
	Plan     Plan
	Observed *Observed // nil unless the gateway only observes
	Attempts []Attempt
	Response Response
	Receipt  *Receipt // nil until settled

	Waited time.Duration // of the whole, spent waiting for upstreams

	Err error // why there is no answer, or why it broke off; an *Error
}

// Unpriced reports whether a part of the cost so far has no known price.
func (ex *Exchange) Unpriced() bool {
	for i := range ex.Attempts {
		for _, l := range ex.Attempts[i].Lines {
			if l.Unpriced {
				return true
			}
		}
	}
	return false
}

// A Screen says what class the request's data is and how far it may travel.
type Screen struct {
	Class    Class    `json:"class"`
	Furthest Zone     `json:"furthest_zone"`
	From     []string `json:"from"` // who said so: "key internal", "header public", strictest first
}

// A Plan is who should try, in order, and who was left out and why.
type Plan struct {
	Skill      string        `json:"skill,omitempty"`
	Rubric     string        `json:"rubric,omitempty"`               // sha256 of the rubric that decided
	Identified string        `json:"identified,omitempty"`           // how the skill was found that nobody named, for people; "" if somebody did
	Rule       string        `json:"rule"`                           // what decided the order, for people
	Pinned     bool          `json:"pinned,omitempty"`               // the caller named the model; nobody else may answer
	Reference  *Model        `json:"reference,omitempty"`            // whose price savings are measured against
	Limit      Money         `json:"limit_nanodollars,omitempty"`    // most that the whole exchange may cost; 0 none
	Bar        float64       `json:"bar,omitempty"`                  // share that must be shown to pass, where the caller asks for more than the rubric; 0 the rubric's own
	Patience   time.Duration `json:"patience_ns,omitempty"`          // latency limit to the first byte; 0 none
	Expected   Money         `json:"expected_nanodollars,omitempty"` // of the whole ladder: each candidate's, as often as it will be reached
	Candidates []Candidate   `json:"candidates"`
	Left       []Left        `json:"left_out,omitempty"`
	Session    Session       `json:"-"` // zero if it belongs to none that matters
}

// A Session is a conversation, as far as routing needs to know it: its beginning
// stays the same, so providers' prompt caches may remember it.
type Session struct {
	ID   string // a keyed digest of its beginning and its caller; "" none
	Turn int64  // from 1
}

// A Candidate is a model that may answer, with what is expected of it.
type Candidate struct {
	Model       Model    `json:"model"`
	Unit        string   `json:"unit,omitempty"`      // the whole that answers, as evidence names it; "" outside a skill
	Warrant     string   `json:"warrant,omitempty"`   // id of the one in force that covers its answers; "" none
	Threshold   float64  `json:"threshold,omitempty"` // own confidence from which its answer is accepted; 0 none. Only a warrant sets it
	Logprobs    bool     `json:"logprobs,omitempty"`  // it is asked how sure it is, by its tokens' log-probabilities
	Verify      []string `json:"verify,omitempty"`    // verifiers that must accept before anything is seen
	Nets        []string `json:"nets,omitempty"`      // what is checked without being asked before anything is seen: [FormatNet], [TurnNet]
	Probability float64  `json:"probability"`         // that its answer is accepted
	Basis       string   `json:"basis"`               // where the probability is from
	Expected    Money    `json:"expected_nanodollars"`
	Worst       Money    `json:"worst_nanodollars"` // what is reserved before the call
	Why         string   `json:"why"`
}

// The safety nets: what is checked of an answer though no rubric asks for it.
const (
	FormatNet = "format" // the answer has the shape that the request demands
	TurnNet   = "turn"   // a turn of an agent goes on: no loop, no call of a tool that is not there, not nothing
)

// Verified reports whether its answer must be accepted as the rubric or a warrant
// says.
func (c *Candidate) Verified() bool { return len(c.Verify) > 0 || c.Threshold > 0 }

// Held reports whether its answer is held back until it is accepted.
func (c *Candidate) Held() bool { return c.Verified() || len(c.Nets) > 0 }

// Left is a model that was considered and may not answer.
type Left struct {
	Model string `json:"model"`
	Kind  Kind   `json:"kind"`
	Why   string `json:"why"`
	Worst Money  `json:"worst_nanodollars,omitempty"` // what it may cost, where that is why
}

// An Attempt is one call of one candidate, whatever came of it.
type Attempt struct {
	Model      string        `json:"model"` // "provider/name"
	Zone       Zone          `json:"zone"`
	Simulated  bool          `json:"simulated,omitempty"`
	Offset     time.Duration `json:"offset_ns"`               // from the start of the exchange
	FirstByte  time.Duration `json:"first_byte_ns,omitempty"` // from the start of the attempt; 0 if none came
	Took       time.Duration `json:"took_ns"`
	Outcome    Outcome       `json:"outcome"`
	Kind       Kind          `json:"kind,omitempty"` // of the error that ended it
	Why        string        `json:"why,omitempty"`
	Confidence float64       `json:"confidence,omitempty"` // its own, in (0, 1]; 0 unsaid
	Verdicts   []Verdict     `json:"verdicts,omitempty"`
	Finish     Finish        `json:"finish,omitempty"`
	Usage      Usage         `json:"usage"`
	Counted    int64         `json:"counted,omitempty"` // tokens of its text by our own tokenizer, before the factor of the model; 0 not counted
	Short      string        `json:"short,omitempty"`   // it read less than was sent: how much, of how much; "" nothing shows it
	Lines      []CostLine    `json:"lines,omitempty"`
	Cost       Money         `json:"cost_nanodollars"`         // of its lines
	Upstream   string        `json:"upstream_id,omitempty"`    // the upstream's id of its answer
	Said       string        `json:"upstream_model,omitempty"` // the model's name as the upstream says it
	Left       []string      `json:"left_out,omitempty"`       // fields that translation could not carry
}

// An Outcome says what came of an attempt.
type Outcome string

// The outcomes.
const (
	Answered  Outcome = "answered"  // accepted and sent
	Rejected  Outcome = "rejected"  // a verifier said no, or it is to a part of the question; nobody saw it
	Failed    Outcome = "failed"    // an error before anything was sent
	Broken    Outcome = "broken"    // an error after a part was sent
	Abandoned Outcome = "abandoned" // the caller left
	Lost      Outcome = "lost"      // a hedge or first try that another call overtook
	Skipped   Outcome = "skipped"   // not called: no budget, no time, no room in its window or an open breaker
	Consulted Outcome = "consulted" // asked by a verifier about the answer of another attempt, which follows
)

// A Verdict is what a verifier says of an answer. Why names the rule that
// failed; it never quotes the answer. Cost is that of the calls that the verifier
// made: they are attempts of their own, with [Consulted] as outcome, and booked
// there.
type Verdict struct {
	Verifier string `json:"verifier"`
	Accept   bool   `json:"accept"`
	Why      string `json:"why,omitempty"`
	Cost     Money  `json:"cost_nanodollars,omitempty"`
}

// Net reports whether a safety net says it. It is no evidence of how good a
// candidate is in a skill. One that accepts with a Why has mended the answer's form;
// one that does not, of an answer that was sent all the same, is a note.
func (v *Verdict) Net() bool { return v.Verifier == FormatNet || v.Verifier == TurnNet }

// A Response says who answered. The answer itself was sent, not kept.
type Response struct {
	Model     string `json:"model,omitempty"`
	Provider  string `json:"provider,omitempty"`
	Zone      Zone   `json:"zone"`
	Simulated bool   `json:"simulated,omitempty"`
	Reason    string `json:"reason"` // one line of ASCII: why this one
	Finish    Finish `json:"finish,omitempty"`
	Cost      Money  `json:"cost_nanodollars"`   // of all attempts
	Unpriced  bool   `json:"unpriced,omitempty"` // a part of them may be charged at a price that nobody knows
}
