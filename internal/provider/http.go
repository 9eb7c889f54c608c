package provider

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/failsafe-go/failsafe-go"

	"starling"
)

// HTTP is an upstream that is asked over HTTP. It implements
// [starling.Provider] and is safe for concurrent use.
type HTTP struct {
	opts     Options
	kind     Kind
	guard    *Guard
	base     *url.URL                      // as it is configured
	asks     map[starling.Dialect]*url.URL // by the dialects that it understands; that of its own may want the model's name
	models   []starling.Model
	breakers map[string]*breaker // by model
	policies failsafe.Executor[*try]
	plain    failsafe.Executor[*try] // without a hedge
	embedder *Embedder               // nil if there is none

	life   context.Context // of the answers that are drained
	end    context.CancelFunc
	drains sync.WaitGroup

	draining chan struct{} // a place for each of those whose caller is gone
}

var _ starling.Provider = (*HTTP)(nil)

// New returns the upstream that o describes, behind the guard g. Nothing is
// called. Errors are Invalid.
func New(g *Guard, o Options) (*HTTP, error) {
	kind, known := Kinds[o.Dialect]
	if !known {
		return nil, o.invalid(fmt.Sprintf("dialect %q", o.Dialect), "use one of "+dialects())
	}
	base, err := address(o.URL)
	if err != nil {
		return nil, err
	}
	if zone, known := g.zones[hostport(base)]; !known || zone != o.Zone {
		return nil, o.invalid(fmt.Sprintf("zone %s is not what the egress guard knows of %s", o.Zone, hostport(base)), "register the upstream with the guard in the same zone")
	}
	if o.Drain && o.HedgeAfter > 0 {
		return nil, o.invalid("drained and hedged", "an upstream that suffers from a hang-up cannot be hedged: choose one")
	}
	o.Limits, o.Trip, o.Rest = o.Limits.filled(), cmp.Or(max(o.Trip, 0), 5), cmp.Or(max(o.Rest, 0), 15*time.Second)
	p := &HTTP{
		opts:     o,
		kind:     kind,
		guard:    g,
		base:     base,
		asks:     map[starling.Dialect]*url.URL{o.Dialect: kind.at(base, kind.Ask)},
		breakers: make(map[string]*breaker, len(o.Models)),
		policies: policies(o.HedgeAfter),
		plain:    policies(0),
		draining: make(chan struct{}, mostDrains),
	}
	for _, d := range o.Also {
		path, known := kind.Also[d]
		if !known {
			return nil, o.invalid(fmt.Sprintf("no upstream of dialect %s also understands %q", o.Dialect, d), "use one of "+also(kind))
		}
		p.asks[d] = kind.at(base, path)
	}
	if err := p.adopt(o.offered()); err != nil {
		return nil, err
	}
	if err := p.equip(base); err != nil {
		return nil, err
	}
	p.life, p.end = context.WithCancel(context.Background())
	return p, nil
}

// adopt takes the models that can be called, each with a breaker of its own.
func (p *HTTP) adopt(models []starling.Model) error {
	for _, m := range models {
		m, err := p.own(m)
		if err != nil {
			return err
		}
		if _, twice := p.breakers[m.Name]; twice {
			return p.opts.invalid("model "+m.ID()+" is listed twice", "remove one")
		}
		p.breakers[m.Name] = newBreaker(m.ID(), p.opts)
		p.models = append(p.models, m)
	}
	return nil
}

// offered are the models with that of [Options.Embedding] among them.
func (o Options) offered() []starling.Model {
	if o.Embedding.Name == "" {
		return o.Models
	}
	o.Embedding.Takes = starling.Embeddings
	models := slices.Clone(o.Models)
	for i := range models {
		if models[i].Name == o.Embedding.Name {
			models[i].Embeds = models[i].Takes == ""
			return models
		}
	}
	return append(models, o.Embedding)
}

// equip adds the paths for what the models take that do not converse, and for
// counting tokens.
func (p *HTTP) equip(base *url.URL) error {
	for _, m := range p.models {
		takes := m.Takes
		if m.Embeds {
			takes = starling.Embeddings
		}
		if takes == "" {
			continue
		}
		d, path := p.kind.taking(takes)
		if path == "" {
			return p.opts.invalid("its dialect "+string(p.opts.Dialect)+" has no "+string(takes)+", which "+m.Name+" takes", "name a model of a provider with dialect openai")
		}
		p.asks[d] = cmp.Or(p.asks[d], p.kind.at(base, path))
		for d, path := range p.kind.Also { // in the other words for the same nothing is translated either
			if d.Wants() == takes {
				p.asks[d] = cmp.Or(p.asks[d], p.kind.at(base, path))
			}
		}
		if m.Name == p.opts.Embedding.Name {
			m.Hedged = false
			p.embedder = &Embedder{Model: m, up: p}
		}
	}
	if path := p.kind.Also[starling.CountTokens]; path != "" {
		p.asks[starling.CountTokens] = p.kind.at(base, path)
	}
	return nil
}

