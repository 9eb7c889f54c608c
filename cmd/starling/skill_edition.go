package main

import (
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"

	"starling"
	"starling/internal/skill"
	"starling/internal/verify"
)

// An edition is a skill with those of its files that are no part of its rubric.
type edition struct {
	*skill.Skill
	cases  []skill.Case
	assets []string // path and digest of each
}

// readEdition reads what belongs to a skill of a file system. Errors: Invalid, for cases
// that cannot be read.
func readEdition(fsys fs.FS, s *skill.Skill) (*edition, error) {
	e := &edition{Skill: s}
	for c, err := range skill.Cases(fsys, s.Dir) {
		if starling.KindOf(err) == starling.NotFound {
			break
		}
		if err != nil {
			return nil, err
		}
		e.cases = append(e.cases, c)
	}
	err := fs.WalkDir(fsys, path.Join(s.Dir, "assets"), func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || strings.HasPrefix(entry.Name(), ".") {
			return err
		}
		data, err := fs.ReadFile(fsys, name)
		e.assets = append(e.assets, fmt.Sprintf("%s %x", strings.TrimPrefix(name, s.Dir+"/"), sha256.Sum256(data)))
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, &starling.Error{Kind: starling.Invalid, Op: "read the assets of skill " + s.Name, Err: err}
	}
	return e, nil
}

// A trait is what a skill says under one name.
type trait struct {
	name   string
	items  []string
	inLine bool // their order counts
}

// traits are all that a skill says, what it leaves unsaid included.
func (e *edition) traits() []trait {
	r, bar := &e.Rubric, e.Rubric.Bar.Filled()
	one := func(name, value string) trait { return trait{name: name, items: []string{value}} }
	all := []trait{
		one("reference", dash(r.Reference)),
		{"candidates", namesOf(r.Candidates), true},
	}
	for _, c := range r.Candidates {
		all = append(all, one("candidate "+c.Model, settings(c)))
	}
	all = append(all,
		one("order", cmp.Or(r.Order, "cost")),
		one("bar.pass", share(bar.Pass)), one("bar.margin", share(bar.Margin)), one("bar.confidence", share(bar.Confidence)),
		one("bar.valid", bar.Valid.String()), one("bar.unproven", dash(bar.Unproven)),
		one("class", dash(string(r.Class))),
		one("budget.request", capText(r.Budget.Request)), one("budget.day", capText(r.Budget.Day)), one("budget.month", capText(r.Budget.Month)),
		one("latency", r.Latency.String()), one("audit", share(r.Audit)), one("keep", strconv.FormatBool(r.Keep)),
		trait{name: "grade", items: slices.Clone(r.Grade)},
	)
	all = append(all, e.verifying()...)
	all = append(all, e.ruling()...)
	front, body := headOf(e.Manifest)
	return append(all, trait{"prompt", lines(r.Prompt), true}, trait{name: "SKILL.md, its head", items: lines(front)}, trait{"SKILL.md", lines(body), true}, trait{name: "assets", items: e.assets})
}

// verifying says who verifies, under the names by which verdicts know them.
func (e *edition) verifying() []trait {
	var names []string
	verifiers, _ := verify.ForSkill(e.Skill) // one that cannot be made says nothing
	for _, v := range verifiers {
		names = append(names, v.Name())
	}
	all := []trait{{"verify", names, true}}
	count := map[string]int{}
	for i := range e.Rubric.Verify {
		v := &e.Rubric.Verify[i]
		count[v.Kind]++
		name := "verify " + v.Kind
		if n := count[v.Kind]; n > 1 {
			name = fmt.Sprintf("%s-%d", name, n)
		}
		all = append(all, trait{name: name, items: demands(v)})
	}
	return all
}

// demands are a verifier's words, each label by itself.
func demands(v *skill.VerifySpec) []string {
	words := v.Words()
	if v.Kind != "label" {
		return words
	}
	items := append([]string{}, words[1:]...)
	if v.At != "" {
		items = append(items, "at "+v.At)
	}
	for _, value := range v.Values {
		items = append(items, strconv.Quote(value))
	}
	return items
}

