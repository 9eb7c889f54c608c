package family

import (
	"errors"
	"regexp"
	"slices"
	"strings"
)

// The engine of templates has no hooks, so that what an expression costs is counted by
// calls that are written into it: each value is weighed before something goes through
// it, and what can make much of little, such as a repetition, is done by functions of our
// own. The grammar of expressions is the engine's.

// own begins the names that a template may not use, since ours do.
const (
	own      = "starling_"
	builtins = "__filter_" // under which the engine keeps its filters
)

var (
	errExpression = errors.New("it has an expression that cannot be read")
	errDeep       = errors.New("it nests too deeply")
)

const (
	mostNesting = 100  // of brackets, and of what comes before an operand
	mostTokens  = 8192 // of one expression
)

var tokens = regexp.MustCompile(`^(?:'(?:\\(?s:.)|[^'\\])*'|"(?:\\(?s:.)|[^"\\])*"|[0-9]+(?:\.[0-9]+(?:[eE][+-]?[0-9]*)?)?|[A-Za-z_][A-Za-z_0-9]*|\*\*|//|==|!=|<=|>=|[-,.:()\[\]{}|~+*/%<>=])`)

// A rewriter reads an expression and writes it anew.
type rewriter struct {
	tokens []string
	at     int
	depth  int
	err    error
}

func newRewriter(source string) *rewriter {
	r := &rewriter{}
	for source != "" {
		t := tokens.FindString(source)
		if t == "" && (source[0] == '\'' || source[0] == '"') {
			r.err = errExpression // a text without an end
			break
		}
		if t == "" {
			source = source[1:] // a blank, or what the engine leaves out too
			continue
		}
		if r.tokens = append(r.tokens, t); len(r.tokens) > mostTokens {
			r.err = errLong
			break
		}
		source = source[len(t):]
	}
	return r
}

// expression writes a whole expression anew.
func expression(source string) (string, error) {
	r := newRewriter(source)
	if len(r.tokens) == 0 {
		return "none", r.err
	}
	e := r.ternary()
	return e, r.end()
}

// end returns the first error, and one if something is left.
func (r *rewriter) end() error {
	if r.at < len(r.tokens) {
		r.fail(errExpression)
	}
	return r.err
}

func (r *rewriter) fail(err error) string {
	if r.err == nil {
		r.err = err
	}
	r.at = len(r.tokens) // nothing more is read
	return ""
}

func (r *rewriter) peek() string {
	if r.at < len(r.tokens) {
		return r.tokens[r.at]
	}
	return ""
}

func (r *rewriter) next() string {
	t := r.peek()
	r.at++
	return t
}

// take takes a token if it is there.
func (r *rewriter) take(all ...string) (string, bool) {
	if t := r.peek(); t != "" && slices.Contains(all, t) {
		r.at++
		return t, true
	}
	return "", false
}

func (r *rewriter) must(t string) {
	if _, ok := r.take(t); !ok {
		r.fail(errExpression)
	}
}

// deeper reads something that stands within itself.
func (r *rewriter) deeper(read func() string) string {
	if r.depth++; r.depth > mostNesting {
		return r.fail(errDeep)
	}
	defer func() { r.depth-- }()
	return read()
}

func ours(f string, args ...string) string { return own + f + "(" + strings.Join(args, ", ") + ")" }

// plain reports whether an operand is written down: it weighs what the source does.
func plain(e string) bool {
	return e[0] == '\'' || e[0] == '"' || e[0] >= '0' && e[0] <= '9'
}

// weighed is an operand that something goes through.
func weighed(e string) string { return wrapped("weigh", e) }

func wrapped(f, e string) string {
	if e == "" || plain(e) {
		return e
	}
	return ours(f, e)
}

func (r *rewriter) ternary() string {
	return r.deeper(func() string {
		e := r.or()
		if _, ok := r.take("if"); !ok {
			return e
		}
		e = "(" + e + " if " + r.or()
		if _, ok := r.take("else"); ok {
			e += " else " + r.ternary()
		}
		return e + ")"
	})
}

// chain reads operands with operators between them, which join makes one of two.
func (r *rewriter) chain(operand func() string, join func(op, a, b string) string, ops ...string) string {
	e := operand()
	for {
		op, ok := r.take(ops...)
		if !ok {
			return e
		}
		e = join(op, e, operand())
	}
}

func infix(op, a, b string) string { return "(" + a + " " + op + " " + b + ")" }

func (r *rewriter) or() string {
	and := func() string { return r.chain(r.not, infix, "and") }
	return r.chain(and, infix, "or")
}

func (r *rewriter) not() string {
	if _, ok := r.take("not"); ok {
		return "(not " + r.deeper(r.not) + ")"
	}
	return r.comparison()
}

func (r *rewriter) comparison() string {
	e := r.concat()
	for {
		op, ok := r.take("==", "!=", "<", ">", "<=", ">=", "in", "is", "not")
		switch {
		case !ok:
			return e
		case op == "is":
			e = r.test(e)
			continue
		case op == "not":
			r.must("in")
			op = "not in"
		}
		e = infix(op, weighed(e), weighed(r.concat()))
	}
}

