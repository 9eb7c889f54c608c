package main

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/testscript"

	"starling"
	"starling/internal/provider"
	"starling/internal/sim"
)

// nobodyBeside has this process look for neighbours where nobody is, and as long as it
// takes. Only a script may say where an Ollama is; that of the person who tests is left
// alone.
func nobodyBeside() {
	if strings.TrimSuffix(filepath.Base(os.Args[0]), ".exe") != "starling" {
		_ = os.Unsetenv("OLLAMA_HOST")
	}
	neighbours.limit, neighbours.urls = patience, map[string]string{}
	for _, n := range neighbours.all {
		neighbours.urls[n.vendor] = strings.TrimSuffix(nobody, "/v1")
	}
}

var ollamas sync.Map // servers of scripts, by their addresses

// ollama start MODEL… starts what behaves like an Ollama with these models; OLLAMA_HOST
// says where. ollama stop ends it.
func ollama(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 || args[0] != "start" && args[0] != "stop" {
		ts.Fatalf("usage: ollama start MODEL…|stop")
	}
	if args[0] == "stop" {
		server, _ := ollamas.Load(ts.Getenv("OLLAMA_HOST"))
		server.(*httptest.Server).Close()
		return
	}
	var models []sim.Model
	for _, name := range args[1:] {
		models = append(models, sim.Model{Name: name, Zone: starling.Machine, Quality: 1, Words: 3})
	}
	answers := sim.New(sim.Options{Models: models})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/" {
			_, _ = io.WriteString(w, "Ollama is running")
			return
		}
		answers.ServeHTTP(w, r)
	}))
	ts.Defer(server.Close)
	host := strings.TrimPrefix(server.URL, "http://")
	ollamas.Store(host, server)
	ts.Setenv("OLLAMA_HOST", host)
}

// A house is a server with fixed answers, by path.
type house struct {
	name    string
	server  string            // as its header says
	answers map[string]string // all else is not found
	always  string            // what it says on every path with 200; "" not found
	status  int               // of its answers; 0 is 200
}

func (h house) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, ok := h.answers[r.URL.Path]
	if !ok {
		body = h.always
	}
	if h.server != "" {
		w.Header().Set("Server", h.server)
	}
	switch {
	case body == "":
		w.WriteHeader(http.StatusNotFound)
	case h.status != 0:
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(h.status)
	}
	_, _ = io.WriteString(w, body)
}

// houses answer as the real ones do, each with one model.
//
// Source: as of [neighbours]; Ollama, docs/api.md; docs.docker.com/ai/model-runner;
// lmstudio.ai/docs/developer/rest/endpoints; llama.cpp, tools/server/README.md.
var houses = []house{
	{name: "docker", answers: map[string]string{
		"/models":            `[{"id":"sha256:354bf30d0aa3af413d2aa5ae4f23c66d78980072d1e07a5b0d776e9606a2f0b9","tags":["ai/smollm2"],"created":1742816981,"config":{"format":"gguf","quantization":"Q4_K_M","parameters":"361.82 M","architecture":"llama","size":"256.35 MiB"}}]`,
		"/engines/v1/models": `{"object":"list","data":[{"id":"ai/smollm2","object":"model","created":1742816981,"owned_by":"docker"}]}`,
		"/api/version":       `{"version":"0.1.0"}`,
	}},
	{name: "llama-server", server: "llama.cpp", answers: map[string]string{
		"/props":     `{"default_generation_settings":{"id":0,"n_ctx":4096,"params":{"temperature":0.8}},"total_slots":1,"model_path":"qwen3.gguf","chat_template":"…","build_info":"b9000-0000000"}`,
		"/v1/models": `{"models":[{"name":"qwen3.gguf","model":"qwen3.gguf"}],"object":"list","data":[{"id":"qwen3.gguf","object":"model","created":1735142223,"owned_by":"llamacpp","meta":{"vocab_type":2,"n_vocab":151936,"n_ctx":4096,"n_ctx_train":40960}}]}`,
	}},
	{name: "lmstudio", always: `{"error":"Unexpected endpoint or method. (GET)"}`, answers: map[string]string{
		"/api/v0/models": `{"object":"list","data":[{"id":"qwen3-4b","object":"model","type":"llm","publisher":"lmstudio-community","arch":"qwen3","compatibility_type":"gguf","quantization":"Q4_K_M","state":"not-loaded","max_context_length":32768}]}`,
		"/v1/models":     `{"data":[{"id":"qwen3-4b","object":"model","owned_by":"organization_owner"}],"object":"list"}`,
	}},
	{name: "ollama", answers: map[string]string{
		"/":            "Ollama is running",
		"/api/version": `{"version":"0.13.3"}`,
		"/api/tags":    `{"models":[{"name":"qwen3:0.6b","model":"qwen3:0.6b","modified_at":"2025-10-03T23:34:03Z","size":522653767,"digest":"7df6b6e09427","details":{"format":"gguf","family":"qwen3","parameter_size":"751.63M","quantization_level":"Q4_K_M"}},{"name":"gpt-oss:120b-cloud","model":"gpt-oss:120b-cloud","remote_model":"gpt-oss:120b","remote_host":"https://ollama.com:443","size":384}]}`,
		"/v1/models":   `{"object":"list","data":[{"id":"qwen3:0.6b","object":"model","created":1735142223,"owned_by":"library"}]}`,
	}},
	{name: "vllm", server: "uvicorn", answers: map[string]string{
		"/version":   `{"version":"0.11.0"}`,
		"/v1/models": `{"object":"list","data":[{"id":"qwen3","object":"model","created":1735142223,"owned_by":"vllm","root":"Qwen/Qwen3-8B","parent":null,"max_model_len":8192,"permission":[]},{"id":"lora","object":"model","created":1735142223,"owned_by":"vllm","root":"/adapters/lora","parent":"qwen3","permission":[]}]}`,
	}},
}

