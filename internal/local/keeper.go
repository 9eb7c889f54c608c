package local

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"starling"
	"starling/internal/engine"
)

// A keeper knows which models are loaded, who has a seat at one, and who waits for one.
// It is a pure function of the events that it is told of, [keeper.step]: it knows the
// time by them alone, starts nothing and waits for nothing. What it wants done it
// returns as effects. It belongs to one goroutine.
//
// What holds at any time:
//
//   - what the children need together, those included that are about to end, is never
//     planned above the room that there was when one was started;
//   - a child that somebody has a seat at is never ended;
//   - each ask is either seated or refused, once, unless it leaves before.
type keeper struct {
	rules  rules
	models map[string]*resident
	names  []string // of models, sorted: what is decided is decided in one order
	asks   map[uint64]*asking
	made   uint64 // children so far
	bad    suspects

	room   int64  // bytes that all children together may need
	murky  bool   // room may be too small: a child ended since, or had not quite when it was measured
	idle   int    // cores that nobody else uses
	barred string // why the machine lets nobody work now; "" it does
	ticks  int

	out []effect
}

// rules are what a keeper goes by.
type rules struct {
	keep     time.Duration // how long a model stays that nobody asks
	backoff  time.Duration // before a model is started again; twice as long each time
	longest  time.Duration // of those
	cores    int           // threads that an engine may have at most
	preloads bool
}

// A stage is how far a model's child is.
type stage int

const (
	cold    stage = iota // there is none
	loading              // it reads its weights
	ready                // it answers
	ending               // it was told to end, and its memory is not free yet
)

// A resident is a model, and its child if it has one.
type resident struct {
	name  string
	need  int64 // bytes, of a child; more than was expected once one was killed for want of memory
	seats int   // answers at once

	stage   stage
	child   uint64
	used    time.Time // when somebody was last answered, or it was loaded
	drain   bool      // its memory is wanted: it gets no new work
	frozen  time.Time // since when; zero: it runs
	eased   bool      // it runs only where nobody else would
	working map[uint64]*asking
	waiting []*asking // in the order in which they came

	fails int // in a row
	rest  time.Time
	wrong error // why it cannot be loaded, until rest is over
	habit habit
	speed speed
	governor
}

// An asking is somebody who wants a seat.
type asking struct {
	id         uint64
	model      string
	prompt     suspect
	background bool
	seats      int         // that are wanted, at once; 0: 1
	reply      chan placed // of the goroutine that waits; the keeper does not use it
}

// The events.
type (
	asked    struct{ *asking }
	finished struct { // a seat is free, or nobody waits for one any more
		id   uint64
		fine bool         // an answer came to its end
		done *engine.Done // how; nil if nothing was generated
	}
	isReady struct {
		model string
		child uint64
	}
	isGone struct { // the child's process is no more
		model string
		child uint64
		err   error // nil if it was told to end
	}
	measured struct {
		room    int64
		idle    int
		allowed bool
		why     string
	}
	recalled struct { // a use that was before there was a keeper
		model string
		when  time.Time
	}
	closing struct{}
)

// The effects.
type (
	effect  any
	startIt struct {
		model   string
		child   uint64
		threads int
	}
	endIt  struct{ child uint64 }
	seatIt struct {
		ask   *asking
		child uint64
	}
	refuseIt struct {
		ask *asking
		err error
	}
	threadIt struct {
		child   uint64
		threads int
	}
	freezeIt struct {
		child uint64
		yes   bool
	}
	easeIt struct {
		child uint64
		yes   bool
	}
)

func newKeeper(r rules) *keeper {
	return &keeper{rules: r, models: map[string]*resident{}, asks: map[uint64]*asking{}, bad: suspects{}, idle: 1}
}

// add makes a model known.
func (k *keeper) add(name string, need int64, seats int) {
	k.models[name] = &resident{name: name, need: need, seats: seats, working: map[uint64]*asking{}}
	k.names = slices.Sorted(maps.Keys(k.models))
}

// step takes an event that happens now, and returns what is to be done, in order.
func (k *keeper) step(now time.Time, event any) []effect {
	k.out = nil
	switch ev := event.(type) {
	case asked:
		k.ask(now, ev.asking)
	case finished:
		k.finish(now, ev)
	case isReady:
		if m := k.models[ev.model]; m.child == ev.child && m.stage == loading {
			m.stage, m.used = ready, now
		}
	case isGone:
		k.bury(now, ev)
	case measured:
		k.measure(now, ev)
	case recalled:
		if m := k.models[ev.model]; m != nil {
			m.habit.used(ev.when)
		}
	case closing:
		k.close()
		return k.out
	}
	k.settle(now)
	return k.out
}

