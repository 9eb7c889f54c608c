package wire

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"starling"
)

// An ask is a field of the request that routing reads.
type ask struct {
	name     string
	required bool
	read     func(r *starling.Request, v []byte) error // v is not null
	absent   func(r *starling.Request)                 // what is meant without it; nil for nothing
}

// most output tokens and most choices that are understood: far beyond every
// model, and their product cannot wrap.
const (
	mostTokens  = 1<<31 - 1
	mostChoices = 128
)

// Parse checks body and reads what routing needs of it: Dialect, Body (kept, not
// copied), Model, Stream, WantUsage, WantProbs, MaxTokens, Choices, Tools, Chooses,
// Hosted, Images, Documents, Opaque, Tier, Talk and Format. The body must be UTF-8 and exactly one JSON object,
// nested at most 512 deep.
//
// Errors are Invalid. One about a field has Op "request: <field>". Fields that
// are not read are never an error; one that is read may occur only once, so that
// the upstream cannot understand another one than we did, and only in its own
// letters, small and capital. null is as absent.
func Parse(d starling.Dialect, body []byte) (starling.Request, error) {
	r := starling.Request{Dialect: d, Body: body, Choices: 1}
	lang, err := dialectOf(d)
	if err != nil {
		return r, err
	}
	check := scanners.Get().(*scanner)
	defer check.release()
	check.lang = lang
	check.own, _ = lang.(stepper)
	top, err := check.object(body)
	if err != nil {
		return r, err
	}
	r.Images, r.Documents, r.Opaque = check.images, check.documents, check.opaque
	asked := lang.asked()
	var seen uint
	for _, m := range top {
		i := indexOf(asked, m.key)
		if i < 0 {
			if name := likeOf(asked, m.key); name != "" {
				return r, invalid(name, "is written in other letters")
			}
			continue
		}
		if seen>>i&1 == 1 {
			return r, invalid(asked[i].name, "occurs twice")
		}
		seen |= 1 << i
		if kindOf(m.value) == 'n' {
			seen &^= 1 << i
			continue
		}
		if err := asked[i].read(&r, m.value); err != nil {
			return r, err
		}
	}
	for i, a := range asked {
		switch {
		case seen>>i&1 == 1:
		case a.required:
			return r, invalid(a.name, "is missing")
		case a.absent != nil:
			a.absent(&r)
		}
	}
	return r, nil
}

// scanners have room for the members of a question.
var scanners = sync.Pool{New: func() any { return new(scanner) }}

// release gives a scanner back, without the question that it read.
func (s *scanner) release() {
	clear(s.top)
	*s = scanner{top: s.top[:0]}
	scanners.Put(s)
}

// object checks that body is one JSON object and returns its members.
func object(body []byte) ([]member, error) {
	var s scanner
	return s.object(body)
}

func (s *scanner) object(body []byte) ([]member, error) {
	bad := func(why string) error {
		return &starling.Error{Kind: starling.Invalid, Op: "request", Err: errors.New(why), Hint: "send one JSON object in UTF-8"}
	}
	if !utf8.Valid(body) {
		return nil, bad("not valid UTF-8")
	}
	top, f := s.members(body)
	if f != "" {
		return nil, bad(string(f))
	}
	if i := skipSpace(body, 0); body[i] != '{' {
		return nil, bad("not a JSON object")
	}
	return top, nil
}

func indexOf(asked []ask, key []byte) int {
	for i := range asked {
		if string(key) == asked[i].name {
			return i
		}
	}
	return -1
}

// likeOf names the field that a key would be to an upstream that does not tell capital
// letters from small ones, as those written in Go do not; "" if none.
func likeOf(asked []ask, key []byte) string {
	for i := range asked {
		if strings.EqualFold(string(key), asked[i].name) {
			return asked[i].name
		}
	}
	return ""
}

func readModel(r *starling.Request, v []byte) error {
	if r.Model = text(v); r.Model == "" {
		return invalid("model", "must be a string, not empty")
	}
	return nil
}

func readStream(r *starling.Request, v []byte) error {
	return readBool(&r.Stream, "stream", v)
}

func readBool(into *bool, name string, v []byte) error {
	k := kindOf(v)
	if k != 't' && k != 'f' {
		return invalid(name, "must be true or false")
	}
	*into = k == 't'
	return nil
}

func readTools(r *starling.Request, v []byte) error {
	if kindOf(v) != '[' {
		return invalid("tools", "must be an array")
	}
	for m := enter(v); m.next(); {
		r.Tools++
		if isHosted(text(field(m.value, "type"))) {
			r.Hosted++
		}
	}
	return nil
}

// readToolChoice only notes that there is one: what it says, those read who need it.
func readToolChoice(r *starling.Request, _ []byte) error {
	r.Chooses = true
	return nil
}

// isHosted reports whether a tool of that type is run by the vendor. Those that
// the caller runs are functions, or have a name that the vendors gave them.
func isHosted(kind string) bool {
	switch kind {
	case "", "function", "custom":
		return false
	}
	for _, own := range [...]string{"bash_", "text_editor_", "computer_", "memory_"} {
		if strings.HasPrefix(kind, own) {
			return false
		}
	}
	return true
}

// readTier notes a service tier that costs more than the listed price. A cheaper
// one is booked at the listed price.
func readTier(name string, dearer ...string) func(*starling.Request, []byte) error {
	return func(r *starling.Request, v []byte) error {
		if tier := text(v); slices.Contains(dearer, tier) {
			r.Tier = name + " " + tier
		}
		return nil
	}
}

// readLimit reads a limit of output tokens. Of two the larger one counts: which
// of them an upstream heeds is its own affair.
func readLimit(name string) func(*starling.Request, []byte) error {
	return func(r *starling.Request, v []byte) error {
		n, ok := whole(v)
		if !ok || n < 0 || n > mostTokens {
			return invalid(name, fmt.Sprintf("must be a whole number from 0 to %d", mostTokens))
		}
		r.MaxTokens = max(r.MaxTokens, n)
		return nil
	}
}

func readChoices(r *starling.Request, v []byte) error {
	n, ok := whole(v)
	if !ok || n < 1 || n > mostChoices {
		return invalid("n", fmt.Sprintf("must be a whole number from 1 to %d", mostChoices))
	}
	r.Choices = n
	return nil
}

func readMessages(_ *starling.Request, v []byte) error {
	if kindOf(v) != '[' {
		return invalid("messages", "must be an array")
	}
	if isEmpty(v) {
		return invalid("messages", "must not be empty")
	}
	return nil
}
