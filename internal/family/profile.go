package family

import (
	"embed"
	"slices"
	"strings"
	"sync"

	"starling/internal/engine"
	"starling/internal/strict"
)

//go:embed profiles.yaml profiles.schema.json templates
var files embed.FS

// A Dialect is how a model writes down that it wants a tool to be called.
type Dialect string

// The dialects. "" is none: such a model calls no tools.
const (
	Hermes    Dialect = "hermes"    // <tool_call>{"name":…,"arguments":…}</tool_call>
	QwenXML   Dialect = "qwen_xml"  // <tool_call><function=…><parameter=…>…</parameter></function></tool_call>
	GLM       Dialect = "glm"       // <tool_call>name<arg_key>…</arg_key><arg_value>…</arg_value></tool_call>
	Llama     Dialect = "llama"     // {"name":…,"parameters":…} and nothing before it
	Pythonic  Dialect = "pythonic"  // [name(key="value")] and nothing before it
	ToolCode  Dialect = "tool_code" // name(key="value") in a fence called tool_code
	Mistral   Dialect = "mistral"   // [TOOL_CALLS][{…}], [TOOL_CALLS]name[ARGS]{…}
	DeepSeek  Dialect = "deepseek"  // <｜tool▁calls▁begin｜>…
	Kimi      Dialect = "kimi"      // <|tool_calls_section_begin|>…
	Gemma4    Dialect = "gemma4"    // <|tool_call>call:name{key:<|"|>value<|"|>}<tool_call|>
	Functools Dialect = "functools" // functools[{"name":…,"arguments":…}] and nothing before it
	Harmony   Dialect = "harmony"   // channels, of which one is to=functions.name
)

// A Profile is what is known of a family. It is immutable.
type Profile struct {
	Name     string        `yaml:"name"`
	Match    Match         `yaml:"match"`
	Template string        `yaml:"template"` // the built-in one, for a file without its own
	Tools    Dialect       `yaml:"tools"`
	Think    Think         `yaml:"think"`
	Stop     []string      `yaml:"stop"` // beside the end of sequence of the file
	Sampling []Recommended `yaml:"sampling"`
	Context  int           `yaml:"context"` // tokens that its makers stand for
	System   bool          `yaml:"system"`  // it takes system messages; else the first turn of the user begins with them
	License  License       `yaml:"license"`
	Sources  []Source      `yaml:"sources"`
}

// A Match says which files are of a family. A file is, where its architecture is one of
// those, if there are any, and its name has one of the words, if there are any, and its
// template one of the marks, if there are any.
type Match struct {
	Architectures []string `yaml:"architectures"` // general.architecture
	Names         []string `yaml:"names"`         // parts of general.name in lower case, hyphens for spaces
	Marks         []string `yaml:"marks"`         // parts of the template
}

// Think says how a family thinks aloud.
type Think struct {
	Open    string `yaml:"open"`    // what begins a thought; "" it has none, or is Harmony
	Close   string `yaml:"close"`   //
	Switch  string `yaml:"switch"`  // the template's variable: "enable_thinking", "thinking", "reasoning_effort"; "" it cannot be switched
	Default string `yaml:"default"` // where nobody says: "on", "off"; "" it never thinks
}

// Recommended is the sampling that a family's makers recommend. 0 is unsaid.
type Recommended struct {
	When        string  `yaml:"when"` // "always", "thinking", "plain"
	Temperature float32 `yaml:"temperature"`
	TopP        float32 `yaml:"top_p"`
	TopK        int32   `yaml:"top_k"`
	MinP        float32 `yaml:"min_p"`
}

// A License is that of the weights. The text itself counts, not this row.
type License struct {
	Name string `yaml:"name"` // SPDX, or the makers' own name of it
	URL  string `yaml:"url"`
}

// A Source says where facts of a profile are from.
type Source struct {
	URL  string `yaml:"url"`
	Date string `yaml:"date"` // on which it was read; "" it was not, and is the makers' own page
	Of   string `yaml:"of"`   // which facts
}

type book struct {
	Profiles []*Profile `yaml:"profiles"`
}

