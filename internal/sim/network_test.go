package sim_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"starling"
	"starling/internal/sim"
)

// counted waits until the server has booked n requests of the model: a handler
// ends a moment after its client has read the answer.
func counted(t *testing.T, s *sim.Server, n int64) sim.Count {
	t.Helper()
	for {
		if c := s.Tally().Models["m"]; c.Requests >= n {
			return c
		}
		select {
		case <-t.Context().Done():
			t.Fatal("the requests were never booked")
		case <-time.After(time.Millisecond):
		}
	}
}

// arrived waits until n requests were with the model at once.
func arrived(s *sim.Server, n int64) {
	for s.Tally().Models["m"].Peak < n {
		time.Sleep(time.Millisecond)
	}
}

func TestAClientThatLeavesIsNoticedAndBilledForWhatWasMade(t *testing.T) {
	slow := both()
	slow.Latency = sim.Latency{PerToken: 20 * time.Millisecond}
	slow.Words = 2000
	for _, d := range dialects {
		t.Run("in the middle of a stream, "+string(d), func(t *testing.T) {
			s, url := start(t, sim.Options{Models: []sim.Model{slow}})
			ctx, leave := context.WithCancel(t.Context())
			resp, err := http.DefaultClient.Do(chat(d, "m", "x", `"stream":true`).request(ctx, url))
			if err != nil {
				t.Fatal(err)
			}
			events := bufio.NewScanner(resp.Body)
			for read := 0; read < 4 && events.Scan(); {
				if strings.HasPrefix(events.Text(), "data:") {
					read++
				}
			}
			left := time.Now()
			leave()
			resp.Body.Close()
			c := counted(t, s, 1)
			if c.Cancelled != 1 || len(c.Left) != 1 || c.Left[0].Before(left) {
				t.Fatalf("the departure was not noticed: %+v", c)
			}
			t.Logf("noticed after %v", c.Left[0].Sub(left))
			if c.Usage.Input == 0 || c.Usage.Output == 0 || c.Usage.Output >= 2000 || c.Cost == 0 {
				t.Errorf("billed %+v, %v", c.Usage, c.Cost)
			}
		})
	}
	slow.Latency = sim.Latency{FirstToken: time.Hour}
	for name, extra := range map[string]string{"before the first event": `"stream":true`, "before a whole answer": `"stream":false`} {
		t.Run(name, func(t *testing.T) {
			s, url := start(t, sim.Options{Models: []sim.Model{slow}})
			ctx, leave := context.WithCancel(t.Context())
			go func() {
				arrived(s, 1)
				leave()
			}()
			if _, err := http.DefaultClient.Do(chat("openai", "m", "x", extra).request(ctx, url)); !errors.Is(err, context.Canceled) {
				t.Fatalf("the request ended with %v", err)
			}
			c := counted(t, s, 1)
			if c.Cancelled != 1 || c.Usage.Output != 0 || c.Usage.Input == 0 {
				t.Errorf("booked %+v", c)
			}
		})
	}
}

func TestABrokenStreamHasNoProperEnd(t *testing.T) {
	for _, tt := range []struct {
		name    string
		failure sim.Failure
		clean   bool // HTTP ends as it should
		event   bool // an error event came
	}{
		{"a cut one dies on the wire", sim.Failure{Cut: 1}, false, false},
		{"a stalled one dies when patience ends", sim.Failure{Stall: 1}, false, false},
		{"a truncated one ends as if all were well", sim.Failure{Truncated: 1}, true, false},
		{"one with an error event says so", sim.Failure{ErrorEvent: 1}, true, true},
	} {
		for _, d := range dialects {
			t.Run(tt.name+", "+string(d), func(t *testing.T) {
				m := both()
				m.Failure = tt.failure
				s, url := start(t, sim.Options{Models: []sim.Model{m}, Stall: 10 * time.Millisecond})
				resp := send(t, url, chat(d, "m", "x", `"stream":true`))
				defer resp.Body.Close()
				body, err := io.ReadAll(resp.Body)
				if (err == nil) != tt.clean {
					t.Errorf("reading ended with %v", err)
				}
				got := stream(t, d, strings.NewReader(string(body)))
				if got.done || got.finish != "" || got.text == "" {
					t.Errorf("it looks whole: %+v", got)
				}
				last := got.events[len(got.events)-1]
				if last.Get("error.message").Exists() != tt.event {
					t.Errorf("the last event is %s", last)
				}
				c := counted(t, s, 1)
				if c.Broken != 1 || c.Usage.Output != sim.Tokens(got.text) {
					t.Errorf("%d tokens were seen, booked is %+v", sim.Tokens(got.text), c)
				}
			})
		}
	}
}

