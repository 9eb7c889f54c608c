package local

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"iter"
	"log/slog"
	"os/exec"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"starling"
	"starling/internal/engine"
)

// Options say what there is and what may be done. What has no default beside it is
// required. The functions are called by one goroutine and do not block.
type Options struct {
	Name    string           // the provider's
	Library string           // the folder of the engine's libraries
	Command func() *exec.Cmd // our own program as an engine, not yet started
	Weights []Weights
	Price   starling.Price // electricity; each model's own goes first
	Log     *slog.Logger

	// Room is what all engines together may take now, what they have among it: what is
	// free for them, and what these processes hold that would be free without them.
	Room    func(engines []int) (bytes int64)
	Idle    func(engines []int) (cores int)        // that nobody uses but these processes
	Need    func(Weights) (bytes int64, err error) // that an engine takes: weights, window and reserve
	Allowed func() (yes bool, why string)          // by battery, temperature and time; nil: always

	// Grammar holds an answer to a JSON Schema, but for what loose points to. nil: a
	// shape that is demanded is Invalid.
	Grammar func(schema []byte) (gbnf string, loose []string, err error)

	Cores    int           // threads that an engine may have at most; 0: as many as are idle
	Patience time.Duration // until a question that somebody else may answer goes there; 20 s
	Longest  time.Duration // that a call may take, waiting included; 10 min
	Loading  time.Duration // until a model has loaded; 5 min
	Silence  time.Duration // until an engine that has work and says nothing is taken for hung; 2 min
	Keep     time.Duration // how long a model stays that nobody asks; 30 min
	Backoff  time.Duration // before a model that fell is started again, twice as long each time; 1 s
	Rest     time.Duration // the longest of those; 5 min
	Measure  time.Duration // between two looks at the machine; 1 s
	Beat     time.Duration // between two signs of life to who waits; 5 s
	Lazy     bool          // nothing is loaded before somebody asks for it
}

// Weights are a model that can be loaded.
type Weights struct {
	Name      string
	File      string
	Digest    string
	Context   int // tokens that each question and its answer may have
	Sequences int // answered at once; 0: 1
	Vectors   bool
	CacheType string // see [engine.Load]
	Adapters  []Adapter
	Released  string         // YYYY-MM-DD; "" unknown
	Price     starling.Price // zero: that of the options
	Speaker   Speaker        // nil of a model for vectors

	adapter *Adapter // with which they are asked; nil as they are
}

// An Adapter is a LoRA adapter of some weights. With it they are a model of another name,
// and no more memory than its file is needed.
type Adapter struct {
	engine.Adapter
	Digest string
	Scale  float32 // 0: 1
}

// A Speaker knows how a model is spoken to. Safe for concurrent use.
type Speaker interface {
	// Prompt renders a chat, up to where the model's own turn begins. Errors are Invalid.
	Prompt(chat *starling.Chat) ([]engine.Text, error)
	// Reader reads one answer to a chat with these tools, after the prompt that it had.
	Reader(tools []starling.Tool, prompt []engine.Text) Reader
	// Force returns the grammar of what a chat's tool choice demands after the prompt:
	// nothing but calls, which the Reader reads as such, and what it does not hold of the
	// tools' schemas. Errors are Invalid: there is no such tool, or it cannot be written.
	Force(chat *starling.Chat, prompt []engine.Text) (gbnf string, loose []string, err error)

	Defaults(effort string) engine.Sampling // where a caller says no more
	Stops() []string                        // texts that end the model's turn, in case it writes them as such
	CallsTools() bool
}

// A Reader tells text, thoughts and calls apart. It belongs to one goroutine.
type Reader interface {
	Add(text string) []starling.Delta
	// End returns what was held back, and ToolUse where the model waits for tools;
	// "" if it knows nothing better than what the engine said.
	End() ([]starling.Delta, starling.Finish)
}

// Local is a [starling.Provider] of models on this machine. Safe for concurrent use.
// Close it when no call is under way any more.
type Local struct {
	opts    Options
	weights map[string]Weights // by the names of the models that they are
	loads   []string           // names of the weights, in the order of how they stand
	models  []starling.Model   // as they are without how they stand

	events  chan any
	shut    chan struct{} // closed to end
	over    chan struct{} // closed when the loop has ended
	closing sync.Once
	running sync.WaitGroup // the children
	ids     atomic.Uint64
	stand   atomic.Pointer[[]Standing]
	secret  [32]byte // of the digests of prompts
}

