package family

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/ardanlabs/jinja"
	"pgregory.net/rapid"

	"starling"
)

// harmful are templates that would take all memory, all time or the process down.
var harmful = map[string]string{
	"loops":                 `{% set a = range(1000) %}{% for x in a %}{% for y in a %}{% for z in a %}{% endfor %}{% endfor %}{% endfor %}`,
	"range":                 `{% for x in range(1000000000000) %}{% endfor %}`,
	"range down":            `{{ range(0, -1000000000000, -1) }}`,
	"recursion":             `{% macro f(x) %}{{ f(x) }}{% endmacro %}{{ f(1) }}`,
	"recursion of a caller": `{% set ns = namespace() %}{% macro m() %}{% set ns.f = caller %}{% endmacro %}{% call m() %}{{ ns.f() }}{% endcall %}{{ ns.f() }}`,
	"many macros":           `{% macro f(x) %}{% endmacro %}{% for x in range(30000) %}{{ f(x) }}{% endfor %}`,
	"doubling":              `{% set ns = namespace(s='aaaaaaaa') %}{% for i in range(60) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}`,
	"adding":                `{% set ns = namespace(s='aaaaaaaa') %}{% for i in range(60) %}{% set ns.s = ns.s + ns.s %}{% endfor %}`,
	"doubling a block":      `{% set a %}aaaaaaaa{% endset %}` + strings.Repeat(`{% set a %}{{ a }}{{ a }}{% endset %}`, 60),
	"doubling a list":       `{% set ns = namespace(s=[1]) %}{% for i in range(60) %}{% set ns.s = ns.s + ns.s %}{% endfor %}`,
	"sharing":               `{% set ns = namespace(s=[1]) %}{% for i in range(60) %}{% set ns.s = [ns.s, ns.s] %}{% endfor %}{{ ns.s }}`,
	"sharing, compared":     `{% set ns = namespace(s=[1]) %}{% for i in range(60) %}{% set ns.s = [ns.s, ns.s] %}{% endfor %}{{ ns.s == ns.s }}`,
	"sharing, as JSON":      `{% set ns = namespace(s=[1]) %}{% for i in range(60) %}{% set ns.s = {'a': ns.s, 'b': ns.s} %}{% endfor %}{{ ns.s|tojson }}`,
	"repetition":            `{{ 'a' * 1000000000000 }}`,
	"repetitions":           `{{ 'a' * 1000000 * 1000000 }}`,
	"repetition, long":      `{{ 'a' * 9223372036854775807 }}`,
	"repetition, kept":      `{% set a = 'a' * 1000000000 %}`,
	"repetition, asked":     `{% if 'a' * 1000000000 %}{% endif %}`,
	"repetition, looped":    `{% for x in 'a' * 1000000000 %}{% endfor %}`,
	"repetition, called":    `{% macro f(x) %}{% endmacro %}{% call f('a' * 1000000000) %}{% endcall %}`,
	"repetition, default":   `{% macro f(x='a' * 1000000000) %}{% endmacro %}{{ f() }}`,
	"replacing":             `{% set a = 'a' * 1000000 %}{{ a|replace('a', a) }}`,
	"replacing, method":     `{% set a = 'a' * 1000000 %}{{ a.replace('a', a) }}`,
	"replacing nothing":     `{% set a = 'a' * 1000000 %}{{ a|replace('', a) }}`,
	"replacing, method had": `{% set a = 'a' * 1000000 %}{% set f = a.replace %}{{ f('a', a) }}`,
	"replacing, inside":     `{% set a = 'a' * 1000000 %}{{ __filter_replace(a, 'a', a) }}`,
	"ours":                  `{% set starling_weigh = 1 %}{{ starling_out(1) }}`,
	"joining":               `{{ range(100000)|join('a' * 1000000) }}`,
	"indenting":             `{{ 'a\na'|indent(1000000000000) }}`,
	"indenting by name":     `{{ 'a\na'|indent(width=1000000000000) }}`,
	"indenting JSON":        `{{ messages|tojson(indent=1000000000) }}`,
	"separating JSON":       `{{ range(100000)|tojson(separators=['a' * 100000, ':']) }}`,
	"formatting":            `{{ ('{0}' * 100000).format('{1}' * 1000, 'a' * 100000) }}`,
	"splitting":             `{% set a = 'a' * 8000000 %}{{ a.split('')|length }}`,
	"listing":               `{{ ('a' * 8000000)|list|length }}`,
	"slicing":               `{{ ('a' * 100)[0:1000000000000:2] }}{{ range(9)[0:1000000000000:2] }}{{ 1() }}`,
	"a list in itself":      `{% set a = [] %}{% set b = a.append(a) %}{{ a }}`,
	"in itself, compared":   `{% set a = [] %}{% set b = a.append(a) %}{{ a == a }}`,
	"in itself, sought":     `{% set a = [] %}{% set b = a.append(a) %}{{ a in a }}`,
	"in itself, tested":     `{% set a = [] %}{% set b = a.append(a) %}{{ a is eq(a) }}`,
	"in itself, selected":   `{% set a = [] %}{% set b = a.append(a) %}{{ a|select('eq', a) }}`,
	"in itself, as JSON":    `{% set a = [] %}{% set b = a.append(a) %}{{ a|tojson }}`,
	"in itself, joined":     `{% set a = [] %}{% set b = a.append(a) %}{{ a|join }}`,
	"in itself, a key":      `{% set a = [] %}{% set b = a.append(a) %}{{ {a: 1} }}`,
	"in itself, an index":   `{% set a = [] %}{% set b = a.append(a) %}{{ messages[0][a] }}`,
	"in itself, called":     `{% set a = [] %}{% set b = a.append(a) %}{{ a() }}`,
	"in itself, added":      `{% set a = [] %}{% set b = a.append(a) %}{{ 'x' + a }}`,
	"in itself, unique":     `{% set a = [] %}{% set b = a.append(a) %}{{ a|unique }}`,
	"an object in itself":   `{% set a = namespace() %}{% set a.a = a %}{{ a }}`,
	"updated with itself":   `{% set a = {} %}{% set b = a.update({'a': a}) %}{{ a|string }}`,
	"sorting":               `{% for i in range(10000) %}{{ (range(100000)|reverse|list|sort)[0] }}{% endfor %}`,
	"filtering":             `{% set a = range(1000) %}{% for x in a if (a|select('eq', 'b'))|length %}{% endfor %}{% for x in a %}{% for y in a if a|length > x %}{% endfor %}{% endfor %}`,
	"a filter's block":      `{% filter list %}a{% endfilter %}`,
	"unclosed":              `{% for m in messages %}`,
	"unclosed text":         `{{ 'a }}`,
	"nonsense":              `{{ 1 / 0 }}{{ messages[99].content.foo.bar() }}`,
	"long":                  strings.Repeat("x", mostTemplate+1),
	"nested":                `{{ ` + strings.Repeat("(", 60000) + `raise_exception('deep')` + strings.Repeat(")", 60000) + ` }}`,
	"nested lists":          `{{ ` + strings.Repeat("[", 60000) + strings.Repeat("]", 60000) + ` }}`,
	"nested nots":           `{{ ` + strings.Repeat("not ", 30000) + `1 }}`,
	"nested signs":          `{{ ` + strings.Repeat("- ", 60000) + `1 }}`,
	"nested choices":        `{{ ` + strings.Repeat("1 if 1 else ", 9000) + `1 }}`,
	"a long chain":          `{{ ` + strings.Repeat("1 + ", 30000) + `1 }}`,
	"a chain of filters":    `{{ 1` + strings.Repeat("|d", 3000) + ` }}`,
	"own":                   "\U000F0041{{ messages }}",
}

