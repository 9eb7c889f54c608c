package verify

import (
	"regexp"
	"slices"
	"strings"

	"starling"
)

const (
	turnsOfCircle = 4  // most steps of a circle
	rounds        = 3  // after which a circle is one
	patient       = 10 // the same, of tools that wait for something
)

// A step is what a model did in one turn, and what came back.
type step struct {
	key     string
	waits   bool
	results []*starling.ToolResult
}

// circles reports whether calls are the last of a circle: the same steps, one to four
// of them, for the third time, with the same results. What changes is progress: a
// file that is read again after it was edited, tests that fail in another way, a job
// that is further. So is what a person says in between.
func circles(messages []starling.Message, calls []starling.ToolCall) bool {
	steps := append(stepsSince(messages), stepOf(calls))
	for size := 1; size <= turnsOfCircle; size++ {
		if circle(steps, size) {
			return true
		}
	}
	return false
}

// circle reports whether the last steps are the same again and again.
func circle(steps []step, size int) bool {
	n := len(steps)
	times := rounds
	for i := max(0, n-size); i < n; i++ {
		if steps[i].waits {
			times = patient
		}
	}
	if n < times*size {
		return false
	}
	for i := n - 1; i >= n-(times-1)*size; i-- {
		if steps[i].key != steps[i-size].key {
			return false
		}
	}
	for i := n - 2; i >= n-(times-1)*size; i-- { // the last one has no results yet
		if !sameResults(steps[i].results, steps[i-size].results) {
			return false
		}
	}
	return true
}

// stepsSince returns the steps that the model took since a person last said something.
// Neighbouring messages of the model are one step.
func stepsSince(messages []starling.Message) (steps []step) {
	var calls []starling.ToolCall
	var results []*starling.ToolResult
	end := func() {
		if len(calls) > 0 {
			s := stepOf(calls)
			s.results = results
			steps = append(steps, s)
		}
		calls, results = nil, nil
	}
	before := starling.User
	for i := range messages {
		m := &messages[i]
		if m.Role == starling.Assistant && before != starling.Assistant {
			end()
		}
		before = m.Role
		person := m.Role == starling.User
		for j := range m.Parts {
			switch p := &m.Parts[j]; p.Kind {
			case starling.CallPart:
				calls = append(calls, *p.Call)
			case starling.ResultPart:
				person = false
				results = append(results, p.Result)
			}
		}
		if person {
			end()
			steps = nil
		}
	}
	end()
	return steps
}

func stepOf(calls []starling.ToolCall) step {
	keys := make([]string, len(calls))
	waits := false
	for i := range calls {
		keys[i] = key(&calls[i])
		waits = waits || waiting.MatchString(calls[i].Name) || sleeping.MatchString(calls[i].Arguments)
	}
	slices.Sort(keys)
	return step{key: strings.Join(keys, "\n"), waits: waits}
}

// Tools that wait for something else are asked again and again by right: those whose
// names say so, and commands that sleep first.
var (
	waiting  = regexp.MustCompile(`(?i)(^|[^a-z])(wait|sleep|poll|status|progress|watch)([^a-z]|$)|(Wait|Sleep|Poll|Status|Progress)([A-Z]|$)|^(wait|sleep|poll|watch|status)[A-Z]`)
	sleeping = regexp.MustCompile(`\b(sleep|wait)\b`)
)

func sameResults(a, b []*starling.ToolResult) bool {
	return slices.EqualFunc(a, b, func(x, y *starling.ToolResult) bool {
		return x.Error == y.Error && slices.EqualFunc(x.Parts, y.Parts, samePart)
	})
}

// samePart compares what tools answered. When they did and how long they took is no
// difference.
func samePart(a, b starling.Part) bool {
	if a.Kind != b.Kind {
		return false
	}
	if a.Image != nil && b.Image != nil {
		return *a.Image == *b.Image
	}
	return a.Text == b.Text || timeless(a.Text) == timeless(b.Text)
}

// moments are points in time and how long something took.
var moments = regexp.MustCompile(`\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d)?)?([.,]\d+)?(Z|[+-]\d\d:?\d\d)?|\b\d{1,2}:\d\d:\d\d([.,]\d+)?|\b\d+([.,]\d+)?\s?(ns|µs|us|ms|s|sec|secs|seconds)\b`)

// longestTimed bounds the results that are compared without their times.
const longestTimed = 64 << 10

func timeless(text string) string {
	if len(text) > longestTimed {
		return text
	}
	return moments.ReplaceAllString(text, "#")
}
