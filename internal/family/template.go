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

// tags matches, in this order, what is no code (comments, raw blocks, texts), and the
// tags that are watched.
var tags = regexp.MustCompile(`(?s)\{#.*?#\}` +
	`|\{%[-+]?\s*raw\s*[-+]?%\}.*?\{%[-+]?\s*endraw\s*[-+]?%\}` +
	`|\{%[-+]?\s*(for|macro|set)\b((?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|[^'"])*?)([-+]?)%\}`)

var assigned = regexp.MustCompile(`^\s*([A-Za-z_][\w.]*)\s*=[^=]`)

// watched returns the template with a call of tick after each tag that begins a loop or a
// macro or sets a variable. The call is a tag itself, so that what is trimmed around tags
// stays as it was.
func watched(source string) string {
	var b strings.Builder
	last := 0
	for _, m := range tags.FindAllStringSubmatchIndex(source, -1) {
		b.WriteString(source[last:m[1]])
		last = m[1]
		if m[2] < 0 {
			continue
		}
		what, trim := source[m[2]:m[3]], source[m[6]:m[7]]
		argument := `"` + what + `"`
		if what == "set" {
			n := assigned.FindStringSubmatch(source[m[4]:m[5]])
			if n == nil {
				continue
			}
			argument += ", " + n[1]
		}
		before := ""
		if trim == "-" {
			before = "-"
		}
		fmt.Fprintf(&b, "{%%%s if %s(%s) %s%%}{%%%s endif %s%%}", before, tick, argument, before, before, trim)
	}
	b.WriteString(source[last:])
	return b.String()
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