// large skips a test where tests are to be short: one goroutine computes for long, at
// which the race detector has nothing to see.
func large(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("it takes too long under the race detector")
	}
}

func TestATemplateThatDoesHarmIsStopped(t *testing.T) {
	large(t)
	p := Find("", "", "")
	for name, template := range harmful {
		o := day
		o.Template = template
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := p.Prompt(talk(), o)
		runtime.ReadMemStats(&after)
		e, _ := errors.AsType[*starling.Error](err)
		if e == nil || e.Kind != starling.Invalid || e.Op == "" {
			t.Errorf("%s: %v", name, err)
		}
		if took := after.TotalAlloc - before.TotalAlloc; took > 512<<20 {
			t.Errorf("%s: it took %d MiB", name, took>>20)
		}
	}
}

func TestALongConversationIsNoHarm(t *testing.T) {
	large(t)
	seen := map[string]bool{}
	for _, p := range All() {
		if seen[p.Template] {
			continue
		}
		seen[p.Template] = true
		chat := talk()
		for i := range 400 {
			chat.Messages = append(chat.Messages, starling.Message{Role: starling.User, Parts: said(fmt.Sprint(i, strings.Repeat(" and so on", 200)))}, starling.Message{Role: starling.Assistant, Parts: said("Yes.")})
		}
		chat.Messages = append(chat.Messages, starling.Message{Role: starling.User, Parts: said("?")})
		if _, err := p.Prompt(chat, day); err != nil {
			t.Errorf("%s: %v", p.Name, err)
		}
	}
}

