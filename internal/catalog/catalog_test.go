package catalog

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"starling"
)

// small is a snapshot whose every line is there for a test.
const small = `# made up for tests
# date: 2026-01-02
acme	big	3000000000	15000000000	300000000	3750000000	6000000000		200000	64000	1h=2x	2025-10-01	2025-11-01
acme	deep	400000000	4000000000						8192	max-reasoning,no-images,no-tools	2025-01	
acme	free							1000	100			
acme	long	5000000000	30000000000				200000:10000000000:45000000000:1000000000::;500000:20000000000:90000000000:::	1050000	128000			2026-01-01
acme	shifty	1000000000	2000000000							
acme	shifty-2024-05-13	5000000000	2000000000							
acme	steady	1000000000	2000000000							
acme	steady-20240513	1000000000	2000000000							
acmes	big	1	2							
`

// The lines above end in fewer tabs than a row has, to be readable.
func smallCatalog() *Catalog {
	var b strings.Builder
	for line := range strings.Lines(small) {
		line = strings.TrimSuffix(line, "\n")
		if missing := columns - 1 - strings.Count(line, "\t"); missing > 0 && !strings.HasPrefix(line, "#") {
			line += strings.Repeat("\t", missing)
		}
		b.WriteString(line + "\n")
	}
	return open(b.String())
}

