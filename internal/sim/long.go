package sim

import (
	"regexp"
	"strconv"
	"strings"
)

// A Fact is something that a long document says, and what a question about it is
// answered with. Models plan, read and answer as split documents have them do
// (internal/split), as well as their [Reading] states.
type Fact struct {
	Ask    string // words that stand in a question about it
	Quote  string // the document's own, in one line and without quotation marks
	Answer string
	Wrong  string // what is answered by who does not know it
}

// A Reading states how well a model does with long documents. The zero value finds
// nothing and knows nothing.
type Reading struct {
	Finds   float64 // share of the facts in a chunk that it reports
	Invents float64 // share of the chunks of which it reports words that do not stand there
	Garbles float64 // share of its plans that are none
	Sent    float64 // share of the facts in the documents that it is sent which it answers rightly
	Found   float64 // share of the facts in the findings that it is sent which it answers rightly
}

// The words by which a model knows what it is asked in a split (internal/split/prompt.go).
const (
	plannerBegins = "You plan how long documents are read."
	readerBegins  = "You read one chunk of a long document for somebody who cannot see it."
)

// long returns what a model says to a step of a split, or to a question about known
// facts; false if it is asked neither.
func (s *Server) long(m *Model, a *ask) (string, bool) {
	for i := range a.pieces { // what a model is told of a shape may stand before the instructions
		switch told := a.pieces[i].text; {
		case strings.HasPrefix(told, plannerBegins):
			asked := strings.TrimSpace(between(a.said, "before") + "\n" + between(a.said, "question"))
			return s.plans(m, asked, strings.Count(between(a.said, "outline"), "chunk "), readings(told)), true
		case strings.HasPrefix(told, readerBegins):
			return s.reports(m, between(a.said, "look-for"), between(a.said, "chunk")), true
		}
	}
	if about := s.about(a.said); len(about) > 0 {
		return s.answers(m, about, a.said), true
	}
	return "", false
}

var opens = regexp.MustCompile(`(?m)^(instructions|look-for)-([0-9a-f]{24})$`)

// between returns what stands between the lines of a name. The mark is that of the first
// line, which nobody else has written.
func between(text, name string) string {
	mark := opens.FindStringSubmatch(text)
	if mark == nil {
		return ""
	}
	_, rest, _ := strings.Cut(text, name+"-"+mark[2]+"\n")
	inside, _, _ := strings.Cut(rest, "\nend-of-"+name+"-"+mark[2])
	return inside
}

// about returns the facts that a question asks for.
func (s *Server) about(question string) (all []*Fact) {
	for i := range s.facts {
		if strings.Contains(question, s.facts[i].Ask) {
			all = append(all, &s.facts[i])
		}
	}
	return all
}

var mayHave = regexp.MustCompile(`may have (\d+) readings`)

// readings is how many a plan may have.
func readings(system string) int {
	if m := mayHave.FindStringSubmatch(system); m != nil {
		n, _ := strconv.Atoi(m[1])
		return n
	}
	return 0
}

// plans looks for each fact that the question names, or what was said before, in all chunks, and for all at once where that would be too
// many readings; of a question about none, for the question.
func (s *Server) plans(m *Model, question string, chunks, most int) string {
	if s.die.about(m.Name).about("garbles").about(question).share() < m.Long.Garbles {
		return `{"version":1,"jobs":[]}`
	}
	type job struct {
		ID     string `json:"id"`
		Ask    string `json:"ask"`
		Chunks string `json:"chunks"`
	}
	var jobs []job
	about := s.about(question)
	for i, f := range about {
		if len(jobs) > 0 && (len(about)*chunks > most || len(about) > 4) {
			jobs[0].Ask += "; " + f.Ask
			continue
		}
		jobs = append(jobs, job{string(rune('a' + i)), f.Ask, "all"})
	}
	if len(jobs) == 0 {
		jobs = []job{{"a", orText(clip(question, 100), "what it says"), "all"}}
	}
	return string(marshal(map[string]any{"version": 1, "jobs": jobs}))
}

func orText(text, otherwise string) string {
	if strings.TrimSpace(text) == "" {
		return otherwise
	}
	return text
}

// reports says what a model finds in a chunk.
func (s *Server) reports(m *Model, wanted, chunk string) string {
	d := s.die.about(m.Name)
	type finding struct {
		Quote string `json:"quote"`
		Says  string `json:"says"`
	}
	found := []finding{}
	for _, f := range s.about(wanted) {
		if strings.Contains(chunk, f.Quote) && d.about("finds").about(f.Quote).share() < m.Long.Finds {
			found = append(found, finding{f.Quote, marker + f.Answer})
		}
	}
	if d.about("invents").about(chunk).share() < m.Long.Invents {
		found = append(found, finding{"words that stand in no document", marker + "nothing"})
	}
	return string(marshal(map[string]any{"found": len(found) > 0, "findings": found}))
}

// answers says what the facts are, each in a line, as far as they stand in what was sent.
func (s *Server) answers(m *Model, about []*Fact, said string) string {
	share, d := m.Long.Sent, s.die.about(m.Name).about("answers")
	if strings.Contains(said, "\nend-of-findings-") {
		share, d = m.Long.Found, d.about("findings")
	}
	var lines []string
	for _, f := range about {
		line := f.Wrong
		if strings.Contains(said, f.Quote) && d.about(f.Quote).share() < share {
			line = f.Answer
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}
