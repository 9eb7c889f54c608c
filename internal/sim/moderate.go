package sim

import (
	"strings"
	"time"
	"unicode"

	"github.com/tidwall/gjson"

	"starling"
)

// categories are what a moderation tells of, as the vendor lists them.
var categories = []string{
	"harassment", "harassment/threatening", "hate", "hate/threatening", "illicit", "illicit/violent", "self-harm",
	"self-harm/instructions", "self-harm/intent", "sexual", "sexual/minors", "violence", "violence/graphic",
}

// violent are the words that this knows to be so. A model knows more.
var violent = map[string]bool{"kill": true, "murder": true, "stab": true}

type moderation struct {
	Flagged    bool                `json:"flagged"`
	Categories map[string]bool     `json:"categories"`
	Scores     map[string]float64  `json:"category_scores"`
	Applied    map[string][]string `json:"category_applied_input_types"`
}

// judge finds violence in a text by its words, and nothing else in anything.
func judge(text string) moderation {
	m := moderation{Categories: map[string]bool{}, Scores: map[string]float64{}, Applied: map[string][]string{}}
	for word := range strings.FieldsFuncSeq(strings.ToLower(text), func(c rune) bool { return !unicode.IsLetter(c) }) {
		m.Flagged = m.Flagged || violent[word]
	}
	for _, c := range categories {
		m.Categories[c], m.Scores[c], m.Applied[c] = false, 0.001, []string{"text"}
	}
	if m.Flagged {
		m.Categories["violence"], m.Scores["violence"] = true, 0.99
	}
	return m
}

// parseModerations reads the body of POST /v1/moderations: a text, several, or
// parts that are judged together.
func parseModerations(f map[string]gjson.Result) (model string, texts []string, wrong *fault) {
	a := &ask{dialect: starling.OpenAI}
	model = a.text("model", f["model"])
	input := f["input"]
	switch {
	case input.Type == gjson.String:
		texts = []string{input.Str}
	case input.IsArray() && input.Get("0").IsObject():
		var said []string
		for _, part := range input.Array() {
			if kind := part.Get("type").Str; kind != "text" && kind != "image_url" {
				a.bad("input", "input parts must be of type text or image_url")
			}
			said = append(said, part.Get("text").Str)
		}
		texts = []string{strings.Join(said, "\n")}
	default:
		texts = a.strings("input", input)
	}
	if len(texts) == 0 {
		a.bad("input", "input must be a text, several, or parts")
	}
	return model, texts, a.wrong
}

// moderate answers what is harmful. Without a model it is the server's first.
func (x *visit) moderate(f map[string]gjson.Result) *fault {
	name, texts, wrong := parseModerations(f)
	if wrong != nil {
		return wrong
	}
	if name == "" && len(x.names) > 0 {
		name = x.names[0]
	}
	m, wrong := x.find(name)
	if wrong != nil {
		return wrong
	}
	began := time.Now()
	m.begin()
	end := failed
	defer func() { m.settleEmbedding(end, 0, time.Since(began)) }()
	about := x.die.about(m.Name).about("moderate").about(strings.Join(texts, "\x00"))
	if f := m.Failure.fate(about.nth(x.attempts.next(uint64(about)))).fault(); f != nil {
		return f
	}
	results := make([]moderation, len(texts))
	for i, text := range texts {
		results[i] = judge(text)
	}
	if x.reply(marshal(struct {
		ID        string       `json:"id"`
		Model     string       `json:"model"`
		Results   []moderation `json:"results"`
		Simulated bool         `json:"simulated"`
	}{"sim-" + about.name("modr"), m.Name, results, true})) == nil {
		end = whole
	} else {
		end = left
	}
	return nil
}