func (r *rewriter) test(e string) string {
	is := " is "
	if _, ok := r.take("not"); ok {
		is = " is not "
	}
	name, args := r.next(), ""
	if !aName.MatchString(name) {
		return r.fail(errExpression)
	}
	if _, ok := r.take("("); ok {
		e, args = weighed(e), "("+r.arguments(nil)+")"
	} else if name == "upper" || name == "lower" {
		e = wrapped("touch", e)
	}
	return "(" + e + is + name + args + ")"
}

var aName = regexp.MustCompile(`^[A-Za-z_][A-Za-z_0-9]*$`)

func (r *rewriter) concat() string {
	all := []string{r.sum()}
	for {
		if _, ok := r.take("~"); !ok {
			break
		}
		all = append(all, r.sum())
	}
	if len(all) == 1 {
		return all[0]
	}
	return ours("concat", all...)
}

func (r *rewriter) sum() string {
	return r.chain(r.product, func(op, a, b string) string {
		if op == "+" {
			return ours("add", a, b)
		}
		return infix(op, wrapped("number", a), wrapped("number", b))
	}, "+", "-")
}

func (r *rewriter) product() string {
	return r.chain(r.power, func(op, a, b string) string {
		if op == "*" {
			return ours("times", a, b)
		}
		return infix(op, wrapped("number", a), wrapped("number", b))
	}, "*", "/", "//", "%")
}

func (r *rewriter) power() string {
	e := r.unary()
	if _, ok := r.take("**"); ok {
		return infix("**", wrapped("number", e), wrapped("number", r.unary()))
	}
	return e
}

func (r *rewriter) unary() string {
	if op, ok := r.take("-", "+"); ok {
		return "(" + op + r.deeper(r.unary) + ")"
	}
	return r.postfix()
}

func (r *rewriter) postfix() string {
	e := r.atom()
	for n := 0; ; n++ {
		op, ok := r.take(".", "[", "(", "|")
		if !ok {
			return e
		}
		if n > mostNesting {
			return r.fail(errDeep)
		}
		switch op {
		case ".":
			e = r.member(e)
		case "[":
			e = r.subscript(e)
		case "(":
			e = ours("callable", e) + "(" + r.arguments(nil) + ")"
		case "|":
			e = r.filter(e)
		}
	}
}

// much are the methods of texts that can make much of little.
var much = []string{"replace", "format", "split"}

func (r *rewriter) member(e string) string {
	name := r.next()
	if !aName.MatchString(name) && strings.Trim(name, "0123456789") != "" {
		return r.fail(errExpression)
	}
	_, called := r.take("(")
	switch {
	case called && slices.Contains(much, name):
		return ours("method_"+name, join(e, r.arguments(nil)))
	case called:
		return ours("callable", wrapped("touch", e)+"."+name) + "(" + r.arguments(nil) + ")"
	case slices.Contains(much, name):
		return e + `["` + name + `"]` // the method itself is not to be had
	}
	return e + "." + name
}

func join(first, rest string) string {
	if rest == "" {
		return first
	}
	return first + ", " + rest
}

func (r *rewriter) subscript(e string) string {
	parts := []string{"none", "none", "none"}
	n := 0
	for n < 3 {
		if t := r.peek(); t != ":" && t != "]" {
			parts[n] = r.ternary()
		}
		if _, ok := r.take(":"); !ok {
			break
		}
		n++
	}
	r.must("]")
	if n == 0 {
		return wrapped("touch", e) + "[" + weighed(parts[0]) + "]"
	}
	return ours("slice", append([]string{e}, parts...)...)
}

// copies are the filters that make a list of what a list or a text has.
var copies = []string{"list", "reverse", "map", "select", "reject", "selectattr", "rejectattr", "items", "batch"}

// glances are the filters that look at a value and not through it.
var glances = []string{"first", "last", "length", "count", "default", "d", "safe"}

// orders are the filters that compare what a list has.
var orders = []string{"sort", "max", "min", "unique", "dictsort"}

func (r *rewriter) filter(e string) string {
	name := r.next()
	if !aName.MatchString(name) {
		return r.fail(errExpression)
	}
	args := ""
	_, called := r.take("(")
	if called {
		args = r.arguments(limits[name])
	}
	switch {
	case name == "replace", name == "join", name == "indent":
		return ours(name, join(e, args))
	case slices.Contains(glances, name):
		e = wrapped("touch", e)
	case slices.Contains(copies, name):
		e = wrapped("copy", e)
	case slices.Contains(orders, name):
		e = wrapped("order", e)
	case name == "tojson" && strings.Contains(args, "indent="):
		e = wrapped("indented", e)
	default:
		e = weighed(e)
	}
	if called {
		args = "(" + args + ")"
	}
	return e + "|" + name + args
}

// limits are arguments that cannot be weighed beforehand, and so have to be small.
var limits = map[string][]string{"tojson": {"indent", "separators"}}

