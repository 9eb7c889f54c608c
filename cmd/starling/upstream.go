package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"slices"
	"strings"

	"starling"
	"starling/internal/catalog"
	"starling/internal/provider"
	"starling/internal/strict"
)

// upstream fills in what the configuration left unsaid of a provider from the
// vendors' table.
func (c Config) upstream(name string, own *Upstream) (*upstream, error) {
	if name == starling.StudentName {
		return nil, c.ofProvider(&starling.Error{Kind: starling.Invalid, Op: "the name is that of the students' own provider", Hint: "choose another name"}, name, "")
	}
	if name == localName {
		return nil, c.ofProvider(&starling.Error{Kind: starling.Invalid, Op: "the name is that of the models that are kept on this machine", Hint: "choose another name"}, name, "")
	}
	vendor, known := catalog.VendorNamed(cmp.Or(own.Vendor, name))
	if !known && (own.Dialect == "" || own.URL == "" || own.Zone == starling.Nowhere) {
		return nil, c.ofProvider(unknownVendor(cmp.Or(own.Vendor, name)), name, "vendor")
	}
	up := &upstream{vendor: vendor, models: own.Models, embeds: own.Embeds, stated: own.stated, simulated: own.Simulated}
	o := &up.options
	o.Name, o.Dialect, o.URL = name, cmp.Or(own.Dialect, vendor.Dialect), cmp.Or(own.URL, vendor.URL)
	o.Vendor = vendor.Name
	o.Zone, o.Drain = cmp.Or(own.Zone, vendor.Zone), own.Drain
	if o.Also = own.Also; o.Also == nil && o.Dialect == vendor.Dialect {
		o.Also = vendor.Also()
	}
	up.timing(own)
	field, err := up.secret(own)
	if err != nil {
		return nil, c.ofProvider(err, name, field)
	}
	return up, c.ofProvider(up.power(own), name, "watts")
}

func unknownVendor(name string) error {
	names := vendorNames()
	hint := "give dialect, url and zone, or one of the vendors " + strings.Join(names, ", ")
	if near := strict.Nearest(name, names); len(near) > 0 {
		hint = fmt.Sprintf("did you mean %q? else give dialect, url and zone", near[0])
	}
	return &starling.Error{Kind: starling.Invalid, Op: fmt.Sprintf("vendor %q is not known", name), Hint: hint}
}

// secret finds the key: a named variable or file must hold one; the vendor's
// usual variable may. With an error it returns the field that is to blame.
func (up *upstream) secret(c *Upstream) (field string, err error) {
	key, usual := &up.options.Key, up.vendor.KeyEnv
	switch {
	case c.KeyFile != "":
		*key, err = provider.FromFile(c.KeyFile)
		return "key_file", err
	case c.KeyEnv != "":
		*key, err = provider.FromEnv(c.KeyEnv)
		return "key_env", err
	case usual != "" && os.Getenv(usual) != "":
		*key, err = provider.FromEnv(usual)
	}
	return "", err
}

func (up *upstream) timing(c *Upstream) {
	o := &up.options
	o.HedgeAfter = c.HedgeAfter
	o.Limits = provider.Limits{
		Connect: c.Timeouts.Connect, Header: c.Timeouts.FirstByte, First: c.Timeouts.FirstByte,
		Idle: c.Timeouts.Idle, Total: c.Timeouts.Total,
	}
}

// What a model on this machine is taken to draw, and a kilowatt-hour to cost,
// until somebody says better: it is small, and it is not nothing.
const (
	usualWatts  = "30"
	usualPerKWh = starling.Dollar * 15 / 100
)

// Where watts are from, as a price says it.
const (
	asConfigured = "as configured"
	asUsual      = "modelled, as for any small model"
)

// electricity is the price of what runs on the user's own power, at 0 a kilowatt-hour for
// the usual one. It says where both figures are from. Errors are Invalid.
func electricity(watts, basis string, perKWh starling.Money) (starling.Price, error) {
	assumed := ""
	if perKWh == 0 {
		perKWh, assumed = usualPerKWh, "an assumed "
	}
	price, err := catalog.Electricity(watts, perKWh)
	price.Source = fmt.Sprintf("electricity: %s W %s, at %s%s a kWh", watts, basis, assumed, perKWh)
	return price, err
}

// power prices the models that run on the user's own power: those on this machine, and
// those whose watts are stated.
func (up *upstream) power(c *Upstream) (err error) {
	switch {
	case c.Watts != "":
		up.price, err = electricity(c.Watts, asConfigured, c.PerKWh)
	case up.options.Zone == starling.Machine:
		up.price, err = electricity(usualWatts, asUsual, c.PerKWh)
	}
	return err
}

// offer returns the models that this upstream can be asked for: the listed
// ones, else all that the catalog knows of the vendor, else what a local server
// says it has loaded.
func (up *upstream) offer(ctx context.Context, cat *catalog.Catalog, guard *provider.Guard) ([]starling.Model, error) {
	if len(up.stated) > 0 {
		return up.stated, nil
	}
	names := slices.Clone(up.models)
	if len(names) == 0 && up.vendor.Catalog != "" {
		for row := range cat.Vendor(up.vendor.Catalog) {
			names = append(names, row.Model)
		}
	}
	if len(names) == 0 {
		models, err := up.discover(ctx, cat, guard)
		return up.beside(up.askable(models), cat), err
	}
	var models []starling.Model
	for _, name := range names {
		models = append(models, up.model(cat, name))
	}
	if len(up.models) == 0 {
		models = up.askable(models)
	}
	return up.beside(models, cat), nil
}

