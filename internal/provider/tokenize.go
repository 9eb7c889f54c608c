package provider

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"time"

	"starling"
	"starling/internal/wire"
)

// Limits of counting: who runs a model near by counts at once or not at all.
const (
	countTime = 2 * time.Second
	countSize = 64 << 20
)

// A chat is what of a question has tokens.
type chat struct {
	Messages json.RawMessage `json:"messages"`
	Tools    json.RawMessage `json:"tools,omitempty"`
}

// An inquiry posts a body to a path of the upstream's root and reads its JSON answer.
type inquiry func(path string, body, answer any) error

// counters are the servers that say how many tokens a chat has before it is answered,
// by their vendors' names.
//
// Sources: vLLM's server, POST /tokenize; llama.cpp, tools/server/README.md, POST
// /apply-template and /tokenize; both as of November 2026.
var counters = map[string]func(ask inquiry, model string, c chat) (int64, error){
	"vllm": func(ask inquiry, model string, c chat) (int64, error) {
		var said struct {
			Count int64 `json:"count"`
		}
		err := ask("/tokenize", struct {
			Model string `json:"model"`
			chat
			Prompt bool `json:"add_generation_prompt"`
		}{model, c, true}, &said)
		return said.Count, err
	},
	"llama-server": func(ask inquiry, _ string, c chat) (int64, error) {
		var prompt struct {
			Prompt string `json:"prompt"`
		}
		if err := ask("/apply-template", c, &prompt); err != nil {
			return 0, err
		}
		var said struct {
			Tokens []json.RawMessage `json:"tokens"`
		}
		err := ask("/tokenize", struct {
			Content string `json:"content"`
			Special bool   `json:"add_special"`
			Parse   bool   `json:"parse_special"`
		}{prompt.Prompt, true, true}, &said)
		return int64(len(said.Tokens)), err
	},
}

// Count returns how many tokens the question of a call has by the upstream's own
// tokenizer, with its template around them, of a model that counts
// ([starling.Model].Counts). The model does not run.
//
// It takes two seconds at most. Errors: Forbidden as the guard says, Invalid when the
// question cannot be said in the upstream's dialect, Overloaded when nobody answers in
// time, Refused when what answers is no count.
func (p *HTTP) Count(ctx context.Context, c starling.Call) (int64, error) {
	count := counters[p.opts.Vendor]
	if count == nil {
		return 0, p.uncounted()
	}
	body, err := wire.Outgoing(c.Request, p.opts.Dialect, c.Model, func(string) {})
	if err != nil {
		return 0, err
	}
	var said chat
	if json.Unmarshal(body, &said) != nil || said.Messages == nil {
		return 0, p.uncounted()
	}
	ctx, cancel := context.WithTimeout(ctx, countTime)
	defer cancel()
	n, err := count(func(path string, body, answer any) error { return p.consult(ctx, c.Furthest, path, body, answer) }, c.Model.Name, said)
	if err == nil && n <= 0 {
		err = p.uncounted()
	}
	return n, err
}

// consult posts JSON to a path of the server's root, beside the API's own.
func (p *HTTP) consult(ctx context.Context, furthest starling.Zone, path string, body, answer any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return p.uncounted()
	}
	root := *p.asks[p.opts.Dialect]
	at := &url.URL{Scheme: root.Scheme, Host: root.Host, Path: path}
	req := &http.Request{
		Method: http.MethodPost, URL: at, Host: at.Host, Header: p.kind.headers(p.opts.Key),
		ContentLength: int64(len(text)), Body: io.NopCloser(bytes.NewReader(text)),
	}
	resp, err := p.guard.Do(req.WithContext(ctx), furthest)
	if err != nil {
		return p.opts.undiscovered(ctx, err)
	}
	defer resp.Body.Close()
	said, err := io.ReadAll(io.LimitReader(resp.Body, countSize))
	if err != nil {
		return p.opts.undiscovered(ctx, transport(err))
	}
	if resp.StatusCode != http.StatusOK || json.Unmarshal(said, answer) != nil {
		return p.uncounted()
	}
	return nil
}

func (p *HTTP) uncounted() error {
	return &starling.Error{Kind: starling.Refused, Op: "provider " + p.opts.Name + ": it does not say how many tokens a question has", Hint: "check that its vendor is what the configuration says"}
}
