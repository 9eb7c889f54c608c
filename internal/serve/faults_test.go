package serve_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"starling"
	"starling/internal/provider"
)

// Everything that can go wrong in the middle of an answer, for a caller and an
// upstream of every two dialects, streamed and whole, at every place of a story.
// What is expected is the same for all: a caller never takes a part for the whole,
// what only looks odd arrives byte for byte, the receipt says which it was, the
// upstream is left, and nothing is held any more.

// A breakage ends an answer before its end. It gets what was told and what was
// not, in the upstream's dialect.
type breakage struct {
	name  string
	do    func(t *testing.T, p duo, told, rest string) http.HandlerFunc
	hasty bool // the gateway may give up before the upstream hears: then it is done again
}

var breakages = []breakage{
	{name: "the connection is cut", do: func(_ *testing.T, p duo, told, rest string) http.HandlerFunc {
		if p.stream {
			return thenDo(inPieces(p, told), hangsUp)
		}
		return announcing(p, told, len(told)+len(rest))
	}},
	{name: "it ends as if that were all", do: func(_ *testing.T, p duo, told, _ string) http.HandlerFunc { return inPieces(p, told) }},
	{name: "it ends within a character", do: func(t *testing.T, p duo, told, rest string) http.HandlerFunc {
		at := strings.Index(told+rest, "鳥")
		if at < 0 {
			t.Error("there is no character to cut")
		}
		return inPieces(p, (told + rest)[:at+1])
	}},
	{name: "garbage comes and the rest of the answer", do: func(_ *testing.T, p duo, told, rest string) http.HandlerFunc {
		return inPieces(p, told, nonsense(p), rest)
	}},
	{name: "garbage comes and nothing more", do: func(_ *testing.T, p duo, told, _ string) http.HandlerFunc {
		return inPieces(p, told, nonsense(p))
	}},
	{name: "an error comes", do: func(t *testing.T, p duo, told, _ string) http.HandlerFunc {
		if p.stream {
			return thenDo(inPieces(p, told, outcry(t, p.upstream, true)), waitsToBeLeft(t))
		}
		return inPieces(p, outcry(t, p.upstream, false))
	}},
}

// announcing promises more than it sends.
func announcing(p duo, told string, size int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", mediaOf(p))
		w.Header().Set("Content-Length", strconv.Itoa(size))
		_, _ = io.WriteString(w, told)
	}
}

// nonsense is an event, or a piece of a body, that is not of any dialect.
func nonsense(p duo) string {
	switch {
	case !p.stream:
		return `}{"choices":[{`
	case lined(p.upstream):
		return `{"message":{"content":"half` + "\n"
	}
	return `data: {"choices":[{"delta":{"content":"half` + "\n\n"
}

// TestABrokenAnswerIsNeverTakenForWhole is the matrix of what breaks.
func TestABrokenAnswerIsNeverTakenForWhole(t *testing.T) {
	th := newTheatre(t, standOptions{})
	eachDuo(t, func(t *testing.T, p duo) {
		due := oneInFive(p)
		for _, s := range p.stories() {
			for _, at := range s.places(t, p) {
				for _, b := range breakages {
					if due() {
						th.breaks(t, p, s, at, b)
					}
				}
			}
		}
	})
	th.wantNothingHeld()
}

// stories are those that both can tell.
func (p duo) stories() []story {
	if !p.canCall() {
		return []story{talk}
	}
	return []story{talk, plot}
}

// A cut is a place of a story in the upstream's dialect.
type cut struct {
	place      string
	told, rest string
	words      string // of the text that was told by then
}

// places are where a story can break off. One that is not streamed has no more
// places than its middle.
func (s story) places(t testing.TB, p duo) (all []cut) {
	told := s.told(t, p.upstream, p.stream)
	if !p.stream {
		body := told[len(told)-1]
		return []cut{{place: "in the middle", told: body[:len(body)/2], rest: body[len(body)/2:]}}
	}
	words := ""
	for i, b := range s.steps {
		if b.place != "" {
			all = append(all, cut{b.place, strings.Join(told[:i], ""), strings.Join(told[i:], ""), words})
		}
		for _, d := range b.Deltas {
			if d.Kind == starling.TextPart {
				words += d.Text
			}
		}
	}
	return all
}