var _ starling.Provider = (*Local)(nil)

// New returns the provider that o describes. Nothing is loaded yet. Errors are Invalid,
// and those of [Options.Need].
func New(o Options) (*Local, error) {
	o = o.filled()
	l := &Local{
		opts: o, weights: map[string]Weights{}, events: make(chan any), shut: make(chan struct{}), over: make(chan struct{}),
	}
	_, _ = rand.Read(l.secret[:]) // it does not fail
	k := newKeeper(rules{keep: o.Keep, backoff: o.Backoff, longest: o.Rest, cores: o.Cores, preloads: !o.Lazy})
	for _, w := range o.Weights {
		if w.Context <= 0 || w.Speaker == nil && !w.Vectors {
			return nil, &starling.Error{Kind: starling.Invalid, Op: fmt.Sprintf("local: model %q", w.Name), Hint: "each model has a window, and a family or vectors"}
		}
		need, err := o.Need(w)
		if err != nil {
			return nil, err
		}
		l.loads = append(l.loads, w.Name)
		k.add(w.Name, need, w.places())
		for _, voice := range w.voices() {
			if _, twice := l.weights[voice.called()]; twice || voice.called() == "" {
				return nil, &starling.Error{Kind: starling.Invalid, Op: fmt.Sprintf("local: model %q", voice.called()), Hint: "each model and each adapter has a name of its own"}
			}
			l.weights[voice.called()] = voice
			l.models = append(l.models, l.model(voice))
		}
	}
	now := make([]Standing, len(l.loads)) // until the loop has looked
	for i, name := range l.loads {
		now[i].Model = name
	}
	l.stand.Store(&now)
	go l.keep(k) // Close waits for it
	return l, nil
}

