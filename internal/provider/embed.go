package provider

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/url"
	"time"

	"github.com/failsafe-go/failsafe-go"

	"starling"
)

// mostTexts is how many texts are sent at once: all servers take as many.
const mostTexts = 64

// mostDims is how many numbers a vector may have.
const mostDims = 4096

// An Embedder turns texts into vectors, with one model of an upstream. It is
// called as every model is: behind the guard, with the provider's key and limits,
// retried only where nothing was bought, with a breaker of its own. It is never
// hedged. Safe for concurrent use.
type Embedder struct {
	Model starling.Model

	up       *HTTP
	url      *url.URL
	breaker  *breaker
	policies failsafe.Executor[*try]
}

func newEmbedder(p *HTTP, base *url.URL) (*Embedder, error) {
	if p.kind.Embed == "" {
		return nil, p.opts.invalid("its dialect "+string(p.opts.Dialect)+" has no embeddings", "name a model of a provider with dialect openai")
	}
	m, err := p.own(p.opts.Embedding)
	if err != nil {
		return nil, err
	}
	m.Hedged, m.NoTools, m.NoImages = false, true, true
	return &Embedder{Model: m, up: p, url: p.kind.at(base, p.kind.Embed), breaker: newBreaker(m.ID(), p.opts), policies: policies(0)}, nil
}

// Embedder returns the embedding model of the upstream, nil if it has none.
func (p *HTTP) Embedder() *Embedder { return p.embedder }

// Cost returns what embedding the texts will usually cost, and the most that it
// can.
func (e *Embedder) Cost(texts []string) (usual, most starling.Money) {
	bound, guess, calls := int64(0), int64(0), (len(texts)+mostTexts-1)/mostTexts
	for _, t := range texts {
		bound += int64(len(t)) + textFrame
		guess += int64(len(t)/usualToken) + 2
	}
	_, usual = e.Model.Price.Cost(starling.Usage{Input: guess}, time.Duration(calls)*time.Second)
	return usual, e.Model.Price.Worst(bound, 0, time.Duration(calls)*e.Model.Longest)
}

// textFrame is what a model adds to a text at most, in tokens: a beginning, an
// end, and what some put in front.
const textFrame = 16

// A Reading is texts to be embedded.
type Reading struct {
	Texts    []string      // none of them empty
	Furthest starling.Zone // as screened; the guard checks it again
	Patience time.Duration // how long a refused call may be tried again

	// Progress, if set, is told how many texts are done.
	Progress func(done int)
}

// Embed returns a vector for each text, all of one length and of finite numbers,
// in at most 64 texts a call. The usage is what the upstream counted, or an
// estimate where it did not; it is also of what was done before an error.
//
// Errors are those of [starling.Provider].Generate. None holds content.
func (e *Embedder) Embed(ctx context.Context, r Reading) (all [][]float32, used starling.Usage, err error) {
	for len(all) < len(r.Texts) {
		batch := r.Texts[len(all):min(len(all)+mostTexts, len(r.Texts))]
		vectors, usage, err := e.batch(ctx, r, batch)
		if failed, ok := errors.AsType[*starling.Error](err); ok && failed.Billed {
			usage = e.guess(batch)
		}
		used.Input += usage.Input
		used.Estimated = used.Estimated || usage.Estimated
		if err != nil {
			return nil, used, err
		}
		if all = append(all, vectors...); len(vectors[0]) != len(all[0]) {
			return nil, used, e.refused("vectors of several lengths")
		}
		if r.Progress != nil {
			r.Progress(len(all))
		}
	}
	return all, used, nil
}

// batch makes one call.
func (e *Embedder) batch(ctx context.Context, r Reading, texts []string) ([][]float32, starling.Usage, error) {
	k, err := e.prepare(ctx, r, texts)
	if err != nil {
		return nil, starling.Usage{}, err
	}
	winner, _, err := k.open()
	if err != nil {
		return nil, starling.Usage{}, unanswered(err)
	}
	defer winner.close()
	body, err := io.ReadAll(winner.body)
	if err != nil {
		return nil, starling.Usage{}, winner.broke(err).err
	}
	vectors, usage, err := readEmbeddings(body, len(texts))
	if err != nil {
		return nil, starling.Usage{}, winner.broke(e.refused(err.Error())).err
	}
	winner.permit.good()
	if usage.Input <= 0 {
		usage = e.guess(texts)
	}
	return vectors, usage, nil
}

// unanswered takes the upstream's own reply off an error: it answers a question of
// ours, which no caller has asked.
func unanswered(err error) error {
	e, ok := errors.AsType[*starling.Error](err)
	if !ok {
		return err
	}
	own := *e
	own.Reply = nil
	return &own
}

