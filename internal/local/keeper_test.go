package local

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"starling"
)

// A house is what the keeper's effects do, without processes: it keeps account of them
// and fails where one breaks what must hold.
type house struct {
	k       *keeper
	now     time.Time
	fail    func(format string, args ...any)
	room    int64
	living  map[uint64]string // children, by model
	ready   map[uint64]bool
	dying   map[uint64]bool
	seated  map[uint64]uint64 // asks → children
	wanted  map[uint64]int    // seats, by ask
	open    map[uint64]*asking
	refused map[uint64]error
	frozen  map[uint64]bool
	threads map[uint64]int
	names   map[uint64]string // of children that were
	last    uint64
}

var gone = &starling.Error{Kind: starling.Overloaded, Op: "the engine ended"}

// seatsOfEach is how many seats each model has.
const seatsOfEach = 2

func newHouse(room int64, r rules, fail func(string, ...any), needs ...int64) *house {
	k := newKeeper(r)
	for i, need := range needs {
		k.add(string(rune('a'+i)), need, seatsOfEach)
	}
	h := &house{
		k: k, now: time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC), fail: fail, room: room, living: map[uint64]string{}, ready: map[uint64]bool{}, dying: map[uint64]bool{},
		seated: map[uint64]uint64{}, wanted: map[uint64]int{}, open: map[uint64]*asking{}, refused: map[uint64]error{}, frozen: map[uint64]bool{}, threads: map[uint64]int{}, names: map[uint64]string{},
	}
	h.measure(room)
	return h
}

func usual() rules {
	return rules{keep: 30 * time.Minute, backoff: time.Second, longest: time.Minute, cores: 8}
}

func (h *house) held() (sum int64) {
	for _, model := range h.living {
		sum += h.k.models[model].need
	}
	return sum
}

func (h *house) tell(event any) {
	for _, e := range h.k.step(h.now, event) {
		h.do(e)
	}
}

func (h *house) do(e effect) {
	switch e := e.(type) {
	case startIt:
		if h.held()+h.k.models[e.model].need > h.room {
			h.fail("%s is started, with %d of %d taken", e.model, h.held(), h.room)
		}
		if e.threads < 1 {
			h.fail("%d threads", e.threads)
		}
		h.living[e.child], h.names[e.child], h.threads[e.child] = e.model, e.model, e.threads
	case endIt:
		for ask, child := range h.seated {
			if child == e.child {
				h.fail("child %d is ended, which answers %d", child, ask)
			}
		}
		if h.living[e.child] == "" || h.dying[e.child] {
			h.fail("child %d is ended twice", e.child)
		}
		h.dying[e.child] = true
	case seatIt:
		if h.open[e.ask.id] == nil || h.living[e.child] != e.ask.model || !h.ready[e.child] || h.dying[e.child] || h.frozen[e.child] {
			h.fail("%d is seated at child %d, a %q", e.ask.id, e.child, h.living[e.child])
		}
		delete(h.open, e.ask.id)
		h.seated[e.ask.id] = e.child
		taken := 0
		for ask, child := range h.seated {
			if child == e.child {
				taken += h.wanted[ask]
			}
		}
		if taken > seatsOfEach {
			h.fail("%d seats are taken at child %d", taken, e.child)
		}
	case refuseIt:
		if h.open[e.ask.id] == nil || e.err == nil {
			h.fail("%d is refused, who does not wait", e.ask.id)
		}
		delete(h.open, e.ask.id)
		h.refused[e.ask.id] = e.err
	case freezeIt:
		h.frozen[e.child] = e.yes
	case threadIt:
		h.threads[e.child] = e.threads
	}
}

func (h *house) measure(room int64) {
	h.room = room
	h.tell(measured{room: room, idle: 4, allowed: true})
}

// pause has nobody let in any more.
func (h *house) pause() { h.tell(measured{room: h.room, idle: 4, why: "paused"}) }

func (h *house) ask(model string) uint64 { return h.askAs(model, false) }