// askable leaves out what nobody named and this upstream cannot be asked: vectors, in
// a dialect that has none.
func (up *upstream) askable(models []starling.Model) []starling.Model {
	kind := provider.Kinds[up.options.Dialect]
	return slices.DeleteFunc(models, func(m starling.Model) bool { return !kind.Asks(m.Takes) })
}

// beside adds the models that neither catalog nor list need to name: those that are
// said to embed, and those that moderate.
func (up *upstream) beside(models []starling.Model, cat *catalog.Catalog) []starling.Model {
	add := func(name string, otherwise starling.Price) {
		if slices.ContainsFunc(models, func(m starling.Model) bool { return m.Name == name }) {
			return
		}
		m := up.model(cat, name)
		if !m.Price.Known() {
			m.Price = otherwise
		}
		models = append(models, m)
	}
	for _, name := range up.embeds {
		add(name, starling.Price{})
	}
	if len(up.models) == 0 && up.options.URL == up.vendor.URL && provider.Kinds[up.options.Dialect].Asks(starling.Moderations) {
		for _, name := range up.vendor.Moderators() {
			add(name, catalog.FreeModeration)
		}
	}
	moderates := func(m starling.Model) bool { return m.Takes == starling.Moderations }
	if slices.Contains(up.options.Also, starling.Moderations) && !slices.ContainsFunc(models, moderates) {
		add(catalog.UsualModerator, starling.Price{})
	}
	return models
}

// embeds returns the provider of the configured embedding model, and the model's
// name; none if none is configured.
func (c Config) embeds(ups []*upstream) (*upstream, string, error) {
	if c.Embeddings == "" {
		return nil, "", nil
	}
	name, model, _ := strings.Cut(c.Embeddings, "/")
	var names []string
	for _, up := range ups {
		if names = append(names, up.options.Name); up.options.Name != name {
			continue
		}
		if !provider.Kinds[up.options.Dialect].Asks(starling.Embeddings) {
			return nil, "", c.at(&starling.Error{Kind: starling.Invalid, Op: fmt.Sprintf("embeddings: the dialect %s of provider %s has none", up.options.Dialect, name), Hint: "name a model of a provider with dialect openai"}, "embeddings")
		}
		return up, model, nil
	}
	return nil, "", c.at(&starling.Error{Kind: starling.Invalid, Op: fmt.Sprintf("embeddings: there is no provider %q", name), Hint: meant(name, names, "configure it under providers")}, "embeddings")
}

func (up *upstream) discover(ctx context.Context, cat *catalog.Catalog, guard *provider.Guard) ([]starling.Model, error) {
	found, err := up.found(ctx, guard)
	var models []starling.Model
	for _, m := range found {
		listed := up.model(cat, m.Name)
		listed.Context = cmp.Or(listed.Context, m.Context)
		models = append(models, listed)
	}
	return models, err
}

// found is what a local server says it has; of one that was adopted it was just asked.
func (up *upstream) found(ctx context.Context, guard *provider.Guard) ([]starling.Model, error) {
	if up.seen != nil {
		return up.seen.models, up.seen.err
	}
	return provider.Discover(ctx, guard, up.options)
}

func (up *upstream) model(cat *catalog.Catalog, name string) starling.Model {
	m := starling.Model{}
	if row, ok := cat.Lookup(up.options.Name, up.vendor.Catalog, name); ok {
		m = row.Fill()
		if len(row.Kept) > 0 {
			up.kept = append(up.kept, fmt.Sprintf("prices: %s/%s leaves %s unsaid; what the catalog lists is kept", up.options.Name, name, strings.Join(row.Kept, ", ")))
		}
	}
	if !m.Price.Known() && up.price.Known() {
		m.Price = up.price
	}
	m.Takes = catalog.Takes(name)
	if slices.Contains(up.embeds, name) && m.Takes == "" {
		if m.Embeds = slices.Contains(up.models, name); !m.Embeds {
			m.Takes = starling.Embeddings
		}
	}
	m.Provider, m.Name, m.Dialect, m.Zone = up.options.Name, name, up.options.Dialect, up.options.Zone
	m.Hedged, m.Simulated, m.Also = up.options.HedgeAfter > 0, up.simulated, up.options.Also
	return m
}

// guard knows the upstreams' zones. They are added one at a time, so that an
// error names the provider whose address it is of.
func (c Config) guard(ups []*upstream) (*provider.Guard, error) {
	guard, err := provider.NewGuard()
	var known []provider.Upstream
	errs := []error{err}
	for _, up := range ups {
		next := append(known, provider.Upstream{URL: up.options.URL, Zone: up.options.Zone})
		wider, err := provider.NewGuard(next...)
		if err != nil {
			errs = append(errs, c.ofProvider(err, up.options.Name, "url"))
			continue
		}
		guard, known = wider, next
	}
	return guard, together(errs)
}

func vendorNames() []string {
	var names []string
	for _, v := range catalog.Vendors() {
		names = append(names, v.Name)
	}
	slices.Sort(names)
	return names
}
