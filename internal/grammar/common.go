package grammar

// sane is the most digits that a number has before or after its point, where nothing else
// is said: a small model may else write digits until its window is full.
const sane = 16

// Characters of a string that stand for themselves, and of hexadecimal digits.
var (
	plainRanges = []rune{0x20, 0x21, 0x23, 0x5B, 0x5D, 0x7E, 0x80, 0xD7FF, 0xE000, 0x10FFFF}
	digit       = class('0', '9')
	hexDigit    = class('0', '9', 'A', 'F', 'a', 'f')
)

// Blanks may stand once where models like them.
var (
	comma = seq(lit(","), maybe(lit(" ")))
	colon = seq(lit(":"), maybe(lit(" ")))
)

// common has the rules of JSON itself, by their names. A "char" is one character of a
// string in any of its spellings, with both halves of a surrogate pair; "plain" is one
// without an escape.
var common = map[string]*expr{
	"value":   alt(ref("object"), ref("array"), ref("string"), ref("number"), ref("boolean"), ref("null")),
	"object":  seq(lit("{"), maybe(seq(ref("member"), rep(seq(comma, ref("member")), 0, endless))), lit("}")),
	"member":  seq(ref("string"), colon, ref("value")),
	"array":   seq(lit("["), maybe(seq(ref("value"), rep(seq(comma, ref("value")), 0, endless))), lit("]")),
	"string":  seq(lit(`"`), rep(ref("char"), 0, endless), lit(`"`)),
	"boolean": alt(lit("true"), lit("false")),
	"null":    lit("null"),
	"integer": seq(maybe(lit("-")), whole),
	"number":  seq(maybe(lit("-")), whole, maybe(seq(lit("."), rep(digit, 1, sane))), maybe(seq(class('E', 'E', 'e', 'e'), maybe(class('+', '+', '-', '-')), rep(digit, 1, 2)))),
	"plain":   class(plainRanges...),
	"char":    alt(class(plainRanges...), escapes),
}

// escapes is a character of a string by its letter or its number.
var escapes = seq(lit(`\`), alt(
	class('"', '"', '/', '/', '\\', '\\', 'b', 'b', 'f', 'f', 'n', 'n', 'r', 'r', 't', 't'),
	seq(lit("u"), alt(
		seq(class('0', '9', 'A', 'C', 'E', 'F', 'a', 'c', 'e', 'f'), rep(hexDigit, 3, 3)),
		seq(class('D', 'D', 'd', 'd'), class('0', '7'), rep(hexDigit, 2, 2)),
		seq(class('D', 'D', 'd', 'd'), class('8', '9', 'A', 'B', 'a', 'b'), rep(hexDigit, 2, 2), lit(`\u`), class('D', 'D', 'd', 'd'), class('C', 'F', 'c', 'f'), rep(hexDigit, 2, 2)),
	)),
))

// whole is a number without sign and point.
var whole = alt(lit("0"), seq(class('1', '9'), rep(digit, 0, sane-1)))
