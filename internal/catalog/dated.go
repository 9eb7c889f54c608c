package catalog

import (
	"slices"
	"time"

	"starling"
)

// undated returns a model's name without the date that it ends in, and false if
// it ends in none: gpt-4o-2024-08-06, claude-haiku-4-5-20251001,
// claude-haiku-4-5@20251001. Shorter numbers, as in mistral-large-2512, may be
// anything.
func undated(model string) (string, bool) {
	for _, layout := range []string{"-2006-01-02", "-20060102", "@20060102"} {
		base := len(model) - len(layout)
		if base <= 0 {
			continue
		}
		if _, err := time.Parse(layout, model[base:]); err == nil {
			return model[:base], true
		}
	}
	return "", false
}

// agree reports whether all dated rows of a model cost what its undated one
// does, so that a date that nobody has a row for is no riddle.
func (c *Catalog) agree(vendor, base string) bool {
	row, ok := c.public(vendor, base)
	if !ok {
		return true // only the user has spoken of it
	}
	for sibling := range c.publicOf(vendor, base) {
		if of, dated := undated(sibling.Model); dated && of == base && !sameRates(sibling.Price, row.Price) {
			return false
		}
	}
	return true
}

func sameRates(a, b starling.Price) bool {
	return a.Rates == b.Rates && slices.Equal(a.Tiers, b.Tiers)
}