func TestAWholeAnswerThatIsCutIsShorterThanItSays(t *testing.T) {
	m := both()
	m.Failure = sim.Failure{Cut: 1}
	s, url := start(t, sim.Options{Models: []sim.Model{m}})
	resp := send(t, url, chat("openai", "m", "x"))
	defer resp.Body.Close()
	if body, err := io.ReadAll(resp.Body); !errors.Is(err, io.ErrUnexpectedEOF) || len(body) == 0 {
		t.Errorf("%d bytes, then %v", len(body), err)
	}
	if c := counted(t, s, 1); c.Broken != 1 || c.Usage.Output == 0 {
		t.Errorf("booked %+v", c)
	}
}

func TestCloseLetsOpenAnswersEndAndCutsTheRest(t *testing.T) {
	for _, tt := range []struct {
		name  string
		first time.Duration
		grace time.Duration
		whole bool
	}{
		{"a short one ends", 30 * time.Millisecond, time.Minute, true},
		{"an endless one is cut", time.Hour, time.Millisecond, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := both()
			m.Latency.FirstToken = tt.first
			s := sim.New(sim.Options{Models: []sim.Model{m}, Grace: tt.grace})
			url, err := s.Start("127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			got := make(chan error, 1)
			go func() {
				resp, err := http.DefaultClient.Do(chat("openai", "m", "x", `"stream":true`).request(t.Context(), url))
				if err == nil {
					_, err = io.Copy(io.Discard, resp.Body)
					resp.Body.Close()
				}
				got <- err
			}()
			arrived(s, 1)
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			if err := <-got; (err == nil) != tt.whole {
				t.Errorf("the client saw %v", err)
			}
			c := s.Tally().Models["m"]
			if c.Cancelled != 0 || (c.Answered == 1) != tt.whole || (c.Broken == 1) == tt.whole {
				t.Errorf("booked %+v", c)
			}
			http.DefaultClient.CloseIdleConnections()
			if w := ask(s, chat("openai", "m", "x")); w.Code != http.StatusServiceUnavailable {
				t.Errorf("after Close it answers %d", w.Code)
			}
			if err := s.Close(); err != nil {
				t.Errorf("a second Close: %v", err)
			}
		})
	}
}

func TestOnlyLoopbackIsListenedOn(t *testing.T) {
	for addr, want := range map[string]starling.Kind{
		"0.0.0.0:0": starling.Forbidden, ":0": starling.Forbidden, "example.com:80": starling.Forbidden, "nonsense": starling.Forbidden,
		"127.0.0.1:0": "", "localhost:0": "",
	} {
		s := sim.New(sim.Options{})
		if _, err := s.Start(addr); starling.KindOf(err) != want {
			t.Errorf("%s: %v", addr, err)
		}
		if want == "" {
			if _, err := s.Start(addr); starling.KindOf(err) != starling.Invalid {
				t.Errorf("a second start: %v", err)
			}
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestAStreamArrivesEventByEvent(t *testing.T) {
	m := both()
	m.Latency = sim.Latency{PerToken: time.Hour}
	_, url := start(t, sim.Options{Models: []sim.Model{m}, Grace: time.Millisecond})
	resp := send(t, url, chat("openai", "m", "x", `"stream":true`))
	defer resp.Body.Close()
	line, err := bufio.NewReader(resp.Body).ReadString('\n') // the second event is an hour away
	if err != nil || !strings.Contains(line, `"role":"assistant"`) {
		t.Errorf("read %q, %v", line, err)
	}
}