func (k *keeper) ask(now time.Time, a *asking) {
	m := k.models[a.model]
	if !a.background {
		m.habit.used(now)
	}
	if err := k.bad.convicted(a.prompt); err != nil {
		k.refuse(a, err)
		return
	}
	k.asks[a.id] = a
	m.waiting = append(m.waiting, a)
}

func (k *keeper) refuse(a *asking, err error) {
	delete(k.asks, a.id)
	k.out = append(k.out, refuseIt{a, err})
}

// refuseAll refuses who waits for a model.
func (k *keeper) refuseAll(m *resident, err error) {
	for _, a := range m.waiting {
		k.refuse(a, err)
	}
	m.waiting = nil
}

func (k *keeper) finish(now time.Time, ev finished) {
	a := k.asks[ev.id]
	if a == nil {
		return
	}
	delete(k.asks, ev.id)
	m := k.models[a.model]
	if m.working[ev.id] == nil {
		m.waiting = slices.DeleteFunc(m.waiting, func(b *asking) bool { return a == b })
		return
	}
	delete(m.working, ev.id)
	m.used = now
	if ev.fine {
		m.fails = 0
		k.bad.acquit(a.prompt)
	}
	m.speed = m.speed.with(ev.done)
}

// bury takes note of a child that is no more. Who waits for one that could not be
// loaded is told so; who waits for one that ended later waits for the next.
func (k *keeper) bury(now time.Time, ev isGone) {
	m := k.models[ev.model]
	if m.child != ev.child {
		return
	}
	was := m.stage
	k.murky = true
	m.stage, m.child, m.drain, m.frozen, m.eased, m.governor = cold, 0, false, time.Time{}, false, governor{}
	for id, a := range m.working {
		delete(m.working, id)
		delete(k.asks, id)
		if ev.err != nil {
			k.bad.accuse(a.prompt)
		}
	}
	if ev.err == nil || was == ending { // one that was told to end may fall on the way
		return
	}
	if errors.Is(ev.err, errKilled) {
		m.need += m.need / 4
	}
	m.rest = now.Add(k.rules.pause(m.fails))
	m.fails++
	if was == loading {
		if !mayPass(ev.err) {
			m.wrong, m.rest = ev.err, now.Add(k.rules.longest)
		}
		k.refuseAll(m, ev.err)
	}
}

// pause is how long a model rests that has failed so often before.
func (r rules) pause(fails int) time.Duration {
	return min(r.backoff<<min(fails, 20), r.longest)
}

// mayPass reports whether it may help to start a child again.
func mayPass(err error) bool {
	kind := starling.KindOf(err)
	return kind == starling.Overloaded || kind == starling.Internal
}

func (k *keeper) measure(now time.Time, ev measured) {
	k.room, k.idle, k.ticks = ev.room, ev.idle, k.ticks+1
	k.murky = slices.ContainsFunc(k.names, func(name string) bool { return k.models[name].stage == ending })
	k.barred = ""
	if !ev.allowed {
		k.barred = cmp.Or(ev.why, "the rules of this machine let no model run now")
	}
	for _, name := range k.names {
		if m := k.models[name]; m.wrong != nil && now.After(m.rest) {
			m.wrong = nil
		}
	}
	k.govern()
	if k.barred == "" {
		k.dismiss(now)
	}
}

// settle does what follows from where everything stands.
func (k *keeper) settle(now time.Time) {
	if k.barred != "" {
		k.stand(now)
		return
	}
	for _, name := range k.names {
		if m := k.models[name]; !m.frozen.IsZero() {
			m.frozen = time.Time{}
			k.out = append(k.out, freezeIt{m.child, false})
		}
	}
	k.makeRoom(now)
	k.seat()
	k.ease()
	k.crowd()
	if k.ticks > 0 && k.rules.preloads {
		k.preload(now)
	}
}

// stand has everybody stand still: who waits is refused, who is answered is answered,
// and then the children are frozen, and ended once it takes long.
func (k *keeper) stand(now time.Time) {
	k.shrink()
	err := &starling.Error{Kind: starling.Overloaded, Op: "local: " + k.barred, Hint: "ask again later, or another model"}
	for _, name := range k.names {
		m := k.models[name]
		k.refuseAll(m, err)
		switch {
		case m.stage != ready || len(m.working) > 0:
		case m.frozen.IsZero():
			m.frozen = now
			k.out = append(k.out, freezeIt{m.child, true})
		case now.Sub(m.frozen) > k.rules.keep:
			k.end(m)
		}
	}
}