func TestARowSaysEverythingThatItsLineSays(t *testing.T) {
	c := smallCatalog()
	if c.Date() != "2026-01-02" {
		t.Errorf("the date is %q", c.Date())
	}
	for _, want := range []Row{
		{Vendor: "acme", Model: "big", Context: 200000, MaxOutput: 64000, Released: "2025-10-01", Price: starling.Price{
			Rates:  starling.Rates{Input: 3_000_000_000, Output: 15_000_000_000, CacheRead: 300_000_000, CacheWrite: 3_750_000_000, CacheWrite1h: 6_000_000_000},
			Source: "models.dev acme/big, updated 2025-11-01; 1-hour cache writes at 2x input, as Anthropic states", AsOf: "2026-01-02"}},
		{Vendor: "acme", Model: "deep", MaxOutput: 8192, NoTools: true, NoImages: true, Released: "2025-01", Price: starling.Price{
			Rates: starling.Rates{Input: 400_000_000, Output: 4_000_000_000}, Source: "models.dev acme/deep; output at the rate of reasoning", AsOf: "2026-01-02"}},
		{Vendor: "acme", Model: "free", Context: 1000, MaxOutput: 100},
		{Vendor: "acme", Model: "long", Context: 1050000, MaxOutput: 128000, Price: starling.Price{
			Rates: starling.Rates{Input: 5_000_000_000, Output: 30_000_000_000},
			Tiers: []starling.Tier{
				{Above: 200000, Rates: starling.Rates{Input: 10_000_000_000, Output: 45_000_000_000, CacheRead: 1_000_000_000}},
				{Above: 500000, Rates: starling.Rates{Input: 20_000_000_000, Output: 90_000_000_000}}},
			Source: "models.dev acme/long, updated 2026-01-01", AsOf: "2026-01-02"}},
	} {
		got, ok := c.Find(want.Vendor, want.Model)
		if !ok {
			t.Errorf("no %s", want.Model)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}
}

func TestFillCarriesARowIntoAModel(t *testing.T) {
	row, _ := smallCatalog().Find("acme", "deep")
	want := starling.Model{Name: "deep", Price: row.Price, MaxOutput: 8192, NoTools: true, NoImages: true, Released: "2025-01"}
	if diff := cmp.Diff(want, row.Fill()); diff != "" {
		t.Error(diff)
	}
}

func TestWhatIsNotThereIsNotFound(t *testing.T) {
	c := smallCatalog()
	for _, id := range [][2]string{{"acme", "bi"}, {"acme", "bigger"}, {"acme", ""}, {"", ""}, {"", "big"}, {"a", "big"}, {"zzz", "big"}, {"acme\tbig", ""}, {"#", ""}} {
		if row, ok := c.Find(id[0], id[1]); ok {
			t.Errorf("%q finds %+v", id, row)
		}
	}
	if row, ok := (open("")).Find("acme", "big"); ok {
		t.Errorf("an empty snapshot finds %+v", row)
	}
}

func TestADatedNameStandsForItsModelOnlyWhereTheDateDoesNotMatter(t *testing.T) {
	c := smallCatalog()
	for _, c2 := range []struct{ name, model, base string }{
		{"a date with dashes", "steady-2026-03-05", "steady"},
		{"a date without", "big-20260305", "big"},
		{"a date after an at sign", "big@20260305", "big"},
		{"a free model's date", "free-20260305", "free"},
		{"not where dated rows cost something else", "shifty-2026-03-05", ""},
		{"not a day that does not exist", "big-20261399", ""},
		{"not a shorter number", "big-2603", ""},
		{"not an unknown model", "bigger-20260305", ""},
		{"not a date alone", "-20260305", ""},
	} {
		t.Run(c2.name, func(t *testing.T) {
			row, ok := c.Find("acme", c2.model)
			if ok != (c2.base != "") {
				t.Fatalf("found is %v", ok)
			}
			if !ok {
				return
			}
			base, _ := c.Find("acme", c2.base)
			if row.Model != c2.model || !sameRates(row.Price, base.Price) {
				t.Errorf("got %+v", row)
			}
			if row.Price.Known() && !strings.Contains(row.Price.Source, "the row of "+c2.base) {
				t.Errorf("the source %q does not say so", row.Price.Source)
			}
		})
	}
	if row, _ := c.Find("acme", "shifty-2024-05-13"); row.Price.Input != 5_000_000_000 {
		t.Error("a dated row of its own does not count")
	}
}

func TestVendorYieldsItsRowsInOrder(t *testing.T) {
	var got []string
	for row := range smallCatalog().Vendor("acme") {
		got = append(got, row.Model)
	}
	want := []string{"big", "deep", "free", "long", "shifty", "shifty-2024-05-13", "steady", "steady-20240513"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for range smallCatalog().Vendor("nobody") {
		t.Error("nobody has a model")
	}
	n := 0
	for range smallCatalog().Vendor("acme") {
		if n++; n == 2 {
			break
		}
	}
	if n != 2 {
		t.Errorf("a caller that stops after 2 got %d", n)
	}
}

func TestLowerBoundIsWhatAScanWouldFind(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		word := rapid.StringMatching(`[a-c]{0,3}`)
		lines := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) string { return word.Draw(t, "word") + "\n" }), 0, 12).Draw(t, "lines")
		slices.Sort(lines)
		rows := strings.Join(lines, "")
		if rapid.Bool().Draw(t, "cut") {
			rows = strings.TrimSuffix(rows, "\n")
		}
		key := word.Draw(t, "key")
		want := 0
		for line := range strings.Lines(rows) {
			if line >= key {
				break
			}
			want += len(line)
		}
		if got := lowerBound(rows, key); got != want {
			t.Fatalf("lowerBound(%q, %q) = %d, want %d", rows, key, got, want)
		}
	})
}

func FuzzRow(f *testing.F) {
	for line := range strings.Lines(small) {
		f.Add(strings.TrimSuffix(line, "\n"))
	}
	f.Add("a\tb\t1\t2\t3\t4\t5\t1:2:3:4:5:6;2:::::\t1\t2\tno-tools\t2026\t2026")
	f.Add("a\tb\t-1\t2\t3\t4\t5\t\t\t\t\t\t")
	f.Fuzz(func(t *testing.T, line string) {
		row, ok := parseRow(line, "2026-01-02")
		if !ok {
			return
		}
		p := row.Price
		if min(p.Input, p.Output, p.CacheRead, p.CacheWrite, p.CacheWrite1h) < 0 || row.Context < 0 || row.MaxOutput < 0 {
			t.Errorf("%q has a number below zero", line)
		}
		if p.Known() != (p.Source != "") {
			t.Errorf("%q: known is %v with source %q", line, p.Known(), p.Source)
		}
		if !slices.IsSortedFunc(p.Tiers, func(a, b starling.Tier) int { return int(a.Above - b.Above) }) {
			t.Errorf("%q has tiers out of order", line)
		}
	})
}
