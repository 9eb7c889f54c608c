package family

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/ardanlabs/jinja"

	"starling"
	"starling/internal/engine"
)

// PromptOptions are what a prompt needs beside the conversation.
type PromptOptions struct {
	Template string    // the model's own; "" the family's built-in one
	BOS, EOS string    // the texts of the tokens, as the file says them
	Now      time.Time // for the templates that tell a model the day; zero: they are told none
}

// toolName is what a tool may be called. Such a name is no special token of any model.
var toolName = regexp.MustCompile(`^[A-Za-z0-9_.:-]{1,128}$`)

// Prompt returns the text that a model of this family continues with its answer. It has
// the beginning of the sequence where the template writes one: the engine adds none.
//
// What the template says is Special; what a caller, a tool or the model said before is
// not, whatever a template does to it (see [move]). Text of neither kind that stands
// between two of a caller's, such as a line break, is counted to them.
//
// Errors are Invalid: an image, a tool's name that is none, a template that breaks off,
// takes too long, or refuses the conversation, with its own words as the hint.
func (p *Profile) Prompt(chat *starling.Chat, o PromptOptions) ([]engine.Text, error) {
	source := o.Template
	if source == "" {
		data, err := files.ReadFile("templates/" + p.Template + ".jinja")
		if err != nil {
			return nil, &starling.Error{Kind: starling.Internal, Op: "write a prompt: profile " + p.Name + " names no template"}
		}
		source = string(data)
	}
	values, err := p.values(chat, o)
	if err != nil {
		return nil, err
	}
	text, err := render(source, values)
	if err != nil {
		return nil, err
	}
	return cut(text), nil
}

// values are what the template is rendered with.
func (p *Profile) values(chat *starling.Chat, o PromptOptions) (map[string]jinja.Value, error) {
	h := history{profile: p, ids: map[string]string{}, names: map[string]string{}}
	messages, err := h.messages(chat)
	if err != nil {
		return nil, err
	}
	v := map[string]jinja.Value{
		"messages":              jinja.NewList(messages),
		"bos_token":             jinja.NewString(o.BOS),
		"eos_token":             jinja.NewString(o.EOS),
		"add_generation_prompt": jinja.NewBool(true),
	}
	tools, err := p.tools(chat)
	if err != nil {
		return nil, err
	}
	if len(tools) > 0 {
		v["tools"] = jinja.NewList(tools)
	}
	if !o.Now.IsZero() {
		v["date_string"] = jinja.NewString(o.Now.Format("02 Jan 2006"))
		v["strftime_now"] = jinja.NewCallable("strftime_now", func(args []jinja.Value, _ map[string]jinja.Value) (jinja.Value, error) {
			if len(args) == 0 || !args[0].IsString() {
				return jinja.Undefined(), errors.New("no form of a date")
			}
			return jinja.NewString(strftime(o.Now, args[0].AsString())), nil
		})
	}
	p.think(chat.Effort, v)
	return v, nil
}

// think sets the template's variables that say how much to think. A template that knows
// none of them does as it always does.
func (p *Profile) think(effort string, v map[string]jinja.Value) {
	if effort == "" && p.Think.Default != "off" {
		return // a template knows best what its model does by default
	}
	on := jinja.NewBool(p.thinks(effort))
	switch p.Think.Switch {
	case "enable_thinking", "thinking":
		v[p.Think.Switch] = on
	case "reasoning_effort":
		if e := level(effort); e != "" {
			v["reasoning_effort"] = jinja.NewString(e)
		}
	}
}

// level returns the effort as templates know it: low, medium or high; "" where unsaid.
func level(effort string) string {
	switch effort {
	case "none", "minimal", "low":
		return "low"
	case "high", "xhigh", "max":
		return "high"
	}
	return effort
}

// strftime writes a time as templates ask for one. What it does not know stays.
func strftime(t time.Time, form string) string {
	return strings.NewReplacer("%%", "%", "%Y", t.Format("2006"), "%m", t.Format("01"), "%d", t.Format("02"), "%b", t.Format("Jan"), "%B", t.Format("January"),
		"%H", t.Format("15"), "%M", t.Format("04"), "%S", t.Format("05"), "%A", t.Format("Monday"), "%a", t.Format("Mon"), "%y", t.Format("06"), "%-d", t.Format("2")).Replace(form)
}

// tools are the functions that a model may call, in the form that templates expect.
// Where the caller wants none to be called, none is told.
func (p *Profile) tools(chat *starling.Chat) ([]jinja.Value, error) {
	if p.Tools == "" || chat.ToolChoice.Mode == "none" {
		return nil, nil
	}
	var all []jinja.Value
	for _, t := range chat.Tools {
		if !toolName.MatchString(t.Name) {
			return nil, badName()
		}
		schema := object("type", jinja.NewString("object"), "properties", jinja.NewDict())
		if len(t.Schema) > 0 {
			var err error
			if schema, err = ordered(t.Schema, guard); err != nil {
				return nil, &starling.Error{Kind: starling.Invalid, Op: "write a prompt: a tool's schema is no JSON"}
			}
		}
		all = append(all, object("type", jinja.NewString("function"), "function",
			object("name", jinja.NewString(t.Name), "description", jinja.NewString(move(t.Description)), "parameters", schema)))
	}
	return all, nil
}