// strangers use the same ports, and some look alike.
var strangers = []house{
	{name: "an application of one page", always: "<!doctype html><title>Ollama is running</title>"},
	{name: "nothing", always: "{}"},
	{name: "null", always: "null"},
	{name: "an empty list", always: `{"object":"list","data":[]}`},
	{name: "lists without entries", always: "[]"},
	{name: "another Starling", answers: map[string]string{
		"/":            "Starling is running\n",
		"/api/version": `{"version":"0.17.4"}`,
		"/api/tags":    `{"models":[{"name":"vllm/qwen3","model":"vllm/qwen3"}]}`,
		"/v1/models":   `{"object":"list","data":[{"id":"vllm/qwen3","object":"model","created":0,"owned_by":"vllm","type":"model","display_name":"vllm/qwen3"}]}`,
	}},
	{name: "one that passes on", answers: map[string]string{"/v1/models": `{"object":"list","data":[{"id":"a","owned_by":"vllm","root":"a"},{"id":"gpt-5.5","owned_by":"openai","root":"gpt-5.5"}]}`}},
	{name: "one with settings", server: "nginx", answers: map[string]string{"/props": `{"default_generation_settings":{}}`}},
	{name: "one that wants a key", server: "llama.cpp", status: http.StatusUnauthorized, always: `{"error":{"message":"Invalid API Key","type":"authentication_error","code":401}}`},
	{name: "one that loads", server: "llama.cpp", status: http.StatusServiceUnavailable, always: `{"error":{"message":"Loading model","type":"unavailable_error","code":503}}`},
	{name: "one that sends elsewhere", status: http.StatusFound, always: "Ollama is running"},
	{name: "a shop", answers: map[string]string{"/models": `[{"id":"sha256:1","name":"T"}]`, "/": "Shop"}},
}

// at returns the place of a neighbour in a house, and a guard that lets it be asked.
func (n neighbour) at(t *testing.T, h http.Handler) (place, *provider.Guard) {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	guard, err := provider.NewGuard(provider.Upstream{URL: server.URL, Zone: starling.Machine})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(guard.Close)
	path := map[string]string{"docker": "/engines/v1", "ollama": ""}
	under, ok := path[n.vendor]
	if !ok {
		under = "/v1"
	}
	return place{n, server.URL + under, strings.TrimPrefix(server.URL, "http://")}, guard
}

func TestANeighbourIsKnownByItsOwnAnswersAlone(t *testing.T) {
	for _, n := range neighbours.all {
		for _, h := range slices.Concat(houses, strangers) {
			t.Run(n.vendor+" in the house of "+h.name, func(t *testing.T) {
				p, guard := n.at(t, h)
				s := p.visit(t.Context(), guard)
				if want := h.name == n.vendor; s.known != want || s.late || (s.err == nil) != want || len(s.models) > 0 != want {
					t.Errorf("%+v", s)
				}
				for _, m := range s.models {
					if m.Provider != n.vendor || m.Zone != starling.Machine || strings.HasSuffix(m.Name, "-cloud") {
						t.Errorf("%+v", m)
					}
				}
			})
		}
	}
}

