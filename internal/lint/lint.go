// Package lint says what is wrong with skills. What stops a skill from being read is
// said by package skill; here its cases are graded too, so that none claims what does
// not hold, and it is noted what works and may yet not be meant: a rule that no
// request reaches, a verifier that judges nothing, a bar that its cases cannot show.
//
// Everything has a place: file, line and column. It asks nobody, and knows of models
// and classes only what a [World] says. Start reading at [Skill]; notes.go holds the
// notes on a rubric.
package lint

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"

	"starling"
	"starling/internal/skill"
	"starling/internal/strict"
	"starling/internal/verify"
)

// A Severity says how bad a finding is.
type Severity string

const (
	Error Severity = "error" // the skill is not served, or claims what does not hold
	Note  Severity = "note"  // it is served, and may yet not be meant
)

// A Finding is something that a person should look at.
type Finding struct {
	File     string   `json:"file"`
	Line     int      `json:"line"`   // from 1
	Column   int      `json:"column"` // from 1, in characters
	Severity Severity `json:"severity"`
	Text     string   `json:"text"`
	Hint     string   `json:"hint"` // "" if there is none
}

// Problem is the finding as one of those that errors list.
func (f Finding) Problem() strict.Problem {
	return strict.Problem{File: f.File, Line: f.Line, Column: f.Column, Text: f.Text, Hint: f.Hint}
}

// A World is what a configuration knows of the names in a rubric. Of the zero World
// nothing is known, and no name is looked up.
type World struct {
	Offers  func(model string) bool // an alias or "provider/model" leads somewhere; nil nobody knows
	Models  []string                // for hints
	Classes []string                // all that there are; nil nobody knows
}

// A Report is what was found of one skill.
type Report struct {
	Name     string // of its folder
	Plain    bool   // it has no rubric: agents use it, the gateway does not serve it
	Cases    int
	Unasked  []string  // verifiers that have no say here, as they ask models
	Findings []Finding // by file and position, without repetitions
}

// Failed reports whether there is an error among the findings.
func (r *Report) Failed() bool {
	return slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.Severity == Error })
}

// Skills looks at every skill of a folder, plain and broken ones too. Errors are
// Invalid: the folder cannot be listed.
func Skills(ctx context.Context, fsys fs.FS, w World) ([]Report, error) {
	names, err := skill.Folders(fsys)
	if err != nil {
		return nil, err
	}
	all := make([]Report, len(names))
	for i, name := range names {
		all[i] = Skill(ctx, fsys, name, w)
	}
	return all, nil
}

// Skill looks at the skill in the named folder.
func Skill(ctx context.Context, fsys fs.FS, name string, w World) Report {
	l := &linter{ctx: ctx, fsys: fsys, world: w, Report: Report{Name: name, Plain: skill.IsPlain(fsys, name)}}
	if l.Plain {
		l.manifest()
	} else {
		l.whole()
	}
	slices.SortStableFunc(l.Findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column), cmp.Compare(a.Text, b.Text))
	})
	l.Findings = slices.Compact(l.Findings)
	return l.Report
}

// A linter looks at one skill.
type linter struct {
	Report
	ctx   context.Context
	fsys  fs.FS
	world World

	skill     *skill.Skill
	doc       *strict.Document // its rubric
	verifiers []starling.Verifier
}

func (l *linter) add(s Severity, p strict.Problem) {
	// A problem of the file itself is at its beginning, as editors know no other place.
	l.Findings = append(l.Findings, Finding{p.File, max(1, p.Line), max(1, p.Column), s, p.Text, p.Hint})
}

// fail adds every problem of an error.
func (l *linter) fail(file string, err error) {
	if ps, ok := errors.AsType[strict.Problems](err); ok {
		for _, p := range ps {
			l.add(Error, p)
		}
	} else if err != nil {
		l.add(Error, strict.Problem{File: file, Text: err.Error()})
	}
}

func (l *linter) file(name string) string { return path.Join(l.Name, name) }

