package wire

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"starling"
)

// policy are the kinds that no waiting changes: a person has to decide.
var policy = []starling.Kind{starling.OverBudget, starling.Forbidden, starling.Unproven}

// heeding are the dialects whose clients are told by x-should-retry that trying
// again is of no use. All others go by the status alone.
var heeding = []starling.Dialect{starling.OpenAI, starling.Anthropic, starling.Completions, starling.Embeddings, starling.Moderations}

// silently are the statuses on which clients try again without a word.
func silently(status int) bool {
	return status == 408 || status == 409 || status == 425 || status == 429 || status >= 500
}

// measured is on which status the agents of a dialect were seen to stop at once and
// show the reason.
//
// Source: Claude Code 2.1.330 asks once at 402 and shows the message, six times at 400,
// and takes 403 for a failed login; Codex 0.169.0 asks once at 400, six times at 402 and
// 403, and loses the message of a 429.
var measured = map[starling.Dialect]map[starling.Kind]int{
	starling.OpenAI:    {starling.OverBudget: 429, starling.Forbidden: 403, starling.Unproven: 403},
	starling.Anthropic: {starling.OverBudget: 402, starling.Forbidden: 402, starling.Unproven: 402},
	starling.Responses: {starling.OverBudget: 400, starling.Forbidden: 400, starling.Unproven: 400},
}

func TestARefusalStopsTheClientsOfEveryDialectAndSaysWhy(t *testing.T) {
	for _, d := range Dialects() {
		for _, k := range policy {
			e := &starling.Error{Kind: k, Op: "the monthly budget of team <red> is spent", Hint: "ask for more"}
			status, header, body := ErrorReply(d, e, "req_1", "")
			if header["x-should-retry"] != "false" || status < 400 || status == 401 || silently(status) && !slices.Contains(heeding, d) || status >= 500 {
				t.Errorf("%s, %s: status %d, x-should-retry %q: clients would try again", d, k, status, header["x-should-retry"])
			}
			if want, known := measured[d][k]; known && status != want {
				t.Errorf("%s, %s: status %d, want %d", d, k, status, want)
			}
			if header["content-type"] != "application/json" || !slices.Contains(idsOf(header), "req_1") {
				t.Errorf("%s, %s: headers %v", d, k, header)
			}
			var whole any
			if err := json.Unmarshal(body, &whole); err != nil || !strings.Contains(fmt.Sprint(whole), "the monthly budget of team <red> is spent") || !strings.Contains(fmt.Sprint(whole), "ask for more") {
				t.Errorf("%s, %s: %v: the reason is not in %s", d, k, err, body)
			}
		}
	}
}

func idsOf(header map[string]string) (all []string) {
	for name, value := range header {
		if strings.HasSuffix(name, "-id") {
			all = append(all, value)
		}
	}
	return all
}

// TestWhatMayWorkLaterIsNotFinal: the other side of it.
func TestWhatMayWorkLaterIsNotFinal(t *testing.T) {
	for _, d := range Dialects() {
		status, header, _ := ErrorReply(d, &starling.Error{Kind: starling.Overloaded, Op: "busy"}, "req_1", "")
		if header["x-should-retry"] != "" || !silently(status) {
			t.Errorf("%s: status %d, x-should-retry %q", d, status, header["x-should-retry"])
		}
	}
}

// TestEveryEnvelopeIsReadAsAnError by who reads answers of its dialect, in a stream
// and where a body is due.
func TestEveryEnvelopeIsReadAsAnError(t *testing.T) {
	for _, d := range conversational() {
		for _, k := range starling.Kinds {
			_, _, body := ErrorReply(d, &starling.Error{Kind: k, Op: "it failed"}, "req_1", "")
			if got := readAll(t, strings.NewReader(string(body)), ReadOptions{Dialect: d, Deltas: true}); got.err == nil {
				t.Errorf("%s, %s: %s is an answer", d, k, body)
			}
		}
	}
}
