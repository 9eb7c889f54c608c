package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"starling"
	"starling/internal/skill"
	"starling/internal/strict"
	"starling/internal/verify"
)

// An example is a case in the making: what it leaves unsaid is made.
type example struct {
	ID       string      `json:"id"`
	Input    string      `json:"input"`
	Answer   string      `json:"answer"`
	Contains texts       `json:"contains"` // of a text: what a right answer has in it; the whole answer if unsaid
	Wrong    texts       `json:"wrong"`
	Gold     *skill.Gold `json:"gold"` // as it stands in a file of cases

	line int // of the file that it is from; 0 none
}

// texts are several, or one.
type texts []string

func (t *texts) UnmarshalJSON(data []byte) error {
	var one string
	if json.Unmarshal(data, &one) == nil {
		*t = texts{one}
		return nil
	}
	return json.Unmarshal(data, (*[]string)(t))
}

// readExamples reads a file of examples: CSV by its name, else one JSON object a line.
// Errors are Invalid and name the line.
func readExamples(file string) ([]example, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, &starling.Error{Kind: starling.Invalid, Op: "skill new: read the examples", Hint: "name a file that can be read with --cases", Err: err}
	}
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	read := exampleLines
	if strings.EqualFold(filepath.Ext(file), ".csv") {
		read = exampleRows
	}
	all, problems := read(data)
	for i := range problems {
		problems[i].File, problems[i].Column = fromHere(file), max(1, problems[i].Column)
	}
	return all, strict.Report(problems)
}

func exampleLines(data []byte) (all []example, problems []strict.Problem) {
	lines := bufio.NewScanner(bytes.NewReader(data))
	lines.Buffer(nil, longestLine)
	for n := 1; lines.Scan(); n++ {
		if strings.TrimSpace(lines.Text()) == "" {
			continue
		}
		e := example{line: n}
		d := json.NewDecoder(bytes.NewReader(lines.Bytes()))
		d.DisallowUnknownFields()
		err := d.Decode(&e)
		if err == nil && d.More() {
			err = errors.New("there is more behind the object")
		}
		if err != nil {
			problems = append(problems, strict.Problem{Line: n, Text: "this is no example: " + strings.TrimPrefix(err.Error(), "json: "), Hint: `write {"input": "…", "answer": "…"}, one a line; also id, contains, wrong and gold`})
			continue
		}
		all = append(all, e)
	}
	if err := lines.Err(); err != nil {
		problems = append(problems, strict.Problem{Line: 1, Text: "the file cannot be read: " + err.Error()})
	}
	return all, problems
}

// exampleColumns are what a table of examples may have; there may be several columns
// that begin with "wrong", and several of "contains".
var exampleColumns = []string{"id", "input", "answer", "contains", "wrong"}

func exampleRows(data []byte) (all []example, problems []strict.Problem) {
	rows := csv.NewReader(bytes.NewReader(data))
	head, err := rows.Read()
	if err != nil {
		return nil, []strict.Problem{{Line: 1, Text: "there is no line of column names", Hint: "begin with input,answer"}}
	}
	fields := make([]string, len(head))
	for i, name := range head {
		fields[i] = strings.TrimRight(strings.ToLower(strings.TrimSpace(name)), "0123456789 _-")
		if !slices.Contains(exampleColumns, fields[i]) {
			_, column := rows.FieldPos(i)
			problems = append(problems, strict.Problem{Line: 1, Column: column, Text: fmt.Sprintf("unknown column %q", name), Hint: meant(fields[i], exampleColumns, "known: "+strings.Join(exampleColumns, ", "))})
		}
	}
	for len(problems) == 0 {
		row, err := rows.Read()
		if err == io.EOF {
			return all, nil
		}
		if e, ok := errors.AsType[*csv.ParseError](err); ok {
			return nil, []strict.Problem{{Line: e.Line, Column: e.Column, Text: "this is no row: " + e.Err.Error(), Hint: "put text that has a comma or a quote in quotes, and write every quote in it twice"}}
		}
		if err != nil {
			return nil, []strict.Problem{{Line: 1, Text: err.Error()}}
		}
		e := example{}
		e.line, _ = rows.FieldPos(0)
		for i, text := range row {
			e.set(fields[i], text)
		}
		all = append(all, e)
	}
	return nil, problems
}

// set takes the text of a column; an empty one says nothing.
func (e *example) set(field, text string) {
	switch {
	case text == "":
	case field == "id":
		e.ID = text
	case field == "input":
		e.Input = text
	case field == "answer":
		e.Answer = text
	case field == "contains":
		e.Contains = append(e.Contains, text)
	case field == "wrong":
		e.Wrong = append(e.Wrong, text)
	}
}

// A maker makes cases of examples.
type maker struct {
	answer string // what kind of answer they have
	labels []string
	name   string // of the skill, with which ids begin
	file   string // the examples are from; "" they were typed in
	all    []example
	made   int // wrong answers that were made of the other labels or answers
}

