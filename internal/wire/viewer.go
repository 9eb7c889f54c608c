package wire

import (
	"encoding/json"
	"strconv"
	"strings"

	"starling"
)

// A viewer builds a Chat. It keeps the first error and goes on.
type viewer struct {
	chat starling.Chat
	err  error
}

func (v *viewer) done() (*starling.Chat, error) {
	if v.err != nil {
		return nil, v.err
	}
	if n := v.chat.TopLogprobs; n > 0 && !v.chat.Logprobs { // what goes with nothing
		v.extra("top_logprobs", strconv.AppendInt(nil, n, 10))
		v.chat.TopLogprobs = 0
	}
	return &v.chat, nil
}

func (v *viewer) fail(field, why string) {
	if v.err == nil {
		v.err = invalid(field, why)
	}
}

// extra keeps a field that Chat has no word for. null asks for nothing. Its name
// will be told, so one that is no plain name is not repeated: it may be content.
func (v *viewer) extra(name string, value []byte) {
	if kindOf(value) == 'n' {
		return
	}
	if len(name) > 80 || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789_.[]") != "" {
		name = "a field with an unusual name"
	}
	if v.chat.Extra == nil {
		v.chat.Extra = map[string]json.RawMessage{}
	}
	v.chat.Extra[name] = value
}

// is checks a value's kind: '"', '{', '[', '0' for a number, 't' for a boolean.
func (v *viewer) is(kind byte, field string, value []byte) bool {
	k := kindOf(value)
	if k == kind || (kind == 't' && k == 'f') {
		return true
	}
	v.fail(field, "must be "+kindNames[kind])
	return false
}

var kindNames = map[byte]string{'"': "a string", '{': "an object", '[': "an array", '0': "a number", 't': "true or false"}

func (v *viewer) string(field string, value []byte) string {
	if !v.is('"', field, value) {
		return ""
	}
	return text(value)
}

func (v *viewer) number(field string, value []byte) json.Number {
	if !v.is('0', field, value) {
		return ""
	}
	return json.Number(value)
}

func (v *viewer) limit(field string, value []byte) int64 {
	n, ok := whole(value)
	if !ok || n < 0 {
		v.fail(field, "must be a whole number, not negative")
	}
	return n
}

func (v *viewer) bool(field string, value []byte) *bool {
	if !v.is('t', field, value) {
		return nil
	}
	b := value[0] == 't'
	return &b
}

// yes reports whether a value is true.
func (v *viewer) yes(field string, value []byte) bool {
	return v.is('t', field, value) && kindOf(value) == 't'
}

func (v *viewer) object(field string, value []byte) walk {
	if !v.is('{', field, value) {
		return walk{}
	}
	return enter(value)
}

func (v *viewer) array(field string, value []byte) walk {
	if !v.is('[', field, value) {
		return walk{}
	}
	return enter(value)
}

// parts goes through content that is not a string.
func (v *viewer) parts(field string, value []byte) walk {
	if kindOf(value) != '[' {
		v.fail(field, "must be a string or an array")
		return walk{}
	}
	return enter(value)
}

// strings reads an array of strings, or a single one.
func (v *viewer) strings(field string, value []byte) (all []string) {
	if kindOf(value) == '"' {
		return []string{text(value)}
	}
	for m := v.array(field, value); m.next(); {
		all = append(all, v.string(field, m.value))
	}
	return all
}

// image reads an address: a data URL, or one that the upstream is to fetch.
func image(url string) *starling.Image {
	rest, isData := strings.CutPrefix(url, "data:")
	head, data, _ := strings.Cut(rest, ",")
	head, isBase64 := strings.CutSuffix(head, ";base64")
	if !isData || !isBase64 {
		return &starling.Image{URL: url}
	}
	media, _, _ := strings.Cut(head, ";")
	return &starling.Image{MediaType: media, Data: data}
}

// at names an element of an array for a person: "messages[3].role".
func at(array string, i int, rest string) string {
	return array + "[" + strconv.Itoa(i) + "]" + rest
}
