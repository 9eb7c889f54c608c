package advise

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"

	"starling"
)

// An Action is what an [Edit] does.
type Action string

// The actions. None of them changes a rubric that is as they would leave it.
const (
	Set    Action = "set"    // a value has the value
	Remove Action = "remove" // a candidate is taken out of a list
	Put    Action = "put"    // a candidate stands in a list right before another, or at its end
	Append Action = "append" // a rule comes after all others
)

// An Edit is one change of a rubric.
type Edit struct {
	Do     Action   `json:"do"`
	At     []string `json:"at"`               // the keys that lead there; in a list of candidates a candidate's model, in another list a position
	Value  string   `json:"value,omitempty"`  // Set: YAML on one line
	Name   string   `json:"name,omitempty"`   // Remove, Put: the candidate's model
	Before string   `json:"before,omitempty"` // Put: the model that comes next; "" none
	Rule   *Rule    `json:"rule,omitempty"`   // Append
}

// A Rule is one that a rubric is to have.
type Rule struct {
	When       string   `json:"when"`
	Candidates []string `json:"candidates"`
	Why        string   `json:"why"`
}

// Apply makes the edits in a rubric's text, in order, and leaves every other byte as
// it is: comments, order and style are the user's. What comes of it has been read
// again, and says what the edits say and nothing else. Errors: Invalid where a text is
// written in a way that only a person should touch (anchors, a list on a mapping's
// line); then nothing is changed.
func Apply(text []byte, edits ...Edit) ([]byte, error) {
	bare, restore := plain(string(text))
	for _, e := range edits {
		next, err := e.apply(bare)
		if err != nil {
			return nil, err
		}
		bare = next
	}
	return []byte(restore(bare)), nil
}

// plain is a text without a mark at its beginning and with plain line breaks, and what
// brings both back. Where breaks differ from line to line they stay as they are: then
// the parser loses count of them, and an edit that would go wrong is refused.
func plain(text string) (bare string, restore func(string) string) {
	const mark, windows = "\ufeff", "\r\n"
	bare, marked := strings.CutPrefix(text, mark)
	breaks := strings.Contains(bare, windows) && strings.Count(bare, windows) == strings.Count(bare, "\n")
	if breaks {
		bare = strings.ReplaceAll(bare, windows, "\n")
	}
	return bare, func(bare string) string {
		if breaks {
			bare = strings.ReplaceAll(bare, "\n", windows)
		}
		if marked {
			bare = mark + bare
		}
		return bare
	}
}

func (e Edit) apply(text string) (string, error) {
	is, err := read(text)
	if err != nil {
		return "", e.byHand(err)
	}
	want, err := read(text)
	if err == nil {
		err = e.change(want)
	}
	switch {
	case err != nil:
		return "", e.byHand(err)
	case reflect.DeepEqual(is, want):
		return text, nil
	}
	next, err := e.write(text)
	if err != nil {
		return "", e.byHand(err)
	}
	if got, err := read(next); err != nil || !reflect.DeepEqual(got, want) {
		return "", e.byHand(fmt.Errorf("what came of it would say something else"))
	}
	return next, nil
}

func (e Edit) byHand(why error) error {
	return &starling.Error{Kind: starling.Invalid, Op: "edit the rubric: " + e.String(), Hint: "write it by hand: " + why.Error()}
}

// String says what the edit does, for people.
func (e Edit) String() string {
	at := strings.Join(e.At, ".")
	switch e.Do {
	case Set:
		return at + ": " + e.Value
	case Remove:
		return fmt.Sprintf("%s without %s", at, e.Name)
	case Put:
		if e.Before == "" {
			return fmt.Sprintf("%s with %s at the end", at, e.Name)
		}
		return fmt.Sprintf("%s with %s before %s", at, e.Name, e.Before)
	}
	return fmt.Sprintf("%s with one more, when %s", at, e.Rule.When)
}

