package catalog

import (
	"cmp"
	"fmt"
	"strings"

	"starling"
)

// Where a price per million tokens stops being believable: no model has ever
// cost a thousand dollars, and a price per token looks like less than a
// hundredth of a cent.
const (
	highest = starling.Rate(1000 * starling.Dollar)
	lowest  = starling.Rate(starling.Dollar / 10_000)
	factor  = 100 // away from the public price of the same model
)

// doubts says what looks like a slip in a stated price: a price per token where
// one per million is asked for, or the other way round.
func (c *Catalog) doubts(id string, own overlay) []string {
	if own.price == nil || own.price.Input == 0 && own.price.Output == 0 {
		return nil // no price per token was stated
	}
	provider, model, _ := strings.Cut(id, "/")
	vendor := provider
	if v, ok := VendorNamed(provider); ok {
		vendor = cmp.Or(v.Catalog, provider)
	}
	public, _ := c.public(vendor, model)
	var out []string
	for _, r := range []struct {
		name        string
		own, listed starling.Rate
	}{
		{"input", own.price.Input, public.Price.Input},
		{"output", own.price.Output, public.Price.Output},
	} {
		if text := doubt(r.own, r.listed, "models.dev "+vendor+"/"+model); text != "" {
			out = append(out, fmt.Sprintf("prices: %s: %s of %s per million tokens is %s; is it per token or per million?", id, r.name, starling.Money(r.own), text))
		}
	}
	return out
}

// doubt compares with the listed rate, 0 if there is none.
func doubt(own, listed starling.Rate, source string) string {
	switch {
	case listed > 0 && own/factor > listed:
		return fmt.Sprintf("more than %d times the %s of %s", factor, starling.Money(listed), source)
	case listed > 0 && own < listed/factor:
		return fmt.Sprintf("less than a %dth of the %s of %s", factor, starling.Money(listed), source)
	case own == 0:
		return ""
	case own > highest:
		return "more than any model costs"
	case own < lowest:
		return "less than any model costs"
	}
	return ""
}
