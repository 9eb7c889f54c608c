package ledger

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"starling"
)

// A receipt is bounded, whatever a caller or an upstream sends: each of their
// texts, the list of what translation left out, and the whole.
const (
	longestName    = 200 // bytes
	longestWhy     = 600
	mostLeft       = 50 // fields
	longestReceipt = 1 << 20
)

// receiptOf folds the exchange into its receipt.
func (a *Account) receiptOf(ex *starling.Exchange) *starling.Receipt {
	r := &starling.Receipt{
		ID:       a.hold.ID,
		Time:     a.began.UTC(),
		Took:     time.Since(a.opened),
		Dialect:  ex.Request.Dialect,
		Stream:   ex.Request.Stream,
		Asked:    shorten(ex.Request.Model, longestName),
		AuditOf:  ex.AuditOf,
		Parts:    a.parts,
		Key:      a.hold.Key,
		Team:     a.hold.Team,
		Screen:   ex.Screen,
		Plan:     ex.Plan,
		Observed: briefObserved(ex.Observed),
		Attempts: brief(ex.Attempts),
		Response: ex.Response,
		Outcome:  outcome(ex),
		Kind:     starling.KindOf(ex.Err),
		Why:      why(ex.Err),
	}
	r.Added = max(0, r.Took-ex.Waited)
	r.Screen.From = orEmpty(r.Screen.From)
	r.Plan.Candidates = orEmpty(r.Plan.Candidates)
	r.Plan.Skill = a.hold.Skill
	for _, t := range r.Attempts {
		r.Cost = r.Cost.Plus(t.Cost)
	}
	if a.whole != nil {
		r.PartOf = a.whole.id
	}
	r.PartsCost = a.cost
	r.Response.Cost, r.Response.Unpriced = r.Cost.Plus(r.PartsCost), ex.Unpriced()
	r.Response.Model = shorten(r.Response.Model, longestName)
	r.Response.Reason = shorten(r.Response.Reason, longestWhy)
	compare(r)
	a.seal(r, ex.Request.Body)
	return r
}

// brief returns the attempts with what upstreams and callers said of themselves
// bounded. The exchange keeps it whole.
func brief(attempts []starling.Attempt) []starling.Attempt {
	all := make([]starling.Attempt, len(attempts))
	for i, t := range attempts {
		t.Model = shorten(t.Model, longestName)
		t.Why = shorten(t.Why, longestWhy)
		t.Usage.Tier = shorten(t.Usage.Tier, longestName)
		t.Upstream = shorten(t.Upstream, longestName)
		t.Said = shorten(t.Said, longestName)
		t.Short = shorten(t.Short, longestName)
		t.Split = shorten(t.Split, longestName)
		t.Left = briefLeft(t.Left)
		all[i] = t
	}
	return all
}

// briefObserved is a copy, which nobody changes any more.
func briefObserved(o *starling.Observed) *starling.Observed {
	if o == nil {
		return nil
	}
	own := *o
	own.Rule = shorten(own.Rule, longestWhy)
	return &own
}

func briefLeft(fields []string) []string {
	var all []string
	for _, f := range fields[:min(len(fields), mostLeft)] {
		all = append(all, shorten(f, longestName))
	}
	if more := len(fields) - mostLeft; more > 0 {
		all = append(all, fmt.Sprintf("… and %d more", more))
	}
	return all
}

// compare fills in what the reference model would have cost. An exchange without
// an answer has saved nothing: what it cost is a loss. So is an audit, which nobody
// would have needed who had asked the reference in the first place. A part has saved
// nothing of its own: what it cost is in the saving of its whole, for which the
// reference would have read the documents too.
func compare(r *starling.Receipt) {
	if r.PartOf != "" || r.Plan.Reference == nil || !r.Plan.Reference.Price.Known() {
		return
	}
	if t := answering(r.Attempts); t != nil && r.AuditOf == "" {
		u := t.Usage
		u.Input += max(t.Spared, 0)
		_, r.Reference = r.Plan.Reference.Price.Cost(u, t.Took)
		r.Estimate = true
	}
	r.Saved = r.Reference.Plus(-r.Cost).Plus(-r.PartsCost)
	if r.Response.Unpriced { // it cost more than that, and may have saved nothing
		r.Saved = min(r.Saved, 0)
	}
}

// answering returns the attempt whose answer the caller saw, or saw a part of:
// the last one that counted tokens, else the last.
func answering(attempts []starling.Attempt) *starling.Attempt {
	var seen *starling.Attempt
	for i := range attempts {
		t := &attempts[i]
		switch t.Outcome {
		case starling.Answered, starling.Broken, starling.Abandoned:
			if seen == nil || t.Usage.TotalInput()+t.Usage.Output > 0 {
				seen = t
			}
		}
	}
	return seen
}

func outcome(ex *starling.Exchange) starling.Outcome {
	if ex.Err == nil {
		return starling.Answered
	}
	for _, t := range ex.Attempts {
		if t.Outcome == starling.Broken {
			return starling.Broken
		}
	}
	if starling.KindOf(ex.Err) == starling.Cancelled {
		return starling.Abandoned
	}
	return starling.Failed
}

// why keeps the text of our own errors, which hold no content by contract, and
// nothing of anybody else's.
func why(err error) string {
	e, ok := errors.AsType[*starling.Error](err)
	switch {
	case err == nil:
		return ""
	case !ok:
		return "an error that does not say its kind"
	}
	return shorten(e.Error(), longestWhy)
}