// prepare makes the call of a batch, as [HTTP.prepare] does that of a question.
func (e *Embedder) prepare(ctx context.Context, r Reading, texts []string) (*call, error) {
	if _, err := e.up.guard.pass(e.url, r.Furthest); err != nil {
		return nil, err
	}
	if ctx.Err() != nil {
		return nil, e.up.cancelled(ctx)
	}
	body, err := json.Marshal(struct {
		Model  string   `json:"model"`
		Input  []string `json:"input"`
		Format string   `json:"encoding_format"`
	}{e.Model.Name, texts, "float"})
	if err != nil {
		return nil, &starling.Error{Kind: starling.Internal, Op: "provider " + e.up.opts.Name + ": write the texts"}
	}
	q := &starling.Request{Dialect: e.up.opts.Dialect}
	k := &call{
		HTTP: e.up, Call: starling.Call{Model: e.Model, Request: q, Furthest: r.Furthest, Left: func(string) {}},
		caller: ctx, started: time.Now(), breaker: e.breaker, dialect: q.Dialect, url: e.url, question: body, policies: e.policies,
	}
	k.patience = k.started.Add(r.Patience)
	_, k.header = e.up.envelope(q, starling.Embeddings, e.Model.Name)
	return k, nil
}

// guess is the usage where nobody counted.
func (e *Embedder) guess(texts []string) starling.Usage {
	u := starling.Usage{Estimated: true}
	for _, t := range texts {
		u.Input += int64(len(t)+2)/3 + 2
	}
	return u
}

func (e *Embedder) refused(what string) *starling.Error {
	return &starling.Error{Kind: starling.Refused, Op: "provider " + e.up.opts.Name + ": " + e.Model.Name + " gives no embeddings: " + what, Hint: "name an embedding model under embeddings in the configuration", Billed: true}
}

// readEmbeddings reads an answer of n vectors. The errors quote nothing of it.
//
// Source: OpenAI's API reference, "Create embeddings", November 2026; servers that
// number nothing give the vectors in order.
func readEmbeddings(body []byte, n int) ([][]float32, starling.Usage, error) {
	var said struct {
		Data []struct {
			Index     *int            `json:"index"`
			Embedding json.RawMessage `json:"embedding"`
		} `json:"data"`
		Usage struct {
			Prompt int64 `json:"prompt_tokens"`
			Total  int64 `json:"total_tokens"`
		} `json:"usage"`
	}
	if json.Unmarshal(body, &said) != nil {
		return nil, starling.Usage{}, errors.New("what it answers is none")
	}
	if len(said.Data) != n {
		return nil, starling.Usage{}, fmt.Errorf("%d vectors for %d texts", len(said.Data), n)
	}
	vectors := make([][]float32, n)
	for i, d := range said.Data {
		if d.Index != nil {
			i = *d.Index
		}
		if i < 0 || i >= n || vectors[i] != nil {
			return nil, starling.Usage{}, errors.New("its vectors are numbered otherwise than the texts")
		}
		v, err := readVector(d.Embedding)
		if err != nil {
			return nil, starling.Usage{}, err
		}
		vectors[i] = v
	}
	for _, v := range vectors {
		if len(v) != len(vectors[0]) {
			return nil, starling.Usage{}, errors.New("vectors of several lengths")
		}
	}
	return vectors, starling.Usage{Input: cmp.Or(max(said.Usage.Prompt, 0), max(said.Usage.Total, 0))}, nil
}

// readVector reads a vector in either of its formats: an array of numbers, or the
// base64 of little-endian 32-bit floats.
func readVector(raw json.RawMessage) (v []float32, err error) {
	if len(raw) > 0 && raw[0] == '"' {
		var packed []byte // which encoding/json takes from base64 by itself
		if err = json.Unmarshal(raw, &packed); err == nil && len(packed)%4 != 0 {
			err = base64.CorruptInputError(len(packed))
		}
		for ; err == nil && len(packed) > 0; packed = packed[4:] {
			v = append(v, math.Float32frombits(binary.LittleEndian.Uint32(packed)))
		}
	} else if err = json.Unmarshal(raw, &v); err == nil && bytes.Contains(raw, []byte("null")) {
		err = errors.New("null is no number")
	}
	switch {
	case err != nil:
		return nil, errors.New("a vector that is none")
	case len(v) == 0 || len(v) > mostDims:
		return nil, fmt.Errorf("a vector of %d numbers", len(v))
	}
	for _, x := range v {
		if !(math.Abs(float64(x)) <= math.MaxFloat32) {
			return nil, errors.New("a vector of what is no number")
		}
	}
	return v, nil
}
