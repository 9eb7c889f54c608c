package verify

import (
	"regexp"
	"slices"

	"starling"
)

const (
	turnsOfCircle = 4  // most steps of a circle
	rounds        = 3  // after which a circle is one
	patient       = 10 // the same, of tools that wait for something
)

// A step is what a model did in one turn, and what came back.
type step struct {
	calls   []starling.ToolCall
	results []*starling.ToolResult
}

// sameCalls reports whether two steps do the same, in whatever order and however it is
// written.
func (s *step) sameCalls(other *step) bool {
	if len(s.calls) != len(other.calls) {
		return false
	}
	if len(s.calls) == 1 {
		a, b := &s.calls[0], &other.calls[0]
		return a.Name == b.Name && (a.Arguments == b.Arguments || key(a) == key(b))
	}
	return slices.Equal(s.keys(), other.keys())
}

func (s *step) keys() []string {
	keys := make([]string, len(s.calls))
	for i := range s.calls {
		keys[i] = key(&s.calls[i])
	}
	slices.Sort(keys)
	return keys
}

// waits reports whether a step waits for something.
func (s *step) waits() bool {
	return slices.ContainsFunc(s.calls, func(c starling.ToolCall) bool {
		return waiting.MatchString(c.Name) || sleeping.MatchString(c.Arguments)
	})
}

// circles reports whether calls are the last of a circle: the same steps, one to four
// of them, for the third time, with the same results. What changes is progress: a
// file that is read again after it was edited, tests that fail in another way, a job
// that is further. So is what a person says in between.
func circles(messages []starling.Message, calls []starling.ToolCall) bool {
	steps := append(stepsSince(messages), step{calls: calls})
	for size := 1; size <= turnsOfCircle; size++ {
		if circle(steps, size) {
			return true
		}
	}
	return false
}

// circle reports whether the last steps are the same again and again.
func circle(steps []step, size int) bool {
	if !circled(steps, size, rounds) {
		return false
	}
	if slices.ContainsFunc(steps[len(steps)-size:], func(s step) bool { return s.waits() }) {
		return circled(steps, size, patient)
	}
	return true
}

// circled reports whether the last steps are the same that many times.
func circled(steps []step, size, times int) bool {
	n := len(steps)
	if n < times*size {
		return false
	}
	for i := n - 1; i >= n-(times-1)*size; i-- {
		if !steps[i].sameCalls(&steps[i-size]) {
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
			steps = append(steps, step{calls, results})
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
