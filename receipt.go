package starling

import "time"

// A Receipt is the account of one exchange: everything that Starling did to a
// request, without the request. It holds no content and no key. Its JSON form is
// what the ledger chains and signs (docs/spec/receipt.md).
type Receipt struct {
	ID      string        `json:"id"`
	Time    time.Time     `json:"time"` // when the request arrived, UTC
	Took    time.Duration `json:"took_ns"`
	Added   time.Duration `json:"added_ns"` // of that, not spent waiting for an upstream
	Dialect Dialect       `json:"dialect"`
	Stream  bool          `json:"stream,omitempty"`
	Asked   string        `json:"asked"`              // the model as the caller named it
	AuditOf string        `json:"audit_of,omitempty"` // id of the receipt whose request somebody else was asked too; "" of a caller's own
	PartOf  string        `json:"part_of,omitempty"`  // id of the receipt of the exchange that this one was made for; "" it is a whole

	Key  string `json:"key,omitempty"`
	Team string `json:"team,omitempty"`

	Screen   Screen    `json:"screen"`
	Plan     Plan      `json:"plan"`
	Observed *Observed `json:"observed,omitempty"` // what would have been done; nil where the gateway did it
	Attempts []Attempt `json:"attempts"`
	Response Response  `json:"response"`

	Outcome Outcome `json:"outcome"` // Answered, Broken, Abandoned, Failed (a refusal), or Interrupted
	Kind    Kind    `json:"kind,omitempty"`
	Why     string  `json:"why,omitempty"`

	Cost      Money `json:"cost_nanodollars"`                // all attempts and verdicts
	Parts     int64 `json:"parts,omitempty"`                 // exchanges that were made for this one, each with a receipt of its own
	PartsCost Money `json:"parts_nanodollars,omitempty"`     // what these cost; it is booked on their receipts and no part of Cost
	Reference Money `json:"reference_nanodollars,omitempty"` // the reference model's price for the answer's tokens; of a split, with the documents
	Saved     Money `json:"saved_nanodollars"`               // Reference − Cost − PartsCost; negative is negative; 0 without a reference, and of a part; −Cost of an audit
	Estimate  bool  `json:"saved_is_estimate,omitempty"`     // of an answer, always: the reference was not asked

	RequestMAC string `json:"request_mac,omitempty"` // HMAC-SHA-256 of the request's body under the ledger's own secret, hex
	AnswerMAC  string `json:"answer_mac,omitempty"`  // of the bytes sent to the caller
}

// Interrupted is the outcome of an exchange that was open when the process died:
// what it cost is unknown, so what was reserved for it is booked.
const Interrupted Outcome = "interrupted"
