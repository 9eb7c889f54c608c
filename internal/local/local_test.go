package local

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"starling"
	"starling/internal/conform"
	"starling/internal/engine"
	"starling/internal/wire"
)

func asking1(t testing.TB, d starling.Dialect, body string) *starling.Request {
	t.Helper()
	r, err := wire.Parse(d, []byte(body))
	if err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	return &r
}

func plain(t testing.TB, stream bool) *starling.Request {
	return asking1(t, starling.OpenAI, fmt.Sprintf(`{"model":"m","stream":%v,"messages":[{"role":"user","content":"sing"}]}`, stream))
}

func (th *theatre) call(r *starling.Request) starling.Call {
	return starling.Call{Model: th.Models()[0], Request: r, Furthest: starling.Machine, Deltas: true, Left: func(string) {}}
}

// heard is what came of a call.
type heard struct {
	text  string
	last  starling.Event
	idle  int
	err   error
	usage *starling.Usage
}

func (th *theatre) hear(ctx context.Context, c starling.Call, alive ...func()) (h heard) {
	for ev, err := range th.Generate(ctx, c) {
		if h.err = err; err != nil {
			return h
		}
		if ev.Idle {
			h.idle++
			for _, do := range alive {
				do()
			}
			continue
		}
		for _, d := range ev.Deltas {
			h.text += d.Text
		}
		if ev.Usage != nil {
			h.usage = ev.Usage
		}
		h.last = ev
	}
	return h
}

func TestLocalConforms(t *testing.T) {
	conform.Provider(t, func(t *testing.T, s conform.Script) *conform.Bench {
		own := script{Words: s.Words, Prompt: int(s.Usage.Input), Output: int(s.Usage.Output)}
		switch {
		case s.Refuse == 429 || s.Refuse == 503 || s.Refuse == 529:
			own.Does = "fault overloaded"
		case s.Refuse != 0:
			own.Does = "fault refused"
		case s.Cut:
			own.Does = "cut"
		case s.Short:
			own.Does = "garbage"
		case s.Hang == conform.AtOnce:
			own.Does = "hang at once"
		case s.Hang == conform.AfterWord:
			own.Does = "hang"
		}
		th := play(t, own)
		gone, end := make(chan struct{}, 1), make(chan struct{})
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			for len(th.entries("cancel")) == 0 {
				select {
				case <-end:
					return
				case <-time.After(time.Millisecond):
				}
			}
			gone <- struct{}{}
		}()
		t.Cleanup(func() { close(end); <-ended })
		return &conform.Bench{
			Provider: th.Local, Model: th.Models()[0], Key: "there-is-no-key-on-this-machine", Gone: gone,
			Ask:   func(stream bool) *starling.Request { return plain(t, stream) },
			Calls: func() int { return len(th.entries("generate")) }, Connections: th.started,
		}
	})
}

func TestWhatGoesWrongInAChildIsSaidAndTheNextOneAnswers(t *testing.T) {
	words := []string{"one ", "two"}
	for _, c := range []struct {
		name   string
		s      script
		kind   starling.Kind
		why    string
		billed bool
		change func(*Options)
	}{
		{"it ends before the first word", script{Does: "crash at once"}, starling.Overloaded, "the engine of m ended: exit status 3", true, nil},
		{"it ends within the answer", script{Does: "crash"}, starling.Overloaded, "the engine of m ended: exit status 3", true, nil},
		{"it ends as a shell says of signal 9", script{Does: "137"}, starling.Overloaded, "the engine of m ended: signal 9", true, nil},
		{"the system ends it", script{Does: "kill"}, starling.Overloaded, "the engine of m ended: signal 9", true, nil},
		{"it sends what is no JSON", script{Does: "garbage"}, starling.Overloaded, "it sent garbage", true, nil},
		{"it sends what says nothing", script{Does: "empty"}, starling.Overloaded, "it sent garbage", true, nil},
		{"it announces too much", script{Does: "giant"}, starling.Overloaded, "a message of more than", true, nil},
		{"it answers what nobody asked", script{Does: "wrong id"}, starling.Overloaded, "it sent garbage", true, nil},
		{"it falls silent", script{Does: "silence"}, starling.Overloaded, "it has work and said nothing for 3s", true, func(o *Options) { o.Silence = 3 * time.Second }},
		{"it answers more often than it was asked", script{Does: "another choice"}, starling.Overloaded, "it sent garbage", true, nil},
		{"it says that there is more where there is none", script{Does: "more"}, starling.Overloaded, "it sent garbage", true, nil},
		{"it cannot do it", script{Does: "fault too_large"}, starling.TooLarge, "generate", false, nil},
		{"it ends while it loads", script{Load: "crash"}, starling.Overloaded, "the engine of m ended: exit status 3", false, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.s.Words, c.s.Times, c.s.Prompt, c.s.Output = words, 1, 5, 2
			th := play(t, c.s, func(o *Options) {
				if c.change != nil {
					c.change(o)
				}
			})
			h := th.hear(t.Context(), th.call(plain(t, true)))
			e, _ := errors.AsType[*starling.Error](h.err)
			if e == nil || e.Kind != c.kind || !strings.Contains(e.Error(), c.why) || e.Billed != c.billed {
				t.Errorf("%+v, want %s with %q, billed %v", h.err, c.kind, c.why, c.billed)
			}
			if h = th.hear(t.Context(), th.call(plain(t, true))); h.err != nil || h.text != "one two" {
				t.Errorf("the next question got %q and %v", h.text, h.err)
			}
		})
	}
}

