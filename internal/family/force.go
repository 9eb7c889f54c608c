package family

import (
	"cmp"
	"errors"
	"regexp"
	"slices"
	"strings"

	"starling"
	"starling/internal/engine"
	"starling/internal/grammar"
)

// mostCalls is how many calls a model may be held to in one answer.
const mostCalls = 16

// Force returns the grammar of an answer that calls tools and says nothing else, as a
// conversation demands it by its tool choice: any of its tools, or the one that is named,
// once; where the caller allows parallel calls and names none, up to sixteen times.
// Before that a model that thinks may do so, and has to end the thought that the prompt
// began. What the grammar accepts a [Reader] of this profile reads as such calls, after the
// same prompt.
//
// Loose are the keywords of the tools' schemas that the grammar does not hold, as JSON
// pointers with the tool's name before them, nil for none.
//
// Errors are Invalid: there is no such tool, this family calls none, the dialect cannot
// write a tool's name or a name that its schema requires, and those of the grammar.
func (p *Profile) Force(chat *starling.Chat, prompt []engine.Text) (gbnf string, loose []string, err error) {
	write := writers[p.Tools]
	if write == nil {
		return "", nil, unforced("this model calls no tools", "ask another model")
	}
	tools := allowed(chat)
	if len(tools) == 0 {
		return "", nil, unforced("there is no such tool", "name one of the request's tools")
	}
	r := p.Reader(chat.Tools)
	r.After(prompt)
	f := &forcing{profile: p, chat: chat, tools: &r.tools}
	s := styles[p.Tools]
	s.Never = p.never(s.Never)
	f.Writer = grammar.NewWriter(s)
	calls := write(f, tools)
	if f.err != nil {
		return "", nil, f.err
	}
	gbnf, err = f.Grammar(grammar.Sequence(f.thought(r.thinking), calls))
	slices.Sort(f.loose)
	return gbnf, f.loose, err
}

func unforced(why, hint string) error {
	return &starling.Error{Kind: starling.Invalid, Op: "hold a model to a call", Hint: hint, Err: errors.New(why)}
}

// allowed are the tools that may be called.
func allowed(chat *starling.Chat) (all []starling.Tool) {
	for _, t := range chat.Tools {
		if chat.ToolChoice.Mode != "tool" || t.Name == chat.ToolChoice.Name {
			all = append(all, t)
		}
	}
	return all
}

// styles are how the dialects write values that are not written as in JSON, and what no
// text in them may hold, since it would end the call.
var styles = map[Dialect]grammar.Style{
	QwenXML:  {Never: []string{"</parameter>"}},
	GLM:      {Never: []string{"</arg_value>"}},
	Pythonic: {Python: true},
	ToolCode: {Python: true},
	DeepSeek: {Never: []string{"<｜tool▁call▁end｜>"}},
	Kimi:     {Never: []string{"<|tool_call_end|>"}},
	Gemma4:   {Quote: gemmaQuote, Bare: true},
	Harmony:  {Never: []string{"<|call|>", "<|end|>", "<|return|>", "<|start|>"}},
}

// never is what no text may hold: what would end the call, and the texts that end the
// answer. Special tokens that begin alike count as one, their beginning: a rule is needed
// for each character of these.
func (p *Profile) never(marks []string) (all []string) {
	for _, m := range slices.Concat(marks, p.Stop) {
		for _, begin := range []string{"<|", "<｜"} {
			if strings.HasPrefix(m, begin) {
				m = begin
			}
		}
		if m != "" && !slices.Contains(all, m) {
			all = append(all, m)
		}
	}
	return all
}

// A forcing writes one grammar.
type forcing struct {
	*grammar.Writer
	profile *Profile
	chat    *starling.Chat
	tools   *toolbox
	loose   []string
	err     error // the first
}

var writers = map[Dialect]func(*forcing, []starling.Tool) grammar.Piece{
	Hermes:    (*forcing).hermes,
	QwenXML:   (*forcing).qwenXML,
	GLM:       (*forcing).glm,
	Llama:     (*forcing).llama,
	Pythonic:  (*forcing).pythonic,
	ToolCode:  (*forcing).toolCode,
	Mistral:   (*forcing).mistral,
	DeepSeek:  (*forcing).deepseek,
	Kimi:      (*forcing).kimi,
	Gemma4:    (*forcing).gemma,
	Functools: (*forcing).functools,
	Harmony:   (*forcing).harmony,
}