func (h *house) askAs(model string, background bool) uint64 {
	return h.askFor(1, model, background)
}

func (h *house) askFor(seats int, model string, background bool) uint64 {
	h.last++
	a := &asking{id: h.last, model: model, prompt: suspect{byte(h.last), byte(h.last >> 8)}, background: background, seats: seats}
	h.open[a.id], h.wanted[a.id] = a, seats
	h.tell(asked{a})
	return a.id
}

func (h *house) finish(ask uint64) {
	delete(h.seated, ask)
	delete(h.open, ask)
	h.tell(finished{id: ask, fine: true})
}

func (h *house) load(child uint64) {
	h.ready[child] = true
	h.tell(isReady{h.living[child], child})
}

// bury ends a child's process, whoever wanted it.
func (h *house) bury(child uint64, err error) {
	model := h.living[child]
	delete(h.living, child)
	if h.dying[child] {
		err = nil
	}
	for ask, at := range h.seated {
		if at == child {
			delete(h.seated, ask)
		}
	}
	h.tell(isGone{model, child, err})
}

func sorted[V any](m map[uint64]V, ok func(uint64) bool) (all []uint64) {
	for id := range m {
		if ok == nil || ok(id) {
			all = append(all, id)
		}
	}
	slices.Sort(all)
	return all
}

// crowded fails where the engines at work have more threads than cores are idle, though
// they could have fewer.
func (h *house) crowded() {
	at := map[uint64]bool{}
	for _, child := range h.seated {
		at[child] = true
	}
	sum := 0
	for child := range at {
		sum += h.threads[child]
	}
	if sum > max(h.k.idle, len(at)) {
		h.fail("%d engines have %d threads on %d idle cores", len(at), sum, h.k.idle)
	}
}

// loadingOnes are the children that could be ready next.
func (h *house) loadingOnes() []uint64 {
	return sorted(h.living, func(c uint64) bool { return !h.ready[c] && !h.dying[c] })
}

// settle lets everything come to its end, as it does where nothing goes wrong.
func (h *house) settle() {
	for range 400 {
		h.now = h.now.Add(time.Second)
		for _, c := range sorted(h.dying, func(c uint64) bool { return h.living[c] != "" }) {
			h.bury(c, nil)
		}
		for _, c := range h.loadingOnes() {
			h.load(c)
		}
		for _, a := range sorted(h.seated, nil) {
			h.finish(a)
		}
		h.measure(h.room)
		if len(h.open)+len(h.seated) == 0 {
			return
		}
	}
	h.fail("%d wait for ever and %d are answered for ever", len(h.open), len(h.seated))
}

