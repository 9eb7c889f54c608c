package advise

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// A page is a rubric's text with the places of what is in it. Where a value begins
// the parser says; where it ends is found in the text itself, so that what stands
// behind it, a comment or a blank line, stays.
type page struct {
	text  string
	lines []int // where each begins
	root  ast.Node
}

func open(text string) (*page, error) {
	p := &page{text: text, lines: []int{0}}
	for i := range len(text) {
		if text[i] == '\n' {
			p.lines = append(p.lines, i+1)
		}
	}
	file, err := parser.Parse(lexer.Tokenize(text), 0)
	if err != nil {
		return nil, errors.New("it cannot be read")
	}
	for _, doc := range file.Docs {
		if doc.Body != nil && p.root == nil {
			p.root = doc.Body
		}
	}
	return p, nil
}

// write makes the edit in a text.
func (e Edit) write(text string) (string, error) {
	p, err := open(text)
	if err != nil {
		return "", err
	}
	switch e.Do {
	case Set:
		return p.set(e.At, e.Value)
	case Append:
		return p.rule(e.Rule)
	}
	return p.rearrange(e)
}

var errStyle = errors.New("it is written in a way that only a person should touch")

// at is where a token begins. Columns are counted in characters.
func (p *page) at(t *token.Token) int {
	if t == nil || t.Position == nil || t.Position.Line < 1 || t.Position.Line > len(p.lines) {
		return len(p.text)
	}
	i := p.lines[t.Position.Line-1]
	for range t.Position.Column - 1 {
		_, size := utf8.DecodeRuneInString(p.text[i:])
		i += size
	}
	return min(i, len(p.text))
}

// begin is where a value begins.
func (p *page) begin(n ast.Node) int {
	switch n := n.(type) {
	case *ast.MappingNode:
		if !n.IsFlowStyle && len(n.Values) > 0 {
			return p.at(n.Values[0].Key.GetToken())
		}
		return p.at(n.Start)
	case *ast.MappingValueNode:
		return p.at(n.Key.GetToken())
	case *ast.SequenceNode:
		return p.at(n.Start)
	}
	return p.at(n.GetToken())
}

// entries are those of a mapping, and whether it stands in braces.
func entries(n ast.Node) (all []*ast.MappingValueNode, flow bool, ok bool) {
	switch n := n.(type) {
	case *ast.MappingNode:
		return n.Values, n.IsFlowStyle, true
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{n}, false, true
	}
	return nil, false, false
}

func keyOf(entry *ast.MappingValueNode) string { return entry.Key.GetToken().Value }

func child(n ast.Node, step string) ast.Node {
	if all, _, ok := entries(n); ok {
		for _, entry := range all {
			if keyOf(entry) == step {
				return entry.Value
			}
		}
		return nil
	}
	list, ok := n.(*ast.SequenceNode)
	if !ok {
		return nil
	}
	for _, item := range list.Values {
		if nameOf(item) == step {
			return item
		}
	}
	if i, err := strconv.Atoi(step); err == nil && i >= 0 && i < len(list.Values) {
		return list.Values[i]
	}
	return nil
}

// nameOf is the model of a candidate as it is written, "" of what is none.
func nameOf(item ast.Node) string {
	if model := child(item, "model"); model != nil {
		item = model
	}
	if s, ok := item.(*ast.StringNode); ok {
		return s.Value
	}
	return ""
}

func (p *page) find(path []string) (ast.Node, error) {
	n := p.root
	for _, step := range path {
		if n = child(n, step); n == nil {
			return nil, errStyle
		}
	}
	return n, nil
}

// set gives a value to the key that a path ends in.
func (p *page) set(path []string, value string) (string, error) {
	last := len(path) - 1
	parent, err := p.find(path[:last])
	if err != nil {
		return "", err
	}
	all, flow, ok := entries(parent)
	if !ok || len(all) == 0 {
		return "", errStyle
	}
	if old := child(parent, path[last]); old != nil {
		from := p.begin(old)
		return p.splice(from, scalarEnd(p.text, from, flow), value), nil
	}
	line := path[last] + ": " + value
	if flow {
		end := flowEnd(p.text, p.begin(all[len(all)-1].Value))
		return p.splice(end, end, ", "+line), nil
	}
	column := all[0].Key.GetToken().Position.Column - 1
	after := all[len(all)-1]
	if last == 0 {
		after = before(all, path[last])
	}
	return p.below(p.blockEnd(p.at(after.Key.GetToken()), column, true), column, line), nil
}

// usual is the order of a rubric's keys in its documentation.
var usual = []string{"version", "reference", "candidates", "bar", "order", "audit", "keep", "class", "budget", "latency", "prompt", "verify", "rules", "grade"}