// ruling says which rules there are: in which order, and what each does.
func (e *edition) ruling() []trait {
	all := []trait{{name: "rules", inLine: true}}
	for i, r := range e.Rubric.Rules {
		name := "rule " + strings.Join(strings.Fields(r.When), " ")
		if slices.ContainsFunc(all, func(t trait) bool { return t.name == name }) {
			name += fmt.Sprintf(" (%d)", i+1)
		}
		does := "refuse"
		if !r.Refuse {
			var each []string
			for _, c := range r.Candidates {
				each = append(each, c.Model+" ("+settings(c)+")")
			}
			does = strings.Join(each, ", ")
		}
		all[0].items = append(all[0].items, name)
		all = append(all, trait{name: name, items: []string{does, "why: " + r.Why}})
	}
	return all
}

func namesOf(candidates []skill.Candidate) []string {
	var names []string
	for _, c := range candidates {
		names = append(names, c.Model)
	}
	return names
}

// settings says what the rubric says of a candidate beside its name.
func settings(c skill.Candidate) string {
	said := "verified"
	if c.SkipVerify {
		said = "not verified"
	}
	if c.Probability > 0 {
		said += ", probability " + share(c.Probability)
	}
	if c.Confidence != "" {
		said += ", confidence " + c.Confidence
	}
	return said
}

func share(f float64) string { return strconv.FormatFloat(f, 'g', -1, 64) }

func capText(m starling.Money) string {
	if m == 0 {
		return "-"
	}
	return m.String()
}

// lines are those of a text, without space at their ends.
func lines(text string) []string {
	var all []string
	for line := range strings.Lines(strings.TrimSpace(text)) {
		all = append(all, strings.TrimRight(line, " \t\r\n"))
	}
	return all
}

// headOf parts a SKILL.md into its head, between two lines "---", and the rest.
func headOf(manifest string) (head, rest string) {
	_, rest, _ = strings.Cut(manifest, "---")
	head, rest, _ = strings.Cut(rest, "\n---")
	return head, rest
}

// A change is what differs under one name: what is said no more begins with "-", what is
// said instead with "+".
type change struct {
	Field string   `json:"field"`
	Lines []string `json:"lines"`
}

// changes returns what differs, in the order of the rubric.
func changes(was, is *edition) []change {
	var out []change
	before, after := was.traits(), is.traits()
	find := func(all []trait, name string) trait {
		if i := slices.IndexFunc(all, func(t trait) bool { return t.name == name }); i >= 0 {
			return all[i]
		}
		return trait{name: name}
	}
	for _, b := range before {
		out = append(out, b.to(find(after, b.name))...)
	}
	for _, a := range after {
		if !slices.ContainsFunc(before, func(t trait) bool { return t.name == a.name }) {
			out = append(out, trait{name: a.name}.to(a)...)
		}
	}
	return out
}

// to returns the change from one trait to another of that name, none if there is none.
func (t trait) to(other trait) []change {
	var diff []string
	if t.inLine || other.inLine {
		diff = between(t.items, other.items)
	} else {
		for _, item := range t.items {
			if !slices.Contains(other.items, item) {
				diff = append(diff, "-"+item)
			}
		}
		for _, item := range other.items {
			if !slices.Contains(t.items, item) {
				diff = append(diff, "+"+item)
			}
		}
	}
	if len(diff) == 0 {
		return nil
	}
	return []change{{t.name, diff}}
}

// mostCompared bounds the work of comparing two texts line by line: 1,000 lines each.
const mostCompared = 1_000_000