// TestWhateverHappensTheKeeperKeepsItsWord: never over the room, nobody's engine is
// ended while it answers, each ask ends once, and nobody waits for ever.
func TestWhateverHappensTheKeeperKeepsItsWord(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		needs := rapid.SliceOfN(rapid.Int64Range(1, 6), 1, 5).Draw(t, "needs")
		r := usual()
		r.preloads = rapid.Bool().Draw(t, "preloads")
		h := newHouse(rapid.Int64Range(1, 12).Draw(t, "room"), r, t.Fatalf, needs...)
		pick := func(ids []uint64) (uint64, bool) {
			if len(ids) == 0 {
				return 0, false
			}
			return rapid.SampledFrom(ids).Draw(t, "id"), true
		}
		model := func() string { return string(rune('a' + rapid.IntRange(0, len(needs)-1).Draw(t, "model"))) }
		t.Repeat(map[string]func(*rapid.T){
			"ask": func(t *rapid.T) {
				h.askFor(rapid.IntRange(1, seatsOfEach).Draw(t, "seats"), model(), rapid.Bool().Draw(t, "background"))
			},
			"leave": func(*rapid.T) {
				if a, ok := pick(sorted(h.open, nil)); ok {
					h.finish(a)
				}
			},
			"finish": func(*rapid.T) {
				if a, ok := pick(sorted(h.seated, nil)); ok {
					h.finish(a)
				}
			},
			"load": func(*rapid.T) {
				if c, ok := pick(h.loadingOnes()); ok {
					h.load(c)
				}
			},
			"end": func(*rapid.T) {
				if c, ok := pick(sorted(h.dying, func(c uint64) bool { return h.living[c] != "" })); ok {
					h.bury(c, nil)
				}
			},
			"crash": func(*rapid.T) {
				if c, ok := pick(sorted(h.living, nil)); ok {
					h.bury(c, gone)
				}
			},
			"wait":  func(t *rapid.T) { h.now = h.now.Add(time.Duration(rapid.IntRange(1, 4000).Draw(t, "s")) * time.Second) },
			"idle":  func(t *rapid.T) { h.tell(measured{h.room, rapid.IntRange(0, 9).Draw(t, "idle"), true, ""}) },
			"shift": func(t *rapid.T) { h.measure(rapid.Int64Range(0, 12).Draw(t, "room")) },
			"bar":   func(*rapid.T) { h.tell(measured{room: h.room, idle: 0, why: "on battery"}) },
			"": func(t *rapid.T) {
				h.crowded()
				if len(h.k.asks) != len(h.open)+len(h.seated) {
					t.Fatalf("the keeper knows of %d asks, there are %d that wait and %d that are seated", len(h.k.asks), len(h.open), len(h.seated))
				}
			},
		})
		h.measure(h.room)
		h.settle()
		if want := uint64(h.last); uint64(len(h.open)) != 0 {
			t.Fatalf("of %d asks %d are open", want, len(h.open))
		}
	})
}

func TestAModelRestsLongerEachTimeItFallsAndIsStartedAtOnceAfterASuccess(t *testing.T) {
	h := newHouse(4, usual(), t.Fatalf, 2)
	ask := h.ask("a")
	for _, rest := range []time.Duration{1, 2, 4, 8, 16, 32, 60, 60} {
		h.bury(h.loadingOnes()[0], gone)
		if !errors.Is(h.refused[ask], gone) {
			t.Errorf("who waited is told %v", h.refused[ask])
		}
		ask = h.ask("a")
		h.now = h.now.Add(rest*time.Second - time.Millisecond)
		h.measure(4)
		if len(h.living) != 0 {
			t.Fatalf("started again before %d s", rest)
		}
		h.now = h.now.Add(time.Millisecond)
		h.measure(4)
		if len(h.living) != 1 {
			t.Fatalf("not started again after %d s", rest)
		}
	}
	h.settle()
	h.bury(sorted(h.living, nil)[0], gone)
	if h.k.models["a"].fails != 1 {
		t.Errorf("after a success it counts %d falls", h.k.models["a"].fails)
	}
}

func TestTheLongestUnusedModelMakesRoomAndNeverOneThatAnswers(t *testing.T) {
	h := newHouse(4, usual(), t.Fatalf, 2, 2, 2)
	for _, m := range []string{"a", "b"} {
		h.ask(m)
		h.now = h.now.Add(time.Minute)
		h.settle()
	}
	long := h.ask("a") // it was used before b, and is at work
	h.ask("c")
	if got := h.named(h.dying); !slices.Equal(got, []string{"b"}) {
		t.Fatalf("%v make room", got)
	}
	for _, c := range sorted(h.dying, nil) {
		h.bury(c, nil)
	}
	if h.k.models["c"].stage != loading || h.k.models["a"].stage != ready || h.seated[long] == 0 {
		t.Error("c is not loaded, or a is no more")
	}
	for _, c := range h.loadingOnes() {
		h.load(c)
	}
	late := h.ask("b") // everybody is at work: one answers to its end, and takes nothing new
	if len(h.named(h.dying)) != 1 {
		t.Error("an engine that answers was ended")
	}
	next := h.ask("a")
	if h.seated[late]+h.seated[next] != 0 {
		t.Error("an engine whose memory is wanted took new work")
	}
	h.settle()
}

