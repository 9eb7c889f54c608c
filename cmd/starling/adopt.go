package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"starling"
	"starling/internal/catalog"
	"starling/internal/provider"
)

// A neighbour is a server of models that people run on their own machine, and how one
// knows that it is at an address: by an answer that nobody else gives. A port alone
// says nothing, as others use it too.
type neighbour struct {
	vendor string // its row in the vendors' table has its usual address
	ask    string // path on its host
	is     func(h http.Header, body []byte) bool

	// away says how its models may run on another machine without a word in its
	// answers; "" they do not. Whoever adopts it by name has thought of that.
	away string
}

// A neighbourhood is who may be there, and how long a look at all of them may take.
type neighbourhood struct {
	all   []neighbour
	limit time.Duration
	urls  map[string]string // where else than usual, by vendor
}

// neighbours is a variable since tests must not find what happens to run beside them.
//
// Source: docker/model-runner, pkg/inference/models (http_handler.go, api.go);
// llama.cpp, tools/server (server-http.cpp, README.md on /props); LM Studio's docs, REST
// API v0 and "Using LM Link"; Ollama, server/routes.go; vLLM, ModelCard of
// entrypoints/openai.
var neighbours = neighbourhood{
	limit: 300 * time.Millisecond,
	all: []neighbour{
		{vendor: "docker", ask: "/models", is: isDocker},
		{vendor: "llama-server", ask: "/props", is: isLlamaServer}, // wants the key, if it has one, where the list of models does not
		{vendor: "lmstudio", ask: "/api/v0/models", is: isLMStudio, away: "with LM Link another device may answer in its place"},
		{vendor: "ollama", ask: "/", is: isOllama},
		{vendor: "vllm", ask: "/v1/models", is: isVLLM},
	},
}

// everyNeighbour stands for all of them in the configuration.
const everyNeighbour = "all"

// A place is where a neighbour is looked for.
type place struct {
	neighbour
	url  string // of its API
	host string // and port, as people are told it
}

// A sighting is what a look at a place came to.
type sighting struct {
	known  bool // it is who was looked for
	late   bool // somebody is there, and did not answer in time
	models []starling.Model
	err    error // why there are no models
}

// adopt looks who of the servers that people run themselves is on this machine, and
// makes providers of them. It says of each, and of those that it leaves alone, why.
// Nothing but this program's name is sent to anybody, and nothing to another machine.
//
// Without providers in the configuration whoever is found is adopted; with some, only
// those that it names. A provider of the configuration is never doubled. They come sorted
// by name.
func (c Config) adopt(ctx context.Context) (ups []*upstream, notes []string, err error) {
	places, notes := c.places()
	if len(places) == 0 {
		return nil, notes, nil
	}
	var doors []provider.Upstream
	for _, p := range places {
		doors = append(doors, provider.Upstream{URL: p.url, Zone: starling.Machine})
	}
	guard, err := provider.NewGuard(doors...)
	if err != nil {
		return nil, nil, err
	}
	defer guard.Close()
	seen := look(ctx, neighbours.limit, places, func(ctx context.Context, p place) sighting { return p.visit(ctx, guard) })
	for i, p := range places {
		s := seen[i]
		if note := c.told(p, s); note != "" {
			notes = append(notes, note)
		}
		switch {
		case s.known && c.allows(p.neighbour):
		case c.awaits(p.vendor):
			s.models, s.err = nil, cmp.Or(s.err, errUnsaid)
		default:
			continue
		}
		up, err := c.upstream(p.vendor, &Upstream{URL: p.url})
		if err != nil {
			return nil, nil, err
		}
		up.seen = &s
		ups = append(ups, up)
	}
	return ups, notes, nil
}

// errUnsaid is why one that is found and counted on offers nothing.
var errUnsaid error = &starling.Error{Kind: starling.Forbidden, Op: "it is found and not asked", Hint: "name it in local: {adopt: […]}"}

// told is what is to be said of a sighting, "" nothing.
func (c Config) told(p place, s sighting) string {
	switch {
	case s.known && !c.allows(p.neighbour):
		return fmt.Sprintf("%s runs at %s and is not asked: %s; local: {adopt: all} in the configuration says that it may be", p.vendor, p.host, p.away)
	case len(s.models) > 0:
		return fmt.Sprintf("%s runs at %s and is asked too, with models %s; local: {adopt: []} in the configuration leaves it alone", p.vendor, p.host, few(modelNames(s.models)))
	case s.late:
		return fmt.Sprintf("whoever is at %s did not say within %s whether it is %s; it is not asked", p.host, neighbours.limit, p.vendor)
	}
	return ""
}

