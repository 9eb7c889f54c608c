package verify

import (
	"bytes"
	"encoding/json"
	"regexp"
	"slices"
	"strings"

	"starling"
)

// What is wrong with a turn, in words that hold none of it. Metrics count them.
const (
	noTurn      = "the turn is empty"
	notForced   = "a tool is demanded, and it is not called"
	notAllowed  = "a tool is called, and none may be"
	unknownTool = "it calls a tool that was not offered"
	badInput    = "the arguments of a call do not fit its tool"
	manyAlike   = "it makes the same call again and again at once"
	looping     = "it makes the same calls for the third time, and nothing has changed"
	spokenCall  = "it writes a tool call as text"
	babbling    = "it says the same again and again"
)

// Turn is the net under agents: it says what is wrong with a model's turn in a
// conversation with tools, "" if nothing that can be told without a model. It looks
// for what stops an agent or makes it run in circles, not for bad advice. The
// request's view is asked for only where it matters, and may be nil: then the answer
// is judged by itself.
//
// A refusal, and a turn that is to be continued, are sound.
func (s *Shapes) Turn(r *starling.Request, a *starling.Answer, view func() *starling.Chat) (why string) {
	if a.Refused || a.Finish == starling.Paused {
		return ""
	}
	t := &turn{Shapes: s, answer: a, said: withoutThoughts(a.Text)}
	if len(a.Calls) > 0 || t.mayBeCall() || r.Chooses || t.said == "" {
		t.chat = view()
	}
	t.offered, t.complete = offer(t.chat)
	if len(a.Calls) > 0 {
		return t.calls()
	}
	return t.words(r.Format != nil)
}

// A turn is what a model did, and what it could have done.
type turn struct {
	*Shapes
	answer   *starling.Answer
	said     string // the text without thoughts that stand in it
	chat     *starling.Chat
	offered  map[string]*starling.Tool
	complete bool // no other tool can have been meant
}

// others are the fields in which tools are offered that a view has no word for.
var others = []string{"tools[].type", "functions", "mcp_servers", "plugins", "web_search_options", "search_parameters"}

// offer returns the tools by their names, and whether these are all.
func offer(chat *starling.Chat) (tools map[string]*starling.Tool, complete bool) {
	if chat == nil {
		return nil, false
	}
	tools = make(map[string]*starling.Tool, len(chat.Tools))
	for i := range chat.Tools {
		tools[chat.Tools[i].Name] = &chat.Tools[i]
	}
	return tools, !slices.ContainsFunc(others, func(name string) bool { _, there := chat.Extra[name]; return there })
}

// words judges a turn without calls.
func (t *turn) words(shaped bool) string {
	mode := ""
	if t.chat != nil {
		mode = t.chat.ToolChoice.Mode
	}
	forced := (mode == "required" || mode == "tool") && t.complete
	switch {
	case t.said == "" && t.answer.Finish == starling.ToolUse && !t.complete:
		return "" // it may have called a tool of a kind that we do not read
	case forced && t.answer.Finish != starling.Length:
		return notForced
	case t.said == "":
		return noTurn
	case t.spoken(shaped):
		return spokenCall
	case babbles(t.said, t.answer.Finish):
		return babbling
	}
	return ""
}

// calls judges a turn with calls.
func (t *turn) calls() string {
	for i := range t.answer.Calls {
		if why := t.call(&t.answer.Calls[i]); why != "" {
			return why
		}
	}
	switch {
	case alike(t.answer.Calls) > mostAlike:
		return manyAlike
	case t.chat != nil && circles(t.chat.Messages, t.answer.Calls):
		return looping
	case babbles(t.said, t.answer.Finish):
		return babbling
	}
	return ""
}

// call judges one call.
func (t *turn) call(c *starling.ToolCall) string {
	input, sound := arguments(c)
	if !sound {
		return badInput
	}
	if !t.complete {
		return ""
	}
	tool, there := t.offered[c.Name]
	choice := t.chat.ToolChoice
	switch {
	case !there:
		return unknownTool
	case choice.Mode == "none":
		return notAllowed
	case choice.Mode == "tool" && choice.Name != c.Name:
		return notForced
	case len(tool.Schema) == 0 || len(tool.Schema) > maxAnswer:
		return ""
	}
	// What is wrong with the schema is not the answer's fault.
	if broken, err := t.of(tool.Schema).Check(input); err == nil && broken != "" {
		return badInput
	}
	return ""
}

// arguments reads what a call hands over; none at all are an empty object.
func arguments(c *starling.ToolCall) (input any, sound bool) {
	if strings.TrimSpace(c.Arguments) == "" {
		return map[string]any{}, true
	}
	if len(c.Arguments) > maxAnswer {
		return nil, true
	}
	input, _, why := document{}.read(c.Arguments)
	_, object := input.(map[string]any)
	return input, why == "" && object
}

// mostAlike is how often one turn may make the same call.
const mostAlike = 3

// alike returns how often the most frequent of the calls is made.
func alike(calls []starling.ToolCall) (most int) {
	if len(calls) <= mostAlike {
		return 0
	}
	count := map[string]int{}
	for i := range calls {
		k := key(&calls[i])
		count[k]++
		most = max(most, count[k])
	}
	return most
}

// key names a call by what it does: however its arguments are written, the same call
// has the same key.
func key(c *starling.ToolCall) string {
	dec := json.NewDecoder(strings.NewReader(c.Arguments))
	dec.UseNumber()
	var v any
	if strings.TrimSpace(c.Arguments) == "" {
		return c.Name + " {}"
	}
	if dec.Decode(&v) != nil {
		return c.Name + " " + c.Arguments
	}
	var b bytes.Buffer
	if json.NewEncoder(&b).Encode(v) != nil { // keys in order
		return c.Name + " " + c.Arguments
	}
	return c.Name + " " + strings.TrimSuffix(b.String(), "\n")
}

// thoughts are what some models leave of their thinking in the text.
var thoughts = regexp.MustCompile(`(?s)^\s*<(think|thinking|thought)>.*?(</(think|thinking|thought)>|$)`)

func withoutThoughts(text string) string {
	if strings.Contains(text, "<th") {
		text = thoughts.ReplaceAllString(text, "")
	}
	return strings.TrimSpace(text)
}