func TestAChildThatCannotBeUsedIsNotStartedAgainAndAgain(t *testing.T) {
	for name, c := range map[string]struct {
		s   script
		why string
	}{
		"a file of another kind":    {script{Load: "refuse"}, "the file is of another kind"},
		"another version of itself": {script{Hello: engine.Version + 1}, "speaks version"},
	} {
		t.Run(name, func(t *testing.T) {
			th := play(t, c.s)
			for range 3 {
				h := th.hear(t.Context(), th.call(plain(t, true)))
				if starling.KindOf(h.err) != starling.Refused || !strings.Contains(h.err.Error(), c.why) {
					t.Errorf("got %v", h.err)
				}
			}
			if away := th.Models()[0].Away; th.started() != 1 || !strings.Contains(away, c.why) {
				t.Errorf("started %d times, away %q", th.started(), away)
			}
		})
	}
}

func TestAChildThatDoesNotLoadInTimeIsEnded(t *testing.T) {
	th := play(t, script{Load: "hang"}, func(o *Options) { o.Loading = 50 * time.Millisecond })
	h := th.hear(t.Context(), th.call(plain(t, true)))
	if starling.KindOf(h.err) != starling.Overloaded || !strings.Contains(h.err.Error(), "it had not loaded after 50ms") {
		t.Errorf("got %v", h.err)
	}
}

func TestAColdStartIsNoErrorAndTellsThatItLives(t *testing.T) {
	th := play(t, script{Load: "slow", Words: []string{"there"}, Prompt: 3, Output: 1}, func(o *Options) { o.Beat = 5 * time.Millisecond })
	h := th.hear(t.Context(), th.call(plain(t, true)), th.goOn)
	if h.err != nil || h.text != "there" || h.idle == 0 {
		t.Errorf("%q after %d signs of life, %v", h.text, h.idle, h.err)
	}
}

func TestWhoIsNotPatientGoesElsewhereAndLoadingGoesOn(t *testing.T) {
	th := play(t, script{Load: "slow", Words: []string{"there"}}, func(o *Options) { o.Patience = 10 * time.Millisecond })
	h := th.hear(t.Context(), th.call(plain(t, true)))
	if starling.KindOf(h.err) != starling.Overloaded || !strings.Contains(h.err.Error(), "not ready yet") {
		t.Errorf("got %v", h.err)
	}
	th.goOn()
	eventually(t, "the model is loaded", func() bool { return th.Standings()[0].Loaded })
	if len(th.entries("pid")) != 1 {
		t.Error("loading was aborted")
	}
	last := th.call(plain(t, true))
	last.Patience = time.Minute
	if h = th.hear(t.Context(), last); h.err != nil {
		t.Error(h.err)
	}
}

