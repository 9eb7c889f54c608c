package serve_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"starling"
	"starling/internal/ledger"
)

// What real users of gateways ran into, each by its sentence. The upstream is
// hostile and the way is the whole one: HTTP in, HTTP out, ledger on.

func oai(data string) string { return "data: " + data + "\n\n" }

func ant(kind, data string) string { return "event: " + kind + "\ndata: " + data + "\n\n" }

// pieces of an OpenAI stream
const (
	oaiRole  = `{"id":"c1","object":"chat.completion.chunk","created":1,"model":"m-1","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}`
	oaiText  = `{"id":"c1","object":"chat.completion.chunk","created":1,"model":"m-1","choices":[{"index":0,"delta":{"content":"Hello"},"finish_reason":null}]}`
	oaiStop  = `{"id":"c1","object":"chat.completion.chunk","created":1,"model":"m-1","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}`
	oaiUsage = `{"id":"c1","object":"chat.completion.chunk","created":1,"model":"m-1","choices":[],"usage":{"prompt_tokens":100,"completion_tokens":20,"total_tokens":120}}`
	oaiDone  = `[DONE]`
)

func oaiCall(fields string) string {
	return `{"id":"c1","object":"chat.completion.chunk","created":1,"model":"m-1","choices":[{"index":0,"delta":{"tool_calls":[{` + fields + `}]},"finish_reason":null}]}`
}

// pieces of an Anthropic stream
var (
	antStart = ant("message_start", `{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"m-1","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":100,"cache_read_input_tokens":80,"output_tokens":1}}}`)
	antText  = ant("content_block_start", `{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}`) +
		ant("content_block_delta", `{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hello"}}`) +
		ant("content_block_stop", `{"type":"content_block_stop","index":0}`)
	antEnd = ant("message_delta", `{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":20}}`) +
		ant("message_stop", `{"type":"message_stop"}`)
)

// datas returns the data of the server-sent events in a body.
func datas(body string) []string {
	var out []string
	for line := range strings.Lines(body) {
		if data, ok := strings.CutPrefix(strings.TrimRight(line, "\r\n"), "data: "); ok {
			out = append(out, data)
		}
	}
	return out
}

// field returns the last value that a path has in the events of a body.
func field(body, path string) gjson.Result {
	var last gjson.Result
	for _, d := range datas(body) {
		if v := gjson.Get(d, path); v.Exists() && v.Type != gjson.Null {
			last = v
		}
	}
	return last
}

func openAIUp(h http.HandlerFunc) upstreamAt {
	return upstreamAt{name: "up", dialect: starling.OpenAI, handler: h}
}

func anthropicUp(h http.HandlerFunc) upstreamAt {
	return upstreamAt{name: "up", dialect: starling.Anthropic, handler: h}
}

func TestATextWithAToolCallEndsWithToolUse(t *testing.T) {
	s := newStand(t, standOptions{}, openAIUp(events(oai(oaiRole), oai(oaiText),
		oai(oaiCall(`"index":0,"id":"call_1","type":"function","function":{"name":"f","arguments":"{\"a\":1}"}`)), oai(oaiStop), oai(oaiUsage), oai(oaiDone))))
	a := s.ask(messagesPath, messages("up/m", true))
	if got := field(a.body, "delta.stop_reason").String(); got != "tool_use" {
		t.Errorf("stop_reason is %q, want tool_use:\n%s", got, a.body)
	}
}

func TestToolArgumentsArriveWhereverTheUpstreamPutsThem(t *testing.T) {
	for name, chunks := range map[string][]string{
		"all in the first chunk": {oaiCall(`"index":0,"id":"call_1","type":"function","function":{"name":"f","arguments":"{\"a\":1}"}`)},
		"after an empty first":   {oaiCall(`"index":0,"id":"call_1","type":"function","function":{"name":"f","arguments":""}`), oaiCall(`"index":0,"function":{"arguments":"{\"a\""}`), oaiCall(`"index":0,"function":{"arguments":":1}"}`)},
		"without an index":       {oaiCall(`"id":"call_1","type":"function","function":{"name":"f","arguments":"{\"a\":1}"}`)},
	} {
		t.Run(name, func(t *testing.T) {
			blocks := []string{oai(oaiRole)}
			for _, c := range chunks {
				blocks = append(blocks, oai(c))
			}
			s := newStand(t, standOptions{}, openAIUp(events(append(blocks, oai(oaiStop), oai(oaiUsage), oai(oaiDone))...)))
			a := s.ask(messagesPath, messages("up/m", true))
			var arguments strings.Builder
			for _, d := range datas(a.body) {
				arguments.WriteString(gjson.Get(d, "delta.partial_json").String())
			}
			if arguments.String() != `{"a":1}` || field(a.body, "content_block.name").String() != "f" {
				t.Errorf("arguments %q in\n%s", arguments.String(), a.body)
			}
		})
	}
}