func (th *theatre) breaks(t *testing.T, p duo, s story, at cut, b breakage) {
	sc := th.play(p, b.do(t, p, at.told, at.rest))
	for tries := 0; b.hasty && sc.asked == 0 && tries < 20; tries++ {
		sc = th.play(p, b.do(t, p, at.told, at.rest))
	}
	name := s.name + ", " + at.place + ": " + b.name
	got, err := sc.hear()
	if err == nil {
		t.Errorf("%s: nobody notices:\n%s", name, sc.body)
	}
	if !strings.HasPrefix(s.whole().Text, got.Text) && !strings.Contains(b.name, "character") {
		t.Errorf("%s: %q is heard", name, got.Text)
	}
	if sc.asked != 1 || len(sc.receipt.Attempts) != 1 {
		t.Errorf("%s: asked %d times, %d attempts", name, sc.asked, len(sc.receipt.Attempts))
	}
	if passed := strings.HasPrefix(b.name, "garbage"); passed && p.same() && strings.Contains(sc.body, nonsense(p)) {
		return // what it says is between those two: it arrived as it is, and is no answer to who reads it
	}
	sc.wantBroken(t, name, at, b)
}

// wantBroken: an error where a body is due, or behind what was told; and booked.
func (sc *scene) wantBroken(t *testing.T, name string, at cut, b breakage) {
	r := sc.receipt
	want := starling.Broken
	if sc.status != http.StatusOK {
		want = starling.Failed
	}
	if r.Outcome != want || r.Why == "" || sc.status == http.StatusOK && !sc.stream {
		t.Errorf("%s: status %d, outcome %s, why %q", name, sc.status, r.Outcome, r.Why)
	}
	if sc.stream && at.words != "" && sc.status != http.StatusOK {
		t.Errorf("%s: what had come before is not sent: %s", name, sc.body)
	}
	refused := b.name == "an error comes" && at.words == "" // it never began: nobody charges for that
	a := r.Attempts[0]
	if (a.Cost > 0) == refused || a.Cost != r.Cost || !refused && !a.Usage.Estimated {
		t.Errorf("%s: cost %s of usage %+v; what the upstream may charge for is estimated", name, r.Cost, a.Usage)
	}
	if a.Cost > countedCost*10 {
		t.Errorf("%s: %s is booked for a part of what costs %s", name, a.Cost, starling.Money(countedCost))
	}
}

// wantNothingHeld: every reservation was settled.
func (th *theatre) wantNothingHeld() {
	th.t.Helper()
	for _, standing := range must(th.ledger.Standing(context.Background())) {
		if standing.Held != 0 {
			th.t.Errorf("%s is still held", standing.Held)
		}
	}
}

// TestAnAnswerThatStallsIsBrokenOff: of time there is little, so that waiting for
// its end is cheap. Who is slow here only finds an earlier place.
func TestAnAnswerThatStallsIsBrokenOff(t *testing.T) {
	const short = 100 * time.Millisecond
	th := newTheatre(t, standOptions{limits: provider.Limits{Idle: short, First: short, Header: short}})
	all := newTheatre(t, standOptions{limits: provider.Limits{Total: short}})
	eachDuo(t, func(t *testing.T, p duo) {
		for _, s := range p.stories()[:1] {
			for _, at := range s.places(t, p) {
				stalls := thenDo(inPieces(p, at.told), waitsToBeLeft(t))
				b := breakage{"it stalls", func(*testing.T, duo, string, string) http.HandlerFunc { return stalls }, true}
				if !p.stream {
					all.breaks(t, p, s, at, b)
					continue
				}
				th.breaks(t, p, s, cut{place: at.place}, b)
			}
		}
	})
	th.wantNothingHeld()
}

// An oddity is a whole answer that only looks strange.
type oddity struct {
	name string
	tell func(t *testing.T, p duo, s story) http.HandlerFunc
}

var oddities = []oddity{
	{"as it should be", func(t *testing.T, p duo, s story) http.HandlerFunc { return performing(t, p, s) }},
	{"all at once", func(t *testing.T, p duo, s story) http.HandlerFunc {
		return inPieces(p, strings.Join(s.told(t, p.upstream, p.stream), ""))
	}},
	{"five bytes at a time", func(t *testing.T, p duo, s story) http.HandlerFunc {
		return inPieces(p, slices.Collect(sips(strings.Join(s.told(t, p.upstream, p.stream), ""), 5))...)
	}},
	{"lines that end in CRLF", func(t *testing.T, p duo, s story) http.HandlerFunc {
		return inPieces(p, strings.ReplaceAll(spread(t, p, s), "\n", "\r\n"))
	}},
	{"lines that end in CRLF, cut between the two", func(t *testing.T, p duo, s story) http.HandlerFunc {
		return inPieces(p, strings.SplitAfter(strings.ReplaceAll(spread(t, p, s), "\n", "\r\n"), "\r")...)
	}},
	{"comments and blank lines between the events", func(t *testing.T, p duo, s story) http.HandlerFunc {
		return inPieces(p, commented(t, p, s)...)
	}},
	{"no end of the last line", func(t *testing.T, p duo, s story) http.HandlerFunc {
		return inPieces(p, strings.TrimRight(strings.Join(s.told(t, p.upstream, p.stream), ""), "\n"))
	}},
}