// cases makes them all. Errors are Invalid and say which example is at fault.
func (m *maker) cases(ctx context.Context) ([]skill.Case, error) {
	var cases []skill.Case
	var problems []strict.Problem
	for i, e := range m.all {
		c, text, hint := m.right(i, e)
		if text == "" {
			text, hint = m.wrong(ctx, i, &c)
		}
		if text != "" {
			problems = append(problems, strict.Problem{File: cmp.Or(m.file, "examples"), Line: cmp.Or(e.line, i+1), Column: 1, Text: text, Hint: hint})
		}
		cases = append(cases, c)
	}
	return cases, strict.Report(problems)
}

// right makes a case and its gold. The text says what is wrong with it.
func (m *maker) right(i int, e example) (c skill.Case, text, hint string) {
	c = skill.Case{ID: cmp.Or(e.ID, fmt.Sprintf("%s-%03d", m.name, i+1)), Input: e.Input, Answer: strings.TrimSpace(e.Answer), Wrong: slices.Clone(e.Wrong)}
	switch {
	case strings.TrimSpace(c.Input) == "":
		return c, "there is no input", "write what the model is asked"
	case c.Answer == "":
		return c, "there is no answer", "write what a perfect model would say"
	case e.Gold != nil:
		c.Gold = *e.Gold
	case m.answer == "label" && !slices.Contains(m.labels, c.Answer):
		return c, "the answer is none of the labels", meant(c.Answer, m.labels, "add it to the labels")
	case m.answer == "label":
		c.Gold.Label = c.Answer
	case m.answer == "json" && !json.Valid([]byte(c.Answer)):
		return c, "the answer is not JSON", "write one JSON object"
	case m.answer == "json":
		c.Gold.JSON = json.RawMessage(c.Answer)
	case len(e.Contains) > 0:
		c.Gold.Contains = e.Contains
	default:
		c.Gold.Contains = []string{c.Answer}
	}
	return c, "", ""
}

// comparisons are the ways to compare an answer with gold that need no rubric.
var comparisons = []string{"label", "json", "number", "contains", "cites"}

// enoughWrong is how many wrong answers a case has at least.
const enoughWrong = 2

// wrong gives a case the wrong answers that it lacks: other labels, or what is right
// for other examples, those behind it first.
func (m *maker) wrong(ctx context.Context, i int, c *skill.Case) (text, hint string) {
	for _, other := range m.others(i, c.Answer) {
		if len(c.Wrong) >= enoughWrong {
			break
		}
		if slices.Contains(c.Wrong, other) || other == c.Answer {
			continue
		}
		if right, _, err := verify.Grade(ctx, *c, comparisons, other, nil); err == nil && right {
			continue
		}
		c.Wrong = append(c.Wrong, other)
		m.made++
	}
	if lacks := enoughWrong - len(c.Wrong); lacks > 0 {
		return fmt.Sprintf("%d more wrong answers are needed", lacks), "write what a weak model might say; or write more examples, whose answers are wrong here"
	}
	return "", ""
}

// others lists what may be wrong here because it is right elsewhere.
func (m *maker) others(i int, answer string) (all []string) {
	if m.answer == "label" {
		at := slices.Index(m.labels, answer) + 1
		all = slices.Concat(m.labels[at:], m.labels[:max(0, at-1)])
		return append(all, strings.Join(m.labels, " or "))
	}
	for n := range m.all {
		all = append(all, strings.TrimSpace(m.all[(i+n)%len(m.all)].Answer))
	}
	return all
}

// A caseLine is a case as it is written.
type caseLine struct {
	ID     string   `json:"id"`
	Input  string   `json:"input"`
	Answer string   `json:"answer"`
	Gold   goldLine `json:"gold"`
	Wrong  []string `json:"wrong"`
}

type goldLine struct {
	Label    string          `json:"label,omitempty"`
	JSON     json.RawMessage `json:"json,omitempty"`
	Number   json.Number     `json:"number,omitempty"`
	Contains []string        `json:"contains,omitempty"`
	Cites    *[]string       `json:"cites,omitempty"`
	Verified bool            `json:"verified,omitempty"`
}

// writeCases writes one case a line.
func writeCases(cases []skill.Case) ([]byte, error) {
	var b bytes.Buffer
	lines := json.NewEncoder(&b)
	lines.SetEscapeHTML(false)
	for _, c := range cases {
		g := goldLine{c.Gold.Label, c.Gold.JSON, c.Gold.Number, c.Gold.Contains, nil, c.Gold.Verified}
		if c.Gold.Cites != nil {
			g.Cites = &c.Gold.Cites
		}
		if err := lines.Encode(caseLine{c.ID, c.Input, c.Answer, g, c.Wrong}); err != nil {
			return nil, err
		}
	}
	return b.Bytes(), nil
}
