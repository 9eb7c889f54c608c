package catalog

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"starling"
)

// lines returns the rows of the embedded snapshot.
func lines() []string {
	return slices.Collect(strings.Lines(Embedded().rows))
}

func TestTheSnapshotIsDatedLicensedAndSorted(t *testing.T) {
	if !regexp.MustCompile(`^20\d\d-\d\d-\d\d$`).MatchString(Embedded().Date()) {
		t.Errorf("the date is %q", Embedded().Date())
	}
	for _, part := range []string{"# licence: ", "# source: ", "# rates: "} {
		if !strings.Contains(embedded, part) {
			t.Errorf("the head has no %q", part)
		}
	}
	all := lines()
	if len(all) < 1000 {
		t.Errorf("only %d rows", len(all))
	}
	if !slices.IsSorted(all) {
		t.Error("the rows are not sorted: the search would miss some")
	}
	if strings.Contains(embedded, "\r") {
		t.Error("the snapshot has carriage returns")
	}
}

func TestEveryDayOfTheSnapshotIsInTheCalendar(t *testing.T) {
	for _, line := range lines() {
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		for _, col := range []int{colReleased, colUpdated} {
			_, noDay := time.Parse(time.DateOnly, f[col])
			_, noMonth := time.Parse("2006-01", f[col])
			if f[col] != "" && noDay != nil && noMonth != nil {
				t.Errorf("%s/%s has the day %q", f[colVendor], f[colModel], f[col])
			}
		}
	}
}

func TestEveryRowIsReadAndFound(t *testing.T) {
	c := Embedded()
	notes := []string{"", noteNoTools, noteNoImages, noteHour, noteReasoning}
	for _, line := range lines() {
		want, ok := parseRow(strings.TrimSuffix(line, "\n"), c.Date())
		if !ok {
			t.Errorf("cannot read %q", line)
			continue
		}
		got, ok := c.Find(want.Vendor, want.Model)
		if !ok || got.Vendor != want.Vendor || got.Model != want.Model || !sameRates(got.Price, want.Price) {
			t.Errorf("%s/%s finds %+v", want.Vendor, want.Model, got)
		}
		for note := range strings.SplitSeq(strings.Split(line, "\t")[colNotes], ",") {
			if !slices.Contains(notes, note) {
				t.Errorf("%s/%s has the note %q, which nothing reads", want.Vendor, want.Model, note)
			}
		}
	}
}

func TestNoPriceIsPerTokenOrBeyondBelief(t *testing.T) {
	for _, line := range lines() {
		r, _ := parseRow(strings.TrimSuffix(line, "\n"), "")
		id := r.Vendor + "/" + r.Model
		all := []starling.Rates{r.Price.Rates}
		for _, tier := range r.Price.Tiers {
			all = append(all, tier.Rates)
		}
		for _, p := range all {
			for _, rate := range []starling.Rate{p.Input, p.Output, p.CacheRead, p.CacheWrite, p.CacheWrite1h} {
				if rate != 0 && (rate < lowest || rate > highest) {
					t.Errorf("%s has a rate of %s per million tokens", id, starling.Money(rate))
				}
			}
			if embeds := Takes(r.Model) == starling.Embeddings; embeds && p.Output > 0 || !embeds && (p.Input == 0) != (p.Output == 0) {
				t.Errorf("%s is free in one direction: %s in, %s out", id, starling.Money(p.Input), starling.Money(p.Output))
			}
			if p.CacheWrite != 0 && p.CacheWrite < p.Input {
				t.Errorf("%s writes to the cache for less than it reads", id)
			}
			if p.Output < p.Input && Takes(r.Model) == "" {
				t.Logf("worth a look: %s costs %s in and %s out", id, starling.Money(p.Input), starling.Money(p.Output))
			}
		}
	}
}

func TestTheSnapshotHasTheFamiliarPrices(t *testing.T) {
	for _, c := range []struct {
		vendor, model, in, out string
		context                int64
	}{ // as models.dev had them on 2026-07-02
		{"openai", "gpt-5.4-nano", "$0.20", "$1.25", 400_000},
		{"anthropic", "claude-opus-4-8", "$5.00", "$25.00", 1_000_000},
		{"deepseek", "deepseek-v4-flash", "$0.14", "$0.28", 1_000_000},
	} {
		r, ok := Embedded().Find(c.vendor, c.model)
		if !ok || starling.Money(r.Price.Input).String() != c.in || starling.Money(r.Price.Output).String() != c.out || r.Context != c.context {
			t.Errorf("%s/%s is %+v", c.vendor, c.model, r)
		}
	}
	long, _ := Embedded().Find("openai", "gpt-5.5")
	if len(long.Price.Tiers) != 1 || long.Price.Tiers[0].Above != 272_000 || long.Price.Tiers[0].Input != 2*long.Price.Input {
		t.Errorf("the long-context price is missing: %+v", long.Price)
	}
	claude, _ := Embedded().Find("anthropic", "claude-haiku-4-5")
	if claude.Price.CacheWrite1h != 2*claude.Price.Input || !strings.Contains(claude.Price.Source, "1-hour") {
		t.Errorf("the hour's cache write is missing: %+v", claude.Price)
	}
}

func TestAModelThatNobodyPricedIsUnknownNotFree(t *testing.T) {
	row, ok := Embedded().Find("nvidia", "meta/llama-guard-4-12b") // models.dev: 0 and 0
	if !ok || row.Price.Known() || row.Price.Free {
		t.Errorf("found %v: %+v", ok, row.Price)
	}
}

func TestLookingUpDoesNotCopyTheSnapshot(t *testing.T) {
	c := Embedded()
	if n := testing.AllocsPerRun(100, func() { Embedded() }); n > 1 {
		t.Errorf("opening allocates %v times", n)
	}
	if n := testing.AllocsPerRun(100, func() { c.Find("openai", "gpt-5.4-nano") }); n > 4 {
		t.Errorf("finding allocates %v times", n)
	}
}

func BenchmarkEmbedded(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		Embedded()
	}
}

func BenchmarkFind(b *testing.B) {
	c := Embedded()
	b.ReportAllocs()
	for b.Loop() {
		c.Find("openai", "gpt-5.4-nano")
	}
}

func BenchmarkFindDated(b *testing.B) {
	c := Embedded()
	b.ReportAllocs()
	for b.Loop() {
		c.Find("openai", "gpt-5.4-2026-03-05")
	}
}

func BenchmarkVendor(b *testing.B) {
	c := Embedded()
	b.ReportAllocs()
	for b.Loop() {
		for range c.Vendor("openrouter") { // the largest
		}
	}
}
