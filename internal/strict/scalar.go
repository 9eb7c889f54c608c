package strict

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// numeral is a decimal number: 5, -0.25, .5, 1e3. A number that begins with 0
// is octal to some readers, so it is none here.
var numeral = regexp.MustCompile(`^[-+]?(?:\.[0-9]+|(?:0|[1-9][0-9]*)(?:\.[0-9]*)?)(?:[eE]([-+]?[0-9]+))?$`)

// The largest numbers: a schema compares them exactly, and 1e999999 would be a
// number of a million digits.
const (
	maxDigits   = 300
	maxExponent = 300
)

func (b *builder) scalar(out *node, n ast.Node) {
	switch n := n.(type) {
	case *ast.NullNode:
	case *ast.BoolNode:
		out.kind, out.text = boolean, strconv.FormatBool(n.Value)
	case *ast.LiteralNode:
		b.block(out, n)
	case *ast.StringNode:
		b.text(out, n)
	case *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		b.number(out, n.GetToken().Value)
	default:
		b.complain(out, "this kind of value is not supported", "")
	}
}

func (b *builder) block(out *node, n *ast.LiteralNode) {
	out.kind = text
	if n.Value == nil {
		return
	}
	out.text = n.Value.Value
	if n.Start == nil || n.Start.Type != token.LiteralType {
		return
	}
	if origin := strings.TrimLeft(n.Value.GetToken().Origin, "\n"); origin != "" {
		out.style, out.indent = block, 1+len(origin)-len(strings.TrimLeft(origin, " "))
	}
}

// text reads a plain or quoted scalar. The parser calls some numbers text: 1e3,
// and integers beyond 64 bits.
func (b *builder) text(out *node, n *ast.StringNode) {
	out.kind, out.text = text, n.Value
	if t := n.Token; t.Type == token.SingleQuoteType || t.Type == token.DoubleQuoteType {
		return
	}
	if numeral.MatchString(n.Value) {
		b.number(out, n.Value)
		return
	}
	if strings.Trim(n.Token.Origin, " \n") == n.Value {
		out.style = plainLine
	}
}

func (b *builder) number(out *node, digits string) {
	out.kind, out.text = number, digits
	m := numeral.FindStringSubmatch(digits)
	if m == nil {
		out.kind, out.text = text, ""
		b.complain(out, "the number is not decimal", "write decimal digits; put text that looks like a number in quotes")
		return
	}
	exponent, err := strconv.Atoi("0" + strings.TrimLeft(m[1], "+-"))
	if err != nil || exponent > maxExponent || len(digits) > maxDigits {
		out.text = "0"
		b.complain(out, "the number is too long or too large", "")
	}
}

// decimal writes a numeral as JSON wants it.
func decimal(digits string) string {
	digits = strings.TrimPrefix(digits, "+")
	mantissa, exponent := digits, ""
	if i := strings.IndexAny(digits, "eE"); i >= 0 {
		mantissa, exponent = digits[:i], digits[i:]
	}
	mantissa = strings.TrimSuffix(mantissa, ".")
	if negative, ok := strings.CutPrefix(mantissa, "-."); ok {
		mantissa = "-0." + negative
	} else if strings.HasPrefix(mantissa, ".") {
		mantissa = "0" + mantissa
	}
	return mantissa + exponent
}
