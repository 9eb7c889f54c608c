package family

import (
	"cmp"
	"crypto/sha256"
	"errors"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/ardanlabs/jinja"

	"starling"
)

// A template comes from a file that somebody downloaded. It may be wrong, or made to do
// harm, and the engine that renders it knows no limits: so it is written anew, with calls
// in it that count what it does (see [expression]). What a rendering may do in all is
// bounded, and so is what it may hold.
const (
	mostTemplate = 128 << 10       // bytes of a template; the longest known is 20 KiB
	mostRounds   = 1_000_000       // of all loops together
	mostMacros   = 20_000          // calls of macros together,
	mostWithin   = 100             // and within each other
	mostWork     = 64 << 20        // bytes that go through expressions,
	mostShare    = 16              // and so many times what the conversation has
	mostText     = 32 << 20        // bytes that it may say
	mostLevels   = 2 * mostDepth   // of values within each other
	mostSmall    = 16              // bytes, or blanks, where more would come of it
	patience     = 5 * time.Second // for one rendering
	mostCompiled = 64              // templates that are kept
)

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
	errOwn     = errors.New("it uses characters or names that are kept for our own use")
	errLong    = errors.New("it, or an expression in it, is too long")
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
	case strings.ContainsFunc(source, moved), strings.Contains(source, own), strings.Contains(source, builtins):
		return nil, errOwn
	}
	// Templates are written for an engine that leaves out the newline that ends a file.
	text, err := watched(strings.TrimSuffix(source, "\n"))
	if err != nil {
		return nil, err
	}
	return jinja.Compile(text)
}

var endRaw = regexp.MustCompile(`\{%[-+]?\s*endraw\s*[-+]?%\}`)

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
// a text that a tag is not even beside. Expressions are written so that they are watched,
// and each tag that begins a loop or a macro is followed by a call that counts it.
//
// Source: https://jinja.palletsprojects.com/en/stable/templates/#whitespace-control
type layout struct {
	b         strings.Builder
	last      tag  // before the text, 0 at the beginning
	lineStart bool // the text begins a line
	err       error
}

// watched returns the template that is compiled in place of another.
func watched(source string) (string, error) {
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
	return l.b.String(), l.err
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
		l.b.WriteString("{{ " + ours("out", "'"+literal.Replace(s)+"'") + " }}")
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
	var err error
	text := ""
	switch t.kind {
	case '{':
		text, err = expression(t.inner)
		l.b.WriteString("{{ " + ours("out", text) + " }}")
	case '%':
		if text, err = statement(t.inner); err == nil {
			l.statement(text)
		}
	}
	l.err = cmp.Or(l.err, err)
}

// statement writes one, and what counts how often it is done and how deep.
func (l *layout) statement(text string) {
	word := text
	if i := strings.IndexAny(text, " ("); i >= 0 {
		word = text[:i]
	}
	count := "{% if " + ours("tick", `"`+word+`"`) + " %}{% endif %}"
	switch word {
	case "endmacro", "endcall":
		l.b.WriteString(count + "{% " + text + " %}")
	case "for", "macro", "call":
		l.b.WriteString("{% " + text + " %}" + count)
	default:
		l.b.WriteString("{% " + text + " %}")
	}
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
	w := newWatch(values)
	var refused *raised
	for name, f := range w.functions() {
		values[name] = jinja.NewCallable(name, f)
	}
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
	for _, known := range []error{errOwn, errLong, errRounds, errText, errPatient, errBroken, errDeep, errExpression} {
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