func TestToolCallChunksForOpenAIClientsAlwaysCarryAnIndex(t *testing.T) {
	s := newStand(t, standOptions{}, anthropicUp(events(antStart,
		ant("content_block_start", `{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"toolu_1","name":"f","input":{}}}`),
		ant("content_block_delta", `{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{\"a\":1}"}}`),
		ant("content_block_stop", `{"type":"content_block_stop","index":0}`),
		ant("message_delta", `{"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"output_tokens":20}}`),
		ant("message_stop", `{"type":"message_stop"}`))))
	a := s.ask(chatPath, chat("up/m", true))
	calls := 0
	for _, d := range datas(a.body) {
		for _, call := range gjson.Get(d, "choices.0.delta.tool_calls").Array() {
			calls++
			if !call.Get("index").Exists() {
				t.Errorf("a call without index: %s", d)
			}
		}
	}
	if calls == 0 || field(a.body, "choices.0.finish_reason").String() != "tool_calls" {
		t.Errorf("%d call chunks:\n%s", calls, a.body)
	}
}

func TestThinkingStandsInABlockOfItsOwnAfterOneMessageStart(t *testing.T) {
	reasoning := `{"id":"c1","object":"chat.completion.chunk","created":1,"model":"m-1","choices":[{"index":0,"delta":{"reasoning_content":"Hm."},"finish_reason":null}]}`
	s := newStand(t, standOptions{}, openAIUp(events(oai(oaiRole), oai(reasoning), oai(oaiText), oai(oaiStop), oai(oaiUsage), oai(oaiDone))))
	a := s.ask(messagesPath, messages("up/m", true))
	starts, kind := 0, ""
	for _, d := range datas(a.body) {
		switch gjson.Get(d, "type").String() {
		case "message_start":
			starts++
		case "content_block_start":
			kind = gjson.Get(d, "content_block.type").String()
		case "content_block_delta":
			if delta := gjson.Get(d, "delta.type").String(); kind == "text" && delta != "text_delta" || kind == "thinking" && delta != "thinking_delta" && delta != "signature_delta" {
				t.Errorf("%s inside a block of %s", delta, kind)
			}
		}
	}
	if starts != 1 || !strings.Contains(a.body, "thinking_delta") {
		t.Errorf("%d message_start in\n%s", starts, a.body)
	}
}

// dies sends some events and cuts the connection.
func dies(blocks ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		events(blocks...)(w, r)
		panic(http.ErrAbortHandler)
	}
}

// endsEarly sends some events and ends as if that were all.
func endsEarly(blocks ...string) http.HandlerFunc { return events(blocks...) }

func TestAnUpstreamThatDiesMidAnswerIsNeverEndedCleanly(t *testing.T) {
	for _, c := range []struct {
		name string
		up   upstreamAt
	}{
		{"openai, connection cut", openAIUp(dies(oai(oaiRole), oai(oaiText)))},
		{"openai, closed without an end", openAIUp(endsEarly(oai(oaiRole), oai(oaiText)))},
		{"anthropic, connection cut", anthropicUp(dies(antStart, antText))},
		{"anthropic, closed without an end", anthropicUp(endsEarly(antStart, antText))},
	} {
		for _, path := range []string{chatPath, messagesPath} {
			t.Run(c.name+" for "+path, func(t *testing.T) {
				s := newStand(t, standOptions{}, c.up)
				a := s.ask(path, chat("up/m", true))
				if !strings.Contains(a.body, "Hello") {
					t.Fatalf("the part that came is missing:\n%s", a.body)
				}
				if path == chatPath && (!field(a.body, "error.message").Exists() || strings.Contains(a.body, "[DONE]")) {
					t.Errorf("no error event, or a clean end:\n%s", a.body)
				}
				if path == messagesPath && (field(a.body, "type").String() != "error" || strings.Contains(a.body, "message_stop")) {
					t.Errorf("no error event, or a clean end:\n%s", a.body)
				}
				if r := s.receipt(a); r.Outcome != starling.Broken || r.Cost <= 0 {
					t.Errorf("outcome %s, cost %s; a broken answer is booked", r.Outcome, r.Cost)
				}
			})
		}
	}
}