var load = sync.OnceValue(func() []*Profile {
	data, _ := files.ReadFile("profiles.yaml")
	schema, _ := files.ReadFile("profiles.schema.json")
	var b book
	if err := strict.Read("profiles.yaml", data, strict.NewSchema(schema), &b); err != nil {
		panic("the embedded profiles break their own schema: " + err.Error())
	}
	return b.Profiles
})

// All returns every profile, the more special before the more general ones. The last is
// that of an unknown model.
func All() []*Profile { return slices.Clone(load()) }

// Find returns the profile of a file by its architecture, its name and its template, as
// the file says them; "" where it says nothing. A model that nobody knows has the plain
// profile, with the dialect in which its template calls tools, if it shows one.
func Find(architecture, name, template string) *Profile {
	all := load()
	name = strings.ReplaceAll(strings.ToLower(name), " ", "-")
	for _, p := range all[:len(all)-1] {
		if p.Match.fits(architecture, name, template) {
			return p.as(template)
		}
	}
	return all[len(all)-1].as(template)
}

func (m *Match) fits(architecture, name, template string) bool {
	has := func(text string) func(string) bool {
		return func(part string) bool { return strings.Contains(text, part) }
	}
	return (len(m.Architectures) == 0 || slices.Contains(m.Architectures, architecture)) &&
		(len(m.Names) == 0 || slices.ContainsFunc(m.Names, has(name))) &&
		(len(m.Marks) == 0 || slices.ContainsFunc(m.Marks, has(template)))
}

// as returns the profile as a template departs from it: models that were trained on from
// a family's often call tools in another's dialect, and their template shows it.
func (p *Profile) as(template string) *Profile {
	d, think := Classify(template)
	own := *p
	if d != "" {
		own.Tools = d
	}
	if own.Think.Open == "" && own.Tools != Harmony {
		own.Think = think
	}
	return &own
}

// marks are parts of templates, and what they show. The first that is there counts.
var marks = []struct {
	part    string
	dialect Dialect
}{
	{"<|channel|>", Harmony},
	{"<|tool_calls_section_begin|>", Kimi},
	{"<｜tool▁calls▁begin｜>", DeepSeek},
	{"<|tool_call>", Gemma4},
	{"<arg_key>", GLM},
	{"<function=", QwenXML},
	{"[TOOL_CALLS]", Mistral},
	{"functools", Functools},
	{"<tool_call>", Hermes},
	{"tool_code", ToolCode},
	{`"parameters":`, Llama},
	{"<|python_tag|>", Llama},
}

// thoughts are the pairs between which models think.
var thoughts = []Think{
	{Open: "<|channel>thought", Close: "<channel|>"},
	{Open: "[THINK]", Close: "[/THINK]"},
	{Open: "<think>", Close: "</think>"},
}

// Classify tells by a template's text in which dialect its model calls tools, "" if it
// shows none, and how it thinks, the zero value if it shows nothing.
func Classify(template string) (Dialect, Think) {
	var d Dialect
	for _, m := range marks {
		if strings.Contains(template, m.part) {
			d = m.dialect
			break
		}
	}
	for _, t := range thoughts {
		if strings.Contains(template, t.Close) {
			t.Default = "on"
			for _, s := range []string{"enable_thinking", "reasoning_effort", "thinking"} {
				if strings.Contains(template, s) {
					t.Switch = s
					break
				}
			}
			return d, t
		}
	}
	return d, Think{}
}

// Sample returns the sampling that the makers recommend for an answer with the given
// reasoning effort ("" is unsaid); the zero value where they recommend none.
func (p *Profile) Sample(effort string) engine.Sampling {
	when := "plain"
	if p.thinks(effort) {
		when = "thinking"
	}
	for _, r := range p.Sampling {
		if r.When == "always" || r.When == when {
			return engine.Sampling{Temperature: r.Temperature, TopP: r.TopP, TopK: r.TopK, MinP: r.MinP}
		}
	}
	return engine.Sampling{}
}

// thinks reports whether it will, if its template does as it should.
func (p *Profile) thinks(effort string) bool {
	switch {
	case p.Think.Default == "":
		return false
	case p.Think.Switch == "" || effort == "":
		return p.Think.Default == "on"
	}
	return effort != "none"
}
