package verify

import (
	"context"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"starling"
	"starling/internal/skill"
)

// Grade compares an answer with what is known to be right: in every way that how
// lists and the case's gold speaks of, and in every other way that its gold speaks
// of. The verifiers are the skill's: besides judging they say how a label is read
// and whether JSON may stand in a code fence. Why names the first way in which the
// answer fails, without a word of it.
//
// Verifiers that ask a model have no say here: nobody can be asked off line
// ([Unasked]).
//
// Errors: Invalid if the gold speaks of none of the ways in how, since then
// nothing would be compared, and if it wants verifiers where all of them ask; else
// as from the verifiers.
func Grade(ctx context.Context, c skill.Case, how []string, answer string, verifiers []starling.Verifier) (pass bool, why string, err error) {
	g := grader{gold: c.Gold, answer: answer, verifiers: verifiers}
	compared := slices.Contains(how, "verified")
	for _, way := range ways {
		if !way.said(&c.Gold) {
			continue
		}
		compared = compared || slices.Contains(how, way.name)
		if why == "" {
			why = way.compare(&g)
		}
	}
	switch {
	case !compared:
		return false, "", &starling.Error{Kind: starling.Invalid, Op: "grade by " + strings.Join(how, ", "), Hint: "give the case's gold one of them"}
	case why != "":
		return false, why, nil
	case c.Gold.Verified || slices.Contains(how, "verified"):
		why, err = g.verified(ctx, c.Input)
	}
	return why == "" && err == nil, why, err
}

type grader struct {
	gold      skill.Gold
	answer    string
	verifiers []starling.Verifier
}

// ways lists the ways to compare without verifiers: whether gold speaks of it,
// and why an answer fails.
var ways = []struct {
	name    string
	said    func(*skill.Gold) bool
	compare func(*grader) string
}{
	{"label", func(g *skill.Gold) bool { return g.Label != "" }, (*grader).label},
	{"json", func(g *skill.Gold) bool { return g.JSON != nil }, (*grader).json},
	{"number", func(g *skill.Gold) bool { return g.Number != "" }, (*grader).number},
	{"contains", func(g *skill.Gold) bool { return len(g.Contains) > 0 }, (*grader).contains},
	{"cites", func(g *skill.Gold) bool { return g.Cites != nil }, (*grader).cites},
}

// reader returns the skill's own label verifier; without one, who reads the whole
// text.
func (g *grader) reader() *label {
	for _, v := range g.verifiers {
		if own, ok := ruleOf(v).(*label); ok {
			return own
		}
	}
	return &label{}
}

func (g *grader) label() string {
	reader := g.reader()
	got, why := reader.of(g.answer)
	switch {
	case why != "":
		return why
	case !reader.same(got, g.gold.Label):
		return "the label is another"
	}
	return ""
}

func (g *grader) json() string {
	want, _, why := document{}.read(string(g.gold.JSON))
	if why != "" {
		return "gold: " + why
	}
	got, _, why := document{fence: g.fenced()}.read(g.answer)
	switch {
	case why != "":
		return why
	case !covers(got, want):
		return "the JSON differs"
	}
	return ""
}

// fenced reports whether a verifier of the skill allows a code fence.
func (g *grader) fenced() bool {
	return slices.ContainsFunc(g.verifiers, func(v starling.Verifier) bool {
		switch r := ruleOf(v).(type) {
		case *label:
			return r.fence
		case *schema:
			return r.fence
		case *arithmetic:
			return r.fence
		}
		return false
	})
}

func ruleOf(v starling.Verifier) rule {
	if own, ok := v.(*verifier); ok {
		return own.rule
	}
	return nil
}

// covers reports whether every leaf of want is equal in got. An object may have
// more keys than wanted, a list may not have more entries; numbers are compared
// as decimals.
func covers(got, want any) bool {
	switch want := want.(type) {
	case map[string]any:
		object, ok := got.(map[string]any)
		if !ok {
			return false
		}
		for key, value := range want {
			if own, there := object[key]; !there || !covers(own, value) {
				return false
			}
		}
		return true
	case []any:
		list, ok := got.([]any)
		return ok && slices.EqualFunc(list, want, covers)
	case json.Number:
		number, ok := got.(json.Number)
		return ok && equalNumbers(number.String(), want.String())
	}
	return got == want
}

