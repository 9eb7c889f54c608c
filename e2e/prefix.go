package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
)

// A prompt is what a model reads of a request, in the order in which prompt caches
// know it, each part as the bytes that were sent.
type prompt struct {
	fixed    []json.RawMessage // instructions and tools
	messages []json.RawMessage
}

// promptOf takes the prompt out of a request in one of the dialects that agents speak.
func promptOf(body []byte) (prompt, error) {
	var r struct {
		Instructions, System, Tools json.RawMessage
		Messages, Input             []json.RawMessage
	}
	if err := json.Unmarshal(body, &r); err != nil {
		return prompt{}, fmt.Errorf("a request is not understood: %w", err)
	}
	return prompt{
		fixed:    []json.RawMessage{r.Instructions, r.System, r.Tools},
		messages: append(r.Messages, r.Input...),
	}, nil
}

// turns reports whether a request offers tools: what an agent asks beside its
// session, a title or whether a key works, offers none.
func turns(body []byte) bool {
	p, err := promptOf(body)
	return err == nil && bytes.HasPrefix(p.fixed[2], []byte("[{"))
}

// An exception is what an agent is known to change of what it has sent before. It is
// as narrow as it can be: what it fits is replaced on both sides, and nothing else.
type exception struct {
	what    *regexp.Regexp
	becomes string
}

// The quote before the name is not escaped, so none of these is inside a text.
var exceptions = map[string][]exception{
	"claude code": {
		// The mark until where the vendor is to keep the prompt moves on with the last
		// message. It says where a cached prefix ends, and is no part of it.
		{regexp.MustCompile(`,"cache_control":\{[^{}]*\}`), ""},
		// A message of one text is written as a block while it has the mark, and as a
		// bare text after: the vendor's API takes them for the same.
		{regexp.MustCompile(`"content":\[\{"type":"text","text":("(?:[^"\\]|\\.)*")\}\]`), `"content":$1`},
	},
}

// keeps checks that each request of a session begins with the one before it, byte for
// byte but for the exceptions, so that no prompt cache is lost between turns.
func keeps(bodies [][]byte, except []exception) error {
	var last prompt
	for i, body := range bodies {
		p, err := promptOf(body)
		if err != nil {
			return err
		}
		p = p.without(except)
		if i > 0 {
			if err := p.begins(last); err != nil {
				return fmt.Errorf("turn %d: %w", i+1, err)
			}
		}
		last = p
	}
	return nil
}

func (p prompt) without(except []exception) prompt {
	plain := func(parts []json.RawMessage) []json.RawMessage {
		var all []json.RawMessage
		for _, part := range parts {
			for _, e := range except {
				part = e.what.ReplaceAll(part, []byte(e.becomes))
			}
			all = append(all, part)
		}
		return all
	}
	return prompt{plain(p.fixed), plain(p.messages)}
}

// begins checks that p is before, with more behind it.
func (p prompt) begins(before prompt) error {
	for i, name := range []string{"the instructions", "the system prompt", "the tools"} {
		if err := same(before.fixed[i], p.fixed[i]); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	if len(p.messages) <= len(before.messages) {
		return fmt.Errorf("it has %d messages after %d", len(p.messages), len(before.messages))
	}
	for i, m := range before.messages {
		if err := same(m, p.messages[i]); err != nil {
			return fmt.Errorf("message %d: %w", i+1, err)
		}
	}
	return nil
}

// same says where two texts part.
func same(a, b []byte) error {
	if bytes.Equal(a, b) {
		return nil
	}
	at := 0
	for at < min(len(a), len(b)) && a[at] == b[at] {
		at++
	}
	around := func(t []byte) string {
		return strings.ToValidUTF8(string(t[max(0, at-40):min(len(t), at+60)]), "?")
	}
	return fmt.Errorf("byte %d was %q and is %q", at, around(a), around(b))
}
