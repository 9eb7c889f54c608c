package family

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/ardanlabs/jinja"

	"starling"
)

// A template comes from a file that somebody downloaded. It may be wrong, or made to do
// harm, and the engine that renders it knows no limits: so its loops and macros are
// counted by a call that is put into each, what it builds is measured where it is set,
// and whoever renders it waits no longer than patience.
const (
	mostTemplate = 128 << 10       // bytes of a template; the longest known is 20 KiB
	mostRounds   = 1_000_000       // of all loops together
	mostMacros   = 20_000          // calls of macros together, since they may call themselves
	mostText     = 32 << 20        // bytes that it may say, or keep in a variable
	patience     = 5 * time.Second // for one rendering
	mostCompiled = 64              // templates that are kept
)

// tick is what a template calls each time round. No template has such a name.
const tick = "starling_tick"

// A script is a compiled template.
type script struct {
	*jinja.Template
	err error
}

// scripts are the templates that were compiled, by their digest.
var scripts = struct {
	sync.Mutex
	by map[[32]byte]*script
}{by: map[[32]byte]*script{}}

var (
	errOwn     = errors.New("it uses characters that are kept for our own use")
	errLong    = fmt.Errorf("it is longer than %d KiB", mostTemplate>>10)
	errRounds  = errors.New("it goes round too often")
	errText    = errors.New("it says too much")
	errPatient = errors.New("it takes too long")
	errBroken  = errors.New("it broke off")
)

// compile returns the compiled template, from memory where it was seen before.
func compile(source string) (*jinja.Template, error) {
	key := sha256.Sum256([]byte(source))
	scripts.Lock()
	s, ok := scripts.by[key]
	scripts.Unlock()
	if ok {
		return s.Template, s.err
	}
	s = &script{}
	s.Template, s.err = build(source)
	scripts.Lock()
	defer scripts.Unlock()
	if len(scripts.by) >= mostCompiled {
		clear(scripts.by) // rather than grow: they are soon compiled again
	}
	scripts.by[key] = s
	return s.Template, s.err
}

func build(source string) (t *jinja.Template, err error) {
	defer func() {
		if recover() != nil {
			t, err = nil, errBroken
		}
	}()
	switch {
	case len(source) > mostTemplate:
		return nil, errLong
	case strings.ContainsFunc(source, moved):
		return nil, errOwn
	}
	// Templates are written for an engine that leaves out the newline that ends a file.
	return jinja.Compile(watched(strings.TrimSuffix(source, "\n")))
}

var (
	assigned = regexp.MustCompile(`^\s*set\s+([A-Za-z_][\w.]*)\s*=[^=]`)
	repeats  = regexp.MustCompile(`^\s*(for|macro)\b`)
	endRaw   = regexp.MustCompile(`\{%[-+]?\s*endraw\s*[-+]?%\}`)
)

// A tag is one of a template: {{ }}, {% %} or {# #}, by its second character.
type tag struct {
	kind        byte
	inner       string
	left, right byte // '-' or '+', which say what of the blanks beside it stays; 0 neither
	n           int  // bytes
	open        bool // it has no end
}

// readTag reads the tag with which a text begins. One that has no end is as long as the
// text.
func readTag(s string) tag {
	t := tag{kind: s[1], n: len(s), open: true}
	end := map[byte]string{'{': "}}", '%': "%}", '#': "#}"}[t.kind]
	body := 2
	if len(s) > 2 && (s[2] == '-' || s[2] == '+') {
		t.left, body = s[2], 3
	}
	depth, quote := 0, byte(0)
	for i := body; i < len(s); i++ {
		c := s[i]
		switch {
		case quote != 0 && c == '\\':
			i++
		case quote != 0 && c == quote:
			quote = 0
		case quote != 0:
		case depth <= 0 && strings.HasPrefix(s[i:], end):
			t.inner, t.n, t.open = s[body:i], i+2, false
			if n := len(t.inner); n > 0 && (t.inner[n-1] == '-' || t.inner[n-1] == '+') {
				t.inner, t.right = t.inner[:n-1], t.inner[n-1]
			}
			return t
		case t.kind == '#':
		case c == '"' || c == '\'':
			quote = c
		case c == '{':
			depth++
		case c == '}':
			depth--
		}
	}
	return t
}