// own fills in what a model has of its provider.
func (p *HTTP) own(m starling.Model) (starling.Model, error) {
	m.Provider = cmp.Or(m.Provider, p.opts.Name)
	m.Dialect = cmp.Or(m.Dialect, p.opts.Dialect)
	m.Zone = cmp.Or(m.Zone, p.opts.Zone)
	m.Hedged, m.Drained = p.opts.HedgeAfter > 0 && m.Takes == "", p.opts.Drain
	m.Counts = counters[p.opts.Vendor] != nil && p.opts.Dialect == starling.OpenAI
	if m.Also == nil {
		m.Also = slices.Clone(p.opts.Also)
	}
	if m.Takes != "" {
		m.NoTools, m.NoImages, m.Counts = true, m.Takes == starling.Embeddings, false
	}
	if m.Longest = p.opts.Limits.Total; m.Drained {
		m.Longest += p.opts.Limits.Drain
	}
	if m.Name == "" || m.Provider != p.opts.Name || m.Dialect != p.opts.Dialect || m.Zone != p.opts.Zone {
		return m, p.opts.invalid("model "+m.ID()+" is not its own", "a model's provider, dialect and zone are those of its provider")
	}
	if offloaded(m) {
		return m, p.opts.invalid("model "+m.ID()+" is only passed on to a cloud", "offer it by a provider in zone cloud, or remove it")
	}
	return m, nil
}

// offloaded reports whether a near server does not run a model itself: Ollama
// lists those of its cloud beside its own, and tells them apart by name alone.
func offloaded(m starling.Model) bool {
	near := m.Zone == starling.Machine || m.Zone == starling.Office
	return near && (strings.HasSuffix(m.Name, "-cloud") || strings.HasSuffix(m.Name, ":cloud"))
}

func (o Options) invalid(what, hint string) error {
	return &starling.Error{Kind: starling.Invalid, Op: "provider " + o.Name + ": " + what, Hint: hint}
}

// also lists the dialects that upstreams of a kind may understand beside their own.
func also(k Kind) string {
	var names []string
	for d := range k.Also {
		names = append(names, string(d))
	}
	slices.Sort(names)
	return cmp.Or(strings.Join(names, ", "), "none")
}

// spoken returns the dialect in which the upstream is asked a question of dialect d:
// its own, unless it understands d, or another in which the same can be asked.
func (p *HTTP) spoken(d starling.Dialect) starling.Dialect {
	if p.asks[d] != nil {
		return d
	}
	if want := d.Wants(); want != "" {
		for _, other := range []starling.Dialect{starling.Embeddings, starling.Embed} {
			if other.Wants() == want && p.asks[other] != nil {
				return other
			}
		}
	}
	return p.opts.Dialect
}

// Models returns what can be called.
func (p *HTTP) Models() []starling.Model { return slices.Clone(p.models) }

// Generate implements [starling.Provider]. Each ranging over the iterator is a
// call of its own. The events of a hedge's loser come before the answer's.
func (p *HTTP) Generate(ctx context.Context, c starling.Call) iter.Seq2[starling.Event, error] {
	return func(yield func(starling.Event, error) bool) {
		k, err := p.prepare(ctx, c)
		if err != nil {
			yield(starling.Event{}, err)
			return
		}
		winner, beside, err := k.open()
		if winner != nil {
			defer winner.close()
		}
		for i := range beside {
			if !yield(starling.Event{Aside: &beside[i]}, nil) {
				return
			}
		}
		if err != nil {
			yield(starling.Event{}, err)
			return
		}
		winner.stream(yield)
	}
}

// Drained waits until no answer is being drained, or until ctx ends. It is for
// when no call is under way.
func (p *HTTP) Drained(ctx context.Context) {
	done := make(chan struct{})
	go func() {
		p.drains.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-ctx.Done():
	}
}

// Close cuts the answers that are being drained and waits until they are gone.
// It is for when no call is under way, and for a provider with Drain: others
// have nothing to close.
func (p *HTTP) Close() {
	p.end()
	p.drains.Wait()
}