func badName() error {
	return &starling.Error{Kind: starling.Invalid, Op: "write a prompt: a tool's name has other characters than letters, digits and _ - . :", Hint: "rename the tool"}
}

// A history turns the turns of a conversation into messages of templates. Calls get ids
// of our own: some templates demand theirs of one length, and an id is a caller's text.
type history struct {
	profile *Profile
	ids     map[string]string // the caller's id → ours
	names   map[string]string // the caller's id → the tool
	list    []jinja.Value
}

func (h *history) messages(chat *starling.Chat) ([]jinja.Value, error) {
	system, err := text(chat.System)
	if err != nil {
		return nil, err
	}
	if system != "" && h.profile.System {
		h.add("system", system)
		system = ""
	}
	for _, m := range chat.Messages {
		switch m.Role {
		case starling.Assistant:
			err = h.assistant(m.Parts)
		case starling.System:
			err = h.system(m.Parts, &system)
		default:
			err = h.user(m.Parts, &system)
		}
		if err != nil {
			return nil, err
		}
	}
	if system != "" {
		h.add("user", system)
	}
	return h.list, nil
}

func (h *history) add(role, content string) {
	h.list = append(h.list, object("role", jinja.NewString(role), "content", jinja.NewString(move(content))))
}

// system adds a system message, or keeps it for the next turn of the user.
func (h *history) system(parts []starling.Part, waiting *string) error {
	s, err := text(parts)
	if err != nil {
		return err
	}
	if h.profile.System {
		h.add("system", s)
	} else {
		*waiting = joined(*waiting, s)
	}
	return nil
}

func joined(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + "\n\n" + b
}

// user adds the results of tools, each a message of its own, and then what the user says.
func (h *history) user(parts []starling.Part, system *string) error {
	var said []starling.Part
	for _, p := range parts {
		if p.Kind != starling.ResultPart {
			said = append(said, p)
			continue
		}
		s, err := text(p.Result.Parts)
		if err != nil {
			return err
		}
		m := object("role", jinja.NewString("tool"), "content", jinja.NewString(move(s)))
		if n := h.names[p.Result.ID]; n != "" {
			m.AsDict().Set("name", jinja.NewString(n))
			m.AsDict().Set("tool_call_id", jinja.NewString(h.ids[p.Result.ID]))
		}
		h.list = append(h.list, m)
	}
	if len(said) == 0 && len(parts) > 0 {
		return nil
	}
	s, err := text(said)
	if err != nil {
		return err
	}
	h.add("user", joined(*system, s))
	*system = ""
	return nil
}

func (h *history) assistant(parts []starling.Part) error {
	var said, thought []starling.Part
	var calls []jinja.Value
	for _, p := range parts {
		switch p.Kind {
		case starling.ReasoningPart:
			thought = append(thought, starling.Part{Kind: starling.TextPart, Text: p.Text})
		case starling.CallPart:
			c, err := h.call(p.Call)
			if err != nil {
				return err
			}
			calls = append(calls, c)
		default:
			said = append(said, p)
		}
	}
	s, err := text(said)
	if err != nil {
		return err
	}
	m := object("role", jinja.NewString("assistant"), "content", jinja.NewString(move(s)))
	if t, _ := text(thought); t != "" {
		m.AsDict().Set("reasoning_content", jinja.NewString(move(t)))
		m.AsDict().Set("thinking", jinja.NewString(move(t)))
	}
	if len(calls) > 0 {
		m.AsDict().Set("tool_calls", jinja.NewList(calls))
	}
	h.list = append(h.list, m)
	return nil
}

// call turns a call into the form of templates, its arguments as an object. Arguments
// that are no JSON object become one that holds them, rather than end a conversation
// that cannot be mended any more.
func (h *history) call(c *starling.ToolCall) (jinja.Value, error) {
	if !toolName.MatchString(c.Name) {
		return jinja.Value{}, badName()
	}
	args, err := ordered([]byte(c.Arguments), move)
	switch {
	case strings.TrimSpace(c.Arguments) == "":
		args = jinja.NewDict()
	case err != nil || !args.IsDict():
		args = object("arguments", jinja.NewString(move(c.Arguments)))
	}
	id := "call" + fmt.Sprintf("%05d", len(h.ids))
	if h.profile.Tools == Kimi {
		id = "functions." + c.Name + ":" + strconv.Itoa(len(h.ids))
	}
	h.ids[c.ID], h.names[c.ID] = id, c.Name
	return object("id", jinja.NewString(id), "type", jinja.NewString("function"), "function",
		object("name", jinja.NewString(c.Name), "arguments", args)), nil
}