// read is what a text says. A rubric is small, and strict has had it before: what it
// refuses (two documents, a key twice) does not come here.
func read(text string) (map[string]any, error) {
	said := map[string]any{}
	if err := yaml.Unmarshal([]byte(text), &said); err != nil {
		return nil, fmt.Errorf("it cannot be read")
	}
	if said == nil {
		return nil, fmt.Errorf("it says nothing")
	}
	return said, nil
}

// change makes the edit in what a text says.
func (e Edit) change(said map[string]any) error {
	switch e.Do {
	case Set:
		return e.set(said)
	case Append:
		rules, _ := said["rules"].([]any)
		if !slices.ContainsFunc(rules, func(r any) bool { m, _ := r.(map[string]any); return m["when"] == e.Rule.When }) {
			said["rules"] = append(rules, e.Rule.said())
		}
		return nil
	}
	return e.rearrange(said)
}

func (e Edit) set(said map[string]any) error {
	last := len(e.At) - 1
	parent, err := follow(said, e.At[:last])
	if err != nil {
		return err
	}
	of, ok := parent.(map[string]any)
	if !ok {
		return fmt.Errorf("%s is no mapping", strings.Join(e.At[:last], "."))
	}
	var value any
	if err := yaml.Unmarshal([]byte(e.Value), &value); err != nil {
		return err
	}
	of[e.At[last]] = value
	return nil
}

func (r *Rule) said() map[string]any {
	names := make([]any, len(r.Candidates))
	for i, name := range r.Candidates {
		names[i] = name
	}
	return map[string]any{"when": r.When, "candidates": names, "why": r.Why}
}

// rearrange removes or puts a candidate.
func (e Edit) rearrange(said map[string]any) error {
	last := len(e.At) - 1
	parent, err := follow(said, e.At[:last])
	if err != nil {
		return err
	}
	of, ok := parent.(map[string]any)
	list, isList := []any(nil), false
	if ok {
		list, isList = of[e.At[last]].([]any)
	}
	if !isList {
		return fmt.Errorf("%s is no list", strings.Join(e.At, "."))
	}
	order, err := e.order(models(list))
	if err != nil {
		return err
	}
	out := make([]any, len(order))
	for to, from := range order {
		if out[to] = any(e.Name); from >= 0 {
			out[to] = list[from]
		}
	}
	of[e.At[last]] = out
	return nil
}

// order says of each place of the new list from which of the old one it is filled,
// −1 for a candidate that was not there.
func (e Edit) order(names []string) ([]int, error) {
	mine := slices.Index(names, e.Name)
	var order []int
	for i := range names {
		if i != mine {
			order = append(order, i)
		}
	}
	if e.Do == Remove {
		if len(order) == 0 {
			return nil, fmt.Errorf("nobody would be left")
		}
		return order, nil
	}
	to := len(order)
	if e.Before != "" {
		if to = slices.IndexFunc(order, func(i int) bool { return names[i] == e.Before }); to < 0 {
			return nil, fmt.Errorf("there is no %s", e.Before)
		}
	}
	return slices.Insert(order, to, mine), nil
}

// models are the names in a list of candidates, "" for what is none.
func models(list []any) []string {
	names := make([]string, len(list))
	for i, item := range list {
		switch c := item.(type) {
		case string:
			names[i] = c
		case map[string]any:
			names[i], _ = c["model"].(string)
		}
	}
	return names
}

// follow leads to what stands at a path.
func follow(said any, path []string) (any, error) {
	for i, step := range path {
		switch at := said.(type) {
		case map[string]any:
			said = at[step]
		case []any:
			n := slices.Index(models(at), step)
			if n < 0 {
				n, _ = strconv.Atoi(step)
			}
			if n >= len(at) {
				return nil, fmt.Errorf("there is no %s", strings.Join(path[:i+1], "."))
			}
			said = at[n]
		}
		if said == nil {
			return nil, fmt.Errorf("there is no %s", strings.Join(path[:i+1], "."))
		}
	}
	return said, nil
}
