package skill

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// Filled returns the bar with what it leaves unsaid as it holds; a bar that is not set
// stays so.
func (b Bar) Filled() Bar {
	if b.Set() {
		b.Valid, b.Unproven = cmp.Or(b.Valid, DefaultValid), cmp.Or(b.Unproven, Verified)
	}
	return b
}

// Words says what the verifier demands, a demand to each string: all of it, so that two
// verifiers with the same words accept the same answers.
func (v *VerifySpec) Words() []string {
	var out []string
	say := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	switch v.Kind {
	case "label":
		say("%s is one of %s", cmp.Or(at(v.At), "the answer"), strings.Join(quoted(v.Values), ", "))
		if v.Fold {
			say("upper and lower case are the same")
		}
	case "schema":
		say("the answer is JSON of the schema %s", v.schemaWords())
	case "pattern":
		out = v.patternWords()
	case "arithmetic":
		if v.Equations {
			say("there is an equation in the text, and all hold")
		}
		for _, s := range v.Sums {
			say("%s is the sum of %s", s.Total, strings.Join(s.Parts, ", "))
		}
	case "agreement":
		say("%s says the same when it is asked in other words: %s", cmp.Or(v.Model, "the candidate"), strconv.Quote(v.Prompt))
	case "judge":
		say("%s judges that the answer meets: %s", v.Model, strconv.Quote(v.Criteria))
	}
	if v.Fence {
		say("the JSON may stand in a code fence")
	}
	return out
}

func at(path string) string {
	if path == "" {
		return ""
	}
	return "what stands at " + path + " of the JSON answer"
}

func quoted(all []string) []string {
	out := make([]string, len(all))
	for i, s := range all {
		out[i] = strconv.Quote(s)
	}
	return out
}

// schemaWords is the schema itself where it stands in the rubric, else its file and the
// digest of that.
func (v *VerifySpec) schemaWords() string {
	if v.File != "" {
		return fmt.Sprintf("%s (sha256 %x)", v.File, sha256.Sum256(v.Schema.JSON()))
	}
	var b bytes.Buffer
	if err := json.Compact(&b, v.Schema.JSON()); err != nil {
		return string(v.Schema.JSON())
	}
	return b.String()
}

func (v *VerifySpec) patternWords() []string {
	var out []string
	for _, p := range v.Must {
		out = append(out, "it matches "+strconv.Quote(p))
	}
	for _, p := range v.MustNot {
		out = append(out, "it does not match "+strconv.Quote(p))
	}
	if v.Quoted != "" {
		out = append(out, "what "+strconv.Quote(v.Quoted)+" captures, which it does, stands in the request")
	}
	for _, limit := range []struct {
		n     int
		words string
	}{{v.MinWords, "at least %d words"}, {v.MaxWords, "at most %d words"}, {v.MaxChars, "at most %d characters"}} {
		if limit.n > 0 {
			out = append(out, fmt.Sprintf(limit.words, limit.n))
		}
	}
	return out
}
