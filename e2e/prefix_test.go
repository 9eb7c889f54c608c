package main

import (
	"bytes"
	"strings"
	"testing"
)

func TestAPrefixIsKeptOrItIsSaidWhereNot(t *testing.T) {
	const first = `{"model":"m","system":[{"type":"text","text":"be good"}],"tools":[{"name":"sh"}],"messages":[{"role":"user","content":[{"type":"text","text":"do it","cache_control":{"type":"ephemeral","ttl":"1h"}}]}]}`
	const second = `{"model":"m","system":[{"type":"text","text":"be good"}],"tools":[{"name":"sh"}],"messages":[{"role":"user","content":[{"type":"text","text":"do it"}]},{"role":"assistant","content":"x"},{"role":"user","content":[{"type":"text","text":"y","cache_control":{"type":"ephemeral"}}]}]}`
	for _, tt := range []struct {
		name, change, into string
		why                string // "" if it is kept
	}{
		{"what was sent stands, but for a mark that moved on", "", "", ""},
		{"a text without the mark is no block any more", `[{"type":"text","text":"do it"}]`, `"do it"`, ""},
		{"but it is the same text", `[{"type":"text","text":"do it"}]`, `"do It"`, "turn 2: message 1"},
		{"a byte of a message", `"do it"`, `"do It"`, "turn 2: message 1: byte 29"},
		{"a byte of the system prompt", "be good", "be food", "turn 2: the system prompt"},
		{"a tool more", `[{"name":"sh"}]`, `[{"name":"sh"},{"name":"read"}]`, "turn 2: the tools"},
		{"the same, written otherwise", `{"role":"user","content":[{"type":"text","text":"do it"}]}`, `{"content":[{"type":"text","text":"do it"}],"role":"user"}`, "turn 2: message 1: byte 2"},
		{"a message that is gone", `{"role":"user","content":[{"type":"text","text":"do it"}]},`, ``, "turn 2: message 1"},
		{"nothing new", `,{"role":"assistant","content":"x"},{"role":"user","content":[{"type":"text","text":"y","cache_control":{"type":"ephemeral"}}]}`, ``, "turn 2: it has 1 messages after 1"},
		{"a mark that a text speaks of", `"do it"`, `"do it,\"cache_control\":{}"`, "turn 2: message 1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			changed := strings.Replace(second, tt.change, tt.into, 1)
			if tt.change != "" && changed == second {
				t.Fatal("nothing was changed")
			}
			err := keeps([][]byte{[]byte(first), []byte(changed)}, exceptions["claude code"])
			if tt.why == "" && err != nil || tt.why != "" && (err == nil || !strings.HasPrefix(err.Error(), tt.why)) {
				t.Errorf("%v, want %q", err, tt.why)
			}
		})
	}
	if err := keeps([][]byte{[]byte(first), []byte(second)}, nil); err == nil {
		t.Error("without its exception a mark that moved on is a change")
	}
}

func TestEveryByteOfAPrefixCounts(t *testing.T) {
	first := []byte(`{"instructions":"be good","tools":[{"type":"function","name":"sh"}],"input":[{"role":"user","content":"do it"}]}`)
	second := append(bytes.TrimSuffix(bytes.Clone(first), []byte("]}")), []byte(`,{"type":"function_call","name":"sh"}]}`)...)
	if err := keeps([][]byte{first, second}, nil); err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{`be good`, `function`, `do it`, `"user"`} {
		for i := range len(part) {
			at := bytes.Index(second, []byte(part)) + i
			changed := bytes.Clone(second)
			changed[at] ^= 2 // still a letter, or no JSON any more
			if keeps([][]byte{first, changed}, nil) == nil {
				t.Errorf("byte %d of %s can change unseen", i, part)
			}
		}
	}
}

func TestOnlyWhatOffersToolsIsATurn(t *testing.T) {
	for body, want := range map[string]bool{
		`{"tools":[{"name":"sh"}],"messages":[]}`: true,
		`{"tools":[],"messages":[]}`:              false,
		`{"messages":[]}`:                         false,
		`no JSON`:                                 false,
	} {
		if turns([]byte(body)) != want {
			t.Errorf("%s", body)
		}
	}
}
