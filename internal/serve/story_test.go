package serve_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"starling"
	"starling/internal/provider"
	"starling/internal/wire"
)

// What an upstream of any dialect would say, and what a caller of any dialect
// hears, without a fixture for each: the wire's own writer tells a story in the
// upstream's dialect, and the wire's own reader, which lets nothing pass that is
// not of its dialect, reads what the gateway sends. So a dialect that is added is
// tried at once.

// A beat is a piece of an answer, with the place that it begins.
type beat struct {
	place string
	starling.Event
}

// A story is an answer in no dialect.
type story struct {
	name  string
	steps []beat
}

// talk is a story of text, plot one of everything.
var (
	talk = story{"text", []beat{
		speak("before the first token", starling.TextPart, 0, "Grüße "),
		speak("within the text", starling.TextPart, 0, "🐦 und "),
		speak("", starling.TextPart, 0, "ein 鳥."),
		finale(starling.Stopped),
	}}
	plot = story{"text and tool calls", []beat{
		speak("before the first token", starling.TextPart, 0, "Grüße "),
		speak("within the text", starling.TextPart, 0, "🐦 ein 鳥."),
		invoke("between blocks", 1, "call_1", "weather", `{"city":`),
		speak("within the arguments", starling.CallPart, 1, `"Zürich 鳥"}`),
		invoke("between calls", 2, "call_2", "clock", `{}`),
		finale(starling.ToolUse),
	}}
	musing = story{"thoughts and text", []beat{
		speak("before the first token", starling.ReasoningPart, 0, "Hm, "),
		speak("within the thoughts", starling.ReasoningPart, 0, "鳥?"),
		speak("between blocks", starling.TextPart, 1, "A 鳥."),
		finale(starling.Stopped),
	}}
)

func speak(place string, kind starling.PartKind, block int, text string) beat {
	return beat{place, starling.Event{Deltas: []starling.Delta{{Kind: kind, Block: block, Text: text}}}}
}

func invoke(place string, block int, id, name, arguments string) beat {
	return beat{place, starling.Event{Deltas: []starling.Delta{{Kind: starling.CallPart, Block: block, ID: id, Name: name, Text: arguments}}}}
}

// counted is what every story takes: at a dollar a million, and five for output.
var counted = starling.Usage{Input: 100, Output: 20}

const countedCost = 100*1000 + 20*5000 // nanodollars

func finale(f starling.Finish) beat {
	usage := counted
	return beat{"right before the end", starling.Event{Finish: f, Usage: &usage}}
}

// longer is the story with its text made longer by what is put before its end.
func (s story) longer(text string) story {
	s.steps = slices.Insert(slices.Clone(s.steps), 1, speak("", starling.TextPart, 0, text))
	return s
}

// with is the story with another ending.
func (s story) with(f starling.Finish, u starling.Usage) story {
	s.steps = slices.Clone(s.steps)
	s.steps[len(s.steps)-1] = beat{"right before the end", starling.Event{Finish: f, Usage: &u}}
	return s
}

// An understood is an answer as a caller understands it.
type understood struct {
	Text, Thoughts string
	Calls          []starling.ToolCall // without ids, which a dialect may not have
	Finish         starling.Finish
	Usage          starling.Usage
}

// whole is what a caller of any dialect is to understand of the story.
func (s story) whole() understood {
	var h listening
	for _, st := range s.steps {
		h.add(st.Event)
	}
	return h.understood()
}

type listening struct {
	collector wire.Collector
	thoughts  string
	usage     starling.Usage
}

func (h *listening) add(ev starling.Event) {
	h.collector.Add(ev)
	for _, d := range ev.Deltas {
		if d.Kind == starling.ReasoningPart {
			h.thoughts += d.Text
		}
	}
	if ev.Usage != nil {
		h.usage = *ev.Usage
	}
}

func (h *listening) understood() understood {
	a := h.collector.Answer()
	for i := range a.Calls {
		a.Calls[i].ID = ""
		var b bytes.Buffer
		if json.Compact(&b, []byte(a.Calls[i].Arguments)) == nil { // where they are an object there is space around
			a.Calls[i].Arguments = b.String()
		}
	}
	return understood{Text: a.Text, Thoughts: h.thoughts, Calls: a.Calls, Finish: a.Finish, Usage: h.usage}
}

// understand reads an answer as a strict client of a dialect does.
func understand(d starling.Dialect, stream bool, body string) (understood, error) {
	var h listening
	for ev, err := range wire.Read(strings.NewReader(body), wire.ReadOptions{Dialect: d, Stream: stream, Deltas: true}) {
		if err != nil {
			return h.understood(), err
		}
		h.add(ev)
	}
	return h.understood(), nil
}

// audience is a request as a writer needs it.
func audience(d starling.Dialect, stream bool) *starling.Request {
	return &starling.Request{Dialect: d, Stream: stream, WantUsage: stream, Model: "m-1", Body: []byte(`{"0123456789":0}`)}
}