// text joins the texts of parts.
func text(parts []starling.Part) (string, error) {
	var all []string
	for _, p := range parts {
		switch p.Kind {
		case starling.TextPart, starling.RefusalPart:
			all = append(all, p.Text)
		case starling.ImagePart:
			return "", &starling.Error{Kind: starling.Invalid, Op: "write a prompt: an image in a conversation with a model that reads text alone", Hint: "ask a model that sees"}
		}
	}
	return strings.Join(all, "\n\n"), nil
}

func object(pairs ...any) jinja.Value {
	d := jinja.NewDict()
	for i := 0; i < len(pairs); i += 2 {
		d.AsDict().Set(pairs[i].(string), pairs[i+1].(jinja.Value))
	}
	return d
}

// mostDepth is how deep JSON may nest.
const mostDepth = 100

// ordered reads JSON with its keys in order, for a model sees them. Each text passes
// through as; keys, and schemas' own words, which templates compare, only where they look
// like a token.
func ordered(data []byte, as func(string) string) (jinja.Value, error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	v, err := value(dec, as, 0)
	if err == nil && dec.More() {
		err = errors.New("more than one value")
	}
	return v, err
}

func value(dec *json.Decoder, as func(string) string, depth int) (jinja.Value, error) {
	t, err := dec.Token()
	if err != nil || depth > mostDepth {
		return jinja.Value{}, errors.Join(err, errors.New("no value"))
	}
	switch t := t.(type) {
	case json.Delim:
		if t == '[' {
			return array(dec, as, depth)
		}
		return members(dec, as, depth)
	case string:
		return jinja.NewString(as(t)), nil
	case json.Number:
		if i, err := t.Int64(); err == nil {
			return jinja.NewInt(i), nil
		}
		f, err := t.Float64()
		return jinja.NewFloat(f), err
	case bool:
		return jinja.NewBool(t), nil
	}
	return jinja.None(), nil
}

func array(dec *json.Decoder, as func(string) string, depth int) (jinja.Value, error) {
	items := []jinja.Value{}
	for dec.More() {
		v, err := value(dec, as, depth+1)
		if err != nil {
			return v, err
		}
		items = append(items, v)
	}
	_, err := dec.Token()
	return jinja.NewList(items), err
}

func members(dec *json.Decoder, as func(string) string, depth int) (jinja.Value, error) {
	d := jinja.NewDict()
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return d, err
		}
		name, _ := key.(string)
		v, err := value(dec, as, depth+1)
		if err != nil {
			return d, err
		}
		d.AsDict().Set(guard(name), v)
	}
	_, err := dec.Token()
	return d, err
}

// What a caller writes must not be read as a special token, and a template may do
// anything to it: trim it, split it at </think>, put it into JSON. Marks around a text
// would not come back from that whole. So each character is moved, by itself, to a plane
// of Unicode that is for private use and that no template names; what comes out is known
// for a caller's by every one of its characters, and moved back. Blanks, quotes,
// backslashes and digits stay, since templates trim and escape them; so do characters
// beyond the first plane. No special token of a known model is made of those alone.
// A caller's own characters of that plane, which mean nothing, are replaced by U+FFFD.
const plane = 0xF0000

func moved(r rune) bool { return r >= plane && r <= 0x10FFFF }

func stays(r rune) bool {
	return r > 0xFFFD || r < ' ' || r == '"' || r == '\\' || (r >= '0' && r <= '9') || unicode.IsSpace(r)
}

func move(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case moved(r):
			return unicode.ReplacementChar
		case stays(r):
			return r
		}
		return plane + r
	}, s)
}

// guard moves a text that looks as if it had a special token in it, and no other.
func guard(s string) string {
	if strings.ContainsAny(s, "<>[]|｜") || strings.ContainsFunc(s, moved) {
		return move(s)
	}
	return s
}

// cut returns a rendered template as pieces, a caller's characters back in their place.
func cut(text string) []engine.Text {
	var pieces []engine.Text
	var b strings.Builder // of the last piece
	special := true
	flush := func() {
		if b.Len() > 0 {
			pieces = append(pieces, engine.Text{Text: b.String(), Special: special})
			b.Reset()
		}
	}
	add := func(s string, is bool) {
		if s != "" && is != special {
			flush()
			special = is
		}
		b.WriteString(s)
	}
	for begun := false; text != ""; begun = true {
		i := strings.IndexFunc(text, moved)
		if i < 0 {
			add(text, true)
			break
		}
		add(text[:i], !(begun && neutral(text[:i])))
		text = text[i:]
		end := strings.IndexFunc(text, func(r rune) bool { return !moved(r) })
		if end < 0 {
			end = len(text)
		}
		add(back(text[:end]), false)
		text = text[end:]
	}
	flush()
	return pieces
}

// neutral reports whether a text between two of a caller's can be counted to them: it
// then reads to a model as one text, as it does where nothing is cut. Nothing that could
// be a token is among it, for what is not special is no token.
func neutral(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return !stays(r) })
}

func back(s string) string {
	return strings.Map(func(r rune) rune { return r - plane }, s)
}