func TestAPromptUnderWhichEnginesFallIsRefusedAndNotTheModel(t *testing.T) {
	th := play(t, script{Does: "crash at once", Times: 3, Words: []string{"fine"}})
	for range 3 {
		if h := th.hear(t.Context(), th.call(plain(t, true))); starling.KindOf(h.err) != starling.Overloaded {
			t.Fatalf("got %v", h.err)
		}
	}
	h := th.hear(t.Context(), th.call(plain(t, true)))
	if starling.KindOf(h.err) != starling.Refused || !strings.Contains(h.err.Error(), "3 times") || strings.Contains(h.err.Error(), "sing") {
		t.Errorf("got %v", h.err)
	}
	other := asking1(t, starling.OpenAI, `{"model":"m","messages":[{"role":"user","content":"another"}]}`)
	if h = th.hear(t.Context(), th.call(other)); h.err != nil || h.text != "fine" {
		t.Errorf("another prompt got %q, %v", h.text, h.err)
	}
}

func TestWhatWasAskedBeforeIsExpectedAgain(t *testing.T) {
	th := play(t, script{Words: []string{"fine"}}, func(o *Options) { o.Lazy = false })
	now := time.Now()
	for day := range 3 {
		th.Recall("m", now.AddDate(0, 0, -day))
	}
	th.Recall("nobody", now)
	eventually(t, "it is loaded though nobody asked", func() bool { return th.Standings()[0].Loaded })
}

func TestPausedModelsAreAwayAndGoOnAtOnce(t *testing.T) {
	var paused atomic.Bool
	th := play(t, script{Words: []string{"fine"}}, func(o *Options) {
		o.Allowed = func() (bool, string) { return !paused.Load(), "models on this machine are paused" }
	})
	if h := th.hear(t.Context(), th.call(plain(t, true))); h.err != nil {
		t.Fatal(h.err)
	}
	paused.Store(true)
	eventually(t, "it is away", func() bool { return th.Models()[0].Away != "" })
	h := th.hear(t.Context(), th.call(plain(t, true)))
	if starling.KindOf(h.err) != starling.Overloaded || !strings.Contains(h.err.Error(), "paused") {
		t.Errorf("got %v", h.err)
	}
	paused.Store(false)
	eventually(t, "it is there again", func() bool { return th.Models()[0].Away == "" })
	if h = th.hear(t.Context(), th.call(plain(t, true))); h.err != nil || th.started() != 1 {
		t.Errorf("%v, %d children", h.err, th.started())
	}
}

func TestAnAnswerIsToldInFull(t *testing.T) {
	for name, c := range map[string]struct {
		s      script
		finish starling.Finish
	}{
		"it stops":             {script{}, starling.Stopped},
		"the limit":            {script{Finish: starling.Length}, starling.Length},
		"the window is full":   {script{Finish: starling.Length, Window: true}, starling.Overfull},
		"a stop of the caller": {script{Finish: starling.StopWord}, starling.StopWord},
	} {
		t.Run(name, func(t *testing.T) {
			c.s.Words, c.s.Prompt, c.s.Cached, c.s.Output, c.s.Logprob = []string{"a", "b"}, 10, 4, 2, math.Log(0.5)
			th := play(t, c.s)
			for _, stream := range []bool{true, false} {
				h := th.hear(t.Context(), th.call(plain(t, stream)))
				if h.err != nil || h.text != "ab" || h.last.Finish != c.finish || *h.usage != (starling.Usage{Input: 6, CacheRead: 4, Output: 2}) || math.Abs(h.last.Confidence-0.5) > 1e-9 {
					t.Errorf("%+v with usage %+v", h, h.usage)
				}
			}
		})
	}
}