// allows reports whether a neighbour that is found may be asked.
func (c Config) allows(n neighbour) bool { return n.away == "" || c.Local.Adopt != nil }

// adoptable finds names that are nobody's. Errors are Invalid.
func (c Config) adoptable() error {
	known := []string{everyNeighbour}
	for _, n := range neighbours.all {
		known = append(known, n.vendor)
	}
	var errs []error
	for i, name := range c.Local.Adopt {
		if slices.Contains(known, name) {
			continue
		}
		err := &starling.Error{Kind: starling.Invalid, Op: fmt.Sprintf("local: nobody knows how to find %q", name), Hint: meant(name, known, "name some of "+strings.Join(known, ", "))}
		errs = append(errs, c.at(err, "local", "adopt", strconv.Itoa(i)))
	}
	return together(errs)
}

// adopts reports whether a neighbour is to be looked for.
func (c Config) adopts(vendor string) bool {
	switch {
	case c.Local.Off:
		return false
	case c.Local.Adopt == nil:
		return c.Providers == nil
	}
	return slices.Contains(c.Local.Adopt, everyNeighbour) || slices.Contains(c.Local.Adopt, vendor)
}

// awaits reports whether the configuration counts on a neighbour: it is a provider that
// offers nothing, then, for as long as it is not there.
func (c Config) awaits(vendor string) bool {
	counts := func(name string) bool { return strings.HasPrefix(name, vendor+"/") }
	for _, model := range c.Models {
		if counts(model) {
			return true
		}
	}
	return slices.Contains(c.Local.Adopt, vendor) || counts(c.Default) || counts(c.Embeddings)
}

// places returns where to look for whom. An address that a provider of the configuration
// has is that provider's, and this program's own is nobody else's.
func (c Config) places() (places []place, notes []string) {
	own, taken := c.ports()
	for _, n := range neighbours.all {
		if _, configured := c.Providers[n.vendor]; configured || !c.adopts(n.vendor) {
			continue
		}
		vendor, _ := catalog.VendorNamed(n.vendor)
		at := cmp.Or(neighbours.urls[n.vendor], vendor.URL)
		if said := os.Getenv("OLLAMA_HOST"); n.vendor == "ollama" && said != "" {
			host := ollamaHost(said)
			switch port := portHere(host.String()); port {
			case own: // as it is for Ollama's clients, which then ask this program
			case "":
				notes = append(notes, fmt.Sprintf("OLLAMA_HOST names %s, which is not on this machine: an Ollama there is asked once it stands under providers, with its zone", host.Host))
				continue
			default:
				at = host.String()
			}
		}
		if u, err := url.Parse(at); err == nil && !slices.Contains(taken, portHere(at)) {
			places = append(places, place{n, at, u.Host})
		}
	}
	return places, notes
}

// ports returns the port that this program listens on, and with it those of this machine
// that the configuration speaks of.
func (c Config) ports() (own string, taken []string) {
	_, own, _ = net.SplitHostPort(cmp.Or(c.Listen, defaultListen))
	taken = []string{own}
	for name, up := range c.Providers {
		up = cmp.Or(up, &Upstream{})
		vendor, _ := catalog.VendorNamed(cmp.Or(up.Vendor, name))
		taken = append(taken, portHere(cmp.Or(up.URL, vendor.URL)))
	}
	return own, taken
}

// portHere returns the port of an http URL on this machine, "" of any other. No name is
// resolved for it.
func portHere(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return ""
	}
	usual := map[string]string{"http": "80", "https": "443"}[u.Scheme]
	ip := net.ParseIP(u.Hostname())
	if here := u.Hostname() == "localhost" || ip != nil && ip.IsLoopback(); !here || usual == "" {
		return ""
	}
	return cmp.Or(u.Port(), usual)
}

