package serve_test

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"starling"
	"starling/internal/ledger"
)

// leaves asks for a stream, reads until the text, and hangs up: without a text once
// the upstream has the question.
func (s *stand) leaves(path, body string, after string, reached <-chan struct{}) (id string) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	req := must(http.NewRequestWithContext(ctx, http.MethodPost, s.url+path, strings.NewReader(body)))
	if after == "" {
		go func() { <-reached; cancel() }()
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return ""
	}
	defer resp.Body.Close()
	lines := bufio.NewReader(resp.Body)
	for {
		line, err := lines.ReadString('\n')
		if strings.Contains(line, after) || err != nil {
			return resp.Header.Get("X-Starling-Receipt")
		}
	}
}

func trapAClientThatLeavesCancelsTheUpstreamAndIsBookedWhatWasUsed(t *testing.T) {
	for _, c := range []struct {
		name, after string
		blocks      []string
	}{
		{"in the middle", "Hello", []string{antStart, antText}},
		{"before the first token", "", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			reached, gone := make(chan struct{}), make(chan time.Time, 1)
			h := func(w http.ResponseWriter, r *http.Request) {
				if c.blocks != nil {
					events(c.blocks...)(w, r)
				} else {
					_, _ = io.Copy(io.Discard, r.Body)
				}
				close(reached)
				<-r.Context().Done()
				gone <- time.Now()
			}
			s := newStand(t, standOptions{}, anthropicUp(h))
			id := s.leaves(messagesPath, messages("up/m", true), c.after, reached)
			select {
			case <-gone:
			case <-time.After(eventually):
				t.Fatal("the upstream call goes on after the client left")
			}
			if id == "" {
				id = s.onlyReceipt()
			}
			r := s.receiptOf(id)
			if r.Outcome != starling.Abandoned || r.Cost <= 0 || !r.Attempts[0].Usage.Estimated {
				t.Errorf("outcome %s, cost %s, usage %+v: want abandoned, with an estimate of what was used", r.Outcome, r.Cost, r.Attempts[0].Usage)
			}
			if c.after != "" && (r.Attempts[0].Usage.Input != 100 || r.Attempts[0].Usage.CacheRead != 80) {
				t.Errorf("usage %+v forgets what the upstream had said", r.Attempts[0].Usage)
			}
		})
	}
}

// onlyReceipt waits for the single receipt of the ledger.
func (s *stand) onlyReceipt() string {
	s.t.Helper()
	for end := time.Now().Add(eventually); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if err := s.ledger.Flush(context.Background()); err != nil {
			s.t.Fatal(err)
		}
		for r, err := range s.ledger.Receipts(context.Background(), ledger.Query{Limit: 1}) {
			if err != nil {
				s.t.Fatal(err)
			}
			return r.ID
		}
	}
	s.t.Fatal("no receipt was written")
	return ""
}

func trapAFragileUpstreamIsDrainedRatherThanCut(t *testing.T) {
	finished := make(chan error, 1)
	h := func(w http.ResponseWriter, r *http.Request) {
		events(oai(oaiRole), oai(oaiText))(w, r)
		time.Sleep(100 * time.Millisecond) // the client is gone by now
		events(oai(oaiStop), oai(oaiUsage), oai(oaiDone))(w, r)
		finished <- r.Context().Err()
	}
	up := openAIUp(h)
	up.drain = true
	s := newStand(t, standOptions{}, up)
	s.leaves(chatPath, chat("up/m", true), "Hello", nil)
	select {
	case err := <-finished:
		if err != nil {
			t.Errorf("the upstream was cut: %v", err)
		}
	case <-time.After(eventually):
		t.Fatal("the upstream never ended")
	}
}

// leave asks, and goes away: once something has come if told is something, and
// otherwise once the upstream has the question. It returns when the gateway has
// left the upstream, or settled if that is to be drained.
func (th *theatre) leave(t *testing.T, p duo, told string, after func(r *http.Request)) *starling.Receipt {
	reached, gone := make(chan struct{}), make(chan struct{})
	_, text := th.stage(func(w http.ResponseWriter, r *http.Request) {
		defer close(gone)
		if told != "" {
			inPieces(p, told)(w, r)
		}
		close(reached)
		after(r)
	})
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	model := "m-" + string(p.upstream)
	req := must(http.NewRequestWithContext(ctx, http.MethodPost, th.url+scenePath(p.caller, model, p.stream), strings.NewReader(sceneBody(p.caller, model, p.stream, text))))
	left := make(chan struct{})
	go func() {
		defer close(left)
		resp, err := th.client.Do(req)
		if err != nil {
			return
		}
		defer resp.Body.Close()
		_, _ = resp.Body.Read(make([]byte, 1))
		cancel()
	}()
	<-reached
	if told == "" || !p.stream {
		cancel()
	}
	<-left
	receipt := th.receiptOf(th.onlyReceipt())
	if !th.drained {
		<-gone
	}
	return receipt
}

func trapWhoeverLeavesIsBookedOnce(t *testing.T) {
	eachDuo(t, func(t *testing.T, p duo) {
		half := strings.Join(talk.told(t, p.upstream, p.stream)[:2], "")
		for when, told := range map[string]string{"before the first token": "", "in the middle": half} {
			th := newTheatre(t, standOptions{})
			r := th.leave(t, p, told, waitsToBeLeft(t))
			if len(r.Attempts) != 1 || r.Outcome != starling.Abandoned || r.Cost <= 0 || r.Cost > countedCost || !r.Attempts[0].Usage.Estimated {
				t.Errorf("%s: %d attempts, outcome %s, cost %s", when, len(r.Attempts), r.Outcome, r.Cost)
			}
			th.wantNothingHeld()
		}
	})
}

func trapEveryUpstreamCanBeDrained(t *testing.T) {
	eachDuo(t, func(t *testing.T, p duo) {
		if !p.stream {
			return
		}
		th := openTheatre(t, standOptions{}, true)
		settled, finished := make(chan struct{}), make(chan error, 1)
		th.leave(t, p, strings.Join(talk.told(t, p.upstream, true)[:2], ""), func(r *http.Request) {
			<-settled
			finished <- r.Context().Err()
		})
		close(settled)
		if err := <-finished; err != nil {
			t.Errorf("the upstream was cut: %v", err)
		}
	})
}