// Names of pieces that the dialects are made of.
var (
	say    = grammar.Text
	then   = grammar.Sequence
	either = grammar.Choice
)

var (
	newline  = grammar.Times(say("\n"), 0, 1)
	newlines = grammar.Times(say("\n"), 0, 2)
)

// thought is what may come before the calls. A model that has begun one has to end it.
func (f *forcing) thought(begun bool) grammar.Piece {
	t := f.profile.Think
	thinks := f.profile.thinks(f.chat.Effort)
	switch {
	case f.profile.Tools == Harmony && thinks:
		said := f.Without("thought", f.profile.never([]string{"<|end|>"})...)
		return grammar.Times(then(say("<|channel|>analysis<|message|>"), said, say("<|end|><|start|>assistant")), 0, 1)
	case t.Open == "" || !begun && !thinks:
		return say("")
	}
	said := then(f.Without("thought", append(f.profile.never(nil), t.Close)...), say(t.Close), newlines)
	if begun {
		return said
	}
	return grammar.Times(then(say(t.Open), said), 0, 1)
}

// most is how many calls there may be.
func (f *forcing) most() int {
	if f.chat.ToolChoice.Mode == "tool" || f.chat.Parallel != nil && !*f.chat.Parallel {
		return 1
	}
	return mostCalls
}

// several is a piece as often as calls may be, with another between two of them.
func (f *forcing) several(one, between grammar.Piece) grammar.Piece {
	one = f.Named("call", one)
	if f.most() == 1 {
		return one
	}
	return then(one, grammar.Times(then(between, one), 0, f.most()-1))
}

// each is a choice between the tools, of which one writes a call.
func (f *forcing) each(tools []starling.Tool, one func(starling.Tool) grammar.Piece) grammar.Piece {
	var all []grammar.Piece
	for _, t := range tools {
		all = append(all, one(t))
	}
	return either(all...)
}

// arguments is the object that a tool takes.
func (f *forcing) arguments(t starling.Tool, l *grammar.Layout) grammar.Piece {
	schema := []byte(t.Schema)
	if len(schema) == 0 {
		schema = []byte(`{"type":"object","additionalProperties":false}`)
	}
	if !toolName.MatchString(t.Name) {
		f.refuse(badName())
	}
	e, loose, err := f.Arguments(schema, l)
	for _, at := range loose {
		f.loose = append(f.loose, "/"+t.Name+at)
	}
	f.refuse(err)
	return e
}

func (f *forcing) refuse(err error) { f.err = cmp.Or(f.err, err) }

// object is a call as a JSON object, with its arguments under a name.
func (f *forcing) object(t starling.Tool, arguments string) grammar.Piece {
	return then(say(`{"name": "`+t.Name+`", "`+arguments+`": `), f.arguments(t, nil), say("}"))
}

func (f *forcing) hermes(tools []starling.Tool) grammar.Piece {
	one := f.each(tools, func(t starling.Tool) grammar.Piece { return f.object(t, "arguments") })
	return f.several(then(say("<tool_call>"), newline, one, newline, say("</tool_call>")), newline)
}

func (f *forcing) llama(tools []starling.Tool) grammar.Piece {
	one := f.each(tools, func(t starling.Tool) grammar.Piece { return f.object(t, "parameters") })
	return f.several(one, say("; "))
}

func (f *forcing) functools(tools []starling.Tool) grammar.Piece {
	one := f.each(tools, func(t starling.Tool) grammar.Piece { return f.object(t, "arguments") })
	return then(say("functools["), f.several(one, say(", ")), say("]"))
}

func (f *forcing) qwenXML(tools []starling.Tool) grammar.Piece {
	one := f.each(tools, func(t starling.Tool) grammar.Piece {
		return then(say("<function="+t.Name+">\n"), f.arguments(t, f.tagged(t, "<parameter=", ">\n", "\n</parameter>\n")), say("</function>"))
	})
	return f.several(then(say("<tool_call>\n"), one, say("\n</tool_call>")), newline)
}

func (f *forcing) glm(tools []starling.Tool) grammar.Piece {
	one := f.each(tools, func(t starling.Tool) grammar.Piece {
		return then(say(t.Name+"\n"), f.arguments(t, f.tagged(t, "<arg_key>", "</arg_key>\n<arg_value>", "</arg_value>\n")))
	})
	return f.several(then(say("<tool_call>"), one, say("</tool_call>")), newline)
}