// before is the last entry of a rubric that usually comes before a key, or the last
// of all.
func before(all []*ast.MappingValueNode, key string) *ast.MappingValueNode {
	found := all[len(all)-1]
	for _, entry := range all {
		if i := slices.Index(usual, keyOf(entry)); i >= 0 && i < slices.Index(usual, key) {
			found = entry
		}
	}
	return found
}

// rule writes a rule below all others.
func (p *page) rule(r *Rule) (string, error) {
	lines := []string{"when: " + scalar(r.When), "candidates: [" + strings.Join(scalars(r.Candidates), ", ") + "]", "why: " + scalar(r.Why)}
	all, flow, ok := entries(p.root)
	if !ok || flow || len(all) == 0 {
		return "", errStyle
	}
	rules := child(p.root, "rules")
	if rules == nil {
		return p.below(p.blockEnd(p.at(before(all, "rules").Key.GetToken()), 0, true), 0, append([]string{"rules:"}, item(2, lines)...)...), nil
	}
	list, ok := rules.(*ast.SequenceNode)
	if !ok || list.IsFlowStyle || len(list.Values) == 0 {
		return "", errStyle
	}
	dash, err := p.dash(list.Values[len(list.Values)-1])
	if err != nil {
		return "", err
	}
	column := dash - p.lineAt(dash)
	return p.below(p.blockEnd(dash, column, false), column, item(0, lines)...), nil
}

// item is a mapping as an item of a list.
func item(indent int, lines []string) []string {
	out := make([]string, len(lines))
	for i, line := range lines {
		out[i] = strings.Repeat(" ", indent) + map[bool]string{true: "- ", false: "  "}[i == 0] + line
	}
	return out
}

// scalar writes text as YAML on one line, in quotes only where it must.
func scalar(text string) string {
	var said struct {
		As any `yaml:"as"`
	}
	if err := yaml.Unmarshal([]byte("as: "+text+"\n"), &said); err == nil && said.As == text {
		return text
	}
	return strconv.Quote(text)
}

func scalars(texts []string) []string {
	out := make([]string, len(texts))
	for i, text := range texts {
		if out[i] = scalar(text); strings.ContainsAny(text, ",[]{}") {
			out[i] = strconv.Quote(text)
		}
	}
	return out
}

// rearrange removes or puts a candidate in a list.
func (p *page) rearrange(e Edit) (string, error) {
	found, err := p.find(e.At)
	if err != nil {
		return "", err
	}
	list, ok := found.(*ast.SequenceNode)
	if !ok {
		return "", errStyle
	}
	l := &listing{page: p, names: make([]string, len(list.Values)), spans: make([]span, len(list.Values)), flow: list.IsFlowStyle}
	for i, value := range list.Values {
		if _, anchored := value.(*ast.AnchorNode); anchored {
			return "", errStyle
		}
		l.names[i] = nameOf(value)
		if l.spans[i], err = l.span(value); err != nil {
			return "", err
		}
	}
	mine := slices.Index(l.names, e.Name)
	switch {
	case e.Do == Remove && mine >= 0:
		return l.without(mine), nil
	case e.Do == Remove:
		return p.text, nil
	case mine < 0:
		return l.with(e.Name, slices.Index(l.names, e.Before)), nil
	}
	order, err := e.order(l.names)
	if err != nil {
		return "", err
	}
	return l.permuted(order), nil
}

// A listing is a list with the places of its items.
type listing struct {
	*page
	names []string
	spans []span
	flow  bool
}

// A span is a piece of the text.
type span struct{ from, to int }

func (l *listing) span(value ast.Node) (span, error) {
	from := l.begin(value)
	if l.flow {
		return span{from, flowEnd(l.text, from)}, nil
	}
	dash, err := l.dash(value)
	if err != nil {
		return span{}, err
	}
	return span{from, l.blockEnd(dash, dash-l.lineAt(dash), false)}, nil
}

// without cuts an item out.
func (l *listing) without(i int) string {
	s := l.spans[i]
	switch last := i == len(l.spans)-1; {
	case !l.flow:
		return l.splice(l.lineAt(s.from), l.nextLine(s.to), "")
	case !last && !strings.Contains(l.text[s.from:l.spans[i+1].from], "#"):
		return l.splice(s.from, l.spans[i+1].from, "")
	case last && i > 0 && !strings.Contains(l.text[l.spans[i-1].to:s.from], "#"):
		return l.splice(l.spans[i-1].to, s.to, "")
	}
	to := s.to // a comment stands between: the comma goes, and the comment stays
	if comma := strings.IndexByte(l.text[to:], ','); comma >= 0 && strings.TrimSpace(l.text[to:to+comma]) == "" {
		to += comma + 1
	}
	return l.splice(s.from, to, "")
}

