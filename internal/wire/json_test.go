package wire

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestDeepNestingIsRefusedWithoutStack(t *testing.T) {
	for _, open := range []string{"[", `{"a":`} {
		if _, f := new(scanner).members([]byte(strings.Repeat(open, 1_000_000))); f != tooDeep {
			t.Errorf("a million %q: %q", open, f)
		}
	}
	most := strings.Repeat("[", maxDepth) + strings.Repeat("]", maxDepth)
	if !valid([]byte(most)) {
		t.Error("the deepest allowed nesting is refused")
	}
	if valid([]byte("[" + most + "]")) {
		t.Error("one level more is accepted")
	}
}

func TestTheScannerNotesMembersInOrder(t *testing.T) {
	top, f := new(scanner).members([]byte(" {\"a\" : {\"x\":[1, 2]} ,\n\"b\":-1.50e3,\"\\u0063\":\"}\" } "))
	if f != "" || len(top) != 3 {
		t.Fatalf("%d members, fault %q", len(top), f)
	}
	for i, want := range []string{`a={"x":[1, 2]}`, "b=-1.50e3", `c="}"`} {
		if got := string(top[i].key) + "=" + string(top[i].value); got != want {
			t.Errorf("member %d is %s, want %s", i, got, want)
		}
	}
}

// FuzzScan holds the scanner against encoding/json: same verdict, same strings,
// and a walk sees what the decoder sees.
func FuzzScan(f *testing.F) {
	for _, s := range []string{
		`{"a":[1,2,{"b":"c\n\u00e9\ud83d\ude00"}],"d":-0.5e+10}`, `[]`, `{}`, `"\ud800"`, `{"a":}`, `[1,]`, `{"a":1,}`,
		`01`, `-`, `1.`, "\"\x01\"", `"\x"`, `tru`, ` {"a" : null } `, `{"a":"` + strings.Repeat("x", 70) + `"}`, `"\`, `"\u12`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if depth(b) > maxDepth {
			return
		}
		top, fault := new(scanner).members(b)
		if (fault == "") != json.Valid(b) {
			t.Fatalf("fault %q, encoding/json says valid is %v: %q", fault, json.Valid(b), b)
		}
		if fault != "" {
			return
		}
		var want map[string]json.RawMessage
		if v := bytes.TrimLeft(b, " \t\r\n"); v[0] == '{' && json.Unmarshal(b, &want) == nil && utf8.Valid(b) {
			got := map[string]string{}
			n := 0
			for m := enter(v); m.next(); n++ {
				got[m.name()] = string(m.value)
			}
			if n != len(top) || len(got) != len(want) {
				t.Fatalf("walked %d members, noted %d; %d differ, want %d", n, len(top), len(got), len(want))
			}
			for k, v := range want {
				if got[k] != string(v) {
					t.Fatalf("%q is %s, want %s", k, got[k], v)
				}
			}
		}
		var s string
		if v := bytes.TrimSpace(b); v[0] == '"' && json.Unmarshal(b, &s) == nil {
			if text(v) != s || textLength(v) != len(s) {
				t.Fatalf("%s is %q of length %d, want %q", v, text(v), textLength(v), s)
			}
			if again := appendString(nil, s); text(again) != s || !json.Valid(again) {
				t.Fatalf("%q is written as %s", s, again)
			}
		}
	})
}

// depth overestimates nesting: brackets in strings count.
func depth(b []byte) (most int) {
	d := 0
	for _, c := range b {
		switch c {
		case '{', '[':
			d++
		case '}', ']':
			d--
		}
		most = max(most, d)
	}
	return most
}

func TestAngleBracketsAreNotEscaped(t *testing.T) {
	if got := string(appendString(nil, "<a>&\u2028\x01\"\\\n")); got != "\"<a>&\u2028\\u0001\\\"\\\\\\n\"" {
		t.Errorf("got %s", got)
	}
}