func TestWhoWantsSeveralSeatsIsNotPassedByWhoWantsOne(t *testing.T) {
	h := newHouse(4, usual(), t.Fatalf, 2)
	first := h.ask("a")
	h.load(h.loadingOnes()[0])
	both, late := h.askFor(2, "a", false), h.ask("a")
	if h.seated[both]+h.seated[late] != 0 {
		t.Error("one seat is free: who wants two has it, or who came later")
	}
	h.finish(first)
	if h.seated[both] == 0 || h.seated[late] != 0 {
		t.Error("both seats are free, and who wants them has not got them")
	}
	h.finish(both)
	if h.seated[late] == 0 {
		t.Error("who came later waits for a free seat")
	}
}

func TestWhoWaitsLongestIsServedFirst(t *testing.T) {
	h := newHouse(4, usual(), t.Fatalf, 3, 3, 1)
	work := h.ask("a")
	h.load(h.loadingOnes()[0])
	h.ask("b") // it needs the room of a
	h.ask("c") // it would fit beside a, and then b would wait for both
	if got := len(h.living); got != 1 {
		t.Errorf("%d engines, though b waits for room", got)
	}
	h.finish(work)
	if !slices.Equal(h.named(h.dying), []string{"a"}) {
		t.Errorf("%v make room for b", h.named(h.dying))
	}
	h.settle()
}

func TestAnEngineWhoseMemoryNobodyWantsAnyMoreTakesWorkAgain(t *testing.T) {
	h := newHouse(4, usual(), t.Fatalf, 3, 3)
	h.ask("a")
	h.load(h.loadingOnes()[0])
	other := h.ask("b")
	next := h.ask("a")
	if h.seated[next] != 0 {
		t.Error("a takes work, though b waits for its memory")
	}
	h.finish(other)
	if h.seated[next] == 0 {
		t.Error("a takes no work, though nobody waits for its memory")
	}
}

func TestAPausedModelGivesItsMemoryBackWhereItIsNeeded(t *testing.T) {
	h := newHouse(4, usual(), t.Fatalf, 3)
	h.ask("a")
	h.settle()
	h.tell(measured{room: 2, idle: 4, why: "paused"})
	if len(h.named(h.dying)) != 1 {
		t.Error("it is frozen with more memory than there is")
	}
}

func TestAModelThatTookMoreMemoryThanExpectedIsExpectedToTakeMore(t *testing.T) {
	h := newHouse(5, usual(), t.Fatalf, 4)
	h.ask("a")
	h.load(h.loadingOnes()[0])
	h.bury(1, gone)
	if need := h.k.models["a"].need; need != 4 {
		t.Errorf("one that fell for another reason needs %d", need)
	}
	h.now = h.now.Add(time.Hour)
	h.measure(5)
	h.ask("a")
	h.load(h.loadingOnes()[0])
	h.bury(2, &starling.Error{Kind: starling.Overloaded, Op: "ended", Err: errKilled})
	h.now = h.now.Add(time.Hour)
	h.measure(4)
	last := h.ask("a")
	h.measure(4)
	if err := h.refused[last]; h.k.models["a"].need != 5 || starling.KindOf(err) != starling.TooLarge {
		t.Errorf("it needs %d, %v", h.k.models["a"].need, err)
	}
}

func TestWhatRunsBesideWaitsUntilAnEngineHasDone(t *testing.T) {
	h := newHouse(4, usual(), t.Fatalf, 3, 3)
	work := h.ask("a")
	h.load(h.loadingOnes()[0])
	h.askAs("b", true)
	next := h.ask("a")
	if h.seated[next] == 0 {
		t.Error("a takes nothing new for the sake of a trial")
	}
	h.finish(work)
	h.finish(next)
	if !slices.Equal(h.named(h.dying), []string{"a"}) {
		t.Errorf("a has nothing to do, and %v make room", h.named(h.dying))
	}
	h.settle()
}

func (h *house) named(children map[uint64]bool) (names []string) {
	for _, c := range sorted(children, nil) {
		names = append(names, h.names[c])
	}
	return names
}

