package skill

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/tidwall/gjson"

	"starling"
	"starling/internal/strict"
)

// A Case is an example whose answer is known.
type Case struct {
	ID     string   `json:"id"`
	Input  string   `json:"input"`  // the user's message
	Answer string   `json:"answer"` // what a perfect model would send
	Gold   Gold     `json:"gold"`
	Wrong  []string `json:"wrong"` // at least two plausible wrong answers

	File string `json:"-"` // where it was read, as errors call it
	Line int    `json:"-"`
}

// Digest names what the case asks and what is right, 32 hex digits: change either
// and it is another case. Its id, its ideal answer and its wrong ones are no part
// of it, as no grade depends on them.
func (c Case) Digest() string {
	data, err := json.Marshal([]any{c.Input, c.Gold})
	if err != nil {
		panic("skill: a gold that was read cannot be written: " + err.Error())
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:16])
}

// Problem says what is wrong with the case.
func (c Case) Problem(text, hint string) strict.Problem {
	return strict.Problem{File: c.File, Line: c.Line, Column: 1, Text: fmt.Sprintf("case %q: %s", clip(c.ID), text), Hint: hint}
}

// Gold is what is known of the right answer. At least one field is set; all
// that are must hold.
type Gold struct {
	Label    string          `json:"label,omitempty"`
	JSON     json.RawMessage `json:"json,omitempty"`     // an object: every leaf is equal in the answer's
	Number   json.Number     `json:"number,omitempty"`   // the last number in the answer
	Contains []string        `json:"contains,omitempty"` // case does not count
	Cites    []string        `json:"cites"`              // exactly these ids; nil if unsaid, empty for none
	Verified bool            `json:"verified,omitempty"` // the rubric's verifiers accept
}

// Cases reads the cases of the skill in the named folder, one at a time, in the
// order of the file. Exactly one of case and error is set in each pair; after an
// error about one line the next line follows. Errors are Invalid and name the
// line; NotFound if there is no such file.
func Cases(fsys fs.FS, skill string) iter.Seq2[Case, error] {
	return func(yield func(Case, error) bool) {
		name := path.Join(skill, casesFile)
		f, err := fsys.Open(name)
		if err != nil {
			yield(Case{}, &starling.Error{Kind: starling.NotFound, Op: "cases of skill " + skill, Hint: "add " + name, Err: err})
			return
		}
		defer f.Close()
		lines := bufio.NewScanner(f)
		lines.Buffer(nil, maxFile)
		r := caseReader{file: name, lines: map[string]int{}}
		for lines.Scan() {
			if c, err, ok := r.read(lines.Bytes()); ok && !yield(c, err) {
				return
			}
		}
		if err := lines.Err(); err != nil {
			yield(Case{}, r.broken(1, fmt.Sprintf("cannot be read: %v", err), "at most 1 MiB a line"))
		}
	}
}

type caseReader struct {
	file  string
	line  int
	lines map[string]int // by id
}

// read takes the next line. A line of nothing but space is none.
func (r *caseReader) read(line []byte) (c Case, err error, ok bool) {
	r.line++
	if strings.TrimSpace(string(line)) == "" {
		return Case{}, nil, false
	}
	c, f := parseCase(line)
	if f.text == "" && r.lines[c.ID] > 0 {
		f = flaw{gjson.GetBytes(line, "id").Index, fmt.Sprintf("id %q is on line %d too", c.ID, r.lines[c.ID]), "give each case an id of its own"}
	}
	if f.text != "" {
		column := 1 + utf8.RuneCount(line[:min(max(0, f.at), len(line))])
		return Case{}, r.broken(column, f.text, f.hint), true
	}
	r.lines[c.ID] = r.line
	c.File, c.Line = r.file, r.line
	return c, nil, true
}

func (r *caseReader) broken(column int, text, hint string) error {
	return strict.Report([]strict.Problem{{File: r.file, Line: max(1, r.line), Column: column, Text: text, Hint: hint}})
}

