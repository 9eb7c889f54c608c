package catalog

import (
	"math"
	"math/bits"
	"slices"
	"strings"

	"starling"
)

// priced returns the stated price with what it leaves unsaid of cache and tiers
// as it is listed, and names what was kept.
func (l overlay) priced(listed starling.Price) (p starling.Price, kept []string) {
	p = *l.price
	p.Tiers = slices.Clone(p.Tiers)
	if p.Input == 0 && p.Output == 0 {
		return p, nil // not paid by tokens, or not known
	}
	up := rise{p.Rates, listed.Rates}
	for _, r := range []struct {
		name, said string
		own        *starling.Rate
		listed     starling.Rate
	}{
		{"cache_read", l.said.CacheRead, &p.CacheRead, listed.CacheRead},
		{"cache_write", l.said.CacheWrite, &p.CacheWrite, listed.CacheWrite},
		{"cache_write_1h", l.said.CacheWrite1h, &p.CacheWrite1h, listed.CacheWrite1h},
	} {
		if r.said == "" && r.listed > 0 {
			*r.own, kept = up.input(r.listed), append(kept, r.name)
		}
	}
	if l.said.Search == "" {
		p.Search = listed.Search
	}
	if l.said.Tiers == nil && len(listed.Tiers) > 0 {
		p.Tiers, kept = up.tiers(listed.Tiers), append(kept, "tiers")
	}
	if len(kept) > 0 {
		p.Source += "; " + strings.Join(kept, ", ") + " of " + listed.Source
	}
	return p, kept
}

// A rise is from a listed price to a stated one that is dearer. One that is
// cheaper is none: a discount on the one may be none on the other.
type rise struct{ stated, listed starling.Rates }

func (u rise) input(r starling.Rate) starling.Rate {
	return raised(r, u.stated.Input, u.listed.Input)
}

func (u rise) output(r starling.Rate) starling.Rate {
	return raised(r, u.stated.Output, u.listed.Output)
}

func (u rise) tiers(listed []starling.Tier) []starling.Tier {
	tiers := slices.Clone(listed)
	for i := range tiers {
		t := &tiers[i]
		t.Output = u.output(t.Output)
		for _, r := range []*starling.Rate{&t.Input, &t.CacheRead, &t.CacheWrite, &t.CacheWrite1h} {
			*r = u.input(*r)
		}
	}
	return tiers
}

// raised returns r × stated / listed, rounded up, where that is more than r.
func raised(r, stated, listed starling.Rate) starling.Rate {
	if listed <= 0 || stated <= listed || r <= 0 {
		return r
	}
	hi, lo := bits.Mul64(uint64(r), uint64(stated))
	if hi >= uint64(listed) {
		return math.MaxInt64
	}
	q, rest := bits.Div64(hi, lo, uint64(listed))
	if q >= math.MaxInt64 {
		return math.MaxInt64
	}
	if rest > 0 {
		q++
	}
	return starling.Rate(q)
}
