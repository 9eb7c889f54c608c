package verify

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/tidwall/gjson"

	"starling/internal/skill"
)

// A pattern accepts an answer by its length, by what must and must not occur in
// it, and by whether what it quotes is in the request. Words are what space
// separates: languages without spaces are better bounded by characters.
type pattern struct {
	must, mustNot      []*regexp.Regexp
	minWords, maxWords int
	maxChars           int
	quoted             *regexp.Regexp
}

func newPattern(spec skill.VerifySpec) (rule, error) {
	p := &pattern{minWords: spec.MinWords, maxWords: spec.MaxWords, maxChars: spec.MaxChars}
	var err error
	if p.must, err = compile(spec.Must); err != nil {
		return nil, err
	}
	if p.mustNot, err = compile(spec.MustNot); err != nil {
		return nil, err
	}
	if spec.Quoted != "" {
		p.quoted, err = regexp.Compile(spec.Quoted)
	}
	return p, err
}

func compile(patterns []string) ([]*regexp.Regexp, error) {
	compiled := make([]*regexp.Regexp, len(patterns))
	for i, text := range patterns {
		var err error
		if compiled[i], err = regexp.Compile(text); err != nil {
			return nil, err
		}
	}
	return compiled, nil
}

func (p *pattern) judge(_ context.Context, q question) (string, error) {
	if why := p.length(q.text); why != "" {
		return why, nil
	}
	for i, m := range p.must {
		if !m.MatchString(q.text) {
			return fmt.Sprintf("pattern %d of must does not occur", i+1), nil
		}
	}
	for i, m := range p.mustNot {
		if m.MatchString(q.text) {
			return fmt.Sprintf("pattern %d of must_not occurs", i+1), nil
		}
	}
	if p.quoted == nil {
		return "", nil
	}
	return p.quotes(q), nil
}

func (p *pattern) length(text string) string {
	words := len(strings.Fields(text))
	switch {
	case p.minWords > 0 && words < p.minWords:
		return fmt.Sprintf("fewer than %d words", p.minWords)
	case p.maxWords > 0 && words > p.maxWords:
		return fmt.Sprintf("more than %d words", p.maxWords)
	case p.maxChars > 0 && utf8.RuneCountInString(text) > p.maxChars:
		return fmt.Sprintf("more than %d characters", p.maxChars)
	}
	return ""
}

// quotes checks that there is a quotation, and that every one is in the request:
// what the pattern's first group captures, or all of it if it has none.
func (p *pattern) quotes(q question) string {
	const most = 100 // different quotations that are looked up
	matches := p.quoted.FindAllStringSubmatch(q.text, -1)
	if len(matches) == 0 {
		return "nothing is quoted"
	}
	different := map[string]bool{}
	for _, m := range matches {
		different[m[min(1, len(m)-1)]] = true
	}
	if len(different) > most {
		return fmt.Sprintf("more than %d different quotations", most)
	}
	asked := said(q)
	for quotation := range different {
		if !occurs(asked, quotation) {
			return "a quotation is not in the request"
		}
	}
	return ""
}

// said returns all text of the request's body, in whatever dialect.
func said(q question) string {
	if q.request == nil || !gjson.ValidBytes(q.request.Body) {
		return ""
	}
	var b strings.Builder
	collect(&b, gjson.ParseBytes(q.request.Body))
	return b.String()
}

func collect(b *strings.Builder, v gjson.Result) {
	switch {
	case v.Type == gjson.String:
		b.WriteString(v.Str)
		b.WriteByte('\n')
	case v.IsObject() || v.IsArray():
		v.ForEach(func(_, item gjson.Result) bool {
			collect(b, item)
			return true
		})
	}
}

// occurs finds a quotation as a whole: KB-1 is not in KB-12.
func occurs(text, quotation string) bool {
	if quotation == "" {
		return false
	}
	first, _ := utf8.DecodeRuneInString(quotation)
	last, _ := utf8.DecodeLastRuneInString(quotation)
	for rest := 0; ; {
		i := strings.Index(text[rest:], quotation)
		if i < 0 {
			return false
		}
		start := rest + i
		before, _ := utf8.DecodeLastRuneInString(text[:start])
		after, _ := utf8.DecodeRuneInString(text[start+len(quotation):])
		if !(inWord(first) && inWord(before)) && !(inWord(last) && inWord(after)) {
			return true
		}
		rest = start + utf8.RuneLen(first)
	}
}

func inWord(r rune) bool {
	return r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsDigit(r))
}