func TestNothingOfAUsersIsSentToWhoMayBeANeighbour(t *testing.T) {
	for _, name := range []string{"OPENAI_API_KEY", "OLLAMA_API_KEY", "LLAMA_API_KEY", "VLLM_API_KEY"} {
		t.Setenv(name, "sk-secret")
	}
	var mu sync.Mutex
	said := map[string][]string{}
	for i, n := range neighbours.all {
		p, guard := n.at(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			defer mu.Unlock()
			body, _ := io.ReadAll(r.Body)
			if r.Method != http.MethodGet || len(body) > 0 || r.URL.RawQuery != "" {
				t.Errorf("%s %s with %q", r.Method, r.URL, body)
			}
			for name, values := range r.Header {
				said[name] = values
			}
			houses[i].ServeHTTP(w, r)
		}))
		p.visit(t.Context(), guard)
	}
	want := map[string][]string{"User-Agent": {"starling"}, "Accept-Encoding": {"identity"}, "Content-Type": {"application/json"}}
	if diff := cmp.Diff(want, said); diff != "" {
		t.Error(diff)
	}
}

func TestALookTakesNoLongerThanItsLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		places := []place{{neighbour{vendor: "slow"}, "", ""}, {neighbour{vendor: "quick"}, "", ""}, {neighbour{vendor: "slow"}, "", ""}}
		began := time.Now()
		seen := look(t.Context(), 300*time.Millisecond, places, func(ctx context.Context, p place) sighting {
			if p.vendor == "quick" {
				return sighting{known: true}
			}
			<-ctx.Done()
			return sighting{late: true}
		})
		if took := time.Since(began); took != 300*time.Millisecond {
			t.Errorf("it took %s", took)
		}
		if !seen[0].late || !seen[1].known || !seen[2].late {
			t.Errorf("%+v", seen)
		}
	})
}

// lives has the neighbours looked for in these houses, by their vendors, for a test.
func lives(t *testing.T, limit time.Duration, in map[string]http.Handler) {
	t.Helper()
	before := neighbours
	t.Cleanup(func() { neighbours = before })
	neighbours.limit, neighbours.urls = limit, map[string]string{}
	for _, n := range neighbours.all {
		neighbours.urls[n.vendor] = strings.TrimSuffix(nobody, "/v1")
		if h, ok := in[n.vendor]; ok {
			p, _ := n.at(t, h)
			neighbours.urls[n.vendor] = p.url
		}
	}
}

func built(t *testing.T, cfg Config) *parts {
	t.Helper()
	p, err := build(t.Context(), cfg, t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.close)
	return p
}

func (p *parts) offers() []string {
	var ids []string
	for _, m := range p.directory.Models() {
		ids = append(ids, m.ID())
	}
	return ids
}

func TestWhoIsFoundIsAdoptedAsTheConfigurationAllows(t *testing.T) {
	all := map[string]http.Handler{}
	for _, h := range houses {
		all[h.name] = h
	}
	lives(t, patience, all)
	own := func(url string) map[string]*Upstream {
		return map[string]*Upstream{"ours": {Dialect: starling.OpenAI, URL: url, Zone: starling.Office, Models: []string{"m"}}}
	}
	docker, llama, studio, small, big := "docker/ai/smollm2", "llama-server/qwen3.gguf", "lmstudio/qwen3-4b", "ollama/qwen3:0.6b", []string{"vllm/qwen3", "vllm/lora"}
	for _, c := range []struct {
		name string
		cfg  Config
		want []string
	}{
		{"without a word all but the one that may be elsewhere", Config{}, append([]string{docker, llama, small}, big...)},
		{"all", Config{Local: Local{Adopt: []string{"all"}}}, append([]string{docker, llama, studio, small}, big...)},
		{"some", Config{Local: Local{Adopt: []string{"lmstudio", "ollama"}}}, []string{studio, small}},
		{"none", Config{Local: Local{Adopt: []string{}}}, nil},
		{"nothing on this machine", Config{Local: Local{Off: true, Adopt: []string{"all"}}}, nil},
		{"beside providers none", Config{Providers: own(nobody)}, []string{"ours/m"}},
		{"beside providers those that are named", Config{Providers: own(nobody), Local: Local{Adopt: []string{"ollama"}}}, []string{"ours/m", small}},
		{"an address that a provider has is that provider's", Config{Providers: own(strings.Replace(neighbours.urls["vllm"], "127.0.0.1", "localhost", 1)), Local: Local{Adopt: []string{"ollama", "vllm"}}}, []string{"ours/m", small}},
		{"so is its name", Config{Providers: map[string]*Upstream{"ollama": {URL: "http://10.0.0.5:11434", Zone: starling.Office, Models: []string{"m"}}}, Local: Local{Adopt: []string{"ollama"}}}, []string{"ollama/m"}},
		{"this program's own address is nobody else's", Config{Listen: strings.Split(neighbours.urls["vllm"], "/")[2], Local: Local{Adopt: []string{"vllm", "ollama"}}}, []string{small}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := built(t, c.cfg)
			if diff := cmp.Diff(c.want, p.offers()); diff != "" {
				t.Error(diff)
			}
			for _, m := range p.directory.Models() {
				if m.Provider != "ours" && m.Zone != starling.Machine && m.Name != "m" || m.Provider != "ours" && m.Name != "m" && m.Price.Milliwatts == 0 {
					t.Errorf("%+v", m)
				}
			}
		})
	}
}