func TestWhatTemplatesUseIsUnderstood(t *testing.T) {
	for _, c := range []struct{ source, want string }{
		{"{{ s | trim + '<end>' }}", "a b,c\nd<end>"},
		{"{%- for m in l[::-1] %}{{ loop.index0 ~ m }}{% endfor -%}", "031a2b"},
		{"{%- for m in l if m is string and not loop %}{{ m }}{% else %}none{%- endfor %}", "ba"},
		{"{% set ns = namespace(a=0, last=l|length - 1) %}{% for x in l %}{% set ns.a = ns.a + 1 %}{% endfor %}{{ ns.a }} {{ ns.last }}", "3 2"},
		{"{% macro m(a, b='x', c=false, d=[]) -%}\n{{ a }}{{ b }}{% if c is defined and not c %}!{% endif %}\n{%- endmacro %}{{ m(1) }}{{ m(2, b='y') }}", "1x!2y!"},
		{"{% macro m() %}[{{ caller() }}]{% endmacro %}{% call m() %}in{% endcall %}", "[in]"},
		{"{{ (s.split(',')|last).lstrip('\\n').upper() if ',' in s else s }}", "C\nD"},
		{"{% for k, v in d|items %}{{ k }}={{ v|tojson }};{% endfor %}", `k="v";l=["b", "a", 3];format="json";`},
		{"{{ d.items()|list|length }}{{ d.get('nothing') is none }}{{ d['k'] }}{{ d.format }}", "3Truevjson"},
		{"{{ [d]|selectattr('k', 'equalto', 'v')|map(attribute='format')|join(', ') }}", "json"},
		{"{% set x %}{{ s[0] }}!{% endset %}{{ x }}{% filter upper %}b{% endfilter %}", "a!B"},
		{"{% generation %}{{ 1 if n > 5 and n <= 7 else 2 }}{% endgeneration %}{{ {'a': {'b': 1}}.a.b }}", "11"},
		{"{{ '}}' }}{{ \"it's\" }}{{ '%}' ~ \"{{\" }}", "}}it's%}{{"},
		{"{% for x in range(9) %}{% if x == 2 %}{% continue %}{% endif %}{% if x > 3 %}{% break %}{% endif %}{{ x }}{% endfor %}", "013"},
	} {
		if got, err := render(c.source, scene()); err != nil || got != c.want {
			t.Errorf("%s: %q %v, want %q", c.source, got, err, c.want)
		}
	}
}

