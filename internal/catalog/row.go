package catalog

import (
	"strconv"
	"strings"

	"starling"
)

// A Row is what is known of one model at one vendor.
type Row struct {
	Vendor string // in the catalog; "" for a provider that is not in it
	Model  string // as the vendor calls it

	Price     starling.Price
	Context   int64  // window in tokens; 0 unknown
	MaxOutput int64  // most output tokens; 0 unknown
	NoTools   bool   // known not to call tools
	NoImages  bool   // known not to read images
	Released  string // YYYY-MM-DD or YYYY-MM; "" unknown

	Kept []string // what the user's own price left to the public one: "cache_read", …, "tiers"
}

// Fill returns a model with everything that the row knows. Provider, dialect and
// zone are the caller's to say.
func (r Row) Fill() starling.Model {
	return starling.Model{
		Name:      r.Model,
		Price:     r.Price,
		Context:   r.Context,
		MaxOutput: r.MaxOutput,
		NoTools:   r.NoTools,
		NoImages:  r.NoImages,
		Released:  r.Released,
		Takes:     Takes(r.Model),
	}
}

// The columns of snapshot.tsv. Rates are in nanodollars per million tokens;
// empty is unknown.
const (
	colVendor = iota
	colModel
	colRates // five, in the order of ratesOf
	colTiers = iota + 4
	colContext
	colMaxOutput
	colNotes
	colReleased
	colUpdated
	columns
)

// Notes say what a row lacks, and what the generator had to make of its source.
const (
	noteNoTools   = "no-tools"
	noteNoImages  = "no-images"
	noteHour      = "1h=2x"         // 1-hour cache writes at twice the input, as Anthropic states
	noteReasoning = "max-reasoning" // output at the dearer rate of reasoning
)

// parseRow reads a line of the snapshot of the given date. It refuses a line of
// another shape.
func parseRow(line, date string) (Row, bool) {
	var f [columns]string
	rest, more := line, true
	for i := range f {
		if !more {
			return Row{}, false
		}
		f[i], rest, more = strings.Cut(rest, "\t")
	}
	if more {
		return Row{}, false
	}
	r := Row{Vendor: f[colVendor], Model: f[colModel], Released: f[colReleased]}
	r.NoTools = noted(f[colNotes], noteNoTools)
	r.NoImages = noted(f[colNotes], noteNoImages)
	rates, ok1 := ratesOf(f[colRates:colTiers])
	tiers, ok2 := tiersOf(f[colTiers])
	context, ok3 := number(f[colContext])
	output, ok4 := number(f[colMaxOutput])
	r.Price = starling.Price{Rates: rates, Tiers: tiers}
	r.Context, r.MaxOutput = context, output
	if r.Price.Known() {
		r.Price.Source, r.Price.AsOf, r.Price.Search = sourceOf(&f), date, searchFee[r.Vendor]
	}
	return r, ok1 && ok2 && ok3 && ok4
}

// sourceOf names the record that a row was made from, when it was last changed
// there, and what was not taken as it stands.
func sourceOf(f *[columns]string) string {
	source := "models.dev " + f[colVendor] + "/" + f[colModel]
	if f[colUpdated] != "" {
		source += ", updated " + f[colUpdated]
	}
	if noted(f[colNotes], noteHour) {
		source += "; 1-hour cache writes at 2x input, as Anthropic states"
	}
	if noted(f[colNotes], noteReasoning) {
		source += "; output at the rate of reasoning"
	}
	if searchFee[f[colVendor]] > 0 {
		source += "; searches as the vendor states"
	}
	return source
}

func noted(notes, note string) bool {
	for n := range strings.SplitSeq(notes, ",") {
		if n == note {
			return true
		}
	}
	return false
}

// ratesOf reads five numbers.
func ratesOf(f []string) (starling.Rates, bool) {
	var rates [5]starling.Rate
	if len(f) != len(rates) {
		return starling.Rates{}, false
	}
	for i, text := range f {
		n, ok := number(text)
		if !ok {
			return starling.Rates{}, false
		}
		rates[i] = starling.Rate(n)
	}
	return starling.Rates{Input: rates[0], Output: rates[1], CacheRead: rates[2], CacheWrite: rates[3], CacheWrite1h: rates[4]}, true
}

// tiersOf reads "above:input:output:read:write:write1h;…", ascending.
func tiersOf(text string) ([]starling.Tier, bool) {
	if text == "" {
		return nil, true
	}
	var tiers []starling.Tier
	for one := range strings.SplitSeq(text, ";") {
		f := strings.Split(one, ":")
		above, ok1 := number(f[0])
		rates, ok2 := ratesOf(f[1:])
		if !ok1 || !ok2 || len(tiers) > 0 && above <= tiers[len(tiers)-1].Above {
			return nil, false
		}
		tiers = append(tiers, starling.Tier{Above: above, Rates: rates})
	}
	return tiers, true
}

// number reads digits; "" is 0.
func number(text string) (int64, bool) {
	if text == "" {
		return 0, true
	}
	n, err := strconv.ParseInt(text, 10, 64)
	return n, err == nil && n >= 0
}
