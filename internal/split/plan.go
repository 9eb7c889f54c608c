package split

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"starling"
)

// What a plan may hold. The planner is told, and held to it.
const (
	mostJobs = 4
	mostAsk  = 600 // bytes, as it is sent
	mostID   = 32
)

// A Plan says what is looked for, and in which chunks.
type Plan struct {
	Version int   `json:"version"`
	Jobs    []Job `json:"jobs"`
}

// A Job is one thing to look for.
type Job struct {
	ID     string  `json:"id"`
	Ask    string  `json:"ask"` // in words, for a reader who sees nothing else
	Chunks Numbers `json:"chunks"`
}

// Numbers are those of chunks, from 1; nil stands for all.
type Numbers []int

// UnmarshalJSON reads "all" or a list.
func (n *Numbers) UnmarshalJSON(text []byte) error {
	if string(text) == `"all"` {
		*n = nil
		return nil
	}
	var list []int
	if err := json.Unmarshal(text, &list); err != nil || list == nil {
		return errors.New(`chunks are neither "all" nor a list of numbers`)
	}
	*n = list
	return nil
}

// planSchema is the shape of a plan, for models that can be held to one. What it leaves
// open, since not all of them can, [Work.ReadPlan] demands.
const planSchema = `{"type":"object","additionalProperties":false,"required":["version","jobs"],"properties":{"version":{"type":"integer","enum":[1]},"jobs":{"type":"array","items":{"type":"object","additionalProperties":false,"required":["id","ask","chunks"],"properties":{"id":{"type":"string"},"ask":{"type":"string"},"chunks":{"anyOf":[{"type":"string","enum":["all"]},{"type":"array","items":{"type":"integer"}}]}}}}}}`

// ReadPlan reads what the planner answered. The error says, without a word of the answer,
// what is wrong with it.
func (w *Work) ReadPlan(text string) (*Plan, error) {
	p := new(Plan)
	if err := json.Unmarshal([]byte(text), p); err != nil {
		return nil, errors.New("the plan is not the JSON that was asked for")
	}
	switch {
	case p.Version != 1:
		return nil, errors.New("the plan has another version than 1")
	case len(p.Jobs) == 0 || len(p.Jobs) > mostJobs:
		return nil, fmt.Errorf("the plan has %d jobs; it may have 1 to %d", len(p.Jobs), mostJobs)
	}
	ids := map[string]bool{}
	for i := range p.Jobs {
		j := &p.Jobs[i]
		if why := w.checkJob(j); why != "" {
			return nil, fmt.Errorf("job %d %s", i+1, why)
		}
		if ids[j.ID] {
			return nil, fmt.Errorf("job %d has the id of another", i+1)
		}
		ids[j.ID] = true
	}
	if n := int64(len(p.Readings(w))); n > w.Most {
		return nil, fmt.Errorf("the plan has %d readings; it may have %d", n, w.Most)
	}
	return p, nil
}

func (w *Work) checkJob(j *Job) string {
	switch {
	case strings.TrimSpace(j.ID) == "" || len(j.ID) > mostID || strings.ContainsFunc(j.ID, unicode.IsControl):
		return fmt.Sprintf("has no id of 1 to %d bytes", mostID)
	case strings.TrimSpace(j.Ask) == "" || sent(j.Ask) > mostAsk || !utf8.ValidString(j.Ask):
		return fmt.Sprintf("asks nothing, or in more than %d bytes", mostAsk)
	case j.Chunks != nil && len(j.Chunks) == 0:
		return "names no chunk"
	}
	seen := map[int]bool{}
	for _, n := range j.Chunks {
		if n < 1 || n > len(w.Chunks) || seen[n] {
			return "names a chunk that is not there, or one twice"
		}
		seen[n] = true
	}
	return ""
}

// A Reading is one chunk, read for one job.
type Reading struct {
	Job   int // its place in the plan
	Chunk int // its number
}

// Readings returns all that is to be read, job by job and in the order of the chunks.
func (p *Plan) Readings(w *Work) (all []Reading) {
	for i := range p.Jobs {
		numbers := slices.Sorted(slices.Values(p.Jobs[i].Chunks))
		if p.Jobs[i].Chunks == nil {
			for n := range w.Chunks {
				numbers = append(numbers, n+1)
			}
		}
		for _, n := range numbers {
			all = append(all, Reading{i, n})
		}
	}
	return all
}

// MostReadings is how many readings the largest plan has.
func (w *Work) MostReadings() int64 { return w.ReadingsFor(mostJobs) }

// ReadingsFor is how many readings a plan has that looks for so many things in all chunks.
func (w *Work) ReadingsFor(jobs int64) int64 { return min(w.Most, jobs*int64(len(w.Chunks))) }

// longestHeading bounds what the planner sees of a chunk, in bytes.
const longestHeading = 96

// outline is what the planner sees of the documents: names, sizes, and of each chunk the
// first line or heading.
func (w *Work) outline() string {
	var b strings.Builder
	last := -1
	for i, c := range w.Chunks {
		if d := &w.Documents[c.Document]; c.Document != last {
			last = c.Document
			fmt.Fprintf(&b, "document %s, %d tokens\n", w.name(last), d.Tokens)
		}
		fmt.Fprintf(&b, "chunk %d, %d tokens: %s\n", i+1, c.Tokens, heading(w.Documents[c.Document].Text[c.Fresh:c.To]))
	}
	return strings.TrimRight(b.String(), "\n")
}

// name is a document's name for people and models, in one line.
func (w *Work) name(document int) string {
	if name := line(w.Documents[document].Name, longestHeading); name != "" {
		return fmt.Sprintf("%q", name)
	}
	return fmt.Sprintf("%d", document+1)
}

// heading returns the first heading of a text in Markdown, else its first line.
func heading(text string) string {
	first := ""
	for l := range strings.Lines(text) {
		l = strings.TrimSpace(l)
		switch {
		case strings.HasPrefix(l, "#"):
			return line(strings.TrimLeft(l, "# "), longestHeading)
		case first == "":
			first = l
		}
	}
	return line(first, longestHeading)
}

// line makes one line of a text, of at most so many bytes.
func line(text string, most int) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return ' '
		}
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, text)
	text = strings.TrimSpace(text)
	if len(text) <= most {
		return text
	}
	most -= len("…")
	for most > 0 && !utf8.RuneStart(text[most]) {
		most--
	}
	return text[:most] + "…"
}

// PlanVerifier accepts answers that are plans of the work.
func (w *Work) PlanVerifier() starling.Verifier {
	return check{"plan", func(text string) error {
		_, err := w.ReadPlan(text)
		return err
	}}
}
