package catalog

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"starling"
)

// An Override is what a user states of a model, over the catalog. Amounts are
// dollars per million tokens, of Search for each, as text with at most nine
// decimals: "0.27". A
// price is one of three: Input and Output (with or without the cache's rates and
// tiers), Watts and PerKWh, or Free. It replaces the public price but for what a
// price per token leaves unsaid of cache and tiers, which stays as it is listed
// and rises with a stated price that is dearer than the listed one: nothing is
// counted below what either suggests. Where nothing is listed, a cache rate left
// out costs what plain input does. Without a price only the other facts are
// replaced.
type Override struct {
	Model string `yaml:"model" json:"model"` // "provider/model", the provider as configured

	Input        string `yaml:"input" json:"input,omitempty"`
	Output       string `yaml:"output" json:"output,omitempty"`
	CacheRead    string `yaml:"cache_read" json:"cache_read,omitempty"`
	CacheWrite   string `yaml:"cache_write" json:"cache_write,omitempty"`
	CacheWrite1h string `yaml:"cache_write_1h" json:"cache_write_1h,omitempty"`
	Search       string `yaml:"search" json:"search,omitempty"` // dollars for one search that the vendor runs

	Tiers []OverrideTier `yaml:"tiers" json:"tiers,omitempty"` // ascending; nil unsaid, empty none

	Watts  string `yaml:"watts" json:"watts,omitempty"`     // drawn while answering, above idle
	PerKWh string `yaml:"per_kwh" json:"per_kwh,omitempty"` // dollars
	Free   bool   `yaml:"free" json:"free,omitempty"`       // it costs nothing, and the user says so

	Context   int64  `yaml:"context" json:"context,omitempty"`       // window in tokens
	MaxOutput int64  `yaml:"max_output" json:"max_output,omitempty"` // most output tokens
	Source    string `yaml:"source" json:"source,omitempty"`         // where the figures are from
}

// An OverrideTier is what a user states of requests whose whole input is longer
// than Above tokens.
type OverrideTier struct {
	Above        int64  `yaml:"above" json:"above"`
	Input        string `yaml:"input" json:"input"`
	Output       string `yaml:"output" json:"output"`
	CacheRead    string `yaml:"cache_read" json:"cache_read,omitempty"`
	CacheWrite   string `yaml:"cache_write" json:"cache_write,omitempty"`
	CacheWrite1h string `yaml:"cache_write_1h" json:"cache_write_1h,omitempty"`
}

// Validate returns an Invalid error that names the model and what is wrong with
// its figures.
func (o Override) Validate() error {
	_, err := o.parse()
	return err
}

// An overlay is an Override that has been read.
type overlay struct {
	said               Override
	price              *starling.Price // nil: the public one stays
	context, maxOutput int64
}

func (l overlay) over(r Row) Row {
	if l.price != nil {
		r.Price, r.Kept = l.priced(r.Price)
	}
	if l.context > 0 {
		r.Context = l.context
	}
	if l.maxOutput > 0 {
		r.MaxOutput = l.maxOutput
	}
	return r
}

// parse reads o. With an error the price is there and unknown.
func (o Override) parse() (overlay, error) {
	l := overlay{said: o, context: o.Context, maxOutput: o.MaxOutput}
	price, err := o.price()
	if provider, model, ok := strings.Cut(o.Model, "/"); err == nil && (!ok || provider == "" || model == "") {
		err = errors.New("write the model as provider/model")
	}
	if err == nil && (o.Context < 0 || o.MaxOutput < 0) {
		err = errors.New("context and max_output are above zero, or left out")
	}
	if err != nil {
		l.price = &starling.Price{}
		return l, &starling.Error{Kind: starling.Invalid, Op: fmt.Sprintf("prices: %.60q", o.Model), Err: err}
	}
	if price != nil {
		price.Source = o.source()
	}
	l.price = price
	return l, nil
}

func (o Override) source() string {
	if o.Source == "" {
		return "prices in the configuration"
	}
	return o.Source
}

// price returns nil when o states none.
func (o Override) price() (*starling.Price, error) {
	perToken := o.Input+o.Output+o.CacheRead+o.CacheWrite+o.CacheWrite1h+o.Search != "" || len(o.Tiers) > 0
	power := o.Watts+o.PerKWh != ""
	switch {
	case perToken && (power || o.Free), power && o.Free:
		return nil, errors.New("a model is paid by tokens, by electricity, or is free: state one")
	case o.Free:
		return &starling.Price{Free: true}, nil
	case power:
		return o.electricity()
	case perToken:
		return o.rates()
	}
	return nil, nil
}

func (o Override) electricity() (*starling.Price, error) {
	perKWh, err := starling.ParseMoney(o.PerKWh)
	if err != nil {
		return nil, fmt.Errorf("per_kwh: %w", err)
	}
	price, err := Electricity(o.Watts, perKWh)
	return &price, err
}

func (o Override) rates() (*starling.Price, error) {
	base, err := OverrideTier{Input: o.Input, Output: o.Output, CacheRead: o.CacheRead, CacheWrite: o.CacheWrite, CacheWrite1h: o.CacheWrite1h}.rates()
	if err != nil {
		return nil, err
	}
	p := &starling.Price{Rates: base}
	if !p.Known() {
		return nil, errors.New("a price of nothing is not stated by zeros: write free: true")
	}
	if o.Search != "" {
		if p.Search, err = starling.ParseMoney(o.Search); err != nil || p.Search < 0 {
			return nil, errors.Join(errors.New("search is no amount of dollars"), err)
		}
	}
	last := int64(0)
	for i, t := range o.Tiers {
		rates, err := t.rates()
		if err == nil && t.Above <= last {
			err = errors.New("above must be more than in the tier before")
		}
		if err != nil {
			return nil, fmt.Errorf("tier %d: %w", i+1, err)
		}
		p.Tiers, last = append(p.Tiers, starling.Tier{Above: t.Above, Rates: rates}), t.Above
	}
	return p, nil
}

// rates wants both directions stated: what is left out would be free.
func (t OverrideTier) rates() (rates starling.Rates, err error) {
	if t.Input == "" || t.Output == "" {
		return rates, errors.New("state both input and output")
	}
	for _, r := range []struct {
		name, text string
		rate       *starling.Rate
	}{
		{"input", t.Input, &rates.Input},
		{"output", t.Output, &rates.Output},
		{"cache_read", t.CacheRead, &rates.CacheRead},
		{"cache_write", t.CacheWrite, &rates.CacheWrite},
		{"cache_write_1h", t.CacheWrite1h, &rates.CacheWrite1h},
	} {
		if r.text == "" {
			continue
		}
		amount, err := starling.ParseMoney(r.text)
		if err != nil {
			return rates, fmt.Errorf("%s: %w", r.name, err)
		}
		if amount < 0 {
			return rates, fmt.Errorf("%s is below zero", r.name)
		}
		*r.rate = starling.Rate(amount)
	}
	return rates, nil
}

// onlyOwn returns the models that only the user has stated for a vendor, sorted.
func (c *Catalog) onlyOwn(vendor string) []string {
	var models []string
	for id := range c.own {
		provider, model, _ := strings.Cut(id, "/")
		if _, public := c.public(vendor, model); provider == vendor && !public {
			models = append(models, model)
		}
	}
	slices.Sort(models)
	return models
}