func (o Options) filled() Options {
	o.Cores = cmp.Or(max(o.Cores, 0), 1<<10)
	o.Patience = cmp.Or(max(o.Patience, 0), 20*time.Second)
	o.Longest = cmp.Or(max(o.Longest, 0), 10*time.Minute)
	o.Loading = cmp.Or(max(o.Loading, 0), 5*time.Minute)
	o.Silence = cmp.Or(max(o.Silence, 0), 2*time.Minute)
	o.Keep = cmp.Or(max(o.Keep, 0), 30*time.Minute)
	o.Backoff = cmp.Or(max(o.Backoff, 0), time.Second)
	o.Rest = cmp.Or(max(o.Rest, 0), 5*time.Minute)
	o.Measure = cmp.Or(max(o.Measure, 0), time.Second)
	o.Beat = cmp.Or(max(o.Beat, 0), 5*time.Second)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// voices are the models that some weights are: as they are, and with each adapter.
func (w Weights) voices() []Weights {
	all := []Weights{w}
	for i := range w.Adapters {
		with := w
		with.adapter = &w.Adapters[i]
		with.Digest = w.Digest + "+" + with.adapter.Digest
		all = append(all, with)
	}
	return all
}

// places is how many answers are written at once, at least 1.
func (w Weights) places() int { return max(1, w.Sequences) }

// called is the name of the model that the weights are.
func (w Weights) called() string {
	if w.adapter != nil {
		return w.adapter.Name
	}
	return w.Name
}

func (l *Local) model(w Weights) starling.Model {
	m := starling.Model{
		Provider: l.opts.Name, Name: w.called(), Zone: starling.Machine, Digest: w.Digest, Released: w.Released,
		Context: int64(w.Context), Price: l.opts.Price, Longest: l.opts.Longest, NoImages: true,
		NoTools: w.Speaker == nil || !w.Speaker.CallsTools(),
	}
	if w.Price.Known() {
		m.Price = w.Price
	}
	if w.Vectors {
		m.Takes = starling.Embeddings
	}
	return m
}

// Models implements [starling.Provider]: those that cannot be asked now are away, with
// the reason. One counts tokens while it is loaded.
func (l *Local) Models() []starling.Model {
	all := make([]starling.Model, len(l.models))
	for i, m := range l.models {
		all[i] = l.Now(m)
	}
	return all
}

// Now returns a model of this provider as it stands now, and any other as it is.
func (l *Local) Now(m starling.Model) starling.Model {
	w, own := l.weights[m.Name]
	if !own || m.Provider != l.opts.Name {
		return m
	}
	s := l.standing(w)
	m.Away, m.Counts, m.Reads, m.Writes = s.Away, s.Loaded && m.Takes == "", s.Reads, s.Writes
	return m
}

// standing is how weights of this provider stand.
func (l *Local) standing(w Weights) Standing {
	return (*l.stand.Load())[slices.Index(l.loads, w.Name)]
}

// Generate implements [starling.Provider]. Who has to wait, for a model to be loaded or
// for others to be answered, gets an idle event now and then.
//
// Errors beside those of the interface: TooLarge when the model has no room here, and
// Refused for a prompt under which engines fell.
func (l *Local) Generate(ctx context.Context, c starling.Call) iter.Seq2[starling.Event, error] {
	return func(yield func(starling.Event, error) bool) {
		t := &telling{yield: yield}
		if err := l.answer(ctx, c, t); err != nil && !t.left {
			yield(starling.Event{}, err)
		}
	}
}

// A telling is the way to who ranges over an answer.
type telling struct {
	yield func(starling.Event, error) bool
	left  bool
}

// say passes an event on. It reports whether anybody still listens.
func (t *telling) say(ev starling.Event) bool {
	t.left = t.left || !t.yield(ev, nil)
	return !t.left
}

// alive tells who waits that there is something to wait for.
func (t *telling) alive() bool { return t.say(starling.Event{Idle: true}) }

// errLeft stops what is done for a caller who ranges no further, who is told nothing.
var errLeft = &starling.Error{Kind: starling.Cancelled, Op: "local: the caller left"}

func (l *Local) answer(ctx context.Context, c starling.Call, t *telling) error {
	w, err := l.find(ctx, c)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, l.opts.Longest, errLongest)
	defer cancel()
	if c.Request.Dialect.Wants() == starling.Embeddings {
		return l.embed(ctx, c, w, t)
	}
	q, err := l.question(c, w)
	if err != nil {
		return err
	}
	return l.converse(ctx, c, q, t)
}

var errLongest = &starling.Error{Kind: starling.Overloaded, Op: "local: the answer took too long", Hint: "ask for a shorter one, or another model"}

// find returns the model of a call, if it may be asked so.
func (l *Local) find(ctx context.Context, c starling.Call) (Weights, error) {
	w, known := l.weights[c.Model.Name]
	want := c.Request.Dialect.Wants()
	switch {
	case !known || c.Model.Provider != l.opts.Name:
		return w, &starling.Error{Kind: starling.NotFound, Op: fmt.Sprintf("local: model %q", c.Model.ID()), Hint: "starling model list shows those that are here"}
	case c.Model.Digest != "" && c.Model.Digest != w.Digest:
		return w, &starling.Error{Kind: starling.Overloaded, Op: "local: the plan is of another file of this model", Hint: "ask again"}
	case c.Model.Zone != starling.Machine || c.Furthest < starling.Machine:
		return w, &starling.Error{Kind: starling.Forbidden, Op: fmt.Sprintf("local: the plan has it in zone %s, it is in zone %s, and the data may go to %s", c.Model.Zone, starling.Machine, c.Furthest)}
	case w.Vectors != (want == starling.Embeddings) || want != "" && want != starling.Embeddings:
		return w, &starling.Error{Kind: starling.Invalid, Op: "local: " + w.Name + " answers no such questions", Hint: "ask another model"}
	case ctx.Err() != nil:
		return w, cancelled(ctx, false)
	}
	return w, nil
}

// patience is how long a call may wait for its seat: as long as it takes if nobody else
// could answer.
func (l *Local) patience(c starling.Call) time.Duration {
	if c.Patience > 0 {
		return 0
	}
	return l.opts.Patience
}

// String is the provider's name: what it holds changes while somebody prints it.
func (l *Local) String() string { return "provider " + l.opts.Name }
