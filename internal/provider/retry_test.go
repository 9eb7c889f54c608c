package provider

import (
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"starling"
)

func TestRetryAfterIsReadInEveryForm(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name   string
		header http.Header
		want   time.Duration
	}{
		{"unsaid", http.Header{}, 0},
		{"seconds", http.Header{"Retry-After": {"7"}}, 7 * time.Second},
		{"a part of a second", http.Header{"Retry-After": {" 0.25 "}}, 250 * time.Millisecond},
		{"a date", http.Header{"Retry-After": {"Mon, 23 Nov 2026 12:00:30 GMT"}}, 30 * time.Second},
		{"a date that is over", http.Header{"Retry-After": {"Mon, 23 Nov 2026 11:00:00 GMT"}}, time.Millisecond},
		{"a date in another age", http.Header{"Retry-After": {"Thu, 23 Nov 2299 11:00:00 GMT"}}, 24 * time.Hour},
		{"at once", http.Header{"Retry-After": {"0"}}, time.Millisecond},
		{"milliseconds, which go before seconds", http.Header{"Retry-After-Ms": {"120"}, "Retry-After": {"9"}}, 120 * time.Millisecond},
		{"milliseconds that are none", http.Header{"Retry-After-Ms": {"soon"}, "Retry-After": {"9"}}, 9 * time.Second},
		{"for ever", http.Header{"Retry-After": {"1e300"}}, 24 * time.Hour},
		{"infinity", http.Header{"Retry-After": {"Inf"}}, 24 * time.Hour},
		{"no number", http.Header{"Retry-After": {"NaN"}}, 0},
		{"the past", http.Header{"Retry-After": {"-3"}}, 0},
		{"nonsense", http.Header{"Retry-After": {"tomorrow"}}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := retryAfter(c.header, now); got != c.want {
				t.Errorf("%v, want %v", got, c.want)
			}
		})
	}
}

func TestBackoffDoublesUpToEightSeconds(t *testing.T) {
	for retry, middle := range map[int]time.Duration{1: 250 * time.Millisecond, 2: 500 * time.Millisecond, 5: 4 * time.Second, 6: 8 * time.Second, 60: 8 * time.Second} {
		for range 50 {
			if d := backoff(retry); d < middle*3/4 || d > middle*5/4 {
				t.Errorf("retry %d waits %s, want about %s", retry, d, middle)
			}
		}
	}
}

// flaky refuses the first calls with the status and headers, then answers.
func flaky(t *testing.T, refused int, status int, header http.Header) *upstream {
	u := &upstream{dialect: starling.OpenAI, script: story, gone: make(chan struct{}, 1)}
	return u.start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if int(u.calls.Load()) > refused {
			u.follow(w, r)
			return
		}
		for name, values := range header {
			w.Header()[name] = values
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = w.Write([]byte(`{"error":{"message":"no","type":"t","param":null,"code":null}}`))
	}))
}

func TestOnlyWhatSurelyBoughtNothingIsTriedAgainAndOnlyWithPatience(t *testing.T) {
	soon := http.Header{"Retry-After-Ms": {"1"}}
	for _, c := range []struct {
		name     string
		status   int
		header   http.Header
		patience time.Duration
		calls    int64
	}{
		{"too many requests", 429, soon, time.Minute, 3},
		{"unavailable", 503, soon, time.Minute, 3},
		{"overloaded, as Anthropic says it", 529, soon, time.Minute, 3},
		{"somebody else is next", 429, soon, 0, 1},
		{"it asks for more patience than there is", 429, http.Header{"Retry-After": {"120"}}, time.Minute, 1},
		{"it asks not to be tried again", 429, http.Header{"Retry-After-Ms": {"1"}, "X-Should-Retry": {"false"}}, time.Minute, 1},
		{"a mistake of the caller", 400, soon, time.Minute, 1},
		{"a failure of the upstream", 500, soon, time.Minute, 1},
		{"a proxy that lost its upstream", 502, soon, time.Minute, 1},
		{"a proxy that waited too long", 504, soon, time.Minute, 1},
		{"a time-out of Cloudflare", 524, soon, time.Minute, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			u := flaky(t, 2, c.status, c.header)
			p := open(t, u.options(t))
			call := calling(p, true)
			call.Patience = c.patience
			_, beside, err := collect(t, p, call)
			if got := u.calls.Load(); got != c.calls {
				t.Errorf("%d calls, want %d", got, c.calls)
			}
			if (err == nil) != (c.calls > 1) || len(beside) != 0 {
				t.Errorf("error %v, beside %v", err, beside)
			}
			if e, _ := errors.AsType[*starling.Error](err); e != nil && e.Billed != doubtful(c.status) {
				t.Errorf("may be charged: %v, want %v", e.Billed, doubtful(c.status))
			}
		})
	}
}