// longest is how many lines a SKILL.md may have behind its front matter: an agent
// reads all of it at once. Source: agentskills.io/specification, 2026-10.
const longest = 500

func (l *linter) manifest() {
	file := l.file("SKILL.md")
	body, first, err := skill.CheckManifest(l.fsys, l.Name)
	l.fail(file, err)
	if len(body) >= longest {
		l.add(Note, strict.Problem{File: file, Line: first + longest - 1, Column: 1, Text: fmt.Sprintf("the body has %d lines, and should have fewer than %d", len(body), longest), Hint: "move what is seldom needed into a file of its own below references"})
	}
}

// whole looks at a skill with a rubric.
func (l *linter) whole() {
	rubric := l.file("rubric.yaml")
	s, err := skill.Load(l.fsys, l.Name)
	if err != nil {
		l.fail(rubric, err)
		return
	}
	l.skill = s
	l.manifest()
	if l.verifiers, err = verify.ForSkill(s); err != nil {
		l.fail(rubric, err)
		return
	}
	l.Unasked = verify.Unasked(l.verifiers)
	text, err := fs.ReadFile(l.fsys, rubric)
	if err == nil {
		l.doc, err = strict.Parse(rubric, text)
	}
	if err != nil { // it was changed a moment ago
		l.fail(rubric, err)
		return
	}
	l.cases()
	l.rubric()
}

// cases grades the answers of every case: the ideal one must pass its gold, and no
// wrong one may.
func (l *linter) cases() {
	inputs := map[string]skill.Case{}
	graded := len(l.skill.Rubric.Grade) > 0
	for c, err := range skill.Cases(l.fsys, l.Name) {
		if starling.KindOf(err) == starling.NotFound || l.ctx.Err() != nil {
			break
		}
		if l.Cases++; err != nil {
			l.fail(l.file("cases.jsonl"), err)
			continue
		}
		if before, twice := inputs[c.Input]; twice {
			l.again(before, c)
		} else {
			inputs[c.Input] = c
		}
		if graded {
			l.grade(c)
		}
	}
	if l.Cases > 0 && !graded {
		l.add(Error, strict.Problem{File: l.file("rubric.yaml"), Text: "there are cases, and nothing says how an answer is compared with their gold", Hint: "add grade: [label], json, number, contains, cites or verified"})
	}
}

// again says what it means that two cases ask the same.
func (l *linter) again(before, c skill.Case) {
	if before.Digest() == c.Digest() {
		l.add(Note, c.Problem(fmt.Sprintf("line %d asks the same and has the same gold: it proves nothing twice", before.Line), "keep one"))
		return
	}
	l.add(Error, c.Problem(fmt.Sprintf("line %d asks the same and has another gold", before.Line), "no answer is right for both: keep one"))
}

func (l *linter) grade(c skill.Case) {
	how := l.skill.Rubric.Grade
	pass, why, err := verify.Grade(l.ctx, c, how, c.Answer, l.verifiers)
	switch {
	case err != nil:
		l.add(Error, c.Problem(err.Error(), ""))
		return
	case !pass:
		l.add(Error, c.Problem("the ideal answer fails its own gold: "+why, "mend the answer or the gold"))
	default:
		l.seen(c)
	}
	for i, wrong := range c.Wrong {
		if pass, _, err := verify.Grade(l.ctx, c, how, wrong, l.verifiers); pass || err != nil {
			l.add(Error, c.Problem(fmt.Sprintf("wrong answer %d passes its gold", i+1), "say more in the gold, or write another wrong answer"))
		}
	}
}

// seen checks that the verifiers let the ideal answer be seen.
func (l *linter) seen(c skill.Case) {
	if len(l.Unasked) == len(l.verifiers) {
		return
	}
	c.Gold = skill.Gold{Verified: true}
	if pass, why, err := verify.Grade(l.ctx, c, []string{"verified"}, c.Answer, l.verifiers); !pass && err == nil {
		l.add(Error, c.Problem("the ideal answer would never be seen: "+why, "mend the answer or the verifiers"))
	}
}
