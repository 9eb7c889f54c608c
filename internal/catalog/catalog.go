// Package catalog knows what models cost, how much they read and write at most,
// and where vendors are found. It holds a dated snapshot of public prices and,
// over it, the user's own. It is not a price feed: it asks nobody, and a price
// that it does not know stays unknown, which is not free.
//
// Start reading at [Catalog.Lookup]. The snapshot is text that is searched where
// it lies: a gateway pays for the rows that it looks up, not for those it has.
// Vendors are rows in vendors.go.
//
// What the figures leave out: audio is priced as text, and fees per request are
// not there. Rows that are known to have such fees have no price. What a search of
// the vendor's costs is known of some vendors (searchFee).
//
// Source: models.dev (MIT), made into snapshot.tsv by internal/catalog/generate.
package catalog

import (
	_ "embed"
	"iter"
	"maps"
	"slices"
	"strings"

	"starling"
)

//go:generate go run ./generate -in ../../../shared/data/prices/models.json -out snapshot.tsv

//go:embed snapshot.tsv
var embedded string

// A Catalog is a snapshot of prices with the user's own over it. It is immutable
// and safe for concurrent use.
type Catalog struct {
	date     string
	rows     string             // sorted lines of the snapshot, without its head
	own      map[string]overlay // by "provider/model"
	warnings []string
}

// Embedded returns the snapshot that is part of the program. It copies nothing.
func Embedded() *Catalog { return open(embedded) }

// open cuts the head, lines that begin with "#", off a snapshot.
func open(text string) *Catalog {
	c := &Catalog{rows: text}
	for strings.HasPrefix(c.rows, "#") {
		line, rest, _ := strings.Cut(c.rows, "\n")
		if date, ok := strings.CutPrefix(line, "# date: "); ok {
			c.date = date
		}
		c.rows = rest
	}
	return c
}

// Date returns the day of the snapshot, YYYY-MM-DD.
func (c *Catalog) Date() string { return c.date }

// Find returns the row of a model at a vendor, both as the catalog names them:
// Find("openai", "gpt-5.5").
func (c *Catalog) Find(vendor, model string) (Row, bool) {
	return c.Lookup(vendor, vendor, model)
}

// Lookup returns the row of a model at a configured provider whose vendor has
// the given name in the catalog, "" if none: the user's own figures for
// "provider/model" over the vendor's public ones.
//
// A name that ends in a date and has no row of its own (gpt-5.4-2026-03-05)
// stands for the name without it, unless dated rows that differ in price show
// that the date matters. The price's Source says so.
func (c *Catalog) Lookup(provider, vendor, model string) (Row, bool) {
	if row, ok := c.exact(provider, vendor, model); ok {
		return row, true
	}
	base, dated := undated(model)
	if !dated || !c.agree(vendor, base) {
		return Row{}, false
	}
	row, ok := c.exact(provider, vendor, base)
	if !ok {
		return Row{}, false
	}
	row.Model = model
	if row.Price.Known() {
		row.Price.Source = "the row of " + base + ", for want of one for " + model + ": " + row.Price.Source
	}
	return row, true
}

func (c *Catalog) exact(provider, vendor, model string) (Row, bool) {
	row, public := c.public(vendor, model)
	own, ok := c.own[provider+"/"+model]
	if !ok {
		return row, public
	}
	row.Vendor, row.Model = vendor, model
	return own.over(row), true
}

// public returns the snapshot's own row.
func (c *Catalog) public(vendor, model string) (Row, bool) {
	key := vendor + "\t" + model + "\t"
	line, _, _ := strings.Cut(c.rows[lowerBound(c.rows, key):], "\n")
	if !strings.HasPrefix(line, key) {
		return Row{}, false
	}
	return parseRow(line, c.date)
}

// Vendor yields the rows of a vendor by its name in the catalog, sorted by
// model: the snapshot's with the user's figures over them, then the models that
// only the user has stated under that name.
func (c *Catalog) Vendor(vendor string) iter.Seq[Row] {
	return func(yield func(Row) bool) {
		for row := range c.publicOf(vendor, "") {
			if own, ok := c.own[vendor+"/"+row.Model]; ok {
				row = own.over(row)
			}
			if !yield(row) {
				return
			}
		}
		for _, model := range c.onlyOwn(vendor) {
			if !yield(c.own[vendor+"/"+model].over(Row{Vendor: vendor, Model: model})) {
				return
			}
		}
	}
}

// publicOf yields the snapshot's rows of a vendor whose models begin with
// prefix.
func (c *Catalog) publicOf(vendor, prefix string) iter.Seq[Row] {
	return func(yield func(Row) bool) {
		key := vendor + "\t" + prefix
		rest := c.rows[lowerBound(c.rows, key):]
		for strings.HasPrefix(rest, key) {
			var line string
			line, rest, _ = strings.Cut(rest, "\n")
			if row, ok := parseRow(line, c.date); ok && !yield(row) {
				return
			}
		}
	}
}

// With returns the catalog with the user's own figures over its own; of two for
// the same model the last counts. A figure that cannot be read, and one that
// looks like a slip, is a warning ([Catalog.Warnings]); a price that cannot be
// read is unknown, so that its model is refused rather than cheap. To have it as
// an error, call [Override.Validate].
func (c *Catalog) With(own []Override) *Catalog {
	next := *c
	next.own = maps.Clone(c.own)
	if next.own == nil {
		next.own = make(map[string]overlay, len(own))
	}
	next.warnings = c.warnings[:len(c.warnings):len(c.warnings)]
	for _, o := range own {
		if _, twice := next.own[o.Model]; twice {
			next.warnings = append(next.warnings, "prices: "+o.Model+" is there twice; the last counts")
		}
		parsed, err := o.parse()
		if err != nil {
			next.warnings = append(next.warnings, err.Error()+"; its price is unknown until then")
		}
		next.own[o.Model] = parsed
		next.warnings = append(next.warnings, c.doubts(o.Model, parsed)...)
	}
	return &next
}

// Idle returns the models that the user has figures for and that are none of the
// given ones, as "provider/model", sorted.
func (c *Catalog) Idle(offered []starling.Model) []string {
	idle := maps.Clone(c.own)
	for _, m := range offered {
		delete(idle, m.ID())
		if base, dated := undated(m.Name); dated {
			delete(idle, m.Provider+"/"+base)
		}
	}
	return slices.Sorted(maps.Keys(idle))
}

// Warnings returns what looks wrong in the user's own figures, one sentence
// each.
func (c *Catalog) Warnings() []string { return c.warnings }
