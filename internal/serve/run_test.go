package serve_test

import (
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"starling"
	"starling/internal/serve"
)

// endless says one word and then nothing, until it is left; it reports to began
// that it was asked.
func endless(first http.HandlerFunc, began chan<- string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if first != nil {
			first(w, r)
		} else {
			_, _ = io.Copy(io.Discard, r.Body)
		}
		began <- r.URL.Path
		<-r.Context().Done()
	}
}

// TestAStoppingGatewayEndsWhatIsUnderWayWithAnErrorAndItsReceipt: a caller is not
// left to guess, and what was made until then is booked as what it was.
func TestAStoppingGatewayEndsWhatIsUnderWayWithAnErrorAndItsReceipt(t *testing.T) {
	for _, c := range []struct {
		name    string
		up      http.HandlerFunc
		path    string
		stream  bool
		status  int
		says    string
		outcome starling.Outcome
	}{
		{"a stream that has begun", events(oai(oaiRole), oai(oaiText)), chatPath, true, 200, `"error"`, starling.Broken},
		{"a stream of the other dialect", events(oai(oaiRole), oai(oaiText)), messagesPath, true, 200, "event: error\n", starling.Broken},
		{"a call that waits", nil, chatPath, false, 503, "the gateway is stopping", starling.Failed},
		{"a call of the other dialect", nil, messagesPath, false, 529, "the gateway is stopping", starling.Failed},
	} {
		t.Run(c.name, func(t *testing.T) {
			began := make(chan string, 1)
			s := newStand(t, standOptions{serve: serve.Options{Grace: time.Millisecond}}, openAIUp(endless(c.up, began)))
			answered := make(chan *http.Response, 1)
			go func() {
				answered <- must(s.client.Post(s.url+c.path, "application/json", strings.NewReader(chat("up/m", c.stream))))
			}()
			<-began
			var resp *http.Response
			if c.stream { // its head has reached the caller
				resp = <-answered
			}
			s.stop()
			if health := s.ledger.Health(); health.Failing != nil {
				t.Error(health.Failing)
			}
			if !c.stream {
				resp = <-answered
			}
			defer resp.Body.Close()
			a := readAnswer(resp)
			if a.status != c.status || a.err != nil || !strings.Contains(a.body, c.says) || !strings.Contains(a.body, "the gateway is stopping") {
				t.Errorf("%d %q (%v)", a.status, a.body, a.err)
			}
			r := s.receipt(a)
			if r.Outcome != c.outcome || r.Kind != starling.Overloaded || r.Cost <= 0 || !r.Attempts[0].Usage.Estimated {
				t.Errorf("%s %s %s, usage %+v", r.Outcome, r.Kind, r.Cost, r.Attempts[0].Usage)
			}
		})
	}
}

// asked returns a gateway that is being asked: goOn has its upstream answer.
func asked(t *testing.T) (s *stand, goOn func(), got <-chan answer) {
	t.Helper()
	began, released, answers := make(chan string, 1), make(chan struct{}), make(chan answer, 1)
	s = newStand(t, standOptions{}, openAIUp(func(w http.ResponseWriter, r *http.Request) {
		began <- r.URL.Path
		<-released
		whole(wholeOpenAI)(w, r)
	}))
	go func() { answers <- s.ask(chatPath, chat("up/m", false)) }()
	<-began
	return s, func() { close(released) }, answers
}

func TestAStoppingGatewayWaitsForWhoIsAboutToBeAnswered(t *testing.T) {
	s, goOn, got := asked(t)
	stopped := make(chan struct{})
	go func() { s.stop(); close(stopped) }()
	for refused := false; !refused; { // it has begun to stop
		conn, err := net.Dial("tcp", s.addr)
		if refused = err != nil; !refused {
			_ = conn.Close()
		}
	}
	goOn()
	if a := <-got; a.status != http.StatusOK || !strings.Contains(a.body, "Hello") {
		t.Errorf("%d %q", a.status, a.body)
	}
	<-stopped
}

// TestASwapIsOverWhenTheLastOfTheOldHasBeenAnswered: what is replaced may be
// closed then, and not before.
func TestASwapIsOverWhenTheLastOfTheOldHasBeenAnswered(t *testing.T) {
	s, goOn, got := asked(t)
	over := make(chan struct{})
	ended := s.server.Swap(s.cascade)
	go func() { ended(); close(over) }()
	s.server.Swap(s.cascade)() // nobody began with this one
	select {
	case <-over:
		t.Error("over while somebody is being answered")
	default:
	}
	goOn()
	<-over
	if a := <-got; a.status != http.StatusOK {
		t.Errorf("%d %q", a.status, a.body)
	}
}
