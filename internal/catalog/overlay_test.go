package catalog

import (
	"math"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"

	"starling"
)

func TestTheUsersFiguresStandOverTheCatalogs(t *testing.T) {
	const own = "prices in the configuration"
	for _, c := range []struct {
		name                    string
		override                Override
		provider, vendor, model string
		want                    Row
	}{
		{"a price for a model that nobody else knows",
			Override{Model: "office/qwen3", Input: "0.10", Output: "0.40", Context: 131072, MaxOutput: 8192, Source: "contract of May"},
			"office", "", "qwen3",
			Row{Model: "qwen3", Context: 131072, MaxOutput: 8192, Price: starling.Price{Rates: starling.Rates{Input: 100_000_000, Output: 400_000_000}, Source: "contract of May"}}},
		{"what a price leaves unsaid of cache and tiers stays as it is listed",
			Override{Model: "acme/long", Input: "4", Output: "$20"},
			"acme", "acme", "long",
			Row{Vendor: "acme", Model: "long", Context: 1050000, MaxOutput: 128000, Kept: []string{"tiers"}, Price: starling.Price{
				Rates: starling.Rates{Input: 4_000_000_000, Output: 20_000_000_000},
				Tiers: []starling.Tier{
					{Above: 200000, Rates: starling.Rates{Input: 10_000_000_000, Output: 45_000_000_000, CacheRead: 1_000_000_000}},
					{Above: 500000, Rates: starling.Rates{Input: 20_000_000_000, Output: 90_000_000_000}}},
				Source: own + "; tiers of models.dev acme/long, updated 2026-01-01"}}},
		{"and rises with a price that is dearer than the listed one",
			Override{Model: "acme/long", Input: "10", Output: "31"},
			"acme", "acme", "long",
			Row{Vendor: "acme", Model: "long", Context: 1050000, MaxOutput: 128000, Kept: []string{"tiers"}, Price: starling.Price{
				Rates: starling.Rates{Input: 10_000_000_000, Output: 31_000_000_000},
				Tiers: []starling.Tier{
					{Above: 200000, Rates: starling.Rates{Input: 20_000_000_000, Output: 46_500_000_000, CacheRead: 2_000_000_000}},
					{Above: 500000, Rates: starling.Rates{Input: 40_000_000_000, Output: 93_000_000_000}}},
				Source: own + "; tiers of models.dev acme/long, updated 2026-01-01"}}},
		{"cache writes are never dropped to plain input",
			Override{Model: "acme/big", Input: "1.5", Output: "7.5", CacheRead: "0.15"},
			"acme", "acme", "big",
			Row{Vendor: "acme", Model: "big", Context: 200000, MaxOutput: 64000, Released: "2025-10-01", Kept: []string{"cache_write", "cache_write_1h"}, Price: starling.Price{
				Rates:  starling.Rates{Input: 1_500_000_000, Output: 7_500_000_000, CacheRead: 150_000_000, CacheWrite: 3_750_000_000, CacheWrite1h: 6_000_000_000},
				Source: own + "; cache_write, cache_write_1h of models.dev acme/big, updated 2025-11-01; 1-hour cache writes at 2x input, as Anthropic states"}}},
		{"the cache's rates and tiers can be stated",
			Override{Model: "acme/long", Input: "4", Output: "20", CacheRead: "0.4", CacheWrite: "5", CacheWrite1h: "8",
				Tiers: []OverrideTier{{Above: 100, Input: "6", Output: "30", CacheRead: "0.6"}, {Above: 200, Input: "7", Output: "0"}}},
			"acme", "acme", "long",
			Row{Vendor: "acme", Model: "long", Context: 1050000, MaxOutput: 128000, Price: starling.Price{
				Rates: starling.Rates{Input: 4_000_000_000, Output: 20_000_000_000, CacheRead: 400_000_000, CacheWrite: 5_000_000_000, CacheWrite1h: 8_000_000_000},
				Tiers: []starling.Tier{
					{Above: 100, Rates: starling.Rates{Input: 6_000_000_000, Output: 30_000_000_000, CacheRead: 600_000_000}},
					{Above: 200, Rates: starling.Rates{Input: 7_000_000_000}}}, Source: own}}},
		{"that there are no tiers can be stated",
			Override{Model: "acme/long", Input: "4", Output: "20", CacheRead: "0.4", Tiers: []OverrideTier{}},
			"acme", "acme", "long",
			Row{Vendor: "acme", Model: "long", Context: 1050000, MaxOutput: 128000, Price: starling.Price{
				Rates: starling.Rates{Input: 4_000_000_000, Output: 20_000_000_000, CacheRead: 400_000_000}, Source: own}}},
		{"a provider's figures are its own, whatever its vendor",
			Override{Model: "work/free", Input: "1", Output: "1"},
			"work", "acme", "free",
			Row{Vendor: "acme", Model: "free", Context: 1000, MaxOutput: 100, Price: starling.Price{Rates: starling.Rates{Input: 1_000_000_000, Output: 1_000_000_000}, Source: own}}},
		{"what costs nothing is declared",
			Override{Model: "acme/free", Free: true}, "acme", "acme", "free",
			Row{Vendor: "acme", Model: "free", Context: 1000, MaxOutput: 100, Price: starling.Price{Free: true, Source: own}}},
		{"one direction may be stated as nothing",
			Override{Model: "acme/free", Input: "0", Output: "1"}, "acme", "acme", "free",
			Row{Vendor: "acme", Model: "free", Context: 1000, MaxOutput: 100, Price: starling.Price{Rates: starling.Rates{Output: 1_000_000_000}, Source: own}}},
		{"electricity is a price",
			Override{Model: "ollama/qwen3:0.6b", Watts: "45", PerKWh: "0.30"}, "ollama", "", "qwen3:0.6b",
			Row{Model: "qwen3:0.6b", Price: starling.Price{Milliwatts: 45_000, PerKWh: 300_000_000, Source: own}}},
		{"a window alone leaves the price",
			Override{Model: "acme/shifty", Context: 5}, "acme", "acme", "shifty",
			Row{Vendor: "acme", Model: "shifty", Context: 5, Price: starling.Price{Rates: starling.Rates{Input: 1_000_000_000, Output: 2_000_000_000}, Source: "models.dev acme/shifty", AsOf: "2026-01-02"}}},
		{"a window alone prices nothing",
			Override{Model: "office/new", Context: 5}, "office", "", "new", Row{Model: "new", Context: 5}},
		{"a model's name may have slashes",
			Override{Model: "acme/org/new", Input: "1", Output: "2"}, "acme", "acme", "org/new",
			Row{Vendor: "acme", Model: "org/new", Price: starling.Price{Rates: starling.Rates{Input: 1_000_000_000, Output: 2_000_000_000}, Source: own}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := c.override.Validate(); err != nil {
				t.Fatal(err)
			}
			with := smallCatalog().With([]Override{c.override})
			got, ok := with.Lookup(c.provider, c.vendor, c.model)
			if !ok {
				t.Fatal("not found")
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
			if w := with.Warnings(); len(w) > 0 {
				t.Errorf("warns %q", w)
			}
		})
	}
}

func TestARateIsRaisedExactlyOrNotAtAll(t *testing.T) {
	for _, c := range []struct{ rate, stated, listed, want starling.Rate }{
		{10, 3, 2, 15}, {10, 7, 3, 24}, {10, 2, 3, 10}, {10, 3, 0, 10}, {0, 3, 2, 0},
		{math.MaxInt64, 2, 1, math.MaxInt64}, {math.MaxInt64, math.MaxInt64, 1, math.MaxInt64}, {math.MaxInt64 - 1, 8, 7, math.MaxInt64},
	} {
		if got := raised(c.rate, c.stated, c.listed); got != c.want {
			t.Errorf("%d raised from %d to %d is %d, want %d", c.rate, c.listed, c.stated, got, c.want)
		}
	}
}

func TestADatedNameTakesTheUsersFiguresToo(t *testing.T) {
	c := smallCatalog().With([]Override{{Model: "acme/steady", Input: "0.5", Output: "0.6"}})
	if row, _ := c.Find("acme", "steady-2026-07-01"); row.Price.Input != 500_000_000 {
		t.Errorf("got %+v", row.Price)
	}
}

func TestFiguresThatCannotBeReadLeaveThePriceUnknown(t *testing.T) {
	for _, c := range []struct {
		name     string
		override Override
		says     string
	}{
		{"half a price", Override{Model: "acme/big", Input: "1"}, "both input and output"},
		{"the cache alone", Override{Model: "acme/big", CacheRead: "1"}, "both input and output"},
		{"zeros", Override{Model: "acme/big", Input: "0", Output: "0.00"}, "free: true"},
		{"no number", Override{Model: "acme/big", Input: "1e-6", Output: "2"}, "input"},
		{"less than a nanodollar", Override{Model: "acme/big", Input: "0.0000000001", Output: "2"}, "nine decimals"},
		{"money back", Override{Model: "acme/big", Input: "1", Output: "-2"}, "output is below zero"},
		{"two ways to pay", Override{Model: "acme/big", Input: "1", Output: "2", Watts: "5", PerKWh: "1"}, "state one"},
		{"free at a price", Override{Model: "acme/big", Input: "1", Output: "2", Free: true}, "state one"},
		{"free on power", Override{Model: "acme/big", Watts: "2", Free: true}, "state one"},
		{"power without a tariff", Override{Model: "acme/big", Watts: "5"}, "per_kwh"},
		{"a tariff without power", Override{Model: "acme/big", PerKWh: "0.3"}, "electricity"},
		{"a tier that is half a price", Override{Model: "acme/big", Input: "1", Output: "2", Tiers: []OverrideTier{{Above: 5, Input: "2"}}}, "tier 1: state both input and output"},
		{"tiers in no order", Override{Model: "acme/big", Input: "1", Output: "2", Tiers: []OverrideTier{{5, "2", "3", "", "", ""}, {5, "2", "3", "", "", ""}}}, "tier 2: above must be more"},
		{"a tier of everything", Override{Model: "acme/big", Input: "1", Output: "2", Tiers: []OverrideTier{{0, "2", "3", "", "", ""}}}, "tier 1: above must be more"},
		{"tiers alone", Override{Model: "acme/big", Tiers: []OverrideTier{{5, "2", "3", "", "", ""}}}, "both input and output"},
		{"a window below zero", Override{Model: "acme/big", Input: "1", Output: "2", Context: -1}, "above zero"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := c.override.Validate()
			if starling.KindOf(err) != starling.Invalid || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), "acme/big") {
				t.Errorf("Validate says %v", err)
			}
			with := smallCatalog().With([]Override{c.override})
			row, ok := with.Find("acme", "big")
			if !ok || row.Price.Known() {
				t.Errorf("the price is %+v", row.Price)
			}
			if w := with.Warnings(); len(w) != 1 || !strings.Contains(w[0], c.says) {
				t.Errorf("warns %q", w)
			}
		})
	}
	for _, model := range []string{"", "big", "/big", "acme/"} {
		if err := (Override{Model: model, Free: true}).Validate(); starling.KindOf(err) != starling.Invalid {
			t.Errorf("model %q is taken", model)
		}
	}
}