// with adds a candidate before the item, at the end if there is none.
func (l *listing) with(name string, i int) string {
	last := l.spans[len(l.spans)-1]
	switch {
	case l.flow && i < 0:
		return l.splice(last.to, last.to, ", "+scalars([]string{name})[0])
	case l.flow:
		return l.splice(l.spans[i].from, l.spans[i].from, scalars([]string{name})[0]+", ")
	}
	column := l.indent(l.lineAt(last.from))
	if i == 0 {
		at := l.lineAt(l.spans[0].from)
		return l.splice(at, at, strings.Repeat(" ", column)+"- "+scalar(name)+"\n")
	}
	if i < 0 {
		i = len(l.spans)
	}
	return l.below(l.spans[i-1].to, column, "- "+scalar(name))
}

// permuted fills each place of the list with the item that the order says.
func (l *listing) permuted(order []int) string {
	var b strings.Builder
	done := 0
	for to, from := range order {
		b.WriteString(l.text[done:l.spans[to].from])
		b.WriteString(l.text[l.spans[from].from:l.spans[from].to])
		done = l.spans[to].to
	}
	b.WriteString(l.text[done:])
	return b.String()
}

// splice replaces a piece of the text.
func (p *page) splice(from, to int, with string) string {
	return p.text[:from] + with + p.text[to:]
}

// below adds lines under the one that ends at a place.
func (p *page) below(end, column int, lines ...string) string {
	add := ""
	for _, line := range lines {
		add += "\n" + strings.Repeat(" ", column) + line
	}
	return p.splice(end, end, add)
}

// lineAt is where the line of a place begins.
func (p *page) lineAt(at int) int { return 1 + strings.LastIndexByte(p.text[:at], '\n') }

// nextLine is where the line after that of a place begins.
func (p *page) nextLine(at int) int {
	if i := strings.IndexByte(p.text[at:], '\n'); i >= 0 {
		return at + i + 1
	}
	return len(p.text)
}

// indent is how many spaces a line begins with.
func (p *page) indent(line int) int {
	return len(p.text[line:]) - len(strings.TrimLeft(p.text[line:], " "))
}

// dash is where the dash of an item in a block stands, on the line of its value.
func (p *page) dash(value ast.Node) (int, error) {
	from := p.begin(value)
	line := p.lineAt(from)
	at := line + p.indent(line)
	if at+1 >= len(p.text) || p.text[at] != '-' || strings.TrimSpace(p.text[at+1:max(from, at+1)]) != "" {
		return 0, errStyle
	}
	return at, nil
}

// blockEnd is where the last line ends of what begins on the line of a place, at a
// column: all that follows and stands further right belongs to it, and of a key also
// the items of a list under it. Blank lines at the end do not.
func (p *page) blockEnd(at, column int, ofKey bool) int {
	end := p.lineEnd(at)
	for line := p.nextLine(at); line < len(p.text); line = p.nextLine(line) {
		text := strings.TrimSpace(p.text[line:p.lineEnd(line)])
		in := p.indent(line)
		switch {
		case text == "":
			continue
		case in > column || ofKey && in == column && strings.HasPrefix(text, "- "):
			end = p.lineEnd(line)
			continue
		}
		break
	}
	return end
}

// lineEnd is where the line of a place ends, without its line break.
func (p *page) lineEnd(at int) int {
	if i := strings.IndexByte(p.text[at:], '\n'); i >= 0 {
		return at + i
	}
	return len(p.text)
}

// flowEnd is where a value within brackets or braces ends.
func flowEnd(text string, from int) int {
	if from >= len(text) || text[from] != '[' && text[from] != '{' {
		return scalarEnd(text, from, true)
	}
	depth := 0
	for i := from; i < len(text); i++ {
		switch c := text[i]; {
		case c == '[' || c == '{':
			depth++
		case c == ']' || c == '}':
			if depth--; depth == 0 {
				return i + 1
			}
		case c == '"' || c == '\'':
			i = quoteEnd(text, i) - 1
		case c == '#' && strings.IndexByte(" \t\n", text[i-1]) >= 0:
			for i+1 < len(text) && text[i+1] != '\n' {
				i++
			}
		}
	}
	return len(text)
}

// scalarEnd is where a scalar on one line ends.
func scalarEnd(text string, from int, flow bool) int {
	if from < len(text) && (text[from] == '"' || text[from] == '\'') {
		return quoteEnd(text, from)
	}
	end := from
	for end < len(text) && text[end] != '\n' && !strings.HasPrefix(text[end:], " #") && !strings.HasPrefix(text[end:], "\t#") && !(flow && strings.IndexByte(",]}", text[end]) >= 0) {
		end++
	}
	return from + len(strings.TrimRight(text[from:end], " \t"))
}

// quoteEnd is behind the quote that ends what one begins.
func quoteEnd(text string, from int) int {
	quote := text[from]
	for i := from + 1; i < len(text); i++ {
		switch {
		case text[i] == '\\' && quote == '"':
			i++
		case text[i] != quote:
		case quote == '\'' && i+1 < len(text) && text[i+1] == quote:
			i++
		default:
			return i + 1
		}
	}
	return len(text)
}
