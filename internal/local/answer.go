package local

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"starling"
	"starling/internal/engine"
	"starling/internal/wire"
)

// A job is an order to an engine, and who listens to what comes of it.
type job struct {
	asking // without its id and reply, of which each seat has its own
	order  engine.Order
	size   int // bytes of what is to be read
	hear   func(engine.Report) error
	begun  bool // a part of an answer came
}

// converse has a question answered.
func (l *Local) converse(ctx context.Context, c starling.Call, q *question, t *telling) error {
	order := engine.Order{Generate: &q.Generate}
	s := saying{stream: c.Request.Stream}
	for i := range order.Choices() {
		s.all = append(s.all, &memo{choice: i, reader: q.reader(), own: q.weights.Speaker.Stops(), told: q.told})
	}
	return l.run(ctx, c, t, &job{
		asking: asking{model: q.weights.Name, prompt: l.digest(q), background: q.background, seats: order.Choices()},
		order:  order, size: q.size,
		hear: func(r engine.Report) error { return s.hear(r, t) },
	})
}

// run gets a seat for a job and gives it to the engine. It returns when the last report
// was heard, or nobody wants to hear more.
func (l *Local) run(ctx context.Context, c starling.Call, t *telling, j *job) error {
	for {
		a := j.asking
		child, err := l.seat(ctx, &a, l.patience(c), t.alive)
		if err != nil {
			return l.cause(ctx, err)
		}
		w, err := child.begin(j.order, j.size, func(r engine.Report) { l.tell(finished{a.id, r.Fault == nil, r.Done}) })
		if err == nil {
			defer w.leave()
			return l.cause(ctx, l.follow(ctx, w, t, j))
		}
		l.tell(finished{id: a.id}) // the child ended on the way to it: there will be another
	}
}

func (l *Local) follow(ctx context.Context, w *work, t *telling, j *job) error {
	beat := time.NewTicker(l.opts.Beat)
	defer beat.Stop()
	for {
		select {
		case <-ctx.Done():
			return cancelled(ctx, true)
		case <-beat.C:
			if !t.alive() {
				return errLeft
			}
		case <-w.wake:
			if over, err := j.take(ctx, w); over || err != nil {
				return err
			}
			beat.Reset(l.opts.Beat)
		}
	}
}

// take hears what was said since, and reports whether that was all.
func (j *job) take(ctx context.Context, w *work) (over bool, err error) {
	said, broke := w.take()
	for _, r := range said {
		if ctx.Err() != nil {
			return true, cancelled(ctx, true)
		}
		j.begun = j.begun || r.Token != nil
		if r.Fault != nil {
			e := asError(r.Fault)
			e.Billed = j.begun
			return true, e
		}
		if err := j.hear(r); err != nil {
			return true, err
		}
		over = r.Last()
	}
	if broke != nil {
		return true, starling.AsBilled(broke)
	}
	return over, nil
}

// cause is err, unless we ended the call ourselves because it took too long.
func (l *Local) cause(ctx context.Context, err error) error {
	if !errors.Is(context.Cause(ctx), errLongest) {
		return err
	}
	e, _ := errors.AsType[*starling.Error](err)
	if e == nil || e.Kind != starling.Cancelled {
		return err
	}
	late := *errLongest
	late.Billed = e.Billed
	return &late
}

// A saying is an answer on its way to who asked: one choice, or several that are written
// at once.
type saying struct {
	all    []*memo
	stream bool
}

// A memo is a choice so far.
type memo struct {
	choice int
	reader Reader
	own    []string // stops that are the model's, not the caller's
	told   bool     // with the tokens
	trail  trail

	sum    float64 // of the log-probabilities
	tokens int
	unsure bool             // one of them is not known
	held   []starling.Delta // of what is not streamed
	done   engine.Done      // zero until it ends
	finish starling.Finish
}

