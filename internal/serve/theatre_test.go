package serve_test

import (
	"cmp"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"starling"
	"starling/internal/wire"
)

// scenePaths are where each dialect's callers ask; %s is the model.
var scenePaths = map[starling.Dialect]string{
	starling.OpenAI:      chatPath,
	starling.Anthropic:   messagesPath,
	starling.Responses:   "/v1/responses",
	starling.Gemini:      "/v1beta/models/%s:generateContent",
	starling.Ollama:      "/api/chat",
	starling.Generate:    "/api/generate",
	starling.Completions: "/v1/completions",
}

// scenePath is where a question is asked.
func scenePath(d starling.Dialect, model string, stream bool) string {
	path := scenePaths[d]
	if path == "" {
		panic("nobody knows where to ask in " + d)
	}
	if d != starling.Gemini {
		return path
	}
	if path = fmt.Sprintf(path, model); stream {
		path = strings.Replace(path, ":generateContent", ":streamGenerateContent?alt=sse", 1)
	}
	return path
}

// sceneBody is what is said in the dialect.
func sceneBody(d starling.Dialect, model string, stream bool, text string) string {
	members := fmt.Sprintf(`"model":%q,"stream":%t,`, model, stream)
	switch d {
	case starling.OpenAI:
		if stream {
			members += `"stream_options":{"include_usage":true},`
		}
		members += fmt.Sprintf(`"max_tokens":100,"messages":[{"role":"user","content":%q}]`, text)
	case starling.Anthropic:
		members += fmt.Sprintf(`"max_tokens":100,"messages":[{"role":"user","content":%q}]`, text)
	case starling.Responses:
		members += fmt.Sprintf(`"max_output_tokens":100,"store":false,"input":[{"role":"user","content":%q}]`, text)
	case starling.Gemini:
		members = fmt.Sprintf(`"generationConfig":{"maxOutputTokens":100},"contents":[{"role":"user","parts":[{"text":%q}]}]`, text)
	case starling.Ollama:
		members += fmt.Sprintf(`"options":{"num_predict":100},"messages":[{"role":"user","content":%q}]`, text)
	case starling.Generate:
		members += fmt.Sprintf(`"options":{"num_predict":100},"prompt":%q`, text)
	case starling.Completions:
		if stream {
			members += `"stream_options":{"include_usage":true},`
		}
		members += fmt.Sprintf(`"max_tokens":100,"prompt":%q`, text)
	default:
		panic("nobody knows how to ask in " + d)
	}
	return "{" + members + "}"
}

// A theatre is a gateway in front of an upstream of every dialect, each of which
// does what the question's number says.
type theatre struct {
	*stand
	drained bool
	mu      sync.Mutex
	scripts map[int]http.HandlerFunc
	asked   map[int]*atomic.Int32
	bodies  map[int]string // what the upstream was asked last
}

// newTheatre opens one. Nobody is given up for failing.
func newTheatre(t testing.TB, o standOptions) *theatre { return openTheatre(t, o, false) }

// openTheatre opens one whose upstreams may be drained rather than left.
func openTheatre(t testing.TB, o standOptions, drained bool) *theatre {
	th := &theatre{drained: drained, scripts: map[int]http.HandlerFunc{}, asked: map[int]*atomic.Int32{}, bodies: map[int]string{}}
	o.trip = cmp.Or(o.trip, 1<<20)
	var ups []upstreamAt
	for _, d := range upstreamDialects() {
		ups = append(ups, upstreamAt{name: string(d), model: "m-" + string(d), dialect: d, drain: th.drained, handler: http.HandlerFunc(th.perform)})
	}
	for _, d := range callerDialects() {
		if main := beside(d); main != "" {
			ups = append(ups, upstreamAt{name: string(d), model: "m-" + string(d), dialect: main, also: []starling.Dialect{d}, drain: th.drained, handler: http.HandlerFunc(th.perform)})
		}
	}
	th.stand = newStand(t, o, ups...)
	return th
}

var numbered = regexp.MustCompile(`scene (\d+)\.`)

