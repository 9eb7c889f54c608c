package verify

import (
	"context"
	"fmt"
	"math/big"
	"strings"

	"github.com/tidwall/gjson"

	"starling/internal/skill"
)

// An arithmetic accepts an answer whose arithmetic holds: the equations in its
// text, the sums in its JSON. All of it is exact; there is no floating point.
type arithmetic struct {
	document
	equations bool
	sums      []skill.Sum
}

func newArithmetic(spec skill.VerifySpec) (rule, error) {
	if !spec.Equations && len(spec.Sums) == 0 {
		return nil, fault("it demands neither equations nor sums")
	}
	return &arithmetic{document: document{fence: spec.Fence}, equations: spec.Equations, sums: spec.Sums}, nil
}

func (a *arithmetic) judge(ctx context.Context, q question) (string, error) {
	if a.equations {
		if why := calculate(ctx, q.text); why != "" {
			return why, nil
		}
	}
	if len(a.sums) == 0 {
		return "", nil
	}
	_, raw, why := a.read(q.text)
	if why != "" {
		return why, nil
	}
	for _, sum := range a.sums {
		if why := add(raw, sum); why != "" {
			return why, nil
		}
	}
	return "", nil
}

// calculate checks every equation of the text.
func calculate(ctx context.Context, text string) string {
	n := 0
	for e := range equations(scan(text)) {
		n++
		if ctx.Err() != nil || !e.holds() {
			return fmt.Sprintf("equation %d does not hold", n)
		}
	}
	if n == 0 {
		return "there is no equation to check"
	}
	return ""
}

// add checks one sum in a JSON text.
func add(raw string, sum skill.Sum) string {
	total := new(big.Rat)
	for _, path := range sum.Parts {
		part, ok := numbers(gjson.Get(raw, path))
		if !ok {
			return "there are no numbers at " + path
		}
		total.Add(total, part)
	}
	want, ok := numbers(gjson.Get(raw, sum.Total))
	switch {
	case !ok:
		return "there is no number at " + sum.Total
	case want.Cmp(total) != 0:
		return sum.Total + " is not the sum of " + strings.Join(sum.Parts, " and ")
	}
	return ""
}

// numbers adds up what a path leads to: a number, text that is one, or a list of
// them. A list without entries is 0.
func numbers(v gjson.Result) (*big.Rat, bool) {
	switch {
	case v.IsArray():
		total := new(big.Rat)
		for _, item := range v.Array() {
			n, ok := numbers(item)
			if !ok {
				return nil, false
			}
			total.Add(total, n)
		}
		return total, true
	case v.Type == gjson.Number:
		return rational(v.Raw)
	case v.Type == gjson.String && gjson.Valid(v.Str) && gjson.Parse(v.Str).Type == gjson.Number:
		return rational(strings.TrimSpace(v.Str))
	}
	return nil, false
}
