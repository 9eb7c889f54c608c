package provider

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"starling"
)

// Limits of a discovery: who is near answers at once or not at all.
const (
	discoverTime = 2 * time.Second
	discoverSize = 4 << 20
	discoverMost = 4096 // models
)

// Discover asks the upstream that o describes which models it has. They come in
// the upstream's order, without a price. A local server lists what is loaded or
// installed.
//
// It takes two seconds at most. Errors: Forbidden as the guard says, Overloaded
// when nobody answers, Refused when what answers is no list of models.
func Discover(ctx context.Context, g *Guard, o Options) ([]starling.Model, error) {
	kind, known := Kinds[o.Dialect]
	if !known {
		return nil, o.invalid("dialect "+string(o.Dialect), "use one of "+dialects())
	}
	base, err := address(o.URL)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, discoverTime)
	defer cancel()
	req := &http.Request{Method: http.MethodGet, URL: kind.at(base, kind.List), Host: base.Host, Header: kind.headers(o.Key)}
	resp, err := g.Do(req.WithContext(ctx), o.Zone)
	if err != nil {
		return nil, o.undiscovered(ctx, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, o.noList()
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, discoverSize))
	if err != nil {
		return nil, o.undiscovered(ctx, transport(err))
	}
	return o.listed(body)
}

// listed reads a list of models, in the form that most dialects share or in that of
// Ollama. Those that a near server would only pass on are left out.
func (o Options) listed(body []byte) ([]starling.Model, error) {
	if o.Dialect == starling.Gemini {
		return o.listedByGoogle(body)
	}
	type entry struct {
		ID      string `json:"id"`
		Name    string `json:"name"`           // Ollama
		Remote  string `json:"remote_host"`    // Ollama: who runs it in truth
		Longest int64  `json:"max_model_len"`  // vLLM
		Context int64  `json:"context_length"` // LM Studio, OpenRouter
		Meta    meta   `json:"meta"`           // llama-server
	}
	var list struct {
		Data   []entry `json:"data"`
		Models []entry `json:"models"`
	}
	err := json.Unmarshal(body, &list)
	all := list.Data
	if o.Dialect == starling.Ollama {
		all = list.Models
	}
	if err != nil || all == nil || len(all) > discoverMost {
		return nil, o.noList()
	}
	models := make([]starling.Model, 0, len(all))
	for _, m := range all {
		if o.Dialect == starling.Ollama {
			m.ID = m.Name
		}
		listed := starling.Model{Provider: o.Name, Name: m.ID, Dialect: o.Dialect, Zone: o.Zone, Context: max(m.Longest, m.Context, m.Meta.window, 0)}
		if m.ID != "" && !offloaded(listed) && (m.Remote == "" || o.Zone == starling.Cloud) {
			models = append(models, listed)
		}
	}
	return models, nil
}

// A meta is what llama-server tells of a model. Whatever else others call so says nothing.
//
// Source: llama.cpp, tools/server/server-context.cpp.
type meta struct {
	window int64 // of one question and its answer, as the server was started
}

func (m *meta) UnmarshalJSON(text []byte) error {
	var told struct {
		Window int64 `json:"n_ctx"`
	}
	if json.Unmarshal(text, &told) == nil {
		m.window = told.Window
	}
	return nil
}

// listedByGoogle reads Google's form of a list: those models that answer questions.
//
// Source: ai.google.dev/api/models.
func (o Options) listedByGoogle(body []byte) ([]starling.Model, error) {
	var list struct {
		Models []struct {
			Name    string   `json:"name"` // "models/gemini-3-flash"
			Context int64    `json:"inputTokenLimit"`
			Output  int64    `json:"outputTokenLimit"`
			Methods []string `json:"supportedGenerationMethods"`
		} `json:"models"`
	}
	if json.Unmarshal(body, &list) != nil || list.Models == nil || len(list.Models) > discoverMost {
		return nil, o.noList()
	}
	models := make([]starling.Model, 0, len(list.Models))
	for _, m := range list.Models {
		name := strings.TrimPrefix(m.Name, "models/")
		if name == "" || !slices.Contains(m.Methods, "generateContent") {
			continue
		}
		models = append(models, starling.Model{Provider: o.Name, Name: name, Dialect: o.Dialect, Zone: o.Zone, Context: max(m.Context, 0), MaxOutput: max(m.Output, 0)})
	}
	return models, nil
}

func (o Options) noList() error {
	return &starling.Error{Kind: starling.Refused, Op: "provider " + o.Name + ": it gives no list of models", Hint: "list its models in the configuration"}
}

func (o Options) undiscovered(ctx context.Context, err error) error {
	own := *transport(err)
	if ctx.Err() != nil {
		own = starling.Error{Kind: starling.Overloaded, Op: "no answer within " + discoverTime.String(), Hint: "start it, or list its models in the configuration"}
	}
	own.Op = "provider " + o.Name + ": " + own.Op
	return &own
}