func TestASlipOfPerTokenAndPerMillionIsPointedOut(t *testing.T) {
	for _, c := range []struct {
		name          string
		model         string
		input, output string
		says          []string
	}{
		{"per token where per million is meant", "acme/big", "0.000003", "0.000015", []string{"input of $0.000003", "output of $0.000015"}},
		{"per million typed as micro-dollars", "acme/big", "3000000", "15", []string{"more than 100 times the $3.00 of models.dev acme/big"}},
		{"nothing where something is listed", "acme/big", "3", "0", []string{"less than a 100th of the $15.00"}},
		{"a discount is none", "acme/big", "0.5", "2", nil},
		{"a hundred times is the limit", "acme/big", "300", "0.15", nil},
		{"beyond belief without a listed price", "office/new", "1001", "0.00009", []string{"more than any model costs", "less than any model costs"}},
		{"a vendor is compared under its name in the catalog", "together/Qwen/Qwen3.7-Max", "1250000", "3.75", []string{"models.dev togetherai/Qwen/Qwen3.7-Max"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			base := smallCatalog()
			if strings.HasPrefix(c.model, "together") {
				base = Embedded()
			}
			w := base.With([]Override{{Model: c.model, Input: c.input, Output: c.output}}).Warnings()
			if len(w) != len(c.says) {
				t.Fatalf("warns %q", w)
			}
			for i, says := range c.says {
				if !strings.Contains(w[i], says) || !strings.Contains(w[i], "per token or per million") {
					t.Errorf("%q does not say %q", w[i], says)
				}
			}
		})
	}
}

