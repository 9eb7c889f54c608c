package catalog

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"starling"
)

// An Override is what a user states of a model, over the catalog. Amounts are
// dollars per million tokens, as text with at most nine decimals: "0.27". A
// price is one of three: Input and Output (with or without the cache's rates),
// Watts and PerKWh, or Free. It replaces the whole price, tiers included; a
// cache rate left out costs what plain input does. Without a price only the
// other facts are replaced.
type Override struct {
	Model string `yaml:"model" json:"model"` // "provider/model", the provider as configured

	Input        string `yaml:"input" json:"input,omitempty"`
	Output       string `yaml:"output" json:"output,omitempty"`
	CacheRead    string `yaml:"cache_read" json:"cache_read,omitempty"`
	CacheWrite   string `yaml:"cache_write" json:"cache_write,omitempty"`
	CacheWrite1h string `yaml:"cache_write_1h" json:"cache_write_1h,omitempty"`

	Watts  string `yaml:"watts" json:"watts,omitempty"`     // drawn while answering, above idle
	PerKWh string `yaml:"per_kwh" json:"per_kwh,omitempty"` // dollars
	Free   bool   `yaml:"free" json:"free,omitempty"`       // it costs nothing, and the user says so

	Context   int64  `yaml:"context" json:"context,omitempty"`       // window in tokens
	MaxOutput int64  `yaml:"max_output" json:"max_output,omitempty"` // most output tokens
	Source    string `yaml:"source" json:"source,omitempty"`         // where the figures are from
}

// Validate returns an Invalid error that names the model and what is wrong with
// its figures.
func (o Override) Validate() error {
	_, err := o.parse()
	return err
}

// An overlay is an Override that has been read.
type overlay struct {
	price              *starling.Price // nil: the public one stays
	context, maxOutput int64
}

func (l overlay) over(r Row) Row {
	if l.price != nil {
		r.Price = *l.price
		r.Price.Tiers = slices.Clone(r.Price.Tiers)
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
	l := overlay{context: o.Context, maxOutput: o.MaxOutput}
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
	perToken := o.Input+o.Output+o.CacheRead+o.CacheWrite+o.CacheWrite1h != ""
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

// rates wants both directions stated: what is left out would be free.
func (o Override) rates() (*starling.Price, error) {
	if o.Input == "" || o.Output == "" {
		return nil, errors.New("state both input and output")
	}
	var p starling.Price
	for _, r := range []struct {
		name, text string
		rate       *starling.Rate
	}{
		{"input", o.Input, &p.Input},
		{"output", o.Output, &p.Output},
		{"cache_read", o.CacheRead, &p.CacheRead},
		{"cache_write", o.CacheWrite, &p.CacheWrite},
		{"cache_write_1h", o.CacheWrite1h, &p.CacheWrite1h},
	} {
		if r.text == "" {
			continue
		}
		amount, err := starling.ParseMoney(r.text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", r.name, err)
		}
		if amount < 0 {
			return nil, fmt.Errorf("%s is below zero", r.name)
		}
		*r.rate = starling.Rate(amount)
	}
	if !p.Known() {
		return nil, errors.New("a price of nothing is not stated by zeros: write free: true")
	}
	return &p, nil
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