// told is the story in a dialect, a piece for each of its steps; of an answer that
// is not streamed all is in the last.
func (s story) told(t testing.TB, d starling.Dialect, stream bool) []string {
	t.Helper()
	var out bytes.Buffer
	w := wire.NewWriter(&out, wire.WriterOptions{Request: audience(d, stream), ID: "id_1", Created: time.Unix(1_764_000_000, 0), Model: "m-1"})
	var pieces []string
	for i, st := range s.steps {
		err := w.Event(st.Event)
		if i == len(s.steps)-1 && err == nil {
			err = w.Close()
		}
		if err != nil {
			t.Fatalf("%s cannot say %q: %v", d, st.place, err)
		}
		pieces = append(pieces, out.String())
		out.Reset()
	}
	return pieces
}

// outcry is how an upstream of a dialect says that it cannot go on.
func outcry(t testing.TB, d starling.Dialect, stream bool) string {
	t.Helper()
	var out bytes.Buffer
	w := wire.NewWriter(&out, wire.WriterOptions{Request: audience(d, stream), Model: "m-1"})
	if err := w.Fail(&starling.Error{Kind: starling.Overloaded, Op: "the engine is on fire"}); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// lined reports whether the streams of a dialect are JSON objects, one a line.
func lined(d starling.Dialect) bool { return strings.Contains(wire.StreamType(d), "ndjson") }

// framesOf cuts a stream after each event.
func framesOf(d starling.Dialect, stream string) []string {
	end := "\n\n"
	if lined(d) {
		end = "\n"
	}
	all := strings.SplitAfter(stream, end)
	return all[:len(all)-1]
}

// wordless are the dialects in which nobody talks.
var wordless = []starling.Dialect{starling.Embeddings, starling.Moderations}

// promptOnly are those that know text alone: no tools, and so no calls.
var promptOnly = []starling.Dialect{starling.Generate, starling.Completions}

// callerDialects are those in which one may ask, upstreamDialects those in which we do.
func callerDialects() []starling.Dialect {
	return slices.DeleteFunc(wire.Dialects(), func(d starling.Dialect) bool { return slices.Contains(wordless, d) })
}

func upstreamDialects() []starling.Dialect {
	return slices.DeleteFunc(callerDialects(), func(d starling.Dialect) bool { _, called := provider.Kinds[d]; return !called })
}

// beside is the dialect whose upstreams may understand d too, though none is of d
// alone; "" if there is none.
func beside(d starling.Dialect) starling.Dialect {
	if _, own := provider.Kinds[d]; own {
		return ""
	}
	for main, kind := range provider.Kinds {
		if _, also := kind.Also[d]; also {
			return main
		}
	}
	return ""
}

// A duo is a caller, an upstream, and how the caller wants its answer.
type duo struct {
	caller, upstream starling.Dialect
	stream           bool
}

func (p duo) String() string {
	return fmt.Sprintf("%s from %s, %s", p.caller, p.upstream, map[bool]string{true: "streamed", false: "whole"}[p.stream])
}

// same reports whether bytes pass.
func (p duo) same() bool { return p.caller == p.upstream }

// canCall reports whether both know tools.
func (p duo) canCall() bool {
	return !slices.Contains(promptOnly, p.caller) && !slices.Contains(promptOnly, p.upstream)
}

// everyDuo is all that there are, streamed and whole.
func everyDuo() (all []duo) {
	for _, c := range callerDialects() {
		for _, u := range upstreamDialects() {
			all = append(all, duo{c, u, true}, duo{c, u, false})
		}
		if beside(c) != "" { // such an upstream is asked in it by its own callers alone
			all = append(all, duo{c, c, true}, duo{c, c, false})
		}
	}
	return all
}

// TestTheStoriesAreToldWholeInEveryDialect: what the tests around rest on.
func TestTheStoriesAreToldWholeInEveryDialect(t *testing.T) {
	if len(upstreamDialects()) < 2 || len(everyDuo()) < 8 {
		t.Fatalf("only %v are asked in %v", upstreamDialects(), callerDialects())
	}
	for _, d := range callerDialects() {
		for _, s := range []story{talk, plot} {
			if s.name == plot.name && slices.Contains(promptOnly, d) {
				continue
			}
			for _, stream := range []bool{true, false} {
				told := strings.Join(s.told(t, d, stream), "")
				got, err := understand(d, stream, told)
				if diff := cmp.Diff(s.whole(), got); diff != "" || err != nil {
					t.Errorf("%s, stream %t: %v %s\n%s", d, stream, err, diff, told)
				}
				if stream && len(framesOf(d, told)) < 3 {
					t.Errorf("%s: a stream of %d events", d, len(framesOf(d, told)))
				}
				if _, err := understand(d, stream, outcry(t, d, stream)); err == nil {
					t.Errorf("%s, stream %t: an error that is not understood as one: %s", d, stream, outcry(t, d, stream))
				}
			}
		}
	}
}