// tagged is the layout of members between tags, where a text is written as it is if the
// reader takes it for one.
func (f *forcing) tagged(t starling.Tool, before, after, end string) *grammar.Layout {
	return &grammar.Layout{
		Before: before, After: after, End: end,
		Name: func(name string) (string, bool) {
			return name, name == strings.TrimSpace(name) && !strings.ContainsAny(name, "<>")
		},
		Text: func(name string) bool { return f.tools.stringly(t.Name, name) },
	}
}

func (f *forcing) pythonic(tools []starling.Tool) grammar.Piece {
	return then(say("["), f.several(f.each(tools, f.python), say(", ")), say("]"))
}

func (f *forcing) toolCode(tools []starling.Tool) grammar.Piece {
	return then(say("```tool_code\n"), f.several(then(f.each(tools, f.python), say("\n")), say("")), say("```"))
}

var wholeWord = regexp.MustCompile(word.String() + "$")

// python is name(key=value, …).
func (f *forcing) python(t starling.Tool) grammar.Piece {
	f.mustBeWord(t)
	return then(say(t.Name), f.arguments(t, &grammar.Layout{
		Open: "(", Close: ")", After: "=", Between: ",",
		Name: func(name string) (string, bool) {
			if wholeWord.MatchString(name) {
				return name, true
			}
			text := string(quoted(name))
			return text, name != "" && !strings.Contains(text, "<")
		},
	}))
}

func (f *forcing) mustBeWord(t starling.Tool) {
	if !wholeWord.MatchString(t.Name) {
		f.refuse(unforced("a tool's name cannot be written by this model", "name it with letters, digits and _ alone"))
	}
}

// mistral is either form: versions differ in which one they know.
func (f *forcing) mistral(tools []starling.Tool) grammar.Piece {
	var named, listed []grammar.Piece
	for _, t := range tools {
		args := f.Named("arguments", f.arguments(t, nil))
		named = append(named, then(say(t.Name+"[ARGS]"), args))
		listed = append(listed, then(say(`{"name": "`+t.Name+`", "arguments": `), args, say("}")))
	}
	mark, blank := say("[TOOL_CALLS]"), grammar.Times(say(" "), 0, 1)
	list := then(mark, blank, say("["), f.several(either(listed...), say(", ")), say("]"))
	return either(f.several(then(mark, either(named...)), say("")), list)
}

// deepseek is either form: V3.1 has neither the word function nor a fence.
func (f *forcing) deepseek(tools []starling.Tool) grammar.Piece {
	var all []grammar.Piece
	for _, t := range tools {
		args := f.Named("arguments", f.arguments(t, nil))
		all = append(all, then(say("function<｜tool▁sep｜>"+t.Name+"\n```json\n"), args, say("\n```")))
		if t.Name != "function" {
			all = append(all, then(say(t.Name+"<｜tool▁sep｜>"), args))
		}
	}
	one := then(say(deepseekSection.begin), either(all...), say(deepseekSection.end))
	return then(say(deepseekSection.open), f.several(one, newline), say(deepseekSection.close))
}

func (f *forcing) kimi(tools []starling.Tool) grammar.Piece {
	one := f.each(tools, func(t starling.Tool) grammar.Piece {
		return then(say(kimiSection.begin+"functions."+t.Name+":"), grammar.Digits(1, 3), say("<|tool_call_argument_begin|>"), f.arguments(t, nil), say(kimiSection.end))
	})
	return then(say(kimiSection.open), f.several(one, say("")), say(kimiSection.close))
}

func (f *forcing) gemma(tools []starling.Tool) grammar.Piece {
	one := f.each(tools, func(t starling.Tool) grammar.Piece {
		f.mustBeWord(t)
		return then(say("<|tool_call>call:"+t.Name), f.arguments(t, nil), say("<tool_call|>"))
	})
	return f.several(one, say(""))
}

// harmony is one call: it ends the answer.
func (f *forcing) harmony(tools []starling.Tool) grammar.Piece {
	return f.each(tools, func(t starling.Tool) grammar.Piece {
		return then(say("<|channel|>commentary to=functions."+t.Name+" <|constrain|>json<|message|>"), f.arguments(t, nil))
	})
}