// What the rewritten expression says is what the engine says of the original.
func TestAnExpressionSaysWhatItSaidBefore(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		source := "{{ " + expressionGen(t, 4) + " }}"
		want, err := rendered(source)
		if err != nil {
			return // of what breaks off nothing is promised
		}
		got, err := render(source, scene())
		if err != nil || got != want {
			text, _ := watched(source)
			t.Fatalf("%s\n%s\n%q %v, want %q", source, text, got, err, want)
		}
	})
}

// rendered is what the engine makes of a template as it is.
func rendered(source string) (text string, err error) {
	defer func() {
		if recover() != nil {
			err = errBroken
		}
	}()
	t, err := jinja.Compile(source)
	if err != nil {
		return "", err
	}
	return t.RenderValues(scene())
}

func scene() map[string]jinja.Value {
	list := jinja.NewList([]jinja.Value{jinja.NewString("b"), jinja.NewString("a"), jinja.NewInt(3)})
	return map[string]jinja.Value{
		"s": jinja.NewString("a b,c\nd"), "n": jinja.NewInt(7), "f": jinja.NewFloat(1.5), "l": list,
		"d": object("k", jinja.NewString("v"), "l", list, "format", jinja.NewString("json")),
	}
}

func expressionGen(t *rapid.T, depth int) string {
	e := func() string { return expressionGen(t, depth-1) }
	if depth == 0 {
		return rapid.SampledFrom([]string{"s", "n", "f", "l", "d", "'x'", `"a"`, "2", "0", "1.5", "none", "true", "missing", "''", "d.k", "d.l", "d.format", "d['k']", "[1, 'a']", "{'a': {'b': 1}}", "(1, 2)", "'{0}{}'", "namespace(a=1).a"}).Draw(t, "leaf")
	}
	forms := []func() string{
		func() string { return e() + " ~ " + e() + " ~ " + e() },
		func() string {
			return e() + rapid.SampledFrom([]string{" + ", " - ", " * ", " / ", " // ", " % ", " and ", " or ", " == ", " != ", " < ", " >= ", " in ", " not in "}).Draw(t, "operator") + e()
		},
		func() string { return "(" + e() + ")" },
		func() string { return "(not " + e() + ")" },
		func() string { return "(-" + e() + ")" },
		func() string { return "(" + e() + " if " + e() + " else " + e() + ")" },
		func() string {
			return "(" + e() + ")|" + rapid.SampledFrom([]string{"trim", "upper", "length", "list", "first", "last", "tojson", "tojson(indent=2)", "tojson(separators=(',', ':'))", "string", "default('x', true)", "join('-')", "join", "indent", "indent(2, true)", "replace('a', 'zz')", "replace('a', 'zz', 1)", "reverse", "sort", "unique", "map('upper')", "select('string')", "select('eq', 'a')", "int", "items", "batch(2)", "max"}).Draw(t, "filter")
		},
		func() string {
			return "(" + e() + ")" + rapid.SampledFrom([]string{"[0]", "[-1]", "[1:]", "[:2]", "[::2]", "['k']", ".k", ".items()", ".get('k', 1)", ".strip()", ".split(',')", ".split()", ".replace('a', 'zz')", ".startswith('a')", ".format(1, 'y')", ".upper()"}).Draw(t, "member")
		},
		func() string {
			return "(" + e() + ")" + rapid.SampledFrom([]string{" is defined", " is not none", " is string", " is eq('a')", " is in(['a', 7])", " is mapping", " is lower"}).Draw(t, "test")
		},
		func() string { return "[" + e() + ", " + e() + "]" },
		func() string { return "{'a': " + e() + ", 'b': {'c': " + e() + "} }" },
	}
	return forms[rapid.IntRange(0, len(forms)-1).Draw(t, "form")]()
}
