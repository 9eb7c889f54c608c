package sim

import (
	"encoding/json"
	"errors"
	"math"
	"regexp"
	"regexp/syntax"
	"strconv"
	"strings"
	"unicode/utf8"
)

const maxString = 16 << 10 // runes of a synthesised string

// formats holds an example of each format that can be asked for.
var formats = map[string]string{
	"date": "2026-01-15", "time": "09:30:00Z", "date-time": "2026-01-15T09:30:00Z", "duration": "PT15M",
	"email": "simulated@example.com", "hostname": "simulated.example.com", "ipv4": "192.0.2.1", "ipv6": "2001:db8::1",
	"uri": "https://example.com/simulated", "uuid": "00000000-0000-4000-8000-000000000000",
}

// stringOf makes a string of the stated length, format and pattern.
func stringOf(m map[string]any, d die) (any, error) {
	if p, ok := m["pattern"].(string); ok {
		return patterned(p, d)
	}
	if f, ok := m["format"].(string); ok && formats[f] != "" {
		return formats[f], nil
	}
	text := "simulated " + strconv.Itoa(d.about("text").pick(10_000))
	least, most := whole64(m["minLength"], 0), whole64(m["maxLength"], math.MaxInt64)
	if least > maxString {
		return nil, errTooBig
	}
	if short := int(least) - len(text); short > 0 {
		text += strings.Repeat("x", short)
	}
	return text[:min(int64(len(text)), most)], nil
}

// numberOf makes a number within the stated bounds.
func numberOf(m map[string]any, kind string, d die) (any, error) {
	lo, hi := bound(m, "minimum", math.Inf(-1)), bound(m, "maximum", math.Inf(1))
	step := bound(m, "multipleOf", 1)
	if x := bound(m, "exclusiveMinimum", lo); x >= lo && m["exclusiveMinimum"] != nil {
		lo = math.Nextafter(x, math.Inf(1))
	}
	if x := bound(m, "exclusiveMaximum", hi); x <= hi && m["exclusiveMaximum"] != nil {
		hi = math.Nextafter(x, math.Inf(-1))
	}
	switch {
	case math.IsInf(lo, -1) && math.IsInf(hi, 1):
		lo, hi = 0, 100*step
	case math.IsInf(lo, -1):
		lo = hi - 100*step
	case math.IsInf(hi, 1):
		hi = lo + 100*step
	}
	first, last := math.Ceil(lo/step), math.Floor(hi/step)
	if first <= last {
		n := first + math.Floor(d.about("number").share()*(last-first+1))
		return number(n * step), nil
	}
	if kind == "integer" || m["multipleOf"] != nil || lo > hi {
		return nil, errors.New("a number of it has no value")
	}
	return number(lo + (hi-lo)/2), nil
}

func number(f float64) json.Number { return json.Number(strconv.FormatFloat(f, 'f', -1, 64)) }

func bound(m map[string]any, keyword string, otherwise float64) float64 {
	n, ok := m[keyword].(json.Number)
	if !ok {
		return otherwise
	}
	f, err := n.Float64()
	if err != nil || (keyword == "multipleOf" && f <= 0) {
		return otherwise
	}
	return f
}

func whole64(v any, otherwise int64) int64 {
	n, ok := v.(json.Number)
	if !ok {
		return otherwise
	}
	f, err := n.Float64()
	if err != nil || f < 0 || f > 1e15 {
		return otherwise
	}
	return int64(f)
}

// patterned makes a short string that a regular expression matches.
func patterned(pattern string, d die) (any, error) {
	re, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return nil, errors.New("a pattern of it cannot be read")
	}
	var b strings.Builder
	if !matching(&b, re, d) {
		return nil, errTooBig
	}
	if ok, err := regexp.MatchString(pattern, b.String()); err != nil || !ok {
		return nil, errors.New("a pattern of it is beyond the simulator")
	}
	return b.String(), nil
}

// matching writes a string that re matches; false when it gets too long.
func matching(b *strings.Builder, re *syntax.Regexp, d die) bool {
	switch re.Op {
	case syntax.OpLiteral:
		b.WriteString(string(re.Rune))
	case syntax.OpCharClass:
		b.WriteRune(member(re.Rune, d))
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		b.WriteByte('x')
	case syntax.OpAlternate:
		return matching(b, re.Sub[d.about("alternate").pick(len(re.Sub))], d.nth(1))
	case syntax.OpCapture, syntax.OpConcat, syntax.OpPlus:
		for i, sub := range re.Sub {
			if !matching(b, sub, d.nth(int64(i))) {
				return false
			}
		}
	case syntax.OpRepeat:
		for i := range re.Min {
			if !matching(b, re.Sub[0], d.nth(int64(i))) {
				return false
			}
		}
	}
	return b.Len() <= maxString
}

// member returns a rune of a character class, a printable one of ASCII if it can.
func member(ranges []rune, d die) rune {
	const first, last = '0', 'z'
	for i := range last - first + 1 {
		r := first + (rune(d.about("rune").pick(last-first+1))+rune(i))%(last-first+1)
		for k := 0; k+1 < len(ranges); k += 2 {
			if ranges[k] <= r && r <= ranges[k+1] {
				return r
			}
		}
	}
	if len(ranges) == 0 {
		return utf8.RuneError
	}
	return ranges[0]
}
