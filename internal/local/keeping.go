package local

import (
	"context"
	"slices"
	"time"

	"starling"
	"starling/internal/engine"
)

// A placed is what came of an ask: a seat at a child, or why there is none.
type placed struct {
	child *child
	err   error
}

// keep is the run loop: the one goroutine that owns the keeper and the children. It
// never waits for a child nor for who asks. It returns when it was told to close and
// every child is gone.
func (l *Local) keep(k *keeper) {
	defer close(l.over)
	tick := time.NewTicker(l.opts.Measure)
	defer tick.Stop()
	children, closed := map[uint64]*child{}, l.shut
	l.do(k.step(time.Now(), l.measure(children)), children)
	l.publish(k)
	for closed != nil || len(children) > 0 {
		var event any
		select {
		case <-closed:
			closed, event = nil, closing{}
		case event = <-l.events:
		case <-tick.C:
			event = l.measure(children)
		}
		if gone, is := event.(isGone); is {
			delete(children, gone.child)
		}
		if a, is := event.(asked); is && closed == nil {
			a.reply <- placed{err: errClosed}
			continue
		}
		if closed == nil { // nothing is begun any more
			if _, is := event.(closing); !is {
				continue
			}
		}
		l.do(k.step(time.Now(), event), children)
		l.publish(k)
	}
}

// measure asks how the machine is.
func (l *Local) measure(children map[uint64]*child) measured {
	var engines []int
	for _, c := range children {
		if pid := c.pid(); pid != 0 {
			engines = append(engines, pid)
		}
	}
	slices.Sort(engines)
	m := measured{room: l.opts.Room(engines), idle: l.opts.Idle(engines), allowed: true}
	if l.opts.Allowed != nil {
		m.allowed, m.why = l.opts.Allowed()
	}
	return m
}

// do does what the keeper wants done.
func (l *Local) do(effects []effect, children map[uint64]*child) {
	for _, e := range effects {
		switch e := e.(type) {
		case startIt:
			children[e.child] = l.start(e)
		case endIt:
			children[e.child].end()
		case seatIt:
			e.ask.reply <- placed{child: children[e.child]} // it has room for one
		case refuseIt:
			e.ask.reply <- placed{err: e.err}
		case threadIt:
			children[e.child].send(engine.Order{Threads: e.threads})
		case freezeIt:
			children[e.child].freeze(e.yes)
		case easeIt:
			_ = ease(children[e.child].pid(), e.yes) // one thread it has all the same
		}
	}
}

// start starts a child in a goroutine of its own.
func (l *Local) start(e startIt) *child {
	w := l.weights[e.model]
	c := newChild(e.model, e.child, l.opts.Command(), engine.Load{
		Library: l.opts.Library, Model: w.File, Context: w.Context, Sequences: w.places(), Threads: e.threads,
		Adapters: w.files(), Vectors: w.Vectors, CacheType: w.CacheType,
	}, limits{l.opts.Loading, l.opts.Silence}, l.opts.Log)
	l.running.Go(func() {
		c.run(func() { l.tell(isReady{e.model, e.child}) }, func(err error) { l.tell(isGone{e.model, e.child, err}) })
	})
	return c
}

// files are the adapters as an engine loads them.
func (w Weights) files() (all []engine.Adapter) {
	for _, a := range w.Adapters {
		all = append(all, a.Adapter)
	}
	return all
}

// tell has the loop know of an event. Once the loop has ended nobody cares.
func (l *Local) tell(event any) {
	select {
	case l.events <- event:
	case <-l.over:
	}
}

// freeze has a child stand still, or go on.
func (c *child) freeze(yes bool) {
	if yes {
		_ = freeze(c.pid())
	} else {
		_ = thaw(c.pid())
	}
}

// A Standing is how a model stands: for people, and for [Local.Models].
type Standing struct {
	Model  string
	Loaded bool    // it answers without being loaded first
	Away   string  // why it cannot be asked; "" it can
	Reads  float64 // tokens of a prompt a second, as measured of the latest answers; 0 unknown
	Writes float64 // tokens of an answer a second, alike
}

// publish writes down how the models stand, in the order of [Options.Weights].
func (l *Local) publish(k *keeper) {
	now := make([]Standing, len(l.loads))
	for i, name := range l.loads {
		m := k.models[name]
		now[i] = Standing{Model: m.name, Loaded: m.stage == ready, Away: k.away(m), Reads: m.speed.reads, Writes: m.speed.writes}
	}
	if last := l.stand.Load(); last == nil || !slices.Equal(*last, now) {
		l.stand.Store(&now)
	}
}

// Standings tells how each model stands, in the order of [Options.Weights].
func (l *Local) Standings() []Standing { return slices.Clone(*l.stand.Load()) }

// Recall says that a model was asked at a time before this provider was there, so that
// it is expected at such hours. A model that is not here is passed over.
func (l *Local) Recall(model string, when time.Time) { l.tell(recalled{l.weights[model].Name, when}) }

// Close refuses who waits, ends every child, and waits until they are gone. Whoever is
// being answered gets an error.
func (l *Local) Close() {
	l.closing.Do(func() { close(l.shut) })
	<-l.over
	l.running.Wait()
}

// seat waits for a seat at a model. alive is told now and then that it still waits.
// Errors are those of the keeper, Overloaded when that takes longer than patience, and
// Cancelled.
func (l *Local) seat(ctx context.Context, a *asking, patience time.Duration, alive func() bool) (*child, error) {
	a.id, a.reply = l.ids.Add(1), make(chan placed, 1)
	l.tell(asked{a})
	var late <-chan time.Time
	if patience > 0 {
		t := time.NewTimer(patience)
		defer t.Stop()
		late = t.C
	}
	beat := time.NewTicker(l.opts.Beat)
	defer beat.Stop()
	for {
		var err error
		select {
		case p := <-a.reply:
			return p.child, p.err
		case <-l.over:
			return nil, errClosed
		case <-ctx.Done():
			err = cancelled(ctx, false)
		case <-late:
			err = &starling.Error{Kind: starling.Overloaded, Op: "local: " + a.model + " is not ready yet, after " + patience.String(), Hint: "ask again in a while: it is being loaded, or has others to answer"}
		case <-beat.C:
			if alive() {
				continue
			}
			err = errLeft
		}
		l.tell(finished{id: a.id}) // loading goes on
		return nil, err
	}
}

// cancelled is the error of a caller who left.
func cancelled(ctx context.Context, billed bool) error {
	return &starling.Error{Kind: starling.Cancelled, Op: "local: the caller left", Err: context.Cause(ctx), Billed: billed}
}
