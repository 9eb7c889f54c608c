package verify

import (
	"math/big"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A lexeme is a piece of text as arithmetic sees it.
type lexeme struct {
	kind kind

	op            byte // operator: one of "+-*/"
	before, after bool // operator: there is space

	value    *big.Rat // operand
	decimals int      // operand: as written, in percent two more
	group    bool     // operand: exactly three digits, perhaps of a larger number

	single bool // word: one letter
	scale  bool // word: multiplies the number before it
	share  bool // word: may divide the number before it by a hundred
	tied   bool // word: touches the number or bracket beside it
}

type kind uint8

const (
	other kind = iota // punctuation
	word              // letters, and numbers that belong to them
	operand
	operator
	open
	shut
	equals
	line // the end of a line
)

// sign reports whether the operator is the sign of the number behind it.
func (l lexeme) sign() bool { return (l.op == '-' || l.op == '+') && !l.after }

// operators are the ways to write the four.
var operators = map[rune]byte{
	'+': '+', '-': '-', '−': '-', '–': '-', '*': '*', '×': '*', '·': '*', '⋅': '*', '∙': '*', '∗': '*',
	'/': '/', '÷': '/', '∕': '/',
}

// commands are those of TeX.
var commands = map[string]byte{"times": '*', "cdot": '*', "div": '/'}

// scales are words that make another number of the one before them.
var scales = []string{"hundred", "thousand", "million", "millions", "billion", "billions", "trillion", "dozen", "mio", "mrd", "bn", "mn"}

// scan takes a text apart. It never fails: what is no arithmetic is other or
// word. Its work and result are linear in the text.
func scan(text string) []lexeme {
	s := scanner{text: text}
	for s.pos < len(s.text) {
		s.step()
	}
	return s.out
}

type scanner struct {
	text string
	pos  int
	out  []lexeme
}

func (s *scanner) emit(l lexeme) { s.out = append(s.out, l) }

func (s *scanner) step() {
	r, size := utf8.DecodeRuneInString(s.text[s.pos:])
	switch {
	case r == '\n':
		s.pos += size
		s.newline()
	case unicode.IsSpace(r), unicode.Is(unicode.Sc, r), r == '`':
		s.pos += size // currency and code marks change no number
	case isDigit(r), r == '.' && isDigit(s.peek(size)):
		s.number()
	case r == '\\':
		s.command()
	case unicode.IsLetter(r), r == '_':
		s.word()
	case r == '*' && s.marks():
	case operators[r] != 0:
		s.emit(lexeme{kind: operator, op: operators[r], before: s.spaceBefore(), after: s.spaceAfter(size)})
		s.pos += size
	case r == '=' || r == '≈':
		s.equals(size)
	case r == '(', r == '[':
		s.bracket()
	case r == ')', r == ']':
		s.pos += size
		s.emit(lexeme{kind: shut})
	default:
		s.pos += size
		s.emit(lexeme{kind: other})
	}
}

// newline ends an equation, unless the next line goes on with "=".
func (s *scanner) newline() {
	rest := strings.TrimLeft(s.text[s.pos:min(len(s.text), s.pos+200)], " \t")
	if !strings.HasPrefix(rest, "=") && !strings.HasPrefix(rest, "≈") {
		s.emit(lexeme{kind: line})
	}
}

// number reads a numeral. One that touches letters belongs to them: 2x, 5km.
func (s *scanner) number() {
	text := numeral(s.text[s.pos:])
	s.pos += len(text)
	value, decimals, ok := decimal(text)
	if next := s.peek(0); unicode.IsLetter(next) || next == '_' {
		s.word()
		return
	}
	if !ok {
		s.emit(lexeme{kind: word, tied: true})
		return
	}
	l := lexeme{kind: operand, value: value, decimals: decimals, group: len(text) == 3 && !strings.Contains(text, ".")}
	if n := s.percent(); n > 0 {
		s.pos += n
		l.value, l.decimals = hundredth(value), decimals+2
	}
	s.emit(l)
}

// percent returns the length of a percent sign that belongs to the number just
// read; 0 if there is none, or if it is a modulo.
func (s *scanner) percent() int {
	rest := s.text[s.pos:min(len(s.text), s.pos+40)]
	trimmed := strings.TrimLeft(rest, " \u00a0\u202f")
	after, ok := strings.CutPrefix(trimmed, "%")
	if next, _ := utf8.DecodeRuneInString(strings.TrimLeft(after, " ")); !ok || isDigit(next) {
		return 0
	}
	return len(rest) - len(after)
}

// command reads a command of TeX.
func (s *scanner) command() {
	s.pos++
	start := s.pos
	for s.pos < len(s.text) && isLower(s.text[s.pos]) {
		s.pos++
	}
	if op := commands[s.text[start:s.pos]]; op != 0 {
		s.emit(lexeme{kind: operator, op: op, before: true, after: true})
		return
	}
	s.emit(lexeme{kind: other})
}

// word reads letters and the digits among them. An x between numbers multiplies.
func (s *scanner) word() {
	start := s.pos
	touches := len(s.out) > 0 && !s.spaceBefore() && slices.Contains([]kind{operand, shut}, s.out[len(s.out)-1].kind)
	for s.pos < len(s.text) {
		r, size := utf8.DecodeRuneInString(s.text[s.pos:])
		if !unicode.IsLetter(r) && !isDigit(r) && r != '_' {
			break
		}
		s.pos += size
	}
	text := strings.ToLower(s.text[start:s.pos])
	if text == "x" && s.multiplies() {
		s.emit(lexeme{kind: operator, op: '*', before: true, after: true})
		return
	}
	s.emit(lexeme{kind: word, single: utf8.RuneCountInString(text) == 1, scale: slices.Contains(scales, text), share: text == "percent", tied: touches})
}

// multiplies reports whether an x stands between numbers.
func (s *scanner) multiplies() bool {
	if len(s.out) == 0 || s.out[len(s.out)-1].kind != operand && s.out[len(s.out)-1].kind != shut {
		return false
	}
	rest := strings.TrimLeftFunc(s.text[s.pos:min(len(s.text), s.pos+20)], func(r rune) bool { return r == ' ' || unicode.Is(unicode.Sc, r) })
	next, _ := utf8.DecodeRuneInString(rest)
	return isDigit(next) || next == '.' || next == '('
}

// marks skips asterisks that make text bold or italic: two at once, or one that
// has space on one side only.
func (s *scanner) marks() bool {
	if strings.HasPrefix(s.text[s.pos:], "**") {
		s.pos += 2
		return true
	}
	if s.spaceBefore() != s.spaceAfter(1) {
		s.pos++
		return true
	}
	return false
}

// equals reads a sign of equality that is no part of another: <=, ==, =>.
func (s *scanner) equals(size int) {
	before, _ := utf8.DecodeLastRuneInString(s.text[:s.pos])
	after := s.peek(size)
	s.pos += size
	if strings.ContainsRune("<>!=:", before) && s.pos > size || after == '=' || after == '>' {
		s.emit(lexeme{kind: other})
		return
	}
	s.emit(lexeme{kind: equals})
}

// bracket reads an opening bracket. One that touches what is before it is a
// call or a product whose sign is left out; neither is checked.
func (s *scanner) bracket() {
	touches := len(s.out) > 0 && !s.spaceBefore() && slices.Contains([]kind{word, operand, shut}, s.out[len(s.out)-1].kind)
	s.pos++
	if touches {
		s.emit(lexeme{kind: word, tied: true})
		return
	}
	s.emit(lexeme{kind: open})
}

// peek returns the character that many bytes ahead.
func (s *scanner) peek(ahead int) rune {
	r, _ := utf8.DecodeRuneInString(s.text[s.pos+ahead:])
	return r
}

func (s *scanner) spaceBefore() bool {
	r, size := utf8.DecodeLastRuneInString(s.text[:s.pos])
	return size == 0 || unicode.IsSpace(r)
}

func (s *scanner) spaceAfter(size int) bool {
	r, n := utf8.DecodeRuneInString(s.text[s.pos+size:])
	return n == 0 || unicode.IsSpace(r)
}

func isDigit(r rune) bool { return r >= '0' && r <= '9' }

func isLower(b byte) bool { return b >= 'a' && b <= 'z' }