// A flaw is what is wrong with a line of cases; text "" is nothing.
type flaw struct {
	at         int // byte of the line
	text, hint string
}

// parseCase reads one line of cases.jsonl.
func parseCase(line []byte) (c Case, f flaw) {
	if !utf8.Valid(line) {
		return c, flaw{len(line) - len(bytes.TrimLeftFunc(line, func(r rune) bool { return r != utf8.RuneError })), "this is not UTF-8", "save the file as UTF-8"}
	}
	if at, ok := oneObject(line); !ok {
		return c, flaw{at, "this is not one JSON object", "write one object a line"}
	}
	root := gjson.ParseBytes(line)
	if f := keys(root, "id", "input", "answer", "gold", "wrong"); f.text != "" {
		return c, f
	}
	if f := keys(root.Get("gold"), "label", "json", "number", "contains", "cites", "verified"); f.text != "" {
		f.text = "gold: " + f.text
		return c, f
	}
	if err := json.Unmarshal(line, &c); err != nil {
		return c, mistyped(root, err)
	}
	field, text := c.incomplete()
	return c, flaw{at: root.Get(field).Index, text: text}
}

// oneObject reports whether a line is one JSON object, and if not, where it ceases to
// be one.
func oneObject(line []byte) (at int, ok bool) {
	var whole json.RawMessage
	err := json.Unmarshal(line, &whole)
	if e, bad := errors.AsType[*json.SyntaxError](err); bad {
		return int(e.Offset) - 1, false
	}
	return 0, err == nil && gjson.ValidBytes(line) && gjson.ParseBytes(line).IsObject()
}

// keys finds a key that is unknown or there twice.
func keys(object gjson.Result, known ...string) (f flaw) {
	seen := map[string]bool{}
	object.ForEach(func(key, _ gjson.Result) bool {
		name := key.String()
		switch {
		case !object.IsObject():
			return false
		case !slices.Contains(known, name):
			f = flaw{key.Index, fmt.Sprintf("unknown key %q", clip(name)), "known: " + strings.Join(known, ", ")}
			if near := strict.Nearest(name, known); len(near) > 0 {
				f.hint = fmt.Sprintf("did you mean %q?", near[0])
			}
		case seen[name]:
			f = flaw{key.Index, fmt.Sprintf("key %q is there twice", name), "keep one"}
		}
		seen[name] = true
		return f.text == ""
	})
	return f
}

// mistyped says what encoding/json means, without the value.
func mistyped(root gjson.Result, err error) flaw {
	if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return flaw{at: root.Get(e.Field).Index, text: fmt.Sprintf("%s cannot be a %s", e.Field, e.Value)}
	}
	return flaw{at: root.Get("gold").Index, text: "a value has the wrong form"}
}

// incomplete says what a case lacks, and in which of its fields; text "" if nothing.
func (c *Case) incomplete() (field, text string) {
	g := c.Gold
	switch {
	case c.ID == "":
		return "id", `"id" is missing`
	case strings.TrimSpace(c.Input) == "":
		return "input", `"input" is missing`
	case strings.TrimSpace(c.Answer) == "":
		return "answer", `"answer" is missing`
	case g.Label == "" && g.JSON == nil && g.Number == "" && len(g.Contains) == 0 && g.Cites == nil && !g.Verified:
		return "gold", `"gold" says nothing`
	case g.JSON != nil && !gjson.ParseBytes(g.JSON).IsObject():
		return "gold.json", "gold.json is no object"
	case len(c.Wrong) < 2:
		return "wrong", `"wrong" needs at least two answers`
	case slices.Contains(c.Wrong, c.Answer):
		return "wrong", "the answer is also among the wrong ones"
	case slices.Contains(c.Wrong, ""):
		return "wrong", "an empty text proves nothing"
	case slices.Contains(g.Contains, "") || slices.Contains(g.Cites, ""):
		return "gold", "an empty text proves nothing"
	}
	return "", ""
}
