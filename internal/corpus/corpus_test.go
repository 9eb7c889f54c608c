package corpus

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"starling"
)

func opened(t *testing.T, dir string) *Corpus {
	t.Helper()
	c, err := Open(context.Background(), dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func text(skill, input, answer string) Text {
	return Text{Skill: skill, Input: input, Answer: answer, Model: "far/premium", Source: "traces.jsonl", Time: time.Unix(1_700_000_000, 0).UTC()}
}

func add(t *testing.T, c *Corpus, texts ...Text) int {
	t.Helper()
	n, err := c.Add(context.Background(), texts)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func all(t *testing.T, c *Corpus, skill string) (texts []Text) {
	t.Helper()
	for text, err := range c.Texts(context.Background(), skill) {
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, text)
	}
	return texts
}

func TestTextsAreKeptOnceAndInOrder(t *testing.T) {
	c := opened(t, t.TempDir())
	a, b, other := text("triage", "Where is it?", "order"), text("triage", "Thanks!", "other"), text("reply", "Where is it?", "Dear …")
	if n := add(t, c, a, b, a, other); n != 3 {
		t.Errorf("%d of 3 are new", n)
	}
	again := a
	again.Input = "  Where  is\nit? "
	if n := add(t, c, again); n != 0 {
		t.Errorf("white space made %d new", n)
	}
	if diff := cmp.Diff([]Text{a, b}, all(t, c, "triage")); diff != "" {
		t.Error(diff)
	}
	disputed := a
	disputed.Answer = "refund"
	if n := add(t, c, disputed); n != 1 {
		t.Error("another answer to the same input is lost")
	}
	counts, err := c.Counts(context.Background())
	if diff := cmp.Diff([]Count{{"reply", 1, 0}, {"triage", 3, 1}}, counts); diff != "" || err != nil {
		t.Error(diff, err)
	}
}

// TestWhatIsForgottenIsNowhereInTheFiles: the page that held it is overwritten.
func TestWhatIsForgottenIsNowhereInTheFiles(t *testing.T) {
	dir := t.TempDir()
	c := opened(t, dir)
	const canary = "canary-51fe"
	for range 300 {
		add(t, c, text("triage", canary+strings.Repeat(" long", 200)+time.Now().String(), "order"))
	}
	add(t, c, text("reply", "stays", "here"))
	n, err := c.Forget(context.Background(), "triage")
	if err != nil || n != 300 {
		t.Fatal(n, err)
	}
	if len(all(t, c, "triage")) != 0 || len(all(t, c, "reply")) != 1 {
		t.Error("too much or too little was forgotten")
	}
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(data, []byte(canary)) {
			t.Errorf("%s still holds it", filepath.Base(f))
		}
	}
}

func TestNobodyElseMayReadIt(t *testing.T) {
	dir := t.TempDir()
	opened(t, dir)
	info, err := os.Stat(filepath.Join(dir, File))
	if err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
	_, err = Open(context.Background(), filepath.Join(dir, "nowhere"))
	if starling.KindOf(err) != starling.Internal {
		t.Errorf("in no folder: %v", err)
	}
}

func TestSeveralMayAddAtOnce(t *testing.T) {
	dir := t.TempDir()
	var group sync.WaitGroup
	for range 3 {
		c := opened(t, dir)
		group.Go(func() {
			for i := range 30 {
				if _, err := c.Add(context.Background(), []Text{text("triage", strings.Repeat("x", i+1), "order")}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	if n := len(all(t, opened(t, dir), "triage")); n != 30 {
		t.Errorf("%d texts, want 30", n)
	}
}

func TestALineOfATraceIsReadOrSaysWhyNot(t *testing.T) {
	for _, c := range []struct {
		name, line string
		want       Text
		why        string
	}{
		{"plain", `{"input":"a","output":"b"}`, Text{Input: "a", Answer: "b"}, ""},
		{"a label", `{"input":"a","label":"b","model":"m","more":1}`, Text{Input: "a", Answer: "b", Model: "m"}, ""},
		{"an answer in JSON", `{"input":"a","output":{"label": "b"}}`, Text{Input: "a", Answer: `{"label": "b"}`}, ""},
		{"a number", `{"input":"a","label":7}`, Text{Input: "a", Answer: "7"}, ""},
		{"a conversation", `{"messages":[{"role":"system","content":"s"},{"role":"user","content":"a"},{"role":"assistant","content":"b"}]}`, Text{Input: "a", Answer: "b"}, ""},
		{"a longer one", `{"messages":[{"role":"user","content":"x"},{"role":"assistant","content":"y"},{"role":"user","content":[{"type":"text","text":"a"},{"type":"image"},{"type":"text","text":"2"}]},{"role":"assistant","content":[{"type":"thinking","thinking":"h"},{"type":"text","text":"b"}]}]}`, Text{Input: "a\n2", Answer: "b"}, ""},
		{"OpenAI's", `{"request":{"model":"m","messages":[{"role":"developer","content":"s"},{"role":"user","content":"a"}]},"response":{"model":"m-2026","choices":[{"message":{"role":"assistant","content":"b"}}]}}`, Text{Input: "a", Answer: "b", Model: "m-2026"}, ""},
		{"OpenAI's in a batch", `{"request":{"model":"m","messages":[{"role":"user","content":"a"}]},"response":{"status_code":200,"body":{"choices":[{"message":{"content":"b"}}]}}}`, Text{Input: "a", Answer: "b", Model: "m"}, ""},
		{"Anthropic's", `{"request":{"model":"m","system":"s","messages":[{"role":"user","content":[{"type":"text","text":"a"}]}]},"response":{"content":[{"type":"text","text":"b"}]}}`, Text{Input: "a", Answer: "b", Model: "m"}, ""},
		{"no JSON", `{"input":"a"`, Text{}, "it is not one JSON object"},
		{"a list", `[1]`, Text{}, "it is not one JSON object"},
		{"no text", "{\"input\":\"\xff\"}", Text{}, "it is not UTF-8"},
		{"no input", `{"output":"b"}`, Text{}, "it has no input"},
		{"nothing but space", `{"input":"a","output":" \n"}`, Text{}, "it has no answer"},
		{"no answer", `{"input":"a"}`, Text{}, "it has no answer"},
		{"null", `{"input":"a","label":null}`, Text{}, "its answer is null"},
		{"two answers", `{"input":"a","label":"b","output":"c"}`, Text{}, "it has more than one answer"},
		{"an input of parts", `{"input":["a"],"label":"b"}`, Text{}, "its input is no text"},
		{"a question without its answer", `{"messages":[{"role":"user","content":"a"}]}`, Text{}, "its last message is no answer"},
		{"a call", `{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b","tool_calls":[{}]}]}`, Text{}, "its answer calls tools"},
		{"a call of Anthropic's", `{"request":{"messages":[{"role":"user","content":"a"}]},"response":{"content":[{"type":"text","text":"b"},{"type":"tool_use"}]}}`, Text{}, "its answer calls tools"},
		{"an error", `{"request":{"messages":[{"role":"user","content":"a"}]},"response":{"error":{"message":"x"}}}`, Text{}, "its answer is an error"},
		{"a request alone", `{"request":{"messages":[{"role":"user","content":"a"}]}}`, Text{}, "it has no answer"},
		{"a book", `{"input":"` + strings.Repeat("a", longestText+1) + `","output":"b"}`, Text{}, "it is longer than a mebibyte"},
	} {
		got, why := Trace([]byte(c.line))
		if diff := cmp.Diff(c.want, got); diff != "" || why != c.why {
			t.Errorf("%s: %q %s", c.name, why, diff)
		}
	}
}

func FuzzTrace(f *testing.F) {
	f.Add([]byte(`{"input":"a","output":"b"}`))
	f.Add([]byte(`{"request":{"messages":[{"role":"user","content":"a"}]},"response":{"content":[{"type":"text","text":"b"}]}}`))
	f.Add([]byte(`{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"}]}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		text, why := Trace(line)
		if (why == "") == (strings.TrimSpace(text.Input) == "" || strings.TrimSpace(text.Answer) == "") {
			t.Errorf("%+v, %q", text, why)
		}
	})
}

// TestTheClassOfATextIsKept: in a file from before there were classes too.
func TestTheClassOfATextIsKept(t *testing.T) {
	dir := t.TempDir()
	c := opened(t, dir)
	old := text("triage", "Where is it?", "order")
	add(t, c, old)
	if _, err := c.db.Exec("ALTER TABLE texts DROP COLUMN class"); err != nil {
		t.Fatal(err)
	}
	c.Close()
	c = opened(t, dir)
	secret := text("triage", "Who is in room 12?", "other")
	secret.Class = "restricted"
	add(t, c, secret)
	if diff := cmp.Diff([]Text{old, secret}, all(t, opened(t, dir), "triage")); diff != "" {
		t.Error(diff)
	}
}