func TestAModelThatHasNoRoomIsRefusedWithNumbers(t *testing.T) {
	h := newHouse(2<<30, usual(), t.Fatalf, 3<<30)
	err := h.refused[h.ask("a")]
	if starling.KindOf(err) != starling.TooLarge || err.Error() != "local: a needs 3072 MiB of memory, and models may have 2048 MiB here (take a smaller model, a shorter context or a smaller quantization)" {
		t.Errorf("got %v", err)
	}
}

// What a child held is in nobody's account while the system takes it back: the room that
// is measured then is too small.
func TestRoomThatIsMissingWhileAChildEndsRefusesAndEndsNobody(t *testing.T) {
	h := newHouse(100, usual(), t.Fatalf, 60, 60, 30)
	h.ask("a")
	h.ask("c")
	h.settle()
	b := h.ask("b")
	if got := h.named(h.dying); !slices.Equal(got, []string{"a"}) {
		t.Fatalf("%v are ended", got)
	}
	h.measure(20)
	h.bury(1, nil)
	if h.refused[b] != nil || len(h.loadingOnes()) > 0 || len(h.named(h.dying)) > 1 {
		t.Errorf("%v; loading %v, ending %v", h.refused[b], h.loadingOnes(), h.named(h.dying))
	}
	h.measure(100)
	if got := h.loadingOnes(); len(got) != 1 || h.living[got[0]] != "b" || len(h.living) != 2 {
		t.Errorf("loading %v of %v", got, h.living)
	}
	h.settle()
	h.measure(20)
	if h.settle(); len(h.named(h.dying)) != 3 {
		t.Errorf("of those that have no room any more %v were ended", h.named(h.dying))
	}
}

// TestWhatIsPlannedFitsEachMachine: of models of these sizes, asked for one after the
// other, each that fits alone is answered, and the others are refused.
func TestWhatIsPlannedFitsEachMachine(t *testing.T) {
	const mib = 1 << 20
	needs := map[string]int64{"a": 480 * mib, "b": 900 * mib, "c": 1800 * mib, "d": 5200 * mib}
	for gib, c := range map[int64]struct{ answered, atOnce string }{
		1: {"a", "a"}, 2: {"ab", "ab"}, 3: {"abc", "c"}, 4: {"abc", "abc"},
		5: {"abc", "abc"}, 6: {"abcd", "d"}, 7: {"abcd", "d"}, 8: {"abcd", "cd"},
	} {
		t.Run(fmt.Sprint(gib, " GiB"), func(t *testing.T) {
			const reserve = 400 * mib // of the gateway, and of whatever else there is
			h := newHouse(gib<<30-reserve, usual(), t.Fatalf, needs["a"], needs["b"], needs["c"], needs["d"])
			answered := ""
			for _, m := range []string{"a", "b", "c", "d"} {
				ask := h.ask(m)
				h.settle()
				if h.refused[ask] == nil {
					answered += m
				}
			}
			atOnce := ""
			for _, m := range h.k.names {
				if h.k.models[m].stage == ready {
					atOnce += m
				}
			}
			if answered != c.answered || atOnce != c.atOnce {
				t.Errorf("answered %s, and at the end %s are loaded; want %s and %s", answered, atOnce, c.answered, c.atOnce)
			}
		})
	}
}

func TestWhatIsPausedStandsStillAndIsEndedWhenItTakesLong(t *testing.T) {
	h := newHouse(4, usual(), t.Fatalf, 2)
	ask := h.ask("a")
	child := h.loadingOnes()[0]
	h.load(child)
	waiting := []uint64{h.ask("a"), h.ask("a")} // one has the second seat
	h.pause()
	if h.seated[ask] == 0 || h.refused[waiting[1]] == nil || h.frozen[child] {
		t.Error("who is answered is interrupted, or who waits still waits")
	}
	h.finish(ask)
	h.finish(waiting[0])
	if !h.frozen[child] {
		t.Error("nobody works, and it is not frozen")
	}
	h.measure(h.room)
	if h.frozen[child] {
		t.Error("it is frozen though nobody pauses")
	}
	h.tell(measured{room: 4, idle: 1, why: "on battery"})
	h.now = h.now.Add(time.Hour)
	h.tell(measured{room: 4, idle: 1, why: "on battery"})
	if !h.dying[child] || h.k.away(h.k.models["a"]) != "on battery" {
		t.Errorf("after an hour it holds its memory; away: %q", h.k.away(h.k.models["a"]))
	}
}