// seal adds the MACs. They need the ledger's secret, so a copy of the books does
// not let anybody guess short prompts.
func (a *Account) seal(r *starling.Receipt, body []byte) {
	if len(body) > 0 {
		m := a.ledger.signer.mac()
		m.Write(body)
		r.RequestMAC = a.ledger.signer.sum(m)
	}
	if a.answer != nil {
		r.AnswerMAC = a.ledger.signer.sum(a.answer)
		a.answer = nil
	}
}

func orEmpty[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}

// cut shortens text to at most n bytes, on a rune's edge.
func cut(text string, n int) string {
	if len(text) <= n {
		return text
	}
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n]
}

// shorten is cut for people: what was cut ends in "…".
func shorten(text string, n int) string {
	if len(text) <= n {
		return text
	}
	return cut(text, n-len("…")) + "…"
}

// An entry is a receipt on its way into the store: its exact bytes, and the
// columns by which it is found and summed.
type entry struct {
	linked
	key     string
	team    string
	skill   string
	model   string
	outcome string
	cost    starling.Money // this one and the next two are bounded
	ref     starling.Money
	saved   starling.Money

	whole string // id of the exchange that it is a part of; "" of a whole

	segment int   // of the journal, while it is pending
	held    bool  // a shared meter may hold something for it
	off     *hold // the hold in a shared store that it writes off; nil: it is of our own journal
}

// newEntry encodes a receipt. Only the floating-point guesses of a plan can fail
// to encode (NaN); a receipt without them is better than none. So is one without
// its parts, where there are so many that no journal could be read past it.
func newEntry(r *starling.Receipt) *entry {
	payload, err := encode(r)
	if err != nil {
		r.Plan.Candidates, r.Observed = []starling.Candidate{}, nil
		payload, err = encode(r)
	}
	if err == nil && len(payload) > longestReceipt {
		r.Plan.Rule = fmt.Sprintf("%d candidates and %d attempts are left out: the receipt was too long", len(r.Plan.Candidates), len(r.Attempts))
		r.Plan.Candidates, r.Plan.Left, r.Observed, r.Attempts = []starling.Candidate{}, nil, nil, []starling.Attempt{}
		payload, err = encode(r)
	}
	if err != nil {
		panic("ledger: a receipt of texts and numbers must encode: " + err.Error())
	}
	return entryOf(r, payload)
}

func entryOf(r *starling.Receipt, payload []byte) *entry {
	return &entry{
		linked:  linked{column(r.ID), payload, r.Time.UnixNano()},
		key:     column(r.Key),
		team:    column(r.Team),
		skill:   column(r.Plan.Skill),
		model:   column(r.Response.Model),
		outcome: column(string(r.Outcome)),
		cost:    bounded(r.Cost),
		ref:     bounded(r.Reference),
		saved:   bounded(r.Saved),
		whole:   r.PartOf,
	}
}

// column makes text fit for every store: short, valid UTF-8, without NUL.
func column(text string) string {
	if len(text) <= longestName && plain(text) {
		return text
	}
	text = strings.ToValidUTF8(cut(text, longestName), "\uFFFD")
	return strings.ReplaceAll(text, "\x00", "")
}

// plain reports whether text is printable ASCII, as nearly every name is.
func plain(text string) bool {
	for i := range len(text) {
		if text[i] < ' ' || text[i] > '~' {
			return false
		}
	}
	return true
}

// contested reports whether it may meet what another gateway does to the same hold: a
// part takes from one that may be written off, and who writes off books what is left.
func (e *entry) contested() bool { return e.whole != "" || e.off != nil }

func (e *entry) names() names { return names{"", e.key, e.team, e.skill} }
func (e *entry) day() day     { return dayOf(time.Unix(0, e.time)) }

// DecodeReceipt reads a stored receipt. Fields of newer versions are ignored.
// Errors: Invalid.
func DecodeReceipt(payload []byte) (*starling.Receipt, error) {
	r := new(starling.Receipt)
	if err := json.Unmarshal(payload, r); err != nil {
		return nil, &starling.Error{Kind: starling.Invalid, Op: "ledger: read a receipt", Hint: "run 'starling ledger verify'", Err: err}
	}
	return r, nil
}

// A hold is what the journal and a shared meter know of an open exchange.
type hold struct {
	ID    string         `json:"id"`
	At    int64          `json:"at"` // nanoseconds since 1970
	Key   string         `json:"key,omitempty"`
	Team  string         `json:"team,omitempty"`
	Skill string         `json:"skill,omitempty"`
	Held  starling.Money `json:"held"` // everything spent and reserved
}

func (h hold) names() names { return names{"", column(h.Key), column(h.Team), column(h.Skill)} }
func (h hold) day() day     { return dayOf(time.Unix(0, h.At)) }

// interrupted is the receipt of an exchange whose process died: it is booked
// with all that it may have cost.
func (h hold) interrupted() *entry {
	r := &starling.Receipt{
		ID:       h.ID,
		Time:     time.Unix(0, h.At).UTC(),
		Key:      h.Key,
		Team:     h.Team,
		Screen:   starling.Screen{From: []string{}},
		Plan:     starling.Plan{Skill: h.Skill, Rule: "unknown", Candidates: []starling.Candidate{}},
		Attempts: []starling.Attempt{},
		Response: starling.Response{Reason: "the gateway stopped before the exchange ended", Cost: h.Held},
		Outcome:  starling.Interrupted,
		Kind:     starling.Internal,
		Why:      "the gateway stopped while the exchange was open; the cost is what was reserved for it, as what was spent is unknown",
		Cost:     h.Held,
	}
	e := newEntry(r)
	e.held = true
	return e
}

// writtenOff is that receipt of a hold in a shared store. What it costs is what the
// hold is when it is stored: until then its parts may take from it.
func (h hold) writtenOff() *entry {
	e := h.interrupted()
	e.off = &h
	return e
}