// arguments reads those of a call, up to its bracket.
func (r *rewriter) arguments(small []string) string {
	var all []string
	for r.err == nil && r.peek() != ")" {
		name := ""
		if r.at+1 < len(r.tokens) && r.tokens[r.at+1] == "=" && aName.MatchString(r.peek()) {
			name = r.next()
			r.next()
		}
		e := r.ternary()
		switch {
		case slices.Contains(small, name):
			e = ours("small", e)
		default:
			e = weighed(e)
		}
		if name != "" {
			e = name + "=" + e
		}
		all = append(all, e)
		if _, ok := r.take(","); !ok {
			break
		}
	}
	r.must(")")
	return strings.Join(all, ", ")
}

func (r *rewriter) atom() string {
	switch t := r.next(); {
	case t == "":
		return r.fail(errExpression)
	case t == "(":
		return r.tuple()
	case t == "[":
		return "[" + strings.Join(r.items("]"), ", ") + "]"
	case t == "{":
		return r.dict()
	case t == "-":
		return "(-" + r.deeper(r.atom) + ")"
	case plain(t) || aName.MatchString(t):
		return t
	}
	return r.fail(errExpression)
}

func (r *rewriter) items(end string) (all []string) {
	for r.err == nil && r.peek() != end {
		all = append(all, r.ternary())
		if _, ok := r.take(","); !ok {
			break
		}
	}
	r.must(end)
	return all
}

// tuple is what stands in brackets: one expression, or a list.
func (r *rewriter) tuple() string {
	begin := r.at
	all := r.items(")")
	if len(all) == 1 && r.at > begin+1 && r.at <= len(r.tokens) && r.tokens[r.at-2] != "," {
		return all[0]
	}
	return "[" + strings.Join(all, ", ") + "]"
}

func (r *rewriter) dict() string {
	var all []string
	for r.err == nil && r.peek() != "}" {
		key := weighed(r.ternary())
		r.must(":")
		all = append(all, key+": "+r.ternary())
		if _, ok := r.take(","); !ok {
			break
		}
	}
	r.must("}")
	return "{" + strings.Join(all, ", ") + " }"
}

var (
	loop    = regexp.MustCompile(`(?s)^for\s+([A-Za-z_]\w*(?:\s*,\s*[A-Za-z_]\w*)?)\s+in\b(.*)$`)
	setting = regexp.MustCompile(`(?s)^set\s+([A-Za-z_]\w*(?:\.\w+)?)\s*=([^=].*)$`)
	calling = regexp.MustCompile(`(?s)^call\s*(\([A-Za-z_0-9,\s]*\))?(.*)$`)
	macro   = regexp.MustCompile(`(?s)^macro\s+[A-Za-z_]\w*\s*\((.*)\)$`)
	simple  = regexp.MustCompile(`^(?:else|endif|endfor|endset|endmacro|endcall|endfilter|generation|endgeneration|break|continue|set\s+[A-Za-z_]\w*|filter\s+(?:trim|upper|lower|escape|e|safe|title|capitalize|string))$`)
	fixed   = regexp.MustCompile(`^\s*[A-Za-z_]\w*\s*(?:=\s*(?:'[^'\\]*'|"[^"\\]*"|-?[0-9.]+|true|false|none|True|False|None|\[\s*\]|\{\s*\})\s*)?$`)
)

// statement writes what stands between {% and %} anew.
func statement(s string) (string, error) {
	s = strings.TrimSpace(s)
	word, rest, _ := strings.Cut(s, " ")
	if i := strings.IndexAny(s, " \t\n\r("); i >= 0 {
		word, rest = s[:i], s[i:]
	}
	switch word {
	case "if", "elif":
		e, err := expression(rest)
		return word + " " + e, err
	case "for":
		return loopOf(s)
	case "set":
		if m := setting.FindStringSubmatch(s); m != nil {
			e, err := expression(m[2])
			return "set " + m[1] + " = " + e, err
		}
	case "call":
		if m := calling.FindStringSubmatch(s); m != nil {
			e, err := expression(m[2])
			return "call" + m[1] + " " + e, err
		}
	case "macro":
		if m := macro.FindStringSubmatch(s); m != nil && fixedOnly(m[1]) {
			return s, nil
		}
	}
	if simple.MatchString(s) {
		return s, nil
	}
	return "", errExpression
}

// fixedOnly reports whether the parameters of a macro have no defaults that are computed.
func fixedOnly(parameters string) bool {
	if strings.TrimSpace(parameters) == "" {
		return true
	}
	return !slices.ContainsFunc(strings.Split(parameters, ","), func(p string) bool { return !fixed.MatchString(p) })
}

func loopOf(s string) (string, error) {
	m := loop.FindStringSubmatch(s)
	if m == nil {
		return "", errExpression
	}
	r := newRewriter(m[2])
	out := "for " + m[1] + " in " + ours("each", r.or())
	if _, ok := r.take("if"); ok {
		out += " if " + ours("turn", r.ternary())
	}
	if _, ok := r.take("recursive"); ok {
		out += " recursive"
	}
	return out, r.end()
}