func TestABrokenAnswerIsNotBoughtASecondTime(t *testing.T) {
	var calls atomic.Int32
	count := func(next http.HandlerFunc) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) { calls.Add(1); next(w, r) }
	}
	for _, stream := range []bool{true, false} {
		calls.Store(0)
		s := newStand(t, standOptions{}, openAIUp(count(dies(oai(oaiRole)))))
		a := s.ask(chatPath, chat("up/m", stream))
		if n := calls.Load(); n != 1 {
			t.Errorf("stream %t: the upstream was asked %d times", stream, n)
		}
		if r := s.receipt(a); r.Cost <= 0 || len(r.Attempts) != 1 {
			t.Errorf("stream %t: %d attempts, cost %s; an unknown outcome is booked", stream, len(r.Attempts), r.Cost)
		}
	}
}

func TestMessageStartCarriesUsage(t *testing.T) {
	s := newStand(t, standOptions{}, openAIUp(events(oai(oaiRole), oai(oaiText), oai(oaiStop), oai(oaiUsage), oai(oaiDone))))
	a := s.ask(messagesPath, messages("up/m", true))
	if !field(a.body, "message.usage.input_tokens").Exists() {
		t.Errorf("message_start without usage:\n%s", a.body)
	}
	if in, out := field(a.body, "usage.input_tokens").Int(), field(a.body, "usage.output_tokens").Int(); in != 100 || out != 20 {
		t.Errorf("at the end the usage is %d in, %d out; want 100, 20:\n%s", in, out, a.body)
	}
}

func TestUsageIsAskedForUpstreamAndStrippedForClientsThatDidNotAsk(t *testing.T) {
	var seen atomic.Value
	h := func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		seen.Store(string(body))
		withNull := strings.Replace(oaiText, `"choices"`, `"usage":null,"choices"`, 1)
		events(oai(oaiRole), oai(withNull), oai(oaiStop), oai(oaiUsage), oai(oaiDone))(w, r)
	}
	s := newStand(t, standOptions{}, openAIUp(h))
	a := s.ask(chatPath, chat("up/m", true))
	if !gjson.Get(seen.Load().(string), "stream_options.include_usage").Bool() {
		t.Errorf("usage was not asked for: %s", seen.Load())
	}
	if strings.Contains(a.body, "usage") || strings.Contains(a.body, `"choices":[]`) {
		t.Errorf("the client did not ask and sees usage:\n%s", a.body)
	}
	if r := s.receipt(a); r.Attempts[0].Usage.Input != 100 || r.Attempts[0].Usage.Output != 20 || r.Cost != 200_000 {
		t.Errorf("the ledger says %+v, %s; want 100 in, 20 out, $0.0002", r.Attempts[0].Usage, r.Cost)
	}
	asking := strings.Replace(chat("up/m", true), `"stream":true`, `"stream":true,"stream_options":{"include_usage":true}`, 1)
	if b := s.ask(chatPath, asking); field(b.body, "usage.total_tokens").Int() != 120 {
		t.Errorf("a client that asked sees no usage:\n%s", b.body)
	}
}

func TestCachedTokensAreChargedOnceAndAtTheCachedRate(t *testing.T) {
	oaiCached := `{"id":"c1","object":"chat.completion","created":1,"model":"m-1","choices":[{"index":0,"message":{"role":"assistant","content":"Hello","refusal":null},"finish_reason":"stop"}],"usage":{"prompt_tokens":180,"completion_tokens":20,"total_tokens":200,"prompt_tokens_details":{"cached_tokens":80}}}`
	antCached := `{"id":"msg_1","type":"message","role":"assistant","model":"m-1","content":[{"type":"text","text":"Hello"}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":100,"cache_read_input_tokens":80,"cache_creation_input_tokens":0,"output_tokens":20}}`
	const want = 100*1000 + 80*100 + 20*5000 // nanodollars: $1, $0.10 and $5 a million
	for _, c := range []struct {
		name string
		up   upstreamAt
	}{
		{"OpenAI counts them inside the prompt", openAIUp(whole(oaiCached))},
		{"Anthropic counts them beside the input", anthropicUp(whole(antCached))},
		{"also in a stream", anthropicUp(events(antStart, antText, antEnd))},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStand(t, standOptions{}, c.up)
			for _, path := range []string{chatPath, messagesPath} {
				a := s.ask(path, chat("up/m", strings.Contains(c.name, "stream")))
				r := s.receipt(a)
				if r.Cost != want {
					t.Errorf("%s: cost %d, want %d: %+v", path, r.Cost, want, r.Attempts)
				}
				for _, l := range r.Attempts[0].Lines {
					if l.Tokens < 0 || l.Amount < 0 {
						t.Errorf("%s: a negative line %+v", path, l)
					}
				}
			}
		})
	}
}