// sips cuts a text without regard for characters.
func sips(s string, n int) func(func(string) bool) {
	return func(yield func(string) bool) {
		for piece := range bytesOf(s, n) {
			if !yield(string(piece)) {
				return
			}
		}
	}
}

// spread is the story with a body over many lines, where it is one.
func spread(t *testing.T, p duo, s story) string {
	told := strings.Join(s.told(t, p.upstream, p.stream), "")
	if p.stream {
		return told
	}
	return "\n" + string(must(json.MarshalIndent(json.RawMessage(told), "", "\t"))) + "\n"
}

// commented puts what says nothing between the events.
func commented(t *testing.T, p duo, s story) (all []string) {
	told := strings.Join(s.told(t, p.upstream, p.stream), "")
	if !p.stream {
		return []string{" \n\t", told, "\n\n"}
	}
	silence := ": OPENROUTER PROCESSING\n\n:\n\n\n"
	if lined(p.upstream) {
		silence = "\n"
	}
	for _, frame := range framesOf(p.upstream, told) {
		all = append(all, silence, frame)
	}
	return all
}

// TestWhatOnlyLooksOddArrivesByteForByte is the matrix of what does not break.
func TestWhatOnlyLooksOddArrivesByteForByte(t *testing.T) {
	th := newTheatre(t, standOptions{})
	eachDuo(t, func(t *testing.T, p duo) {
		due := oneInFive(p)
		for _, s := range p.stories() {
			for _, o := range oddities {
				if due() {
					th.play(p, o.tell(t, p, s)).wantWhole(t, s.name+", "+o.name, s)
				}
			}
		}
	})
	th.wantNothingHeld()
}

// TestALineOfFourMegabytesIsNoEnd: in text, and in a tool's arguments.
func TestALineOfFourMegabytesIsNoEnd(t *testing.T) {
	large(t)
	th := newTheatre(t, standOptions{})
	text := strings.Repeat("鳥 ", 1<<20)
	tools := plot
	tools.steps = slices.Clone(plot.steps)
	tools.steps[3] = speak("", starling.CallPart, 1, `"Zürich 鳥","essay":"`+text+`"}`)
	eachDuo(t, func(t *testing.T, p duo) {
		th.play(p, performing(t, p, talk.longer(text))).wantWhole(t, "a long text", talk.longer(text))
		if p.canCall() {
			th.play(p, performing(t, p, tools)).wantWhole(t, "long arguments", tools)
		}
	})
}

// wantWhole: everything was understood, and booked as it was counted.
func (sc scene) wantWhole(t *testing.T, name string, s story) {
	t.Helper()
	got, err := sc.hear()
	want := s.whole()
	if err != nil || sc.status != http.StatusOK {
		t.Errorf("%s: status %d, %v: %.2000s", name, sc.status, err, sc.body)
		return
	}
	if len(got.Text) != len(want.Text) || got.Text != want.Text {
		t.Errorf("%s: of %d bytes of text came %d: %.80q", name, len(want.Text), len(got.Text), got.Text)
		return
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s: %.2000s", name, diff)
	}
	if r := sc.receipt; r.Outcome != starling.Answered || r.Cost != countedCost || r.Attempts[0].Usage.Estimated {
		t.Errorf("%s: outcome %s (%s), cost %s, usage %+v", name, r.Outcome, r.Why, r.Cost, r.Attempts[0].Usage)
	}
}

// TestAnAnswerThatCannotBeBookedIsNotTakenForWhole: what ends it waits for the receipt,
// also where an upstream's own bytes pass.
func TestAnAnswerThatCannotBeBookedIsNotTakenForWhole(t *testing.T) {
	th := newTheatre(t, standOptions{})
	all := everyDuo()
	asked, shut := make(chan struct{}, len(all)), make(chan struct{})
	var over sync.WaitGroup
	for _, p := range all {
		tell := performing(t, p, talk)
		_, text := th.stage(func(w http.ResponseWriter, r *http.Request) {
			asked <- struct{}{}
			<-shut
			tell(w, r)
		})
		over.Go(func() {
			model := "m-" + string(p.upstream)
			a := th.ask(scenePath(p.caller, model, p.stream), sceneBody(p.caller, model, p.stream, text))
			heard, err := understand(p.caller, p.stream, a.body)
			if p.stream && (a.status != http.StatusOK || err == nil || heard.Text == "") || !p.stream && a.status != http.StatusInternalServerError {
				t.Errorf("%s: status %d, %v:\n%s", p, a.status, err, a.body)
			}
			if strings.Contains(a.body, th.dir) {
				t.Errorf("%s is told of this machine:\n%s", p, a.body)
			}
		})
	}
	for range all {
		<-asked
	}
	if err := th.ledger.Close(); err != nil {
		t.Fatal(err)
	}
	close(shut)
	over.Wait()
}
