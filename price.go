package starling

import (
	"math"
	"math/bits"
	"slices"
	"time"
)

// A Price says what a model costs. Exactly one of two ways of paying is set:
// rates per token, or electricity. A Price that says neither is unknown
// ([Price.Known]) and may not be used: unknown is not free.
type Price struct {
	Rates
	Tiers []Tier `json:"tiers,omitempty"` // ascending by Above

	Milliwatts int64  `json:"milliwatts,omitempty"`          // drawn while answering, above idle
	PerKWh     Money  `json:"per_kwh_nanodollars,omitempty"` // price of a kilowatt-hour
	Search     Money  `json:"search_nanodollars,omitempty"`  // of one search that the vendor runs, beside its tokens; 0 unknown
	Free       bool   `json:"declared_free,omitempty"`       // the user declared it free
	Source     string `json:"source"`                        // where the figures are from: a URL, or a file and line
	AsOf       string `json:"as_of,omitempty"`               // YYYY-MM-DD
}

// Rates are prices per million tokens.
type Rates struct {
	Input        Rate `json:"input,omitempty"`
	Output       Rate `json:"output,omitempty"`
	CacheRead    Rate `json:"cache_read,omitempty"`     // 0: as Input
	CacheWrite   Rate `json:"cache_write,omitempty"`    // 0: as Input
	CacheWrite1h Rate `json:"cache_write_1h,omitempty"` // 0: as CacheWrite
}

// A Tier replaces the rates for a request whose whole input is longer than
// Above tokens.
type Tier struct {
	Above int64 `json:"above"`
	Rates
}

// Known reports whether the price says anything.
func (p Price) Known() bool {
	return p.Free || p.Input > 0 || p.Output > 0 || (p.Milliwatts > 0 && p.PerKWh > 0)
}

// A CostLine is one summand of a cost.
type CostLine struct {
	What     string `json:"what"`                       // "input", "cache_read", "cache_write", "cache_write_1h", "output", "electricity", "search", "service_tier", "hosted_tools"
	Tokens   int64  `json:"tokens,omitempty"`           // priced by Rate
	Rate     Rate   `json:"rate,omitempty"`             // nanodollars per million tokens
	Count    int64  `json:"count,omitempty"`            // of what is no token, priced by Each
	Each     Money  `json:"each_nanodollars,omitempty"` // for one
	Unpriced bool   `json:"unpriced,omitempty"`         // it may be charged, and nobody knows for how much: the amount leaves it out
	Amount   Money  `json:"amount_nanodollars"`
}

// Cost prices a finished call that took the given time. The lines sum to the
// total. A rate that is missing for a part of the input falls back to the next
// dearer plain one, so that nothing counted is ever free by accident.
func (p Price) Cost(u Usage, took time.Duration) ([]CostLine, Money) {
	if p.Milliwatts > 0 {
		amount := p.electricity(took)
		return []CostLine{{What: "electricity", Amount: amount}}, amount
	}
	r := p.ratesFor(u.TotalInput())
	lines := make([]CostLine, 0, 4)
	var total Money
	for _, l := range [...]CostLine{
		{What: "input", Tokens: u.Input, Rate: r.Input},
		{What: "cache_read", Tokens: u.CacheRead, Rate: r.CacheRead},
		{What: "cache_write", Tokens: u.CacheWrite, Rate: r.CacheWrite},
		{What: "cache_write_1h", Tokens: u.CacheWrite1h, Rate: r.CacheWrite1h},
		{What: "output", Tokens: u.Output, Rate: r.Output},
	} {
		if l.Tokens <= 0 {
			continue
		}
		l.Amount = l.Rate.Of(l.Tokens)
		total = total.Plus(l.Amount)
		lines = append(lines, l)
	}
	if u.Searches > 0 {
		l := CostLine{What: "search", Count: u.Searches, Each: p.Search, Amount: p.Search.Times(u.Searches), Unpriced: p.Search == 0 && !p.Free}
		total = total.Plus(l.Amount)
		lines = append(lines, l)
	}
	if u.Dearer() && !p.Free {
		lines = append(lines, CostLine{What: "service_tier", Unpriced: true})
	}
	return lines, total
}