// hear passes on what a report says: as it comes in a stream, and at the end otherwise.
func (s *saying) hear(r engine.Report, t *telling) error {
	m := s.all[r.Choice]
	switch {
	case r.Token != nil:
		return s.say(starling.Event{Deltas: m.add(r.Token)}, m, t)
	case r.Done != nil:
		ev := starling.Event{Deltas: m.end(r.Done)}
		if len(s.all) > 1 {
			ev.Deltas = append(ev.Deltas, starling.Delta{Choice: m.choice, Finish: m.finish})
		}
		if r.Last() {
			first := s.all[0]
			ev.Finish, ev.Confidence, ev.Usage, ev.Whole = first.finish, first.confidence(), s.usage(), !s.stream
		}
		return s.say(ev, m, t)
	}
	return nil
}

// say passes on what a choice says.
func (s *saying) say(ev starling.Event, m *memo, t *telling) error {
	if !s.stream {
		m.held = append(m.held, ev.Deltas...)
		if ev.Usage == nil {
			return nil
		}
		ev.Deltas = nil
		for _, m := range s.all {
			ev.Deltas = append(ev.Deltas, joined(m.held)...)
		}
	}
	for i := range ev.Deltas {
		ev.Bytes += len(ev.Deltas[i].Text)
	}
	if len(ev.Deltas) == 0 && ev.Usage == nil {
		return nil
	}
	if !t.say(ev) {
		return errLeft
	}
	return nil
}

// usage counts the prompt once, as it was read, and what all choices wrote.
func (s *saying) usage() *starling.Usage {
	prompt := s.all[0].done
	u := &starling.Usage{Input: int64(prompt.Prompt - prompt.Cached), CacheRead: int64(prompt.Cached)}
	for _, m := range s.all {
		u.Output += int64(m.done.Output)
	}
	return u
}

// add returns what the reader says to a token.
func (m *memo) add(t *engine.Token) []starling.Delta {
	m.weigh(t)
	if m.told {
		m.trail.add(t)
	}
	return m.over(m.reader.Add(t.Text))
}

// end returns what the reader held back.
func (m *memo) end(d *engine.Done) []starling.Delta {
	rest, finish := m.reader.End()
	m.done, m.finish = *d, m.ended(d, finish)
	return m.over(rest)
}

// over gives what is said its tokens, and the number of the choice.
func (m *memo) over(said []starling.Delta) []starling.Delta {
	for i := range said {
		said[i].Choice = m.choice
	}
	return m.trail.over(said)
}

// joined puts the pieces of each block together.
func joined(ds []starling.Delta) (all []starling.Delta) {
	for _, d := range ds {
		i := len(all) - 1
		if i < 0 || all[i].Block != d.Block || all[i].Kind != d.Kind || d.ID != "" || d.Signature != "" || all[i].Signature != "" {
			all = append(all, d)
			continue
		}
		all[i].Text += d.Text
		all[i].Tokens = append(all[i].Tokens, d.Tokens...)
		all[i].Name += d.Name
	}
	return all
}

// ended says why an answer ended. One that the window cut is never passed as finished.
func (m *memo) ended(d *engine.Done, reader starling.Finish) starling.Finish {
	switch {
	case d.Finish == starling.Length && d.Window:
		return starling.Overfull
	case d.Finish == starling.Length:
		return starling.Length
	case reader != "":
		return reader
	case d.Finish == starling.StopWord && slices.Contains(m.own, d.Stop):
		return starling.Stopped
	}
	return d.Finish
}

func (m *memo) weigh(t *engine.Token) {
	if t.Logprob == nil || math.IsNaN(*t.Logprob) {
		m.unsure = true
		return
	}
	m.sum += min(*t.Logprob, 0)
	m.tokens++
}

// confidence is that of the answer so far, as for who is asked over HTTP.
func (m *memo) confidence() float64 {
	if m.unsure {
		return 0
	}
	return wire.Confidence(m.sum, m.tokens)
}

