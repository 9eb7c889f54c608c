package skill

import (
	_ "embed"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"starling"
	"starling/internal/strict"
)

//go:embed rubric.schema.json
var rubricSchema []byte

// parseRubric reads rubric.yaml; files holds the skill's files by their path in
// it.
func (l *loader) parseRubric(name string, files map[string][]byte) (Rubric, []strict.Problem) {
	var r Rubric
	file := l.label(name)
	doc, err := strict.Parse(file, files[path.Base(name)])
	if err != nil {
		return r, problems(file, err)
	}
	if err := doc.Decode(l.rubric, &r); err != nil {
		return r, problems(file, err)
	}
	c := check{doc: doc, files: files}
	c.rubric(&r)
	c.rules(&r, l.language)
	return r, c.problems
}

// A check finds what the schema of a rubric cannot say.
type check struct {
	doc      *strict.Document
	files    map[string][]byte
	problems []strict.Problem
}

func (c *check) complain(at []string, text, hint string) {
	c.problems = append(c.problems, c.doc.Problem(at, text, hint))
}

// in lengthens a path; the result shares nothing with it.
func in(path []string, steps ...string) []string { return append(slices.Clone(path), steps...) }

func (c *check) rubric(r *Rubric) {
	c.candidates([]string{"candidates"}, r.Candidates)
	for _, b := range []struct {
		key    string
		amount starling.Money
	}{{"request", r.Budget.Request}, {"day", r.Budget.Day}, {"month", r.Budget.Month}} {
		if at := []string{"budget", b.key}; b.amount < 0 || b.amount == 0 && c.doc.Has(at) {
			c.complain(at, "a budget must be more than nothing", "remove the line for no limit")
		}
	}
	if r.Reference == starling.StudentName {
		c.complain([]string{"reference"}, "a student is no reference: it learned from one", "name the model that it learns from")
	}
	c.bar(r)
	c.split(r)
	for i := range r.Verify {
		at := []string{"verify", strconv.Itoa(i)}
		c.verifier(at, &r.Verify[i])
		if spec := &r.Verify[i]; spec.Kind == "agreement" && sameWords(spec.Prompt, r.Prompt) {
			c.complain(in(at, "prompt"), "these are the words of the rubric's own prompt", "say it in other words: an agreement with itself shows nothing")
		}
	}
	if slices.Contains(r.Grade, "verified") {
		c.graded(r)
	}
}

// graded: off line nobody can be asked.
func (c *check) graded(r *Rubric) {
	at := []string{"grade"}
	switch {
	case len(r.Verify) == 0:
		c.complain(at, "there is no verifier to grade by", "add one under verify")
	case !slices.ContainsFunc(r.Verify, func(v VerifySpec) bool { return !v.Asks() }):
		c.complain(at, "there is no verifier to grade by: those that ask a model cannot be asked off line", "add one of another kind under verify, or grade in another way")
	}
}

func (c *check) bar(r *Rubric) {
	at := []string{"bar"}
	switch b := r.Bar; {
	case !b.Set():
	case (b.Pass > 0) == (b.Margin > 0):
		c.complain(at, "a bar needs either pass or margin", "keep one of them")
	case b.Margin > 0 && r.Reference == "":
		c.complain(in(at, "margin"), "there is no reference to compare with", "name one under reference")
	case c.doc.Has(in(at, "valid")) && b.Valid <= 0:
		c.complain(in(at, "valid"), "what was shown must hold for a while", "remove the line for 2160h")
	}
}

func (c *check) split(r *Rubric) {
	if r.Split == nil {
		return
	}
	if i := slices.Index(r.Split.Readers, starling.StudentName); i >= 0 {
		c.complain([]string{"split", "readers", strconv.Itoa(i)}, "a student reads no chunk: it gives labels", "name a model")
	}
	s := r.Filled()
	if len(s.Readers) == 0 {
		c.complain([]string{"split"}, "nobody is left to read: there is one candidate", "name readers")
	}
	if s.Overlap*2 > s.Chunk {
		c.complain([]string{"split", "overlap"}, "chunks overlap by more than a half", "lower overlap, or raise chunk")
	}
}

func (c *check) candidates(at []string, candidates []Candidate) {
	seen := map[string]bool{}
	for i, candidate := range candidates {
		if seen[candidate.Model] {
			c.complain(in(at, strconv.Itoa(i)), fmt.Sprintf("candidate %q is there twice", candidate.Model), "keep one")
		}
		seen[candidate.Model] = true
	}
}

func (c *check) verifier(at []string, spec *VerifySpec) {
	switch spec.Kind {
	case "label":
		c.labels(at, spec)
	case "schema":
		c.schema(at, spec)
	case "pattern":
		c.patterns(at, spec)
	case "arithmetic":
		if !spec.Equations && len(spec.Sums) == 0 {
			c.complain(at, "this verifier demands nothing", "add equations or sums")
		}
	}
}

func sameWords(a, b string) bool {
	return slices.EqualFunc(strings.Fields(a), strings.Fields(b), strings.EqualFold)
}

func (c *check) labels(at []string, spec *VerifySpec) {
	if !spec.Fold {
		return
	}
	seen := map[string]bool{}
	for i, v := range spec.Values {
		low := strings.ToLower(v)
		if seen[low] {
			c.complain(in(at, "values", strconv.Itoa(i)), "this value is there twice when case does not count", "keep one")
		}
		seen[low] = true
	}
}

func (c *check) schema(at []string, spec *VerifySpec) {
	if (spec.File == "") == (spec.Schema == nil) {
		c.complain(at, "a schema verifier needs either a file or a schema", "keep one of them")
		return
	}
	where := in(at, "schema")
	if spec.File != "" {
		where = in(at, "file")
		data, ok := c.files[path.Clean(spec.File)]
		if !ok {
			c.complain(where, fmt.Sprintf("there is no file %q in the skill", spec.File), c.near(spec.File))
			return
		}
		spec.Schema = strict.NewSchema(data)
	}
	if err := spec.Schema.Compile(); err != nil {
		c.complain(where, err.Error(), "")
	}
}

func (c *check) near(file string) string {
	var known []string
	for name := range c.files {
		known = append(known, name)
	}
	slices.Sort(known)
	if near := strict.Nearest(file, known); len(near) > 0 {
		return fmt.Sprintf("did you mean %q?", near[0])
	}
	return ""
}

func (c *check) patterns(at []string, spec *VerifySpec) {
	if len(spec.Must)+len(spec.MustNot)+spec.MinWords+spec.MaxWords+spec.MaxChars == 0 && spec.Quoted == "" {
		c.complain(at, "this verifier demands nothing", "add must, must_not, min_words, max_words, max_chars or quoted")
	}
	for key, list := range map[string][]string{"must": spec.Must, "must_not": spec.MustNot} {
		for i, p := range list {
			c.pattern(in(at, key, strconv.Itoa(i)), p)
		}
	}
	c.pattern(in(at, "quoted"), spec.Quoted)
	if spec.MaxWords > 0 && spec.MinWords > spec.MaxWords {
		c.complain(in(at, "min_words"), "no text has more words than max_words allows", "")
	}
}

func (c *check) pattern(at []string, pattern string) {
	if _, err := regexp.Compile(pattern); err != nil {
		c.complain(at, strings.TrimPrefix(err.Error(), "error parsing regexp: "), "patterns are RE2: no look-around, no back-references")
	}
}