// Amount is what tokens cost in a call that takes the given time: the total of
// [Price.Cost], without lines and without searches.
func (p *Price) Amount(u Usage, took time.Duration) Money {
	if p.Milliwatts > 0 {
		return p.electricity(took)
	}
	r := p.ratesFor(u.TotalInput())
	return r.Input.Of(u.Input).Plus(r.CacheRead.Of(u.CacheRead)).Plus(r.CacheWrite.Of(u.CacheWrite)).Plus(r.CacheWrite1h.Of(u.CacheWrite1h)).Plus(r.Output.Of(u.Output))
}

// Worst returns the most that a call can cost: every input token at the dearest
// input rate of any tier the input may reach, the output at its limit, and for
// electricity the longest time a call may take. No cost of these tokens is above
// it, however the input falls into lines and each of them is rounded.
func (p Price) Worst(input, output int64, longest time.Duration) Money {
	if p.Milliwatts > 0 {
		return p.electricity(longest)
	}
	in, out := p.Rates.filled(), p.Rates.Output
	dearest := max(in.Input, in.CacheRead, in.CacheWrite, in.CacheWrite1h)
	for _, t := range p.Tiers {
		if input > t.Above {
			r := t.Rates.filled()
			dearest = max(dearest, r.Input, r.CacheRead, r.CacheWrite, r.CacheWrite1h)
			out = max(out, r.Output)
		}
	}
	return dearest.atMost(input).Plus(out.Of(output))
}

// atMost returns the most that n tokens of input cost in any number of lines at
// rates no dearer than r. Each of the lines, up to four and none of them empty,
// rounds up by half a nanodollar at most, and the first such half is in Of.
func (r Rate) atMost(n int64) Money {
	if r <= 0 || n <= 0 {
		return 0
	}
	return r.Of(n).Plus(Money(min(n, 4) / 2))
}

// WithoutCacheWrites returns the price of a call that is known to write nothing
// to a prompt cache.
func (p Price) WithoutCacheWrites() Price {
	p.CacheWrite, p.CacheWrite1h = 0, 0
	p.Tiers = slices.Clone(p.Tiers)
	for i := range p.Tiers {
		p.Tiers[i].CacheWrite, p.Tiers[i].CacheWrite1h = 0, 0
	}
	return p
}

func (p Price) ratesFor(input int64) Rates {
	r := p.Rates
	for _, t := range p.Tiers {
		if input > t.Above {
			r = t.Rates
		}
	}
	return r.filled()
}

func (r Rates) filled() Rates {
	if r.CacheRead == 0 {
		r.CacheRead = r.Input
	}
	if r.CacheWrite == 0 {
		r.CacheWrite = r.Input
	}
	if r.CacheWrite1h == 0 {
		r.CacheWrite1h = r.CacheWrite
	}
	return r
}

// electricity rounds up: energy that was used is not free.
func (p Price) electricity(took time.Duration) Money {
	const milliwattNanosecondsPerKWh = 3_600_000_000_000_000_000 // 10⁶ mW × 3.6·10¹² ns
	if took <= 0 {
		return 0
	}
	energyHi, energy := bits.Mul64(uint64(p.Milliwatts), uint64(took))
	hi, lo := bits.Mul64(energy, uint64(p.PerKWh))
	if energyHi > 0 || hi >= milliwattNanosecondsPerKWh {
		return math.MaxInt64
	}
	q, rest := bits.Div64(hi, lo, milliwattNanosecondsPerKWh)
	if q >= math.MaxInt64 {
		return math.MaxInt64
	}
	if rest > 0 {
		q++
	}
	return Money(q)
}