func (th *theatre) perform(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	found := numbered.FindSubmatch(body)
	if found == nil {
		http.Error(w, "a question without a number", http.StatusTeapot)
		return
	}
	n := must(strconv.Atoi(string(found[1])))
	th.mu.Lock()
	do := th.scripts[n]
	th.bodies[n] = string(body)
	th.asked[n].Add(1)
	th.mu.Unlock()
	do(w, r)
}

// stage has the upstream do something when it is asked what is returned.
func (th *theatre) stage(do http.HandlerFunc) (n int, text string) {
	th.mu.Lock()
	defer th.mu.Unlock()
	n = len(th.scripts) + 1
	th.scripts[n], th.asked[n] = do, new(atomic.Int32)
	return n, fmt.Sprintf("This is scene %d. What is to be seen?", n)
}

// calls is how often the upstream was asked for a scene.
func (th *theatre) calls(n int) int {
	th.mu.Lock()
	defer th.mu.Unlock()
	return int(th.asked[n].Load())
}

// A scene is one question and what came of it.
type scene struct {
	duo
	number int
	asked  int    // how often the upstream was
	seen   string // what it was asked
	answer
	receipt *starling.Receipt
}

// play asks as the pair's caller, and has the pair's upstream do something.
func (th *theatre) play(p duo, do http.HandlerFunc) scene {
	th.t.Helper()
	return th.playAs(p, do, func(body string) string { return body })
}

// playAs asks with a body that was edited.
func (th *theatre) playAs(p duo, do http.HandlerFunc, edit func(body string) string) scene {
	th.t.Helper()
	n, text := th.stage(do)
	model := "m-" + string(p.upstream)
	a := th.ask(scenePath(p.caller, model, p.stream), edit(sceneBody(p.caller, model, p.stream, text)))
	th.mu.Lock()
	s := scene{duo: p, number: n, asked: int(th.asked[n].Load()), seen: th.bodies[n], answer: a}
	th.mu.Unlock()
	s.receipt = th.receipt(a)
	return s
}

// hear is what the caller understands.
func (s scene) hear() (understood, error) { return understand(s.caller, s.stream, s.body) }

// performing tells a story well.
func performing(t testing.TB, p duo, s story) http.HandlerFunc {
	return inPieces(p, s.told(t, p.upstream, p.stream)...)
}

// inPieces answers as an upstream of the pair does, one write and flush each.
func inPieces(p duo, all ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", mediaOf(p))
		if p.stream {
			_ = http.NewResponseController(w).Flush()
		}
		for _, piece := range all {
			_, _ = io.WriteString(w, piece)
			if piece != "" {
				_ = http.NewResponseController(w).Flush()
			}
		}
	}
}

func mediaOf(p duo) string {
	if p.stream {
		return wire.StreamType(p.upstream)
	}
	return "application/json"
}

// thenDo does something after what was answered.
func thenDo(first http.HandlerFunc, next func(*http.Request)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		first(w, r)
		next(r)
	}
}

// hangsUp cuts the connection.
func hangsUp(*http.Request) { panic(http.ErrAbortHandler) }

// waitsToBeLeft says nothing more until the gateway has left; that it does is checked.
func waitsToBeLeft(t testing.TB) func(*http.Request) {
	return func(r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-time.After(eventually):
			t.Error("the gateway does not leave an upstream that is of no use any more")
		}
	}
}

// oneInFive says of the cells of a pair's matrix, one after the other, which to play
// where tests are to be short: cells differ in what is told, not in who runs beside
// whom, so the race detector need not see them all. Every pair has some.
func oneInFive(p duo) func() bool {
	n := 0
	for _, c := range []byte(p.String()) {
		n += int(c)
	}
	return func() bool {
		n++
		return !testing.Short() || n%5 == 0
	}
}

// eachDuo runs a test for every pair, several at once.
func eachDuo(t *testing.T, f func(t *testing.T, p duo)) {
	slots := make(chan struct{}, 8)
	var all sync.WaitGroup
	defer all.Wait()
	for _, p := range everyDuo() {
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			t.Run(p.String(), func(t *testing.T) { f(t, p) })
		})
	}
}