// TestABareNameMeansWhoSomebodyMeans: a copy of a model under another's name is common,
// for programs that know no other.
func TestABareNameMeansWhoSomebodyMeansBeforeWhoIsAdopted(t *testing.T) {
	fake := house{answers: map[string]string{"/": "Ollama is running", "/api/tags": `{"models":[{"name":"gpt-5.5","model":"gpt-5.5"},{"name":"own","model":"own"}]}`}}
	lives(t, patience, map[string]http.Handler{"ollama": fake})
	t.Setenv("OPENAI_API_KEY", "sk-test")
	p := built(t, Config{})
	for name, want := range map[string]string{"gpt-5.5": "openai/gpt-5.5", "ollama/gpt-5.5": "ollama/gpt-5.5", "own": "ollama/own"} {
		if m, _ := p.directory.Find(name); m.ID() != want {
			t.Errorf("%s is %s, not %s", name, m.ID(), want)
		}
	}
}

func TestOfEachThatIsAdoptedOrLeftAloneItIsSaidWhy(t *testing.T) {
	lives(t, patience, map[string]http.Handler{"ollama": houses[3], "lmstudio": houses[2]})
	notes := strings.Join(built(t, Config{}).adopted, "\n")
	for _, want := range []string{
		"ollama runs at 127.0.0.1:", " and is asked too, with models qwen3:0.6b; local: {adopt: []}",
		"lmstudio runs at 127.0.0.1:", " and is not asked: with LM Link another device may answer in its place; local: {adopt: all}",
	} {
		if !strings.Contains(notes, want) {
			t.Errorf("%q is not in\n%s", want, notes)
		}
	}
	if strings.Count(notes, "\n") != 1 {
		t.Errorf("more is said than there is to say:\n%s", notes)
	}
}

func TestAnAliasDoesNotAdoptWhoMayBeElsewhere(t *testing.T) {
	lives(t, patience, map[string]http.Handler{"lmstudio": houses[2]})
	cfg := Config{Models: map[string]string{"small": "lmstudio/qwen3-4b"}}
	p := built(t, cfg)
	if said := strings.Join(p.warnings, "\n"); len(p.offers()) > 0 || len(p.directory.Awaits("small")) != 1 || !strings.Contains(said, "lmstudio offers no models now: it is found and not asked") {
		t.Errorf("%v %s", p.offers(), said)
	}
	cfg.Local.Adopt = []string{"lmstudio"}
	if m, ok := built(t, cfg).directory.Find("small"); !ok || m.Zone != starling.Machine {
		t.Errorf("%+v", m)
	}
}

func TestWhoAnswersTooLateIsNotAskedAndNamed(t *testing.T) {
	lives(t, time.Second, map[string]http.Handler{"vllm": http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })})
	p := built(t, Config{})
	if notes := strings.Join(p.adopted, "\n"); len(p.offers()) > 0 || !strings.Contains(notes, "did not say within 1s whether it is vllm") {
		t.Errorf("%v, %s", p.offers(), notes)
	}
}