func TestUsageIsTranslatedBetweenTheConventions(t *testing.T) {
	s := newStand(t, standOptions{}, anthropicUp(events(antStart, antText, antEnd)))
	asking := strings.Replace(chat("up/m", true), `"stream":true`, `"stream":true,"stream_options":{"include_usage":true}`, 1)
	a := s.ask(chatPath, asking)
	if in, cached := field(a.body, "usage.prompt_tokens").Int(), field(a.body, "usage.prompt_tokens_details.cached_tokens").Int(); in != 180 || cached != 80 {
		t.Errorf("an OpenAI client sees %d prompt tokens of which %d cached; want 180, 80", in, cached)
	}
}

func TestStreamedAnthropicUsageIsCumulativeAndMayComeLate(t *testing.T) {
	late := ant("message_delta", `{"type":"message_delta","delta":{},"usage":{"output_tokens":7}}`) +
		ant("message_delta", `{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"input_tokens":100,"cache_read_input_tokens":80,"output_tokens":20}}`) +
		ant("message_stop", `{"type":"message_stop"}`)
	start := strings.Replace(antStart, `"usage":{"input_tokens":100,"cache_read_input_tokens":80,"output_tokens":1}`, `"usage":{"input_tokens":0,"output_tokens":0}`, 1)
	s := newStand(t, standOptions{}, anthropicUp(events(start, antText, late)))
	a := s.ask(messagesPath, messages("up/m", true))
	if u := s.receipt(a).Attempts[0].Usage; u.Input != 100 || u.CacheRead != 80 || u.Output != 20 {
		t.Errorf("usage %+v, want 100 in, 80 cached, 20 out", u)
	}
}

