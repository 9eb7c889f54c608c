package ledger

import (
	"context"
	"time"

	"starling"
)

// A Line is one line of a report: sums, and how many of its exchanges simulated
// upstreams answered.
type Line struct {
	Totaled
	Simulated int64 `json:"simulated"`
}

// Report sums as [Records.Totals] does, and says what of it is simulated. Errors:
// Invalid, Internal.
func (r *Records) Report(ctx context.Context, q Query, by string) ([]Line, error) {
	totals, err := r.Totals(ctx, q, by)
	if err != nil {
		return nil, err
	}
	simulated, err := r.simulated(ctx, q, by)
	if err != nil {
		return nil, err
	}
	lines := make([]Line, len(totals))
	for i, t := range totals {
		lines[i] = Line{t, simulated[t.Name]}
	}
	return lines, nil
}

// simulated counts, by the names of the report's lines, what simulated upstreams
// answered. The store sums without reading receipts, and they alone say it: so the
// first and the last of each model are asked, and all of a model only where one of
// these was simulated.
func (r *Records) simulated(ctx context.Context, q Query, by string) (map[string]int64, error) {
	models, err := r.Totals(ctx, q, "model")
	if err != nil {
		return nil, err
	}
	counts := map[string]int64{}
	for _, m := range models {
		if q.Model = m.Name; q.Model == "" {
			continue // nobody answered
		}
		some, err := r.someSimulated(ctx, q)
		if some {
			err = r.countSimulated(ctx, q, by, counts)
		}
		if err != nil {
			return nil, err
		}
	}
	return counts, nil
}

// someSimulated asks the first and the last receipt of a query.
func (r *Records) someSimulated(ctx context.Context, q Query) (bool, error) {
	q.Limit = 1
	for _, q.Newest = range []bool{false, true} {
		for receipt, err := range r.Receipts(ctx, q) {
			if err != nil || receipt.Response.Simulated {
				return err == nil, err
			}
		}
	}
	return false, nil
}

func (r *Records) countSimulated(ctx context.Context, q Query, by string, counts map[string]int64) error {
	for receipt, err := range r.Receipts(ctx, q) {
		if err != nil {
			return err
		}
		if receipt.Response.Simulated {
			counts[lineOf(receipt, by)]++
		}
	}
	return nil
}

// lineOf is the name of the line that a receipt is summed in.
func lineOf(r *starling.Receipt, by string) string {
	switch by {
	case "day":
		return r.Time.UTC().Format(time.DateOnly)
	case "skill":
		return r.Plan.Skill
	case "team":
		return r.Team
	case "model":
		return r.Response.Model
	case "key":
		return r.Key
	case "outcome":
		return string(r.Outcome)
	}
	return ""
}