func TestAnAccountWithoutMoneyIsNotTriedAgain(t *testing.T) {
	u := serveHandler(t, starling.OpenAI, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After-Ms", "1")
		w.WriteHeader(http.StatusTooManyRequests)
		_, _ = w.Write([]byte(`{"error":{"message":"no","type":"insufficient_quota","param":null,"code":"insufficient_quota"}}`))
	})
	p := open(t, u.options(t))
	call := calling(p, true)
	call.Patience = time.Minute
	if _, _, err := collect(t, p, call); starling.KindOf(err) != starling.Refused || u.calls.Load() != 1 {
		t.Errorf("%v after %d calls, want Refused after one", err, u.calls.Load())
	}
}

func TestARefusedConnectionIsTriedAgainWithinPatience(t *testing.T) {
	u := serveScript(t, starling.OpenAI, story)
	u.Close()
	synctest.Test(t, func(t *testing.T) {
		p := open(t, u.options(t))
		call := calling(p, true)
		_, _, err := collect(t, p, call)
		e, _ := errors.AsType[*starling.Error](err)
		if e == nil || e.Kind != starling.Overloaded || e.Billed {
			t.Fatalf("%+v, want Overloaded and nothing bought", err)
		}
		call.Patience = time.Second
		before := p.breakers["m"].Metrics().Failures()
		if _, _, err = collect(t, p, call); starling.KindOf(err) != starling.Overloaded {
			t.Errorf("%v, want Overloaded", err)
		}
		if tries := p.breakers["m"].Metrics().Failures() - before; tries < 2 {
			t.Errorf("%d tries, want more than one", tries)
		}
	})
}

func TestWaitingToTryAgainEndsWhenTheCallerLeaves(t *testing.T) {
	u := flaky(t, 1000, 429, http.Header{"Retry-After": {"60"}})
	p := open(t, u.options(t))
	call := calling(p, true)
	call.Patience = time.Hour
	ctx, cancel := withCancel(t)
	go func() {
		for p.breakers["m"].Metrics().Failures() == 0 { // the refusal has arrived
			time.Sleep(time.Millisecond)
		}
		cancel()
	}()
	var last error
	for _, err := range p.Generate(ctx, call) {
		last = err
	}
	e, _ := errors.AsType[*starling.Error](last)
	if e == nil || e.Kind != starling.Cancelled || e.Billed {
		t.Errorf("%+v, want Cancelled and nothing bought", last)
	}
}

func TestABreakerStopsCallsToItsModelAlone(t *testing.T) {
	u := flaky(t, 1000, 500, nil)
	o := u.options(t)
	o.Models, o.Trip, o.Rest = []starling.Model{{Name: "m"}, {Name: "n"}}, 3, time.Hour
	p := open(t, o)
	for range 5 {
		_, _, err := collect(t, p, calling(p, false))
		if err == nil {
			t.Fatal("an answer came")
		}
	}
	if u.calls.Load() != 3 {
		t.Errorf("%d calls, want 3", u.calls.Load())
	}
	_, _, err := collect(t, p, calling(p, false))
	if e, _ := errors.AsType[*starling.Error](err); e == nil || e.Kind != starling.Overloaded || e.Hint == "" || e.Billed {
		t.Errorf("%+v, want Overloaded with a hint", err)
	}
	other := calling(p, false)
	other.Model = p.Models()[1]
	if _, _, _ = collect(t, p, other); u.calls.Load() != 4 {
		t.Error("the other model was not called")
	}
}

func TestMistakesOfCallersDoNotTripABreaker(t *testing.T) {
	u := flaky(t, 1000, 400, nil)
	o := u.options(t)
	o.Trip = 2
	p := open(t, o)
	for range 6 {
		_, _, _ = collect(t, p, calling(p, false))
	}
	if u.calls.Load() != 6 {
		t.Errorf("%d calls, want all 6", u.calls.Load())
	}
}

func TestAStreamThatBreaksCountsAgainstItsUpstream(t *testing.T) {
	script := story
	script.Cut = true
	u := serveScript(t, starling.OpenAI, script)
	o := u.options(t)
	o.Trip = 2
	p := open(t, o)
	for range 4 {
		_, _, _ = collect(t, p, calling(p, true))
	}
	if u.calls.Load() != 2 {
		t.Errorf("%d calls, want 2", u.calls.Load())
	}
}