// leaves asks for a stream, reads until the text, and hangs up.
func (s *stand) leaves(path, body string, after string) (id string) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	req := must(http.NewRequestWithContext(ctx, http.MethodPost, s.url+path, strings.NewReader(body)))
	if after == "" {
		time.AfterFunc(50*time.Millisecond, cancel)
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

func TestAClientThatLeavesCancelsTheUpstreamAndIsBookedWhatWasUsed(t *testing.T) {
	for _, c := range []struct {
		name, after string
		blocks      []string
	}{
		{"in the middle", "Hello", []string{antStart, antText}},
		{"before the first token", "", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			gone := make(chan time.Time, 1)
			h := func(w http.ResponseWriter, r *http.Request) {
				if c.blocks != nil {
					events(c.blocks...)(w, r)
				} else {
					_, _ = io.Copy(io.Discard, r.Body)
				}
				<-r.Context().Done()
				gone <- time.Now()
			}
			s := newStand(t, standOptions{}, anthropicUp(h))
			id := s.leaves(messagesPath, messages("up/m", true), c.after)
			select {
			case <-gone:
			case <-time.After(20 * time.Second):
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
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
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

func TestAFragileUpstreamIsDrainedRatherThanCut(t *testing.T) {
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
	s.leaves(chatPath, chat("up/m", true), "Hello")
	select {
	case err := <-finished:
		if err != nil {
			t.Errorf("the upstream was cut: %v", err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("the upstream never ended")
	}
}

func TestACharacterSplitOverPacketsStaysWhole(t *testing.T) {
	text := `{"id":"c1","object":"chat.completion.chunk","created":1,"model":"m-1","choices":[{"index":0,"delta":{"content":"Grüße 🐦 鳥"},"finish_reason":null}]}`
	h := func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "text/event-stream")
		for piece := range bytesOf(oai(oaiRole)+oai(text)+oai(oaiStop)+oai(oaiUsage)+oai(oaiDone), 5) {
			_, _ = w.Write(piece)
			_ = http.NewResponseController(w).Flush()
		}
	}
	for _, path := range []string{chatPath, messagesPath} {
		s := newStand(t, standOptions{}, openAIUp(h))
		if a := s.ask(path, chat("up/m", true)); !strings.Contains(a.body, "Grüße 🐦 鳥") {
			t.Errorf("%s: the text came out broken:\n%s", path, a.body)
		}
	}
}

func bytesOf(s string, n int) func(func([]byte) bool) {
	return func(yield func([]byte) bool) {
		for rest := []byte(s); len(rest) > 0; {
			k := min(n, len(rest))
			if !yield(rest[:k]) {
				return
			}
			rest = rest[k:]
		}
	}
}

func TestALineOfFourMegabytesIsNoEndOfStream(t *testing.T) {
	long := strings.Repeat("a", 4<<20)
	text := strings.Replace(oaiText, "Hello", long, 1)
	for _, path := range []string{chatPath, messagesPath} {
		s := newStand(t, standOptions{}, openAIUp(events(oai(oaiRole), oai(text), oai(oaiStop), oai(oaiUsage), oai(oaiDone))))
		if a := s.ask(path, chat("up/m", true)); !strings.Contains(a.body, long) {
			t.Errorf("%s: the long line is missing (%d bytes came)", path, len(a.body))
		}
	}
}

func TestTheBodyGoesUpstreamByteForByteButForTheModel(t *testing.T) {
	var seen atomic.Value
	s := newStand(t, standOptions{}, openAIUp(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		seen.Store(string(body))
		whole(`{"id":"c1","object":"chat.completion","created":1,"model":"m-1","choices":[{"index":0,"message":{"role":"assistant","content":"<&>"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2},"x":9007199254740993}`)(w, r)
	}))
	sent := "{ \"seed\" : 9007199254740993,\n\t\"messages\":[{\"role\":\"user\",\"content\":\"a<b>&\\u00e9 \\/\"}], \"unknown\":{\"z\":1.50,\"a\":[]},\"model\" : \"up/m\",\"prompt_cache_key\":\"k\" }"
	a := s.ask(chatPath, sent)
	if want := strings.Replace(sent, "up/m", "m", 1); seen.Load() != want {
		t.Errorf("upstream got\n%s\nwant\n%s", seen.Load(), want)
	}
	if !strings.Contains(a.body, `"content":"<&>"`) || !strings.Contains(a.body, "9007199254740993") {
		t.Errorf("the answer was changed: %s", a.body)
	}
}

func TestCacheMarksAndVendorHeadersReachTheUpstream(t *testing.T) {
	var seen atomic.Value
	var header atomic.Value
	s := newStand(t, standOptions{}, anthropicUp(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		seen.Store(string(body))
		header.Store(r.Header.Clone())
		events(antStart, antText, antEnd)(w, r)
	}))
	sent := `{"model":"up/m","max_tokens":10,"stream":true,"system":[{"type":"text","text":"a","cache_control":{"type":"ephemeral"}},{"type":"text","text":"b"}],"messages":[{"role":"user","content":"x"}],"context_management":{"edits":[]}}`
	s.ask(messagesPath+"?beta=true", sent, "anthropic-beta", "one-2026,two-2026", "anthropic-version", "2023-06-01", "x-api-key", "the-callers-own")
	if want := strings.Replace(sent, "up/m", "m", 1); seen.Load() != want {
		t.Errorf("upstream got\n%s\nwant\n%s", seen.Load(), want)
	}
	h := header.Load().(http.Header)
	if h.Get("Anthropic-Beta") != "one-2026,two-2026" || h.Get("X-Api-Key") == "the-callers-own" {
		t.Errorf("headers %v", h)
	}
}

func TestThinkingSignaturesStayWithTheirModel(t *testing.T) {
	var seen atomic.Value
	s := newStand(t, standOptions{}, openAIUp(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		seen.Store(string(body))
		events(oai(oaiRole), oai(oaiText), oai(oaiStop), oai(oaiUsage), oai(oaiDone))(w, r)
	}))
	a := s.ask(messagesPath, `{"model":"up/m","max_tokens":10,"stream":true,"messages":[{"role":"user","content":"x"},{"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"SIGNED"},{"type":"text","text":"y"}]},{"role":"user","content":"z"}]}`)
	if strings.Contains(fmt.Sprint(seen.Load()), "SIGNED") {
		t.Errorf("the signature went to another model: %s", seen.Load())
	}
	if r := s.receipt(a); len(r.Attempts[0].Left) == 0 {
		t.Errorf("nothing on the receipt says that the signature was left out")
	}
}

func TestADollarHoldsUnderAThousandParallelRequests(t *testing.T) {
	var billed atomic.Int64
	h := func(w http.ResponseWriter, r *http.Request) {
		billed.Add((20 + 20) * 50_000)
		whole(`{"id":"c1","object":"chat.completion","created":1,"model":"m-1","choices":[{"index":0,"message":{"role":"assistant","content":"Hello"},"finish_reason":"stop"}],"usage":{"prompt_tokens":20,"completion_tokens":20,"total_tokens":40}}`)(w, r)
	}
	up := openAIUp(h)
	up.price = starling.Price{Rates: starling.Rates{Input: 50e9, Output: 50e9}, Source: "test"} // $0.002 an answer: $2 for all
	const limit = starling.Dollar
	s := newStand(t, standOptions{budgets: []ledger.Budget{{Scope: ledger.ForAll, Limit: limit, Per: ledger.InTotal}}}, up)
	var answered, refused atomic.Int32
	var group sync.WaitGroup
	for range 1000 {
		group.Go(func() {
			resp, err := s.client.Post(s.url+chatPath, "application/json", strings.NewReader(chat("up/m", false)))
			if err != nil {
				t.Error(err)
				return
			}
			defer resp.Body.Close()
			body, _ := io.ReadAll(resp.Body)
			switch {
			case resp.StatusCode == http.StatusOK:
				answered.Add(1)
			case resp.StatusCode == http.StatusTooManyRequests && resp.Header.Get("x-should-retry") == "false" && bytes.Contains(body, []byte("budget")):
				refused.Add(1)
			default:
				t.Errorf("status %d: %s", resp.StatusCode, body)
			}
		})
	}
	group.Wait()
	if spent := starling.Money(billed.Load()); spent > limit || answered.Load() == 0 || refused.Load() == 0 {
		t.Errorf("the upstream billed %s of %s; %d answered, %d refused", spent, limit, answered.Load(), refused.Load())
	}
}

func TestAPrivateRequestNeverFallsBackToTheCloud(t *testing.T) {
	var cloud atomic.Int32
	far := upstreamAt{name: "far", dialect: starling.OpenAI, zone: starling.Cloud, handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { cloud.Add(1); whole("{}")(w, r) })}
	for name, h := range map[string]http.HandlerFunc{
		"down":  func(w http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) },
		"busy":  func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) },
		"empty": whole(`{"id":"c1","object":"chat.completion","created":1,"model":"m-1","choices":[{"index":0,"message":{"role":"assistant","content":""},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":0,"total_tokens":1}}`),
	} {
		t.Run(name, func(t *testing.T) {
			near := upstreamAt{name: "near", dialect: starling.OpenAI, zone: starling.Machine, handler: h}
			s := newStand(t, standOptions{skills: testSkill("candidates: [near/m, far/m]\nverify:\n  - kind: label\n    values: [a, b]\n")}, near, far)
			a := s.ask(chatPath, chat("starling/test", false), "X-Starling-Class", "restricted")
			if a.status < 400 || cloud.Load() != 0 {
				t.Errorf("status %d after %d calls to the cloud: %s", a.status, cloud.Load(), a.body)
			}
			if r := s.receipt(a); len(r.Plan.Left) != 1 || r.Plan.Left[0].Kind != starling.Forbidden {
				t.Errorf("the receipt does not say that the cloud was left out: %+v", r.Plan.Left)
			}
		})
	}
}

func TestRetryAfterReachesTheClient(t *testing.T) {
	s := newStand(t, standOptions{}, openAIUp(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Retry-After", "30")
		w.WriteHeader(http.StatusTooManyRequests)
		_, _ = io.WriteString(w, `{"error":{"message":"slow down","type":"rate_limit_error","param":null,"code":null}}`)
	}))
	a := s.ask(chatPath, chat("up/m", false))
	if a.status != 429 || a.header.Get("Retry-After") != "30" || !strings.Contains(a.body, "slow down") {
		t.Errorf("status %d, Retry-After %q, body %s", a.status, a.header.Get("Retry-After"), a.body)
	}
}

func TestAnErrorIsInTheEnvelopeOfTheCallersDialect(t *testing.T) {
	s := newStand(t, standOptions{}, openAIUp(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, `{"error":{"message":"bad field","type":"invalid_request_error","param":"x","code":null}}`)
	}))
	a := s.ask(messagesPath, messages("up/m", false))
	if a.status != 400 || gjson.Get(a.body, "type").String() != "error" || gjson.Get(a.body, "error.type").String() != "invalid_request_error" || !strings.Contains(a.body, "bad field") {
		t.Errorf("status %d: %s", a.status, a.body)
	}
}