// A layout writes a template anew, so that it says the same whoever renders it: the blanks
// beside tags are left out here, as the templates' own engine does it (trim_blocks and
// lstrip_blocks), and the texts between tags become expressions. The engine at hand trims
// a text that a tag is not even beside. And each tag that begins a loop or a macro or sets
// a variable is followed by a call of tick.
//
// Source: https://jinja.palletsprojects.com/en/stable/templates/#whitespace-control
type layout struct {
	b         strings.Builder
	last      tag  // before the text, 0 at the beginning
	lineStart bool // the text begins a line
}

func watched(source string) string {
	l := layout{lineStart: true}
	source = strings.ReplaceAll(source, "\r\n", "\n")
	for source != "" {
		i := nextTag(source)
		if i < 0 {
			l.text(source, tag{})
			break
		}
		t := readTag(source[i:])
		l.text(source[:i], t)
		if t.open {
			l.b.WriteString(source[i:]) // the engine says what is wrong
			break
		}
		source = source[i+t.n:]
		if t.kind == '%' && strings.TrimSpace(t.inner) == "raw" {
			source = l.raw(source, t)
			continue
		}
		l.tag(t)
	}
	return l.b.String()
}

func nextTag(s string) int {
	at := -1
	for _, open := range []string{"{{", "{%", "{#"} {
		if i := strings.Index(s, open); i >= 0 && (at < 0 || i < at) {
			at = i
		}
	}
	return at
}

// text writes the text between the last tag and the next.
func (l *layout) text(s string, next tag) {
	switch {
	case l.last.right == '-':
		s = strings.TrimLeft(s, " \t\n\r\f\v")
		l.lineStart = false
	case (l.last.kind == '%' || l.last.kind == '#') && l.last.right != '+' && strings.HasPrefix(s, "\n"):
		s, l.lineStart = s[1:], true
	case l.last.kind != 0:
		l.lineStart = false
	}
	line := strings.LastIndexByte(s, '\n') + 1
	switch {
	case next.left == '-':
		s = strings.TrimRight(s, " \t\n\r\f\v")
	case (next.kind == '%' || next.kind == '#') && next.left != '+' && (line > 0 || l.lineStart) && strings.TrimLeft(s[line:], " \t") == "":
		s = s[:line]
	}
	if s != "" {
		l.b.WriteString("{{ '" + literal.Replace(s) + "' }}")
	}
	l.last = next
}

