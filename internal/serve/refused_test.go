package serve_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"starling"
	"starling/internal/ledger"
	"starling/internal/wire"
)

// TestARefusalReachesThePersonInEveryDialect: over HTTP, streamed or not, with the
// status on which that dialect's clients stop, and nobody is asked.
func TestARefusalReachesThePersonInEveryDialect(t *testing.T) {
	poor := newTheatre(t, standOptions{budgets: []ledger.Budget{{Scope: ledger.ForAll, Limit: 1, Per: ledger.InTotal}}})
	rich := newTheatre(t, standOptions{})
	for _, c := range []struct {
		name   string
		th     *theatre
		header []string
		kind   starling.Kind
		says   string
	}{
		{"a budget", poor, nil, starling.OverBudget, "budget"},
		{"where data may go", rich, []string{"X-Starling-Class", "restricted"}, starling.Forbidden, "zone cloud"},
	} {
		for _, d := range callerDialects() {
			for _, stream := range []bool{true, false} {
				t.Run(fmt.Sprintf("%s in %s, stream %t", c.name, d, stream), func(t *testing.T) {
					n, text := c.th.stage(func(http.ResponseWriter, *http.Request) {})
					a := c.th.ask(scenePath(d, "m-openai", stream), sceneBody(d, "m-openai", stream, text), c.header...)
					want, _, _ := wire.ErrorReply(d, &starling.Error{Kind: c.kind, Op: "x"}, "", "")
					if a.status != want || a.header.Get("x-should-retry") != "false" || a.header.Get("Content-Type") != "application/json" {
						t.Errorf("status %d, want %d; headers %v", a.status, want, a.header)
					}
					if _, err := understand(d, false, a.body); err == nil || !strings.Contains(a.body, c.says) {
						t.Errorf("%v: the reason is not in %s", err, a.body)
					}
					wantHeaders(t, a)
					if r := c.th.receipt(a); r.Outcome != starling.Failed || r.Kind != c.kind || r.Cost != 0 || c.th.calls(n) != 0 {
						t.Errorf("outcome %s, kind %s, cost %s, asked %d times", r.Outcome, r.Kind, r.Cost, c.th.calls(n))
					}
				})
			}
		}
	}
}

// TestWhatIsWrongOnThisMachineIsNoCallersBusiness: paths and addresses of the books are
// for the log and the receipt, in the headers as in the body.
func TestWhatIsWrongOnThisMachineIsNoCallersBusiness(t *testing.T) {
	s := newStand(t, standOptions{}, openAIUp(func(http.ResponseWriter, *http.Request) {}))
	if err := s.ledger.Close(); err != nil {
		t.Fatal(err)
	}
	for name, a := range map[string]answer{
		"an answer": s.ask(chatPath, chat("up/m", false)), "a stream": s.ask(chatPath, chat("up/m", true)),
		"Anthropic's": s.ask(messagesPath, messages("up/m", false)), "a receipt": s.get("/v1/receipts/rcp_1"),
	} {
		if a.status != http.StatusInternalServerError || a.header.Get("X-Starling-Reason") != "refused: internal error" {
			t.Errorf("%s: status %d, reason %q", name, a.status, a.header.Get("X-Starling-Reason"))
		}
		if said := fmt.Sprint(a.header, a.body); strings.Contains(said, s.dir) || strings.Contains(said, "closed") {
			t.Errorf("%s tells of this machine: %s", name, said)
		}
	}
}