// seat gives the free seats to those who wait, to people before what runs beside them.
// Who wants several is not passed by who wants fewer, and so gets them.
func (k *keeper) seat() {
	for _, name := range k.names {
		m := k.models[name]
		for m.stage == ready && !m.drain && len(m.waiting) > 0 {
			i := max(0, slices.IndexFunc(m.waiting, func(a *asking) bool { return !a.background }))
			a := m.waiting[i]
			if m.taken() > 0 && m.taken()+a.takes() > m.seats {
				break
			}
			m.waiting = slices.Delete(m.waiting, i, i+1)
			m.working[a.id] = a
			k.out = append(k.out, seatIt{a, m.child})
		}
	}
}

// taken is how many seats of a model are.
func (m *resident) taken() (n int) {
	for _, a := range m.working {
		n += a.takes()
	}
	return n
}

func (a *asking) takes() int { return max(1, a.seats) }

func (k *keeper) end(m *resident) {
	m.stage, m.drain, k.murky = ending, false, true
	k.out = append(k.out, endIt{m.child})
}

// background reports whether a model works for nobody who waits for it.
func (m *resident) background() bool {
	for _, a := range m.working {
		if !a.background {
			return false
		}
	}
	return len(m.working) > 0
}

// patient reports whether nobody but what runs beside waits for a model.
func (m *resident) patient() bool {
	return !slices.ContainsFunc(m.waiting, func(a *asking) bool { return !a.background })
}

// ease has engines that work for nobody who waits give way to everybody else.
func (k *keeper) ease() {
	for _, name := range k.names {
		m := k.models[name]
		if yes := m.background(); m.stage == ready && len(m.working) > 0 && yes != m.eased {
			m.eased = yes
			k.out = append(k.out, easeIt{m.child, yes})
			k.thread(m, governor{})
		}
	}
}

// govern gives each engine its share of the idle cores, once for each measurement.
func (k *keeper) govern() {
	for _, name := range k.names {
		if m := k.models[name]; m.stage == ready {
			k.thread(m, m.governor)
		}
	}
}

// crowd takes threads from engines where one more has begun to work: none waits for the
// next measurement to give up what it has no right to any more.
func (k *keeper) crowd() {
	for _, name := range k.names {
		if m := k.models[name]; m.stage == ready && m.threads > share(k.idle, k.busy()) {
			k.thread(m, m.governor)
		}
	}
}

// busy is how many engines are at work.
func (k *keeper) busy() (n int) {
	for _, m := range k.models {
		if len(m.working) > 0 {
			n++
		}
	}
	return n
}

// thread takes what was measured last to heart, for an engine that had g so far.
func (k *keeper) thread(m *resident, g governor) {
	if g = g.next(share(k.idle, k.busy()), k.rules.cores); m.background() {
		g = governor{threads: 1}
	}
	if g.threads != m.threads {
		k.out = append(k.out, threadIt{m.child, g.threads})
	}
	m.governor = g
}

// close refuses everybody who waits and ends every child.
func (k *keeper) close() {
	for _, name := range k.names {
		m := k.models[name]
		k.refuseAll(m, errClosed)
		if m.stage == loading || m.stage == ready {
			k.end(m)
		}
	}
}

var errClosed = &starling.Error{Kind: starling.Overloaded, Op: "local: the program is about to end"}

// away says why a model cannot be asked now, "" if it can.
func (k *keeper) away(m *resident) string {
	switch {
	case k.barred != "":
		return k.barred
	case m.wrong != nil:
		return m.wrong.Error()
	case m.need > k.room && !k.murky:
		return k.tooLarge(m).Error()
	}
	return ""
}

func (k *keeper) tooLarge(m *resident) *starling.Error {
	const mib = 1 << 20
	return &starling.Error{
		Kind: starling.TooLarge, Op: fmt.Sprintf("local: %s needs %d MiB of memory, and models may have %d MiB here", m.name, (m.need+mib-1)/mib, k.room/mib),
		Hint: "take a smaller model, a shorter context or a smaller quantization",
	}
}

// suspects are prompts under which engines fell, by their keyed digests: how often.
// What is not known to fall again is forgotten first.
type suspects map[suspect]int

// A suspect is a keyed digest of a prompt, which nobody can read back.
type suspect [16]byte

const (
	enough       = 3    // falls until a prompt is refused
	mostSuspects = 4096 // that are remembered
)

func (s suspects) accuse(p suspect) {
	if s[p]++; len(s) <= mostSuspects {
		return
	}
	for other, times := range s {
		if other != p && times < enough {
			delete(s, other)
			return
		}
	}
	clear(s)
}

func (s suspects) acquit(p suspect) { delete(s, p) }

func (s suspects) convicted(p suspect) error {
	if s[p] < enough {
		return nil
	}
	return &starling.Error{
		Kind: starling.Refused, Op: fmt.Sprintf("local: engines ended %d times while they had this prompt", enough), Hint: "ask another model; this one answers other prompts",
		Err: errors.New("the prompt is not tried again"),
	}
}
