package starling

import (
	"math"
	"math/big"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestMoneyIsReadToTheLastDigitOrRefused(t *testing.T) {
	for _, c := range []struct {
		text string
		want Money
		ok   bool
	}{
		{"5", 5 * Dollar, true},
		{"$0.25", Dollar / 4, true},
		{" -$0.000000001 ", -1, true},
		{".5", Dollar / 2, true},
		{"9223372036.854775807", math.MaxInt64, true},
		{"9223372036.854775808", 0, false},
		{"0.0000000001", 0, false},
		{"1e3", 0, false},
		{"1,000", 0, false},
		{"", 0, false},
		{".", 0, false},
		{"$", 0, false},
		{"--1", 0, false},
		{"ten", 0, false},
	} {
		got, err := ParseMoney(c.text)
		if got != c.want || (err == nil) != c.ok {
			t.Errorf("ParseMoney(%q) = %d, %v", c.text, got, err)
		}
		if err != nil && KindOf(err) != Invalid {
			t.Errorf("ParseMoney(%q): kind %s", c.text, KindOf(err))
		}
	}
}

func TestMoneyPrintedIsReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := Money(rapid.Int64Range(-math.MaxInt64, math.MaxInt64).Draw(t, "m"))
		got, err := ParseMoney(m.String())
		if err != nil || got != m {
			t.Fatalf("%d prints as %s and reads as %d, %v", m, m, got, err)
		}
	})
}

func TestARateIsExactToHalfANanodollar(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := rapid.Int64Range(0, 1e15).Draw(t, "rate")
		n := rapid.Int64Range(0, 1e9).Draw(t, "tokens")
		want := new(big.Int).Mul(big.NewInt(r), big.NewInt(n))
		want.Add(want, big.NewInt(500_000)).Div(want, big.NewInt(1_000_000))
		if !want.IsInt64() {
			want.SetInt64(math.MaxInt64)
		}
		if got := Rate(r).Of(n); int64(got) != want.Int64() {
			t.Fatalf("Rate(%d).Of(%d) = %d, want %s", r, n, got, want)
		}
	})
}

func TestNoCallCostsMoreThanItsWorstCase(t *testing.T) {
	rate := rapid.OneOf(rapid.Int64Range(0, 1e12), rapid.SampledFrom([]int64{499_999, 500_000, 1_500_000})) // some of them round up
	rapid.Check(t, func(t *rapid.T) {
		rates := func(label string) Rates {
			return Rates{
				Input: Rate(rate.Draw(t, label+" input")), Output: Rate(rate.Draw(t, label+" output")),
				CacheRead: Rate(rate.Draw(t, label+" read")), CacheWrite: Rate(rate.Draw(t, label+" write")),
				CacheWrite1h: Rate(rate.Draw(t, label+" write1h")),
			}
		}
		p := Price{Rates: rates("base"), Tiers: []Tier{{Above: 200_000, Rates: rates("tier")}}}
		part := rapid.OneOf(rapid.Int64Range(0, 200_000), rapid.Int64Range(0, 3))
		u := Usage{
			Input: part.Draw(t, "in"), CacheRead: part.Draw(t, "read"), CacheWrite: part.Draw(t, "write"),
			CacheWrite1h: part.Draw(t, "write1h"), Output: part.Draw(t, "out"),
		}
		_, cost := p.Cost(u, time.Second)
		worst := p.Worst(u.TotalInput(), u.Output, time.Minute)
		if cost > worst {
			t.Fatalf("cost %d above the worst case %d", cost, worst)
		}
		if amount := p.Amount(u, time.Second); amount != cost {
			t.Fatalf("the amount is %d, the cost %d", amount, cost)
		}
	})
}

func TestTheWorstCaseIsThatOfTheInputInFourLines(t *testing.T) {
	p := Price{Rates: Rates{Input: 500_000}} // half a nanodollar a token: each line rounds up
	for _, c := range []struct {
		u    Usage
		want Money
	}{
		{Usage{}, 0},
		{Usage{Input: 1}, 1},
		{Usage{Input: 1, CacheRead: 1}, 2},
		{Usage{Input: 1, CacheRead: 1, CacheWrite: 1, CacheWrite1h: 1}, 4},
		{Usage{Input: 3, CacheRead: 3, CacheWrite: 3, CacheWrite1h: 3, Output: 9}, 8},
	} {
		_, cost := p.Cost(c.u, 0)
		if worst := p.Worst(c.u.TotalInput(), c.u.Output, 0); cost != c.want || worst != c.want {
			t.Errorf("%+v costs %d and at worst %d, want %d", c.u, cost, worst, c.want)
		}
	}
	if worst := (Price{Rates: Rates{Output: 1_000_000}}).Worst(9, 5, 0); worst != 5 {
		t.Errorf("input that costs nothing makes it %d, want 5", worst)
	}
}

func TestElectricityIsNeverFree(t *testing.T) {
	p := Price{Milliwatts: 30_000, PerKWh: Dollar * 15 / 100}
	if _, got := p.Cost(Usage{}, time.Hour); got != Dollar*45/10_000 {
		t.Errorf("30 W for an hour at $0.15 per kWh cost %s, want $0.0045", got)
	}
	if _, got := p.Cost(Usage{}, time.Nanosecond); got != 1 {
		t.Errorf("a nanosecond costs %d, want the smallest amount there is", got)
	}
	if (Price{}).Known() {
		t.Error("a price that says nothing is called known")
	}
}

func TestALongContextIsPricedByItsTier(t *testing.T) {
	p := Price{Rates: Rates{Input: 5e9, Output: 30e9}, Tiers: []Tier{{Above: 272_000, Rates: Rates{Input: 10e9, Output: 45e9}}}}
	for _, c := range []struct {
		input int64
		want  Money
	}{{272_000, Rate(5e9).Of(272_000)}, {272_001, Rate(10e9).Of(272_001)}} {
		if _, got := p.Cost(Usage{Input: c.input}, 0); got != c.want {
			t.Errorf("%d tokens cost %s, want %s", c.input, got, c.want)
		}
	}
}

func TestWhatIsChargedBesideTheTokensIsALineOfItsOwn(t *testing.T) {
	rates := Rates{Input: 1e9}
	for _, c := range []struct {
		name  string
		price Price
		usage Usage
		want  []CostLine
		cost  Money
	}{
		{"searches", Price{Rates: rates, Search: Dollar / 100}, Usage{Searches: 3}, []CostLine{{What: "search", Count: 3, Each: Dollar / 100, Amount: Dollar * 3 / 100}}, Dollar * 3 / 100},
		{"searches that nobody knows the price of", Price{Rates: rates}, Usage{Searches: 3}, []CostLine{{What: "search", Count: 3, Unpriced: true}}, 0},
		{"searches that were declared free", Price{Free: true}, Usage{Searches: 3}, []CostLine{{What: "search", Count: 3}}, 0},
		{"a dearer tier", Price{Rates: rates}, Usage{Tier: "priority"}, []CostLine{{What: "service_tier", Unpriced: true}}, 0},
		{"the usual tier", Price{Rates: rates}, Usage{Tier: "standard"}, []CostLine{}, 0},
		{"more than there is money", Price{Rates: rates, Search: Dollar}, Usage{Searches: math.MaxInt64}, []CostLine{{What: "search", Count: math.MaxInt64, Each: Dollar, Amount: math.MaxInt64}}, math.MaxInt64},
	} {
		lines, cost := c.price.Cost(c.usage, time.Second)
		if !slices.Equal(lines, c.want) || cost != c.cost {
			t.Errorf("%s: %+v, %d", c.name, lines, cost)
		}
	}
}
