package wire

import (
	"strings"

	"starling"
)

// Reword returns r with another system prompt in the place of its own, and asked
// for as a whole answer; everything else of the body keeps its bytes. Headers and
// query are r's. Errors are Invalid.
func Reword(r *starling.Request, system string) (starling.Request, error) {
	lang, err := dialectOf(r.Dialect)
	if err != nil {
		return starling.Request{}, err
	}
	top, err := object(r.Body)
	if err != nil {
		return starling.Request{}, err
	}
	edits := lang.reword(r.Body, top, string(appendString(nil, system)))
	if len(edits) == 0 {
		return starling.Request{}, invalid("prompt", "has no words that could be put otherwise")
	}
	for _, m := range top {
		switch string(m.key) {
		case "stream":
			edits = append(edits, m.becomes("false"))
		case "stream_options": // there may be none without a stream
			edits = append(edits, m.becomes("null"))
		}
	}
	own, err := Parse(r.Dialect, edited(r.Body, edits...))
	own.Header, own.Query = r.Header, r.Query
	if own.Model == "" { // it does not stand in the body
		own.Model = r.Model
	}
	return own, err
}

// becomes replaces a member's value.
func (m member) becomes(value string) edit { return edit{m.to - len(m.value), m.to, value} }

func (openAI) reword(_ []byte, top []member, system string) (edits []edit) {
	for _, m := range top {
		if string(m.key) != "messages" {
			continue
		}
		var b strings.Builder
		b.WriteString(`[{"role":"system","content":` + system + `}`)
		for e := enter(m.value); e.next(); {
			if role := text(field(e.value, "role")); role == "system" || role == "developer" {
				continue
			}
			b.WriteByte(',')
			b.Write(e.value)
		}
		edits = append(edits, m.becomes(b.String()+"]"))
	}
	return edits
}

func (anthropic) reword(body []byte, top []member, system string) (edits []edit) {
	for _, m := range top {
		if string(m.key) == "system" {
			edits = append(edits, m.becomes(system))
		}
	}
	if len(edits) == 0 {
		start := skipSpace(body, 0) + 1
		edits = []edit{{start, start, `"system":` + system + ","}} // there are other members
	}
	return edits
}