// ollamaHost reads OLLAMA_HOST as Ollama's own clients do, but for a path, which no
// Ollama has. One that listens on every address is asked on loopback.
//
// Source: Ollama, envconfig/config.go.
func ollamaHost(said string) *url.URL {
	said = strings.Trim(strings.TrimSpace(said), `"'`)
	scheme, rest, stated := strings.Cut(said, "://")
	usual := "11434"
	switch {
	case !stated:
		scheme, rest = "http", said
	case scheme == "http":
		usual = "80"
	case scheme == "https":
		usual = "443"
	}
	rest, _, _ = strings.Cut(rest, "/")
	rest = rest[strings.LastIndexByte(rest, '@')+1:] // no Ollama asks who one is, and notes show the rest
	host, port, err := net.SplitHostPort(rest)
	if err != nil {
		host, port = strings.Trim(rest, "[]"), usual
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		port = usual
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return &url.URL{Scheme: scheme, Host: net.JoinHostPort(host, port)}
}

// look visits all places at once, for no longer than the limit.
func look(ctx context.Context, limit time.Duration, places []place, visit func(context.Context, place) sighting) []sighting {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	seen := make([]sighting, len(places))
	var visits sync.WaitGroup
	for i, p := range places {
		visits.Go(func() { seen[i] = visit(ctx, p) })
	}
	visits.Wait()
	return seen
}

// visit asks who is there, and if it is who was looked for, which models it has.
func (p place) visit(ctx context.Context, guard *provider.Guard) sighting {
	nobody := sighting{err: &starling.Error{Kind: starling.Overloaded, Op: "no " + p.vendor + " is found at " + p.host, Hint: "start it, then send the gateway SIGHUP"}}
	vendor, _ := catalog.VendorNamed(p.vendor)
	u, err := url.Parse(p.url)
	if err != nil {
		return nobody
	}
	u.Path, u.RawPath = p.ask, ""
	var met atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { met.Store(true) }})
	if known := p.recognised(ctx, guard, u); !known {
		nobody.late = ctx.Err() != nil && met.Load()
		return nobody
	}
	o := provider.Options{Name: p.vendor, Vendor: p.vendor, Dialect: vendor.Dialect, URL: p.url, Zone: starling.Machine}
	models, err := provider.Discover(ctx, guard, o)
	if ctx.Err() != nil {
		nobody.late = true
		return nobody
	}
	return sighting{known: true, models: models, err: err}
}

// recognised reports whether the answer at u is that of who was looked for.
func (p place) recognised(ctx context.Context, guard *provider.Guard, u *url.URL) bool {
	req := &http.Request{Method: http.MethodGet, URL: u, Host: u.Host, Header: http.Header{"User-Agent": {"starling"}, "Accept-Encoding": {"identity"}}}
	resp, err := guard.Do(req.WithContext(ctx), starling.Machine)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	const most = 4 << 20
	body, err := io.ReadAll(io.LimitReader(resp.Body, most))
	return err == nil && resp.StatusCode == http.StatusOK && p.is(resp.Header, body)
}

// Docker Model Runner lists what it has pulled, by digest.
func isDocker(_ http.Header, body []byte) bool {
	return each(body, func(m struct {
		ID     string
		Config map[string]any
	}) bool {
		return strings.HasPrefix(m.ID, "sha256:") && m.Config != nil
	})
}

func isLlamaServer(h http.Header, body []byte) bool {
	var props struct {
		Settings map[string]any `json:"default_generation_settings"`
	}
	return h.Get("Server") == "llama.cpp" && json.Unmarshal(body, &props) == nil && props.Settings != nil
}

// LM Studio answers 200 on every path, also on those that it has not.
func isLMStudio(_ http.Header, body []byte) bool {
	return each(dataOf(body), func(m struct {
		State string
		Kind  string `json:"compatibility_type"`
	}) bool {
		return m.State != "" && m.Kind != ""
	})
}

func isOllama(_ http.Header, body []byte) bool {
	return strings.TrimSpace(string(body)) == "Ollama is running"
}

// vLLM owns all that it lists, and says of each where it came from.
func isVLLM(_ http.Header, body []byte) bool {
	return each(dataOf(body), func(m struct {
		Owner string `json:"owned_by"`
		Root  string
	}) bool {
		return m.Owner == "vllm" && m.Root != ""
	})
}

// dataOf returns what OpenAI's dialect calls the data of a list.
func dataOf(body []byte) []byte {
	var list struct{ Data json.RawMessage }
	if json.Unmarshal(body, &list) != nil {
		return nil
	}
	return list.Data
}

// each reports whether a list has entries, and all are such.
func each[T any](list []byte, such func(T) bool) bool {
	var all []T
	if json.Unmarshal(list, &all) != nil || len(all) == 0 {
		return false
	}
	return !slices.ContainsFunc(all, func(m T) bool { return !such(m) })
}

func modelNames(models []starling.Model) []string {
	var names []string
	for _, m := range models {
		names = append(names, m.Name)
	}
	return names
}
