package provider

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"starling"
	"starling/internal/wire"
)

// mostTexts is how many texts are sent at once: all servers take as many.
const mostTexts = 64

// mostDims is how many numbers a vector may have.
const mostDims = 4096

// An Embedder turns texts into vectors, with one model of an upstream. It asks as
// everybody does, by [HTTP.Generate]. Safe for concurrent use.
type Embedder struct {
	Model starling.Model

	up *HTTP
}

// Embedder returns the embedding model of [Options.Embedding], nil if there is none.
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
func (e *Embedder) batch(ctx context.Context, r Reading, texts []string) (vectors [][]float32, usage starling.Usage, err error) {
	q, err := e.question(texts)
	if err != nil {
		return nil, usage, err
	}
	call := starling.Call{Model: e.Model, Request: q, Furthest: r.Furthest, Patience: r.Patience, Deltas: true, Left: func(string) {}}
	for ev, err := range e.up.Generate(ctx, call) {
		if err != nil {
			return nil, usage, unanswered(err)
		}
		if vectors = ev.Vectors; ev.Usage != nil {
			usage = *ev.Usage
		}
	}
	if len(vectors[0]) > mostDims {
		return nil, usage, e.refused(fmt.Sprintf("a vector of %d numbers", len(vectors[0])))
	}
	if usage.Input <= 0 {
		usage = e.guess(texts)
	}
	return vectors, usage, nil
}

// question asks for the vectors of texts.
func (e *Embedder) question(texts []string) (*starling.Request, error) {
	body, err := json.Marshal(struct {
		Model  string   `json:"model"`
		Input  []string `json:"input"`
		Format string   `json:"encoding_format"`
	}{e.Model.Name, texts, "float"})
	if err != nil {
		return nil, &starling.Error{Kind: starling.Internal, Op: "provider " + e.up.opts.Name + ": write the texts"}
	}
	q, err := wire.Parse(starling.Embeddings, body)
	return &q, err
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