func TestAModelIsLoadedAtItsHour(t *testing.T) {
	r := usual()
	r.preloads = true
	h := newHouse(4, r, t.Fatalf, 2, 2)
	for range 3 {
		h.ask("a")
		h.settle()
		h.now = h.now.Add(24*time.Hour - h.now.Sub(h.now.Truncate(time.Hour)))
		if h.now.Hour() != 9 {
			t.Fatal("the test's clock")
		}
	}
	h.now = h.now.Add(10 * time.Hour)
	h.settle()
	h.measure(4)
	for _, c := range sorted(h.dying, func(c uint64) bool { return h.living[c] != "" }) {
		h.bury(c, nil)
	}
	if len(h.living) != 0 {
		t.Fatal("it stays, whatever the hour")
	}
	h.now = h.now.Add(14 * time.Hour)
	h.measure(4)
	if got := h.k.models["a"].stage; got != loading {
		t.Errorf("at its hour it is at stage %d", got)
	}
	if h.k.models["b"].stage != cold {
		t.Error("what nobody asks for is loaded")
	}
}

func TestThreadsBecomeFewerAtOnceAndMoreOnlyWhenItLasts(t *testing.T) {
	for _, c := range []struct {
		name string
		idle []int
		want []int
	}{
		{"the first measurement counts", []int{4}, []int{4}},
		{"fewer at once", []int{4, 2, 1}, []int{4, 2, 1}},
		{"never none", []int{0, 0}, []int{1, 1}},
		{"never more than allowed", []int{64}, []int{8}},
		{"more when it lasts", []int{1, 4, 4, 4}, []int{1, 1, 1, 4}},
		{"a moment is nothing", []int{1, 4, 1, 4, 4, 1}, []int{1, 1, 1, 1, 1, 1}},
		{"as many as at the last", []int{1, 4, 4, 2}, []int{1, 1, 1, 2}},
	} {
		var g governor
		for i, idle := range c.idle {
			if g = g.next(idle, 8); g.threads != c.want[i] {
				t.Errorf("%s: %d threads after %v, want %d", c.name, g.threads, c.idle[:i+1], c.want[i])
			}
		}
	}
	for _, c := range [][3]int{{4, 1, 4}, {4, 2, 2}, {4, 3, 1}, {1, 3, 1}, {0, 0, 1}} {
		if got := share(c[0], c[1]); got != c[2] {
			t.Errorf("%d cores for %d engines: %d", c[0], c[1], got)
		}
	}
}

func TestWhatWorksForNobodyHasOneThreadUntilSomebodyComes(t *testing.T) {
	h := newHouse(4, usual(), t.Fatalf, 2)
	h.askAs("a", true)
	child := h.loadingOnes()[0]
	h.load(child)
	h.measure(4)
	if h.threads[child] != 1 {
		t.Errorf("a trial has %d threads", h.threads[child])
	}
	h.ask("a")
	if h.threads[child] != 4 {
		t.Errorf("somebody who waits has %d threads", h.threads[child])
	}
}

func TestSuspectsAreForgottenWhereThereAreTooMany(t *testing.T) {
	s := suspects{}
	for range enough {
		s.accuse(suspect{1})
	}
	for i := range 2 * mostSuspects {
		s.accuse(suspect{2, byte(i), byte(i >> 8)})
	}
	if len(s) > mostSuspects || s.convicted(suspect{1}) == nil || s.convicted(suspect{2}) != nil {
		t.Errorf("%d are remembered, the one that matters: %v", len(s), s.convicted(suspect{1}))
	}
}
