package main

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"starling"
	"starling/internal/gguf"
	"starling/internal/hub"
)

// How much of the demo a real model on this machine is asked: it is slow beside a
// simulated one, and a demo is not to be waited for.
const (
	realTime    = 60 * time.Second
	realMost    = 60               // requests
	realLongest = 30 * time.Second // for one answer
	realTurn    = 3                // cases of a pack that are asked in a row: what they share is read once
)

// A real model is one that the user keeps, with an engine to run it. In the demo it stands
// at first where the small simulated one would.
type real struct {
	folder string // of the user's data; it is only read
	name   string

	asked                             int // requests that went to it first
	answered, right, rejected, failed int
	why                               string // the first of those failed
	took                              []time.Duration
	reads, writes                     float64 // tokens a second, as it says itself; 0 unknown
	cost                              starling.Money
}

// realModel returns the smallest model that is kept in a folder of data and converses;
// nil, and the commands that would change that, if there is none that can be asked. What
// cannot be read is not there: a demo does not end for it.
func realModel(folder string) (*real, string) {
	if !hasEngine {
		return nil, ""
	}
	store, err := hub.Open(folder, hub.Options{})
	if err != nil {
		return nil, ""
	}
	library, err := store.Library()
	if err == nil {
		_, err = checkLibrary(library.Dir)
	}
	var missing []string
	if err != nil {
		missing = append(missing, "starling engine install")
	}
	name := smallest(store)
	if name == "" {
		missing = append(missing, "starling model pull "+suggested)
	}
	if len(missing) > 0 {
		return nil, strings.Join(missing, " && ")
	}
	return &real{folder: folder, name: name}, ""
}

// suggested is a model for who has none: it is small, knows chats, and is of the kind of
// four bits that processors read fastest.
const suggested = "unsloth/Qwen3-0.6B-GGUF:Q4_0"

// smallest names the smallest model that converses; "" if there is none.
func smallest(store *hub.Store) string {
	all, _ := store.Models()
	slices.SortFunc(all, func(a, b hub.Stored) int { return cmp.Compare(a.Bytes(), b.Bytes()) })
	for _, m := range all {
		if f, err := gguf.Open(m.Path); err == nil && !(Local{}).weights(m, f).Vectors {
			return m.Name
		}
	}
	return ""
}

func (r *real) id() string { return localName + "/" + r.name }

// replaces puts the real model where a configuration has the small one.
func (r *real) replaces(cfg Config, small string) Config {
	cfg.Models[small] = r.id()
	cfg.Local = Local{Models: []string{r.name}, folder: r.folder, longest: realLongest}
	return cfg
}

// An exercise is a case of a pack.
type exercise struct {
	pack *pack
	at   int // of the case
}

// exercises are all cases of all packs, one pack after the other.
func exercises(packs []*pack) (all []exercise) {
	for _, pk := range packs {
		for i := range pk.cases {
			all = append(all, exercise{pk, i})
		}
	}
	return all
}

// inTurn has the packs take turns, so that what is asked first is some of each.
func inTurn(all []exercise) []exercise {
	all = slices.Clone(all)
	slices.SortStableFunc(all, func(a, b exercise) int { return cmp.Compare(a.at/realTurn, b.at/realTurn) })
	return all
}

// asks reports whether the real model is asked once more. It is for one goroutine.
func (r *real) asks(began time.Time) bool {
	if r.asked == realMost || time.Since(began) >= realTime {
		return false
	}
	r.asked++
	return true
}

// unthinking adds to a question that nobody is to think before the answer: the packs leave
// their answers no room for thoughts.
func unthinking(body []byte, d starling.Dialect) []byte {
	field := map[starling.Dialect]string{starling.OpenAI: `"reasoning_effort":"none"`, starling.Anthropic: `"thinking":{"type":"disabled"}`}[d]
	return fmt.Appendf(bytes.TrimSuffix(body, []byte("}")), ",%s}", field)
}

// add counts what a real model did for a result.
func (r *real) add(res result, receipt *starling.Receipt) {
	if !res.real {
		return
	}
	r.took = append(r.took, res.took)
	end, why := starling.Skipped, ""
	for _, a := range receipt.Attempts {
		if a.Model == r.id() {
			end, why = a.Outcome, a.Why
			r.cost = r.cost.Plus(a.Cost)
		}
	}
	for _, left := range receipt.Plan.Left {
		if left.Model == r.id() {
			why = left.Why
		}
	}
	switch {
	case end == starling.Rejected:
		r.rejected++
	case end != starling.Answered:
		r.failed, r.why = r.failed+1, cmp.Or(r.why, why)
	default:
		r.answered++
		if res.right {
			r.right++
		}
	}
}

// print tells what became of the requests that went to the real model first.
func (r *real) print(w io.Writer, all int) {
	printf(w, "\nsmall was real at first: %s. %d of the %d requests, some of each pack, went to it (%d, or as many as begin in %s); then the\n"+
		"simulated one took its place. It answered %d, %d of them right by gold; verifiers rejected %d, and %d it did not answer",
		r.id(), r.asked, all, realMost, realTime, r.answered, r.right, r.rejected, r.failed)
	if r.why != "" {
		printf(w, " (the first: %s)", r.why)
	}
	fmt.Fprintf(w, ".\nMeasured: it read %s tokens a second and wrote %s; p50 of these requests %s as a whole; %s of electricity.\n",
		perSecond(r.reads), perSecond(r.writes), quantile(r.took, 0.5).Round(time.Millisecond), r.cost)
}

func perSecond(tokens float64) string {
	if tokens == 0 {
		return "-"
	}
	return strconv.FormatFloat(tokens, 'f', 1, 64)
}

// rests has the simulated model take its place again.
func (d *demo) rests(ctx context.Context) error {
	if own := d.parts.rung.provider; own != nil { // it was there a moment ago
		for _, s := range own.Standings() { // of the one
			d.real.reads, d.real.writes = s.Reads, s.Writes
		}
	}
	return d.turn(ctx)
}