// literal writes a text as one of the language. What looks like the end of a tag is taken
// apart.
var literal = strings.NewReplacer(`\`, `\\`, `'`, `\'`, "\n", `\n`, "\t", `\t`, "}}", "}' ~ '}", "%}", "%' ~ '}", "#}", "#' ~ '}")

// raw writes what stands up to the end of a raw block, and returns the rest.
func (l *layout) raw(source string, begin tag) string {
	m := endRaw.FindStringIndex(source)
	if m == nil {
		l.tag(begin) // the engine says that it has no end
		return source
	}
	end := readTag(source[m[0]:])
	l.text(source[:m[0]], end)
	return source[m[1]:]
}

func (l *layout) tag(t tag) {
	switch t.kind {
	case '{':
		l.b.WriteString("{{ " + apart(t.inner) + " }}")
	case '%':
		l.b.WriteString("{% " + t.inner + " %}")
		if m := repeats.FindStringSubmatch(t.inner); m != nil {
			l.tick(`"` + m[1] + `"`)
		} else if m := assigned.FindStringSubmatch(t.inner); m != nil {
			l.tick(`"set", ` + m[1])
		}
	}
}

// apart puts a blank between braces that end two objects at once, which the engine takes
// for the end of the tag.
func apart(inner string) string {
	var b strings.Builder
	quote := byte(0)
	for i := 0; i < len(inner); i++ {
		c := inner[i]
		switch {
		case quote != 0 && c == '\\' && i+1 < len(inner):
			b.WriteByte(c)
			i++
			c = inner[i]
		case quote != 0 && c == quote:
			quote = 0
		case quote == 0 && (c == '"' || c == '\''):
			quote = c
		case quote == 0 && c == '}' && i > 0 && inner[i-1] == '}':
			b.WriteByte(' ')
		}
		b.WriteByte(c)
	}
	return b.String()
}

func (l *layout) tick(arguments string) {
	l.b.WriteString("{% if " + tick + "(" + arguments + ") %}{% endif %}")
}

// A watch counts what one rendering does.
type watch struct {
	rounds, macros int
	deadline       time.Time
}

func (w *watch) tick(args []jinja.Value, _ map[string]jinja.Value) (jinja.Value, error) {
	w.rounds++
	if len(args) > 0 && args[0].IsString() && args[0].AsString() == "macro" {
		w.macros++
	}
	if len(args) > 1 && args[1].IsString() && len(args[1].AsString()) > mostText {
		return jinja.Undefined(), errText
	}
	if len(args) > 1 && args[1].IsList() && args[1].AsList().Len() > mostRounds {
		return jinja.Undefined(), errRounds
	}
	switch {
	case w.rounds > mostRounds || w.macros > mostMacros:
		return jinja.Undefined(), errRounds
	case w.rounds%1024 == 0 && time.Now().After(w.deadline):
		return jinja.Undefined(), errPatient
	}
	return jinja.NewBool(false), nil
}

// span is range with an end in sight.
func (w *watch) span(args []jinja.Value, _ map[string]jinja.Value) (jinja.Value, error) {
	n := []int64{0, 0, 1}
	for i, a := range args {
		if i > 2 || !a.IsInt() {
			return jinja.Undefined(), errors.New("range of what is no number")
		}
		n[i] = a.AsInt()
	}
	if len(args) == 1 {
		n[0], n[1] = 0, n[0]
	}
	if n[2] == 0 {
		return jinja.Undefined(), errors.New("range without a step")
	}
	var items []jinja.Value
	for i := n[0]; (n[2] > 0 && i < n[1]) || (n[2] < 0 && i > n[1]); i += n[2] {
		if w.rounds++; w.rounds > mostRounds {
			return jinja.Undefined(), errRounds
		}
		items = append(items, jinja.NewInt(i))
	}
	return jinja.NewList(items), nil
}

// raised is what a template says for itself when it refuses a conversation.
type raised struct{ text string }

func (r raised) Error() string { return "it refuses the conversation" }

// render returns what the template makes of the values. It adds its own to them.
func render(source string, values map[string]jinja.Value) (string, error) {
	t, err := compile(source)
	if err != nil {
		return "", broken(err, "compiled")
	}
	w := &watch{deadline: time.Now().Add(patience)}
	var refused *raised
	values[tick] = jinja.NewCallable(tick, w.tick)
	values["range"] = jinja.NewCallable("range", w.span)
	values["raise_exception"] = jinja.NewCallable("raise_exception", func(args []jinja.Value, _ map[string]jinja.Value) (jinja.Value, error) {
		refused = &raised{}
		if len(args) > 0 && args[0].IsString() {
			refused.text = args[0].AsString()
		}
		return jinja.Undefined(), *refused
	})
	text, err := run(t, values)
	switch {
	case refused != nil:
		return "", &starling.Error{Kind: starling.Invalid, Op: "write a prompt: the model's template refuses this conversation", Hint: cleaned(refused.text)}
	case err != nil:
		return "", broken(err, "rendered")
	case len(text) > mostText:
		return "", broken(errText, "rendered")
	}
	return text, nil
}

func run(t *jinja.Template, values map[string]jinja.Value) (text string, err error) {
	defer func() {
		if recover() != nil {
			text, err = "", errBroken
		}
	}()
	return t.RenderValues(values)
}

// broken is the error of a template that cannot be used. What the engine of templates says
// may quote a value, so that only our own reasons are told.
func broken(err error, how string) error {
	var own error
	for _, known := range []error{errOwn, errLong, errRounds, errText, errPatient, errBroken} {
		if errors.Is(err, known) {
			own = known
		}
	}
	return &starling.Error{Kind: starling.Invalid, Op: "write a prompt: the model's template cannot be " + how, Hint: "use another file of this model, whose template is right", Err: own}
}

// cleaned returns a template's own words without what a caller wrote, in one short line.
func cleaned(text string) string {
	text = strings.Join(strings.Fields(strings.Map(func(r rune) rune {
		if moved(r) {
			return -1
		}
		return r
	}, text)), " ")
	if len(text) > 200 {
		text = strings.ToValidUTF8(text[:200], "")
	}
	return text
}
