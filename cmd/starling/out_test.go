package main

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"starling"
)

func TestWordsFromOutsideForgeNothing(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"a name", "gpt-5.4-nano", "gpt-5.4-nano"},
		{"a name in another script", "модель 模型", "модель 模型"},
		{"quotes and backslashes", `a "b" \c`, `a "b" \c`},
		{"nothing", "", ""},
		{"a title for the terminal", "\x1b]0;pwned\x07", `"\x1b]0;pwned\a"`},
		{"a line", "x\nrcp_1", `"x\nrcp_1"`},
		{"a cell", "x\ty", `"x\ty"`},
		{"text from right to left", "a\u202eb", `"a\u202eb"`},
		{"no text", "a\xff", `"a\xff"`},
		{"eight bits of control", "a\u009bm", `"a\u009bm"`},
	} {
		if got := plain(c.text); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

func TestWhatIsPrintedIsPlain(t *testing.T) {
	const evil = "\x1b[2J\n"
	var out bytes.Buffer
	printf(&out, "%s %s %v %v %d %s %s\n", evil, starling.Class(evil), []string{evil, "good"}, errors.New(evil), 5, starling.Dollar, time.Second)
	table := newTable(&out, "A", "B")
	table.row(evil, starling.Outcome(evil))
	table.row(starling.Dollar, 7)
	table.Flush()
	if got := out.String(); strings.Contains(got, "\x1b") || strings.Count(got, "\n") != 4 || !strings.Contains(got, "good] ") || !strings.Contains(got, " 5 $1.00 1s\n") {
		t.Errorf("%q", got)
	}
	if got := inLines("one\ntwo" + evil); got != "one\ntwo\\x1b[2J\n" {
		t.Errorf("%q", got)
	}
}
