package serve

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"starling"
	"starling/internal/ledger"
)

// A savings is what was spent and saved, in sums over the receipts that a caller may
// see. Saved is what the reference would have cost for the same tokens, less the part of
// the cost that was compared with it; nobody asked the reference, so it is an estimate.
type savings struct {
	Object   string        `json:"object"` // "savings"
	Of       string        `json:"of"`     // whose receipts: "all", "team …" or "key …"
	By       string        `json:"by"`
	Since    *time.Time    `json:"since,omitempty"`
	Estimate bool          `json:"saved_is_estimate"` // always
	Lines    []ledger.Line `json:"lines"`             // in the order of their names; none if there is no receipt
}

// savingsBy are the ways in which the sums are made.
var savingsBy = []string{"all", "day", "skill", "team", "model", "key"}

// savings answers GET /v1/savings?by=skill&since=24h: what was settled before the
// request is in the sums. A key sees its own team's, and without a team its own.
func (s *Server) savings(w http.ResponseWriter, r *http.Request, caller starling.Caller) {
	q, by, err := readSavings(r.URL.RawQuery, time.Now())
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	said := savings{Object: "savings", Of: s.confine(&q, caller), By: by, Estimate: true}
	if !q.Since.IsZero() {
		since := q.Since.UTC()
		said.Since = &since
	}
	if said.Lines, err = s.sums(r.Context(), q, by); err != nil {
		s.refuse(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, said)
}

// sums waits for what is settled to be stored.
func (s *Server) sums(ctx context.Context, q ledger.Query, by string) ([]ledger.Line, error) {
	ctx, cancel := context.WithTimeout(ctx, settling)
	defer cancel()
	if err := s.ledger.Flush(ctx); err != nil {
		return nil, err
	}
	return s.ledger.Report(ctx, q, by)
}

// confine leaves of a query what [mayRead] lets the caller read, and says whose that is.
func (s *Server) confine(q *ledger.Query, c starling.Caller) string {
	switch {
	case s.ledger.Keyless():
		return "all"
	case c.Team != "":
		q.Team = c.Team
		return "team " + c.Team
	}
	q.Key = c.Key
	return "key " + c.Key
}

// readSavings understands every parameter, or refuses: a sum of another time than was
// meant looks like any other.
func readSavings(raw string, now time.Time) (q ledger.Query, by string, err error) {
	by = "all"
	values, err := url.ParseQuery(raw)
	if err != nil {
		return q, by, invalidSavings("the query cannot be read")
	}
	for name, said := range values {
		switch {
		case len(said) > 1:
			return q, by, invalidSavings(clip(name) + " is said twice")
		case name == "by" && slices.Contains(savingsBy, said[0]):
			by = said[0]
		case name == "by":
			return q, by, invalidSavings("nothing can be summed by " + clip(said[0]))
		case name == "since":
			span, err := time.ParseDuration(said[0])
			if err != nil || span <= 0 {
				return q, by, invalidSavings("since is no span of time")
			}
			q.Since = now.Add(-span)
		default:
			return q, by, invalidSavings("there is no parameter " + clip(name))
		}
	}
	return q, by, nil
}

func invalidSavings(what string) error {
	return &starling.Error{Kind: starling.Invalid, Op: "savings: " + what, Hint: fmt.Sprintf("by is one of %s; since is a span such as 24h", strings.Join(savingsBy, ", "))}
}