func TestVectorsAndCounts(t *testing.T) {
	th := play(t, script{}, func(o *Options) {
		o.Weights = []Weights{{Name: "v", Context: 512, Vectors: true}, {Name: "m", Context: 512, Speaker: echo{}}}
	})
	r := asking1(t, starling.Embeddings, `{"model":"v","input":["a","b"]}`)
	for _, d := range []*starling.Request{r, asking1(t, starling.Embed, `{"model":"v","input":["a","b"]}`)} {
		if h := th.hear(t.Context(), th.call(d)); h.err != nil || len(h.last.Vectors) != 2 || h.usage.Input <= 0 {
			t.Errorf("%+v", h)
		}
	}
	if h := th.hear(t.Context(), th.call(asking1(t, starling.Embeddings, `{"model":"v","input":[1,2]}`))); starling.KindOf(h.err) != starling.Invalid {
		t.Errorf("tokens: %v", h.err)
	}
	if h := th.hear(t.Context(), th.call(plain(t, true))); starling.KindOf(h.err) != starling.Invalid {
		t.Errorf("a talk with a model for vectors: %v", h.err)
	}
	talk := th.call(plain(t, true))
	talk.Model = th.Models()[1]
	if _, err := th.Count(t.Context(), talk); starling.KindOf(err) != starling.Overloaded || talk.Model.Counts {
		t.Errorf("counted without being loaded: %v", err)
	}
	if h := th.hear(t.Context(), talk); h.err != nil {
		t.Fatal(h.err)
	}
	if n, err := th.Count(t.Context(), talk); n != 7 || err != nil || !th.Models()[1].Counts {
		t.Errorf("%d, %v", n, err)
	}
}

func TestClosingEndsWhatIsUnderWay(t *testing.T) {
	th := play(t, script{Does: "hang", Words: []string{"a", "b"}})
	for ev, err := range th.Generate(t.Context(), th.call(plain(t, true))) {
		if len(ev.Deltas) > 0 {
			th.Close()
		}
		if err != nil && (starling.KindOf(err) != starling.Overloaded || !strings.Contains(err.Error(), "nobody needs it")) {
			t.Errorf("got %v", err)
		}
	}
	if h := th.hear(t.Context(), th.call(plain(t, true))); starling.KindOf(h.err) != starling.Overloaded {
		t.Errorf("after the end: %v", h.err)
	}
}

func TestModelsThatHaveNoRoomBesideEachOtherTakeTurns(t *testing.T) {
	th := play(t, script{Words: []string{"a"}, Prompt: 20, Output: 11}, func(o *Options) {
		o.Weights = []Weights{{Name: "m", File: "m", Context: 512, Speaker: echo{}}, {Name: "n", File: "n", Context: 512, Speaker: echo{}}}
		o.Room = func([]int) int64 { return 1 << 30 }
	})
	for i := range 6 {
		c := th.call(plain(t, true))
		c.Model = th.Models()[i%2]
		if h := th.hear(t.Context(), c); h.err != nil || h.text != "a" {
			t.Fatalf("%q, %v", h.text, h.err)
		}
	}
	if n := len(th.entries("load")); n != 6 {
		t.Errorf("%d loads", n)
	}
	if s := th.Standings()[0]; s.Reads != 40 || s.Writes != 10 {
		t.Errorf("measured %+v", s)
	}
}

func TestThreadsFollowWhatIsIdle(t *testing.T) {
	var idle atomic.Int64
	idle.Store(4)
	th := play(t, script{Words: []string{"a"}}, func(o *Options) { o.Idle = func([]int) int { return int(idle.Load()) } })
	if h := th.hear(t.Context(), th.call(plain(t, true))); h.err != nil {
		t.Fatal(h.err)
	}
	idle.Store(1)
	eventually(t, "it is told of one thread", func() bool { return slices.Contains(th.entries("threads"), "threads 1") })
	idle.Store(3)
	eventually(t, "it is told of three", func() bool { return slices.Contains(th.entries("threads"), "threads 3") })
	if got := th.entries("load"); !slices.Equal(got, []string{"load m.gguf 4"}) {
		t.Errorf("loaded as %v", got)
	}
}

func TestAnAnswerThatTakesTooLongIsEndedAndTheNextCandidateMayTry(t *testing.T) {
	th := play(t, script{Does: "hang", Words: []string{"a", "b"}}, func(o *Options) { o.Lazy, o.Longest = false, 3*time.Second })
	for day := range 3 {
		th.Recall("m", time.Now().AddDate(0, 0, -day))
	}
	eventually(t, "it is loaded, which takes of no answer's time", func() bool { return th.Standings()[0].Loaded })
	h := th.hear(t.Context(), th.call(plain(t, true)))
	e, _ := errors.AsType[*starling.Error](h.err)
	if e == nil || e.Kind != starling.Overloaded || !e.Billed || !strings.Contains(e.Op, "too long") {
		t.Errorf("got %v", h.err)
	}
	eventually(t, "the engine is told", func() bool { return len(th.entries("cancel")) == 1 })
}