// between returns the lines that lead from one text to the other: those that are not in
// a longest common part. Of texts that are too long for that, what lies between the lines
// with which both begin and end.
func between(was, is []string) []string {
	for len(was) > 0 && len(is) > 0 && was[0] == is[0] {
		was, is = was[1:], is[1:]
	}
	for len(was) > 0 && len(is) > 0 && was[len(was)-1] == is[len(is)-1] {
		was, is = was[:len(was)-1], is[:len(is)-1]
	}
	if len(was)*len(is) <= mostCompared {
		return shortest(was, is)
	}
	var out []string
	for _, line := range was {
		out = append(out, "-"+line)
	}
	for _, line := range is {
		out = append(out, "+"+line)
	}
	return out
}

func shortest(was, is []string) []string {
	longest := make([][]int, len(was)+1) // of the rest of both, from there on
	for i := range longest {
		longest[i] = make([]int, len(is)+1)
	}
	for i := len(was) - 1; i >= 0; i-- {
		for j := len(is) - 1; j >= 0; j-- {
			longest[i][j] = max(longest[i+1][j], longest[i][j+1])
			if was[i] == is[j] {
				longest[i][j] = 1 + longest[i+1][j+1]
			}
		}
	}
	var out []string
	i, j := 0, 0
	for i < len(was) || j < len(is) {
		switch {
		case i < len(was) && j < len(is) && was[i] == is[j]:
			i, j = i+1, j+1
		case j == len(is) || i < len(was) && longest[i+1][j] >= longest[i][j+1]:
			out, i = append(out, "-"+was[i]), i+1
		default:
			out, j = append(out, "+"+is[j]), j+1
		}
	}
	return out
}

// show prints a change: what is one for one, on one line.
func (c change) show(w io.Writer) {
	if len(c.Lines) == 2 && c.Lines[0][0] == '-' && c.Lines[1][0] == '+' && len(c.Field+c.Lines[0]+c.Lines[1]) < width-10 {
		printf(w, "%s: %s → %s\n", c.Field, c.Lines[0][1:], c.Lines[1][1:])
		return
	}
	printf(w, "%s:\n", c.Field)
	for _, line := range c.Lines {
		printf(w, "  %s\n", line)
	}
}

// A casesChanged names the cases that differ, by their ids.
type casesChanged struct {
	Added   []string `json:"added"`
	Changed []string `json:"changed"` // with what of them did
	Removed []string `json:"removed"`
}

func (c casesChanged) none() bool { return len(c.Added)+len(c.Changed)+len(c.Removed) == 0 }

// casesBetween compares cases by id. Their order is nothing.
func casesBetween(was, is []skill.Case) casesChanged {
	out := casesChanged{[]string{}, []string{}, []string{}}
	before := map[string]skill.Case{}
	for _, c := range was {
		before[c.ID] = c
		if !slices.ContainsFunc(is, func(k skill.Case) bool { return k.ID == c.ID }) {
			out.Removed = append(out.Removed, c.ID)
		}
	}
	for _, c := range is {
		old, ok := before[c.ID]
		switch what := reworked(old, c); {
		case !ok:
			out.Added = append(out.Added, c.ID)
		case len(what) > 0:
			out.Changed = append(out.Changed, c.ID+" ("+strings.Join(what, ", ")+")")
		}
	}
	return out
}

// reworked says what of a case is another. What it asks and what is right make a new case
// of it; the rest is for lint.
func reworked(was, is skill.Case) []string {
	var what []string
	note := func(name string, differs bool) {
		if differs {
			what = append(what, name)
		}
	}
	note("input", was.Input != is.Input)
	same := was
	same.Input = is.Input
	note("gold", same.Digest() != is.Digest())
	note("answer", was.Answer != is.Answer)
	note("wrong", !slices.Equal(was.Wrong, is.Wrong))
	return what
}

func (c casesChanged) show(w io.Writer) {
	for _, part := range []struct {
		what string
		ids  []string
	}{{"added", c.Added}, {"changed", c.Changed}, {"removed", c.Removed}} {
		if n := len(part.ids); n > 0 {

			wrapped(w, fmt.Sprintf("cases %s, %d: ", part.what, n), "  ", strings.Join(part.ids, ", "))
		}
	}
}