// embed has texts turned into vectors.
func (l *Local) embed(ctx context.Context, c starling.Call, w Weights, t *telling) error {
	texts, dims, err := textsOf(c)
	if err != nil {
		return err
	}
	size := 0
	for _, text := range texts {
		size += len(text)
	}
	if size > mostPrompt {
		return &starling.Error{Kind: starling.TooLarge, Op: fmt.Sprintf("local: the texts have %d bytes, at most %d are read", size, mostPrompt)}
	}
	q := &question{weights: w}
	for _, text := range texts {
		q.Prompt = append(q.Prompt, engine.Text{Text: text})
	}
	j := &job{
		asking: asking{model: w.Name, prompt: l.digest(q), background: c.Request.Unattended},
		order:  engine.Order{Embed: &engine.Embed{Texts: texts}}, size: size,
	}
	j.hear = func(r engine.Report) error {
		if r.Vectors == nil {
			return nil
		}
		if err := fit(r.Vectors, len(texts), dims); err != nil {
			return err
		}
		usage := starling.Usage{Input: int64(size/4 + 2*len(texts)), Estimated: true} // an engine counts none
		if !t.say(starling.Event{Whole: true, Vectors: r.Vectors, Usage: &usage, Model: w.Name}) {
			return errLeft
		}
		return nil
	}
	return l.run(ctx, c, t, j)
}

// textsOf reads a question for vectors.
func textsOf(c starling.Call) (texts []string, dims int, err error) {
	body := c.Request.Body
	if c.Request.Dialect != starling.Embeddings {
		if body, err = wire.Outgoing(c.Request, starling.Embeddings, c.Model, c.Left); err != nil {
			return nil, 0, err
		}
	}
	var q struct {
		Input      json.RawMessage `json:"input"`
		Dimensions int             `json:"dimensions"`
	}
	if json.Unmarshal(body, &q) != nil {
		return nil, 0, refused("input", "must be texts")
	}
	var one string
	if json.Unmarshal(q.Input, &one) == nil {
		return []string{one}, q.Dimensions, nil
	}
	if json.Unmarshal(q.Input, &texts) != nil || len(texts) == 0 {
		return nil, 0, refused("input", "a model on this machine reads texts, and no tokens")
	}
	return texts, q.Dimensions, nil
}

// fit checks that vectors are what was asked for.
func fit(all [][]float32, texts, dims int) error {
	wrong := func(what string) error {
		return &starling.Error{Kind: starling.Refused, Op: "local: " + what, Hint: "ask another model", Billed: true}
	}
	if len(all) != texts {
		return wrong(fmt.Sprintf("%d vectors for %d texts", len(all), texts))
	}
	for _, v := range all {
		if len(v) == 0 || len(v) != len(all[0]) || slices.ContainsFunc(v, func(x float32) bool { return math.IsNaN(float64(x)) || math.IsInf(float64(x), 0) }) {
			return wrong("what the engine made is no vector")
		}
		if dims > 0 && len(v) != dims {
			return wrong(fmt.Sprintf("its vectors have %d numbers, where %d were asked for", len(v), dims))
		}
	}
	return nil
}

// Count returns how many tokens the question of a call has by the model's own
// tokenizer, with its template around them. Nothing is loaded for it.
//
// It takes two seconds at most. Errors: those of Generate before it begins, and
// Overloaded when the model is not loaded.
func (l *Local) Count(ctx context.Context, c starling.Call) (n int64, err error) {
	w, err := l.find(ctx, c)
	if err != nil {
		return 0, err
	}
	q, err := l.question(c, w)
	if err != nil {
		return 0, err
	}
	if !l.standing(w).Loaded {
		return 0, &starling.Error{Kind: starling.Overloaded, Op: "local: " + w.Name + " is not loaded, and so counts no tokens"}
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	t := &telling{yield: func(starling.Event, error) bool { return true }}
	err = l.run(ctx, c, t, &job{
		asking: asking{model: w.Name, prompt: l.digest(q)}, order: engine.Order{Count: &engine.Count{Text: q.Prompt}}, size: q.size,
		hear: func(r engine.Report) error {
			if r.Counted != nil {
				n = int64(len(r.Counted.Tokens))
			}
			return nil
		},
	})
	return n, err
}
