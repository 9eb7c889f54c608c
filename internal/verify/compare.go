package verify

import (
	"maps"
	"slices"
	"strings"

	"starling"
)

// comparisons lists the ways of a rubric's grade in which two answers to one
// request can be compared. That something is contained or verified says nothing of
// whether two answers mean the same.
var comparisons = map[string]func(*comparison) verdict{
	"label": (*comparison).label, "json": (*comparison).json, "number": (*comparison).number, "cites": (*comparison).cites,
}

// Comparable reports whether answers that are graded like that can be compared with
// a reference's. Where not, only people can say which is right.
func Comparable(how []string) bool {
	return slices.ContainsFunc(how, func(way string) bool { return comparisons[way] != nil })
}

// Compare grades a candidate's answer by a reference's to the same request, in every
// way of how that is comparable: the same label as the skill's label verifier reads
// it; every leaf of the reference's JSON equal, numbers as decimals; the same last
// number; the same ids cited. Why names the first way in which they differ, without a
// word of either.
//
// Errors: Refused if the reference's answer is none that could be compared with: it
// is empty, refused, or cannot be read as how says; Invalid if how has no comparable
// way.
func Compare(how []string, candidate, reference *starling.Answer, verifiers []starling.Verifier) (same bool, why string, err error) {
	if !Comparable(how) {
		return false, "", &starling.Error{Kind: starling.Invalid, Op: "compare by " + strings.Join(how, ", "), Hint: "grade by label, json, number or cites"}
	}
	if reference.Finish == starling.Filtered || strings.TrimSpace(reference.Text) == "" {
		return false, "", unreadable("it is empty or a refusal")
	}
	c := comparison{candidate: candidate.Text, reference: reference.Text, grader: grader{verifiers: verifiers}}
	for _, way := range how {
		compare := comparisons[way]
		if compare == nil {
			continue
		}
		v := compare(&c)
		if v.unreadable != "" {
			return false, "", unreadable(v.unreadable)
		}
		if why == "" {
			why = v.differs
		}
	}
	if strings.TrimSpace(candidate.Text) == "" {
		why = "the answer is empty"
	}
	return why == "", why, nil
}

func unreadable(why string) error {
	return &starling.Error{Kind: starling.Refused, Op: "the reference's answer cannot be compared with: " + why}
}

// A comparison is of two answers. Its grader knows how the skill's verifiers read.
type comparison struct {
	grader
	candidate, reference string
}

// A verdict says in what the candidate differs, "" if in nothing, or else why the
// reference's answer cannot be read.
type verdict struct{ differs, unreadable string }

func (c *comparison) label() verdict {
	reader := c.reader()
	want, why := reader.of(c.reference)
	if why == "" && len(reader.values) > 0 && !slices.ContainsFunc(reader.values, func(v string) bool { return reader.same(v, want) }) {
		why = "it is none of the labels"
	}
	if why != "" {
		return verdict{unreadable: why}
	}
	got, why := reader.of(c.candidate)
	if why == "" && !reader.same(got, want) {
		why = "the label is another"
	}
	return verdict{differs: why}
}

func (c *comparison) json() verdict {
	read := document{fence: c.fenced()}.read
	want, _, why := read(c.reference)
	if why != "" {
		return verdict{unreadable: why}
	}
	got, _, why := read(c.candidate)
	if why == "" && !covers(got, want) {
		why = "the JSON differs"
	}
	return verdict{differs: why}
}

func (c *comparison) number() verdict {
	want, ok := lastNumber(c.reference)
	if !ok {
		return verdict{unreadable: "there is no number"}
	}
	got, ok := lastNumber(c.candidate)
	switch {
	case !ok:
		return verdict{differs: "there is no number"}
	case got.Cmp(want) != 0:
		return verdict{differs: "the last number is another"}
	}
	return verdict{}
}

func (c *comparison) cites() verdict {
	if !maps.Equal(cited(c.candidate), cited(c.reference)) {
		return verdict{differs: "other sources are cited"}
	}
	return verdict{}
}
