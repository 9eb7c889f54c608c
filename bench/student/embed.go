package main

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"net/url"
	"os"
	"time"

	"starling"
	"starling/internal/provider"
	"starling/internal/student"
)

// open returns the data, with the embedding model at the URL, if one is named.
func open(dir, at, model string) (data, error) {
	d := data{dir: dir}
	if at == "" {
		return d, nil
	}
	o := provider.Options{Name: "bench", Dialect: starling.OpenAI, URL: at, Zone: zoneOf(at), Embedding: starling.Model{Name: cmp.Or(model, "embeddings"), Price: starling.Price{Free: true}}}
	if key := "STARLING_EMBEDDINGS_KEY"; os.Getenv(key) != "" {
		var err error
		if o.Key, err = provider.FromEnv(key); err != nil {
			return d, err
		}
	}
	guard, err := provider.NewGuard(provider.Upstream{URL: o.URL, Zone: o.Zone})
	if err != nil {
		return d, err
	}
	up, err := provider.New(guard, o)
	if err != nil {
		return d, err
	}
	d.embedder = up.Embedder()
	return d, nil
}

// zoneOf is this machine for what is plainly on it. The data is public, so it may
// travel anywhere else.
func zoneOf(at string) starling.Zone {
	u, err := url.Parse(at)
	if err == nil {
		a, err := netip.ParseAddr(u.Hostname())
		if u.Hostname() == "localhost" || err == nil && a.IsLoopback() {
			return starling.Machine
		}
	}
	return starling.Cloud
}

// embed gives the examples their vectors.
func (d data) embed(ctx context.Context, name string, all []student.Example) error {
	if d.embedder == nil {
		return nil
	}
	r := provider.Reading{Furthest: starling.Cloud, Patience: time.Minute}
	for _, e := range all {
		r.Texts = append(r.Texts, student.Excerpt(e.Text))
	}
	began := time.Now()
	vectors, used, err := d.embedder.Embed(ctx, r)
	if err != nil {
		return err
	}
	for i := range all {
		all[i].Vector = vectors[i]
	}
	fmt.Printf("%s: %d texts embedded in %.1f s, %d tokens, %d numbers each\n", name, len(all), time.Since(began).Seconds(), used.Input, len(vectors[0]))
	return nil
}