func equalNumbers(a, b string) bool {
	x, ok := rational(a)
	y, also := rational(b)
	return ok && also && x.Cmp(y) == 0
}

func (g *grader) number() string {
	want, ok := rational(g.gold.Number.String())
	if !ok {
		return "gold: a number is out of range"
	}
	got, ok := lastNumber(g.answer)
	switch {
	case !ok:
		return "there is no number"
	case got.Cmp(want) != 0:
		return "the last number is another"
	}
	return ""
}

func (g *grader) contains() string {
	answer := strings.ToLower(g.answer)
	for _, part := range g.gold.Contains {
		if !strings.Contains(answer, strings.ToLower(part)) {
			return "something that must be there is not"
		}
	}
	return ""
}

// citation is what stands in square brackets: one id, or several with commas
// between. With a bracket behind it it is a link.
var citation = regexp.MustCompile(`\[([^\[\]\n]+)\](\(?)`)

// isID reports whether a word may be the id of a source: it has a digit.
func isID(word string) bool {
	strange := func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("._:/-", r)
	}
	return strings.ContainsFunc(word, unicode.IsDigit) && !strings.ContainsFunc(word, strange)
}

// cited returns the ids that a text cites.
func cited(text string) map[string]bool {
	ids := map[string]bool{}
	for _, m := range citation.FindAllStringSubmatch(text, -1) {
		if m[2] != "" {
			continue
		}
		for _, id := range strings.FieldsFunc(m[1], func(r rune) bool { return r == ',' || r == ';' || r == ' ' }) {
			if isID(id) {
				ids[id] = true
			}
		}
	}
	return ids
}

func (g *grader) cites() string {
	got := cited(g.answer)
	want := map[string]bool{}
	for _, id := range g.gold.Cites {
		if want[id] = true; !got[id] {
			return "a source is not cited"
		}
	}
	if len(got) > len(want) {
		return "a source is cited that should not be"
	}
	return ""
}

// verified asks the verifiers, with the case's input as the request. One at least
// has to judge: who was not asked has accepted nothing.
func (g *grader) verified(ctx context.Context, input string) (string, error) {
	if len(g.verifiers) > 0 && !slices.ContainsFunc(g.verifiers, func(v starling.Verifier) bool { return !Asks(v) }) {
		return "", &starling.Error{Kind: starling.Invalid, Op: "grade by verified: every verifier asks a model, and nobody can be asked here", Hint: "add a verifier of another kind, or grade in another way"}
	}
	return Rejects(ctx, "", input, g.answer, g.verifiers)
}

// Rejects asks verifiers as the gateway does, in order, until one says no; the
// request is the prompt, if there is one, and the input. Those that ask a model are
// left out: nobody can be asked here. Why names the verifier that rejects the
// answer, and is "" if all accept it. Errors: as from the verifiers.
func Rejects(ctx context.Context, prompt, input, answer string, verifiers []starling.Verifier) (why string, err error) {
	if len(verifiers) == 0 {
		return "", nil
	}
	type message struct {
		Role    string `json:"role"`
		Content string `json:"content"`
	}
	messages := []message{{"user", input}}
	if prompt != "" {
		messages = []message{{"system", prompt}, {"user", input}}
	}
	body, err := json.Marshal(map[string]any{"messages": messages})
	if err != nil {
		return "", &starling.Error{Kind: starling.Internal, Op: "judge an answer", Err: err}
	}
	request := &starling.Request{Dialect: starling.OpenAI, Body: body}
	for _, v := range verifiers {
		if Asks(v) {
			continue
		}
		verdict, err := v.Verify(ctx, request, &starling.Answer{Text: answer, Finish: starling.Stopped})
		if err != nil {
			return "", err
		}
		if !verdict.Accept {
			return "verifier " + v.Name() + ": " + verdict.Why, nil
		}
	}
	return "", nil
}