// TestWhoTheConfigurationCountsOnIsWaitedFor: an alias for a server that is not there
// yet ends nothing, and neither is a stranger at its address taken for it.
func TestWhoTheConfigurationCountsOnIsWaitedFor(t *testing.T) {
	lives(t, patience, map[string]http.Handler{"ollama": strangers[0]})
	for _, cfg := range []Config{
		{Local: Local{Adopt: []string{"ollama"}}},
		{Models: map[string]string{"small": "ollama/qwen3:0.6b"}},
		{Default: "ollama/qwen3:0.6b"},
	} {
		p := built(t, cfg)
		if said := strings.Join(p.warnings, "\n"); len(p.offers()) > 0 || !strings.Contains(said, "provider ollama offers no models now: no ollama is found at 127.0.0.1:") {
			t.Errorf("%+v: %s", cfg, said)
		}
	}
	if _, err := build(t.Context(), Config{Models: map[string]string{"small": "vllm/x", "big": "nobody/x"}}, t.TempDir(), nil); starling.KindOf(err) != starling.Invalid || strings.Contains(err.Error(), "vllm") {
		t.Errorf("an alias that leads to nobody is wrong as ever: %v", err)
	}
}

func TestOllamaIsAskedWhereItsClientsAskIt(t *testing.T) {
	for said, want := range map[string]string{
		"127.0.0.1:4000":           "http://127.0.0.1:4000",
		"127.0.0.1":                "http://127.0.0.1:11434",
		" \"localhost:11435\" ":    "http://localhost:11435",
		"0.0.0.0":                  "http://127.0.0.1:11434",
		"0.0.0.0:8080":             "http://127.0.0.1:8080",
		":4001":                    "http://127.0.0.1:4001",
		"[::]:4002":                "http://127.0.0.1:4002",
		"::1":                      "http://[::1]:11434",
		"[::1]:4003":               "http://[::1]:4003",
		"http://127.0.0.1":         "http://127.0.0.1:80",
		"https://127.0.0.1/":       "https://127.0.0.1:443",
		"http://127.0.0.1:4004/v1": "http://127.0.0.1:4004",
		"127.0.0.1:abc":            "http://127.0.0.1:11434",
		"127.0.0.1:66000":          "http://127.0.0.1:11434",
		"10.0.0.5":                 "http://10.0.0.5:11434",
		"gpu.example:4005":         "http://gpu.example:4005",
	} {
		if got := ollamaHost(said); got.String() != want {
			t.Errorf("%q: %s, not %s", said, got, want)
		}
	}
}

func TestAnOllamaElsewhereIsNotAdopted(t *testing.T) {
	for _, said := range []string{"10.0.0.5", "gpu.example", "http://8.8.8.8:80", "ftp://127.0.0.1", "\x7f", "a b:1", "127.0.0.1.example", "localhost.example:11434", "user:pw@10.0.0.5:1", "http://user:pw@[::2]", "user:pw@:x:"} {
		t.Setenv("OLLAMA_HOST", said)
		places, notes := Config{Local: Local{Adopt: []string{"ollama"}}}.places()
		if len(places) > 0 || len(notes) != 1 || strings.Contains(notes[0], "pw") {
			t.Errorf("%q: %v %v", said, places, notes)
		}
	}
	t.Setenv("OLLAMA_HOST", defaultListen) // as it is for Ollama's clients, which ask Starling
	places, notes := Config{Local: Local{Adopt: []string{"ollama"}}}.places()
	if len(places) != 1 || places[0].url != neighbours.urls["ollama"] || len(notes) > 0 {
		t.Errorf("%v %v", places, notes)
	}
}

func FuzzOllamaHost(f *testing.F) {
	for _, said := range []string{"", "127.0.0.1", "http://[::1]:1/x", "://", "a:b:c", "0.0.0.0:0", "[", "http://user:pw@127.0.0.1"} {
		f.Add(said)
	}
	f.Fuzz(func(t *testing.T, said string) {
		u := ollamaHost(said)
		port := portHere(u.String())
		if port == "" {
			return
		}
		back, err := url.Parse(u.String())
		if err != nil || back.User != nil || !slices.Contains([]string{"http", "https"}, back.Scheme) {
			t.Fatalf("%q: %q is here", said, u)
		}
		if _, err := provider.NewGuard(provider.Upstream{URL: u.String(), Zone: starling.Machine}); err != nil {
			t.Errorf("%q: %v", said, err)
		}
	})
}