func TestOfTwoFiguresForOneModelTheLastCountsAndItIsSaid(t *testing.T) {
	c := smallCatalog().With([]Override{{Model: "acme/big", Input: "1", Output: "2"}, {Model: "acme/big", Input: "3", Output: "4"}})
	if row, _ := c.Find("acme", "big"); row.Price.Input != 3_000_000_000 {
		t.Errorf("got %+v", row.Price)
	}
	if w := c.Warnings(); len(w) != 1 || !strings.Contains(w[0], "twice") {
		t.Errorf("warns %q", w)
	}
}

func TestACatalogIsNotChangedByWhatIsPutOverIt(t *testing.T) {
	base := smallCatalog()
	first := base.With([]Override{{Model: "acme/big", Free: true}})
	second := first.With([]Override{{Model: "acme/long", Input: "1", Output: "x"}})
	if row, _ := base.Find("acme", "big"); row.Price.Free || len(base.Warnings()) != 0 {
		t.Error("the base has changed")
	}
	if row, _ := first.Find("acme", "long"); !row.Price.Known() || len(first.Warnings()) != 0 {
		t.Error("the first layer has changed")
	}
	if row, _ := second.Find("acme", "big"); !row.Price.Free {
		t.Error("the second layer has lost the first")
	}
}

func TestFiguresForWhatNobodyOffersAreIdle(t *testing.T) {
	c := smallCatalog().With([]Override{{Model: "acme/new", Free: true}, {Model: "acme/big", Context: 5}, {Model: "acme/steady", Free: true}, {Model: "work/big", Free: true}})
	got := c.Idle([]starling.Model{{Provider: "acme", Name: "big"}, {Provider: "acme", Name: "steady-2026-07-01"}})
	if diff := cmp.Diff([]string{"acme/new", "work/big"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestModelsThatOnlyTheUserKnowsAreListedLast(t *testing.T) {
	c := smallCatalog().With([]Override{{Model: "acmes/zoo", Free: true}, {Model: "acmes/apt", Free: true}, {Model: "acmes/big", Free: true}, {Model: "acme/x", Free: true}})
	var got []string
	for row := range c.Vendor("acmes") {
		got = append(got, row.Model)
		if !row.Price.Free || row.Vendor != "acmes" {
			t.Errorf("got %+v", row)
		}
	}
	if diff := cmp.Diff([]string{"big", "apt", "zoo"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestAnOverrideIsReadFromYAML(t *testing.T) {
	const text = `{model: a/b, input: "0.10", output: "0.40", cache_read: "0.01", cache_write: "0.2", cache_write_1h: "0.3", search: "0.02", tiers: [{above: 7, input: "1", output: "2", cache_read: "3", cache_write: "4", cache_write_1h: "5"}], watts: "5", per_kwh: "0.3", free: true, context: 9, max_output: 8, source: s}`
	want := Override{"a/b", "0.10", "0.40", "0.01", "0.2", "0.3", "0.02", []OverrideTier{{7, "1", "2", "3", "4", "5"}}, "5", "0.3", true, 9, 8, "s"}
	var got Override
	if err := yaml.UnmarshalWithOptions([]byte(text), &got, yaml.Strict()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestElectricityIsPricedInMilliwattsRoundedUp(t *testing.T) {
	for _, c := range []struct {
		watts  string
		perKWh starling.Money
		want   int64
	}{
		{"45", 1, 45_000}, {"7.5", 1, 7_500}, {"0.0000001", 1, 1}, {"0.0011", 1, 2},
		{"", 1, 0}, {"0", 1, 0}, {"-5", 1, 0}, {"5", 0, 0}, {"5", -1, 0}, {"$5", 1, 0}, {"many", 1, 0}, {"1e3", 1, 0},
	} {
		got, err := Electricity(c.watts, c.perKWh)
		if c.want == 0 {
			if starling.KindOf(err) != starling.Invalid || got.Known() {
				t.Errorf("%q at %s gives %+v, %v", c.watts, c.perKWh, got, err)
			}
			continue
		}
		if err != nil || got.Milliwatts != c.want || got.PerKWh != c.perKWh || !got.Known() || got.Source == "" {
			t.Errorf("%q at %s gives %+v, %v", c.watts, c.perKWh, got, err)
		}
	}
}

func FuzzOverride(f *testing.F) {
	f.Add("a/b", "0.10", "0.40", "0.01", "", "")
	f.Add("a/b", "", "", "", "45", "0.30")
	f.Add("", "$", "-", ".", "1.", "9223372036.854775807")
	f.Fuzz(func(t *testing.T, model, input, output, read, watts, perKWh string) {
		o := Override{Model: model, Input: input, Output: output, CacheRead: read, Watts: watts, PerKWh: perKWh}
		stated := input+output+read+watts+perKWh != ""
		parsed, err := o.parse()
		switch {
		case err != nil && (parsed.price == nil || parsed.price.Known()):
			t.Errorf("%+v fails with %v and is priced all the same: %+v", o, err, parsed.price)
		case err == nil && stated && !parsed.price.Known():
			t.Errorf("%+v is accepted and says nothing", o)
		case err == nil && min(parsed.context, parsed.maxOutput) < 0:
			t.Errorf("%+v has a limit below zero", o)
		}
	})
}
