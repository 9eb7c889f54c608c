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
)

// newUpstream fills in what the configuration left unsaid from the vendors'
// table.
func newUpstream(name string, c *Upstream) (*upstream, error) {
	vendor, known := catalog.VendorNamed(cmp.Or(c.Vendor, name))
	if !known && (c.Dialect == "" || c.URL == "" || c.Zone == starling.Nowhere) {
		return nil, &starling.Error{Kind: starling.Invalid, Op: fmt.Sprintf("vendor %q is not known", cmp.Or(c.Vendor, name)), Hint: "give dialect, url and zone, or one of the vendors " + strings.Join(vendorNames(), ", ")}
	}
	up := &upstream{vendor: vendor, models: c.Models, stated: c.stated, simulated: c.Simulated}
	o := &up.options
	o.Name, o.Dialect, o.URL = name, cmp.Or(c.Dialect, vendor.Dialect), cmp.Or(c.URL, vendor.URL)
	o.Zone, o.Drain = cmp.Or(c.Zone, vendor.Zone), c.Drain
	up.timing(c)
	var err error
	if o.Key, err = secretOf(c, vendor); err != nil {
		return nil, err
	}
	return up, up.electricity(c)
}

// secretOf finds the key: a named variable or file must hold one; the vendor's
// usual variable may.
func secretOf(c *Upstream, vendor catalog.Vendor) (provider.Secret, error) {
	switch {
	case c.KeyFile != "":
		return provider.FromFile(c.KeyFile)
	case c.KeyEnv != "":
		return provider.FromEnv(c.KeyEnv)
	case vendor.KeyEnv != "" && os.Getenv(vendor.KeyEnv) != "":
		return provider.FromEnv(vendor.KeyEnv)
	}
	return provider.Secret{}, nil
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

// electricity prices the models that run on the user's own power: those on this
// machine, and those whose watts are stated.
func (up *upstream) electricity(c *Upstream) (err error) {
	watts := c.Watts
	if watts == "" && up.options.Zone == starling.Machine {
		watts = usualWatts
	}
	if watts != "" {
		up.price, err = catalog.Electricity(watts, cmp.Or(c.PerKWh, usualPerKWh))
	}
	return err
}

// offer returns the models that this upstream can be asked for: the listed
// ones, else all that the catalog knows of the vendor, else what a local server
// says it has loaded.
func (up *upstream) offer(ctx context.Context, cat *catalog.Catalog, guard *provider.Guard) (models []starling.Model, warning string) {
	if len(up.stated) > 0 {
		return up.stated, ""
	}
	names := up.models
	if len(names) == 0 && up.vendor.Catalog != "" {
		for row := range cat.Vendor(up.vendor.Catalog) {
			names = append(names, row.Model)
		}
	}
	if len(names) == 0 {
		found, err := provider.Discover(ctx, guard, up.options)
		if err != nil {
			return nil, fmt.Sprintf("provider %s offers no models now: %v", up.options.Name, err)
		}
		for _, m := range found {
			listed := up.model(cat, m.Name)
			listed.Context = cmp.Or(listed.Context, m.Context)
			models = append(models, listed)
		}
		return models, ""
	}
	for _, name := range names {
		models = append(models, up.model(cat, name))
	}
	return models, ""
}

func (up *upstream) model(cat *catalog.Catalog, name string) starling.Model {
	m := starling.Model{}
	if row, ok := cat.Lookup(up.options.Name, up.vendor.Catalog, name); ok {
		m = row.Fill()
	}
	if !m.Price.Known() && up.price.Known() {
		m.Price = up.price
	}
	m.Provider, m.Name, m.Dialect, m.Zone = up.options.Name, name, up.options.Dialect, up.options.Zone
	m.Hedged, m.Simulated = up.options.HedgeAfter > 0, up.simulated
	return m
}

func guardOf(ups []*upstream) (*provider.Guard, error) {
	var all []provider.Upstream
	for _, up := range ups {
		all = append(all, provider.Upstream{URL: up.options.URL, Zone: up.options.Zone})
	}
	return provider.NewGuard(all...)
}

func vendorNames() []string {
	var names []string
	for _, v := range catalog.Vendors() {
		names = append(names, v.Name)
	}
	slices.Sort(names)
	return names
}
