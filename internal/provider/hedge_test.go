package provider

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"starling"
)

// pair is an upstream whose first and second call do different things. Each is
// given a channel that is closed when the other has arrived.
func pair(t *testing.T, do ...func(u *upstream, w http.ResponseWriter, r *http.Request, other <-chan struct{})) *upstream {
	u := &upstream{dialect: starling.OpenAI, script: story, gone: make(chan struct{}, 4)}
	arrived := [2]chan struct{}{make(chan struct{}), make(chan struct{})}
	turn := make(chan int, 2)
	turn <- 0
	turn <- 1
	return u.start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		i := <-turn
		close(arrived[i])
		do[i](u, w, r, arrived[1-i])
	}))
}

func answering(u *upstream, w http.ResponseWriter, r *http.Request, _ <-chan struct{}) {
	u.follow(w, r)
}

func answeringSecond(u *upstream, w http.ResponseWriter, r *http.Request, other <-chan struct{}) {
	<-other
	u.follow(w, r)
}

func hanging(u *upstream, _ http.ResponseWriter, r *http.Request, _ <-chan struct{}) {
	body := make([]byte, 4096)
	for {
		if _, err := r.Body.Read(body); err != nil {
			break
		}
	}
	u.hang(r)
}

func refusing(_ *upstream, w http.ResponseWriter, _ *http.Request, _ <-chan struct{}) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusBadRequest)
	_, _ = w.Write([]byte(`{"error":{"message":"no","type":"t","param":null,"code":null}}`))
}

func crashing(_ *upstream, _ http.ResponseWriter, _ *http.Request, other <-chan struct{}) {
	<-other
	panic(http.ErrAbortHandler)
}

func TestAHedge(t *testing.T) {
	for _, c := range []struct {
		name          string
		first, second func(*upstream, http.ResponseWriter, *http.Request, <-chan struct{})
		after         time.Duration
		calls, lost   int
		answered      bool
	}{
		{"is not made when the first event comes in time", answering, refusing, time.Hour, 1, 0, true},
		{"is not made when the first call is refused in time", refusing, answering, time.Hour, 1, 0, false},
		{"answers when the first call hangs, which is booked", hanging, answering, 10 * time.Millisecond, 2, 1, true},
		{"is booked when the first call overtakes it", answeringSecond, hanging, 10 * time.Millisecond, 2, 1, true},
		{"answers though the first call is lost, which is booked", crashing, answeringSecond, 10 * time.Millisecond, 2, 1, true},
	} {
		for _, stream := range []bool{true, false} {
			t.Run(c.name, func(t *testing.T) {
				u := pair(t, c.first, c.second)
				o := u.options(t)
				o.HedgeAfter = c.after
				p := open(t, o)
				call := calling(p, stream)
				raw, beside, err := collect(t, p, call)
				if (err == nil) != c.answered || (raw != "") != c.answered {
					t.Errorf("answer %q, error %v", raw, err)
				}
				if int(u.calls.Load()) != c.calls || len(beside) != c.lost {
					t.Errorf("%d calls, %d booked beside, want %d and %d", u.calls.Load(), len(beside), c.calls, c.lost)
				}
				for _, a := range beside {
					if a.Outcome != starling.Lost || a.Model != "up/m" || !a.Usage.Estimated || a.Usage.Input < int64(len(call.Request.Body)/3) || a.Took <= 0 {
						t.Errorf("booked as %+v", a)
					}
				}
			})
		}
	}
}

func TestAHedgeThatIsRefusedLeavesTheFirstCallToAnswerAndCostsNothing(t *testing.T) {
	refused := make(chan struct{})
	u := pair(t, func(u *upstream, w http.ResponseWriter, r *http.Request, _ <-chan struct{}) {
		<-refused
		u.follow(w, r)
	}, refusing)
	o := u.options(t)
	o.HedgeAfter = 10 * time.Millisecond
	p := open(t, o)
	go func() {
		for p.breakers["m"].Metrics().Successes() == 0 { // a refusal is a sign of health
			time.Sleep(time.Millisecond)
		}
		close(refused)
	}()
	raw, beside, err := collect(t, p, calling(p, true))
	if err != nil || raw == "" || len(beside) != 0 || u.calls.Load() != 2 {
		t.Errorf("answer %q, error %v, %d beside, %d calls", raw, err, len(beside), u.calls.Load())
	}
}

func TestWhatMayHaveBeenBoughtIsNotBoughtAgain(t *testing.T) {
	lost := make(chan struct{})
	u := pair(t, crashing, func(u *upstream, w http.ResponseWriter, _ *http.Request, other <-chan struct{}) {
		<-lost
		w.Header().Set("Retry-After", "0")
		w.WriteHeader(http.StatusTooManyRequests)
	})
	o := u.options(t)
	o.HedgeAfter = 10 * time.Millisecond
	p := open(t, o)
	go func() {
		for p.breakers["m"].Metrics().Failures() == 0 {
			time.Sleep(time.Millisecond)
		}
		close(lost)
	}()
	call := calling(p, true)
	call.Patience = 2 * time.Second
	_, beside, err := collect(t, p, call)
	if err == nil || len(beside) != 1 || u.calls.Load() != 2 {
		t.Errorf("%v after %d calls with %d beside, want 2 and the one that may have been bought", err, u.calls.Load(), len(beside))
	}
}

func TestWhoLosesAHedgeIsHungUpOn(t *testing.T) {
	u := pair(t, hanging, answering)
	o := u.options(t)
	o.HedgeAfter = 10 * time.Millisecond
	p := open(t, o)
	if _, _, err := collect(t, p, calling(p, true)); err != nil {
		t.Fatal(err)
	}
	<-u.gone
}

func TestACallerWhoLeavesAHedgedCallPaysForBoth(t *testing.T) {
	u := pair(t, hanging, hanging)
	o := u.options(t)
	o.HedgeAfter = 10 * time.Millisecond
	p := open(t, o)
	ctx, cancel := withCancel(t)
	go func() {
		for u.calls.Load() < 2 {
			time.Sleep(time.Millisecond)
		}
		cancel()
	}()
	beside, last := 0, error(nil)
	for ev, err := range p.Generate(ctx, calling(p, true)) {
		if ev.Aside != nil {
			beside++
		}
		last = err
	}
	e, _ := errors.AsType[*starling.Error](last)
	if e == nil || e.Kind != starling.Cancelled || !e.Billed || beside != 1 {
		t.Errorf("%+v with %d beside, want Cancelled, charged, with one", last, beside)
	}
	<-u.gone
	<-u.gone
}

func TestBothOfAHedgeFailAndBothAreBooked(t *testing.T) {
	u := pair(t, crashing, crashing)
	o := u.options(t)
	o.HedgeAfter = 10 * time.Millisecond
	p := open(t, o)
	_, beside, err := collect(t, p, calling(p, true))
	e, _ := errors.AsType[*starling.Error](err)
	if e == nil || e.Kind != starling.Overloaded || !e.Billed || len(beside) != 1 {
		t.Errorf("%+v with %d beside, want one error that is charged and one beside", err, len(beside))
	}
}

func TestACallerWhoStopsAtAHedgesLoserEndsTheWinnerToo(t *testing.T) {
	u := pair(t, hanging, answering)
	o := u.options(t)
	o.HedgeAfter = 10 * time.Millisecond
	p := open(t, o)
	for ev, err := range p.Generate(t.Context(), calling(p, true)) {
		if ev.Aside == nil || err != nil {
			t.Errorf("first came %+v, %v; want what is beside", ev, err)
		}
		break
	}
}
