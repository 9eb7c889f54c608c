package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/tidwall/gjson"

	"starling"
)

func noted(t *testing.T, dir, name, text string) string {
	t.Helper()
	file := filepath.Join(dir, name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

const tinyPNG = "\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"

// TestDocumentsGoBeforeTheTaskEachInAPartOfItsOwn, in the order in which they are named;
// words alone stay words.
func TestDocumentsGoBeforeTheTaskEachInAPartOfItsOwn(t *testing.T) {
	dir := t.TempDir()
	report, odd, picture := noted(t, dir, "report, final.txt", "\ufeffone\n\ntwo\n"), noted(t, dir, `a"<b>.md`, ""), noted(t, dir, "p.txt", tinyPNG)
	pipe := noted(t, dir, "piped", "piped in\n")
	const asText = `{"type":"text","text":"%s"}`
	document := func(name, text string) string {
		return fmt.Sprintf(asText, `\u003cdocument name=\"`+name+`\"\u003e\n`+text+`\n\u003c/document\u003e`)
	}
	for _, c := range []struct {
		name  string
		in    string
		args  []string
		files []string
		want  string
	}{
		{"words", os.DevNull, []string{"sum", "up"}, nil, `"sum up"`},
		{"piped words", pipe, []string{"sum up"}, nil, `"piped in\n\nsum up"`},
		{"a document", os.DevNull, []string{"sum up"}, []string{report}, "[" + document("report, final.txt", `one\n\ntwo`) + "," + fmt.Sprintf(asText, "sum up") + "]"},
		{"several, and what is piped in is of the task", pipe, []string{"sum up"}, []string{odd, report}, "[" + document(`a\u0026#34;\u0026lt;b\u0026gt;.md`, "") + "," + document("report, final.txt", `one\n\ntwo`) + "," + fmt.Sprintf(asText, `piped in\n\nsum up`) + "]"},
		{"a document alone, as the skill says what to do", os.DevNull, nil, []string{report}, "[" + document("report, final.txt", `one\n\ntwo`) + "]"},
		{"a picture, whatever its name", os.DevNull, []string{"what is it?"}, []string{picture}, `[{"type":"image_url","image_url":{"url":"data:image/png;base64,iVBORw0KGgoAAAANSUhEUg=="}},` + fmt.Sprintf(asText, "what is it?") + "]"},
	} {
		in, err := os.Open(c.in)
		if err != nil {
			t.Fatal(err)
		}
		task, err := askCmd{Prompt: c.args, File: c.files}.task(in)
		got, bad := json.Marshal(task.Content)
		if err != nil || bad != nil || task.Role != "user" || string(got) != c.want {
			t.Errorf("%s: %s, %v, %v\nwant %s", c.name, got, err, bad, c.want)
		}
		_ = in.Close()
	}
}

// TestWhatIsNoTextIsRefused: nothing is left out or replaced in silence.
func TestWhatIsNoTextIsRefused(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct {
		name  string
		in    string
		args  []string
		files []string
		says  string
	}{
		{"nothing", os.DevNull, nil, nil, "there is nothing to ask"},
		{"Latin-1 through a pipe", noted(t, dir, "latin", "na\xefve"), nil, nil, "what is to be asked is no text in UTF-8"},
		{"bytes in a file", os.DevNull, []string{"x"}, []string{noted(t, dir, "bin", "a\x00b")}, "is no text in UTF-8 (have its text taken out"},
		{"a PDF", os.DevNull, []string{"x"}, []string{noted(t, dir, "r.pdf", "%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")}, "is no text in UTF-8"},
		{"a file that is not there", os.DevNull, []string{"x"}, []string{filepath.Join(dir, "none")}, "name a file that is there"},
		{"a folder", os.DevNull, []string{"x"}, []string{dir}, "is a folder (name the files"},
	} {
		in, err := os.Open(c.in)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := (askCmd{Prompt: c.args, File: c.files}).task(in); starling.KindOf(err) != starling.Invalid || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", c.name, err)
		}
		_ = in.Close()
	}
}

// A desk is a gateway that answers as it is told and keeps what it was asked.
type desk struct {
	*httptest.Server
	mu     sync.Mutex
	asked  []http.Header
	bodies []string
}

// newDesk answers with status, headers and body; with behind as what stands behind a
// stream. Its skills have the prompt "Be brief.".
func newDesk(t *testing.T, status int, header map[string]string, body string, behind map[string]string) *desk {
	d := new(desk)
	d.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			_, _ = io.WriteString(w, `{"name":"s","prompt":"Be brief."}`)
			return
		}
		all, _ := io.ReadAll(r.Body)
		d.mu.Lock()
		d.asked, d.bodies = append(d.asked, r.Header), append(d.bodies, string(all))
		d.mu.Unlock()
		for name, value := range header {
			w.Header().Set(name, value)
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
		_ = http.NewResponseController(w).Flush() // what is sent in pieces has something behind it
		for name, value := range behind {
			w.Header().Set(http.TrailerPrefix+name, value)
		}
	}))
	t.Cleanup(d.Close)
	return d
}

// last is what it was asked last, nothing if it never was.
func (d *desk) last() (http.Header, string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.asked) == 0 {
		return nil, ""
	}
	return d.asked[len(d.asked)-1], d.bodies[len(d.bodies)-1]
}

// asks runs starling ask at the desk.
func (d *desk) asks(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(context.Background(), append([]string{"ask", "--gateway", d.URL}, args...), &out, &errs)
	return code, out.String(), errs.String()
}

const (
	askedText = `data: {"choices":[{"delta":{"content":"fo\u001bur"}}]}` + "\n\n"
	askedEnd  = `data: {"choices":[{"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":2}}` + "\n\n"
	askedCut  = `data: {"choices":[{"delta":{},"finish_reason":"length"}]}` + "\n\n"
	askedBad  = `data: {"error":{"message":"upstream died","code":"overloaded"}}` + "\n\n"
)

var (
	askedHead   = map[string]string{"X-Starling-Receipt": "rcp_1", "X-Starling-Model": "m", "X-Starling-Provider": "p", "X-Starling-Zone": "office", "X-Starling-Reason": "candidate 1"}
	askedBehind = map[string]string{"X-Starling-Cost": "$0.25", "X-Starling-Saved": "$0.50 (estimate)"}
)

func with(all map[string]string, more ...string) map[string]string {
	out := map[string]string{}
	for name, value := range all {
		out[name] = value
	}
	for i := 0; i < len(more); i += 2 {
		out[more[i]] = more[i+1]
	}
	return out
}

// TestAskPrintsTheAnswerAloneAndBesideItWhatMustNotBeSilent: what speaks against the answer
// is said to who wants quiet, too.
func TestAskPrintsTheAnswerAloneAndBesideItWhatMustNotBeSilent(t *testing.T) {
	const line = `^p/m @ office, \d\S*s, \$0\.25, saved \$0\.50 \(estimate\), receipt rcp_1\n$`
	for _, c := range []struct {
		name         string
		head, behind map[string]string
		body         string
		args         []string
		notes        string // before the line, or alone where it is quiet
		line         string
	}{
		{"an answer", askedHead, askedBehind, askedText + askedEnd, nil, "", line},
		{"quietly", askedHead, askedBehind, askedText + askedEnd, []string{"-q"}, "", ""},
		{"nothing is known of a saving", askedHead, map[string]string{"X-Starling-Cost": "$0.25"}, askedText + askedEnd, nil, "", `\$0\.25, receipt rcp_1\n$`},
		{"there is more to pay", askedHead, map[string]string{"X-Starling-Cost": "$0.25 (and what has no known price)"}, askedText + askedEnd, nil, "", `\$0\.25 \(and what has no known price\), receipt rcp_1\n$`},
		{"simulated", with(askedHead, "X-Starling-Simulated", "true"), askedBehind, askedText + askedEnd, []string{"-q"}, "note: this is simulated: no model has answered\n", ""},
		{"cut off", askedHead, askedBehind, askedText + askedCut, []string{"-q"}, "note: the answer is cut off: there was no room for more tokens\n", ""},
		{"a warning before", with(askedHead, "X-Starling-Warning", "m read half of it"), askedBehind, askedText + askedEnd, []string{"-q"}, "note: m read half of it\n", ""},
		{"a warning behind", askedHead, with(askedBehind, "X-Starling-Warning", "m read half of it"), askedText + askedEnd, []string{"-q"}, "note: m read half of it\n", ""},
		{"why it was split or not", askedHead, askedBehind, askedText + askedEnd, []string{"-q", "--split"}, "note: candidate 1\n", ""},
		{"a bar that bound nobody", with(askedHead, "X-Starling-Observed", "m"), askedBehind, askedText + askedEnd, []string{"-q", "--skill", "s", "--bar", "0.9"}, "note: the gateway only observes, so the bar has kept nobody from answering\n", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := newDesk(t, http.StatusOK, c.head, c.body, c.behind)
			code, out, errs := d.asks(t, append(c.args, "two and two?")...)
			rest, ok := strings.CutPrefix(errs, c.notes)
			if code != 0 || out != "fo\x1bur\n" || !ok || (rest == "") != (c.line == "") || !regexp.MustCompile(c.line).MatchString(rest) {
				t.Errorf("%d, %q, %q", code, out, errs)
			}
		})
	}
}

// TestAskEndsWithTheKindOfItsError, and says of an answer that broke off that it is a part.
func TestAskEndsWithTheKindOfItsError(t *testing.T) {
	refusal := func(code, text string) string { return fmt.Sprintf(`{"error":{"message":%q,"code":%q}}`, text, code) }
	for _, c := range []struct {
		name   string
		status int
		head   map[string]string
		body   string
		code   int
		out    string
		says   string
		object string // without its hint
	}{
		{"a refusal", 429, with(askedHead, "X-Starling-Cost", "$0.125"), refusal("over_budget", "too dear"), 8, "", "too dear (its receipt is at http", `{"error":{"kind":"over_budget","message":"too dear"},"receipt":"rcp_1","cost_nanodollars":125000000}`},
		{"at the door", 401, with(askedHead, "X-Starling-Receipt", "none"), refusal("unauthenticated", "no key"), 4, "", "no key (put one into STARLING_KEY)", `{"error":{"kind":"unauthenticated","message":"no key"},"cost_nanodollars":0}`},
		{"a stream that breaks off", 200, with(askedHead, "X-Starling-Cost", "$0.25"), askedText + askedBad, 9, "fo\x1bur\n", "note: what was printed is a part of an answer that broke off\nstarling: upstream died", `{"error":{"kind":"overloaded","message":"upstream died"},"receipt":"rcp_1","part":"fo\u001bur","cost_nanodollars":250000000}`},
		{"one that ends without an end", 200, with(askedHead, "X-Starling-Cost", "$0.25"), askedText, 9, "fo\x1bur\n", "a part of an answer", ""},
		{"one whose end does not come to its cost", 200, askedHead, askedText, 9, "fo\x1bur\n", "a part of an answer", ""},
		{"a prompt that an upstream finds too long", 400, with(askedHead, "X-Starling-Cost", "$0"), refusal("context_length_exceeded", "prompt is too long"), 7, "", "prompt is too long", ""},
		{"a body that is too large", 413, with(askedHead, "X-Starling-Cost", "$0"), refusal("", "too large"), 7, "", "too large", ""},
		{"no gateway of ours", 200, nil, askedText + askedEnd, 3, "", "is no gateway of Starling's", ""},
		{"somebody else's page", 404, nil, "<html>", 10, "", "says 404 and nothing else", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := newDesk(t, c.status, c.head, c.body, nil)
			code, out, errs := d.asks(t, "two and two?")
			if code != c.code || out != c.out || !strings.Contains(errs, c.says) {
				t.Errorf("%d, %q, %q", code, out, errs)
			}
			code, out, errs = d.asks(t, "--json", "two and two?")
			hint := gjson.Get(out, "error.hint").Raw
			if got := strings.Replace(strings.TrimSpace(out), `,"hint":`+hint, "", 1); code != c.code || !gjson.Valid(out) || strings.Count(out, "\n") != 1 || errs == "" || c.object != "" && got != c.object {
				t.Errorf("%d, %s, %q", code, got, errs)
			}
			if told := c.head["X-Starling-Cost"] != "" || !strings.Contains(out, "rcp_1"); gjson.Get(out, "cost_nanodollars").Exists() != told {
				t.Errorf("that the cost was told is %v: %s", told, out)
			}
		})
	}
	code, out, _ := new(desk).at("http://127.0.0.1:1").asks(t, "--json", "x")
	if code != 9 || gjson.Get(out, "error.kind").Str != "overloaded" || !strings.Contains(gjson.Get(out, "error.hint").Str, "STARLING_GATEWAY") {
		t.Errorf("nobody there: %d, %s", code, out)
	}
	for _, address := range []string{"ftp://host", "http://", "http://a b", "http:///v1"} {
		if code, out, errs := new(desk).at(address).asks(t, "x"); code != 3 || out != "" || !strings.Contains(errs, "--gateway is no address") {
			t.Errorf("%s: %d, %q, %q", address, code, out, errs)
		}
	}
}

// TestAnAnswerThatCannotBePrintedIsAnError: who paid for it is told so, and which it was.
func TestAnAnswerThatCannotBePrintedIsAnError(t *testing.T) {
	d := newDesk(t, 200, askedHead, askedText+askedEnd, askedBehind)
	for _, args := range [][]string{{"ask", "--gateway", d.URL, "x"}, {"ask", "--gateway", d.URL, "--json", "x"}, {"run", "--gateway", d.URL, "p/m", "x"}} {
		var errs bytes.Buffer
		if code := run(t.Context(), args, full{}, &errs); code != 1 || !strings.Contains(errs.String(), "the disk is full") {
			t.Errorf("%v: %d, %q", args, code, errs.String())
		}
		if args[0] == "ask" && len(args) == 4 && !strings.Contains(errs.String(), "receipt rcp_1") {
			t.Errorf("%q", errs.String())
		}
	}
}

// full takes nothing.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("the disk is full") }

func (d *desk) at(url string) *desk {
	d.Server = &httptest.Server{URL: url}
	return d
}

// TestAskSendsTheTermsAndTheSkillsPrompt, with the key of the environment and to an address
// in it.
func TestAskSendsTheTermsAndTheSkillsPrompt(t *testing.T) {
	t.Setenv("STARLING_KEY", "sk-1")
	d := newDesk(t, http.StatusOK, askedHead, askedText+askedEnd, askedBehind)
	t.Setenv("STARLING_GATEWAY", strings.TrimPrefix(d.URL, "http://")+"/v1/")
	for _, c := range []struct {
		args     []string
		model    string
		messages string
		header   map[string]string
	}{
		{nil, "starling/auto", `[{"role":"user","content":"x"}]`, map[string]string{"X-Starling-Skill": "", "X-Starling-Class": "", "X-Starling-Budget": "", "X-Starling-Bar": "", "X-Starling-Split": "", "Authorization": "Bearer sk-1"}},
		{[]string{"--skill", "s", "--class", "internal", "--budget", "$0.010", "--bar", "0.95", "--split"}, "starling/s", `[{"role":"system","content":"Be brief."},{"role":"user","content":"x"}]`,
			map[string]string{"X-Starling-Skill": "s", "X-Starling-Class": "internal", "X-Starling-Budget": "$0.01", "X-Starling-Bar": "0.95", "X-Starling-Split": "true"}},
		{[]string{"--skill", "s", "--system", "", "--model", "p/m"}, "p/m", `[{"role":"user","content":"x"}]`, map[string]string{"X-Starling-Skill": "s"}},
		{[]string{"--model", "p/m", "--system", "Be kind."}, "p/m", `[{"role":"system","content":"Be kind."},{"role":"user","content":"x"}]`, map[string]string{"X-Starling-Skill": ""}},
	} {
		var out, errs bytes.Buffer
		code := run(context.Background(), append([]string{"ask", "--max-tokens", "7", "--json", "x"}, c.args...), &out, &errs)
		if code != 0 || gjson.Get(out.String(), "answer").Str != "fo\x1bur" || gjson.Get(out.String(), "saved_nanodollars").Int() != int64(starling.Dollar/2) || errs.Len() > 0 {
			t.Fatalf("%d, %s, %s", code, &out, &errs)
		}
		header, body := d.last()
		if gjson.Get(body, "model").Str != c.model || gjson.Get(body, "messages").Raw != c.messages || gjson.Get(body, "max_tokens").Int() != 7 {
			t.Errorf("%v: %s", c.args, body)
		}
		for name, want := range c.header {
			if header.Get(name) != want {
				t.Errorf("%v: %s is %q", c.args, name, header.Get(name))
			}
		}
	}
}

func TestAskRefusesWhatNoGatewayUnderstands(t *testing.T) {
	d := newDesk(t, http.StatusOK, askedHead, askedText+askedEnd, askedBehind)
	for _, args := range [][]string{{"--bar", "0"}, {"--bar", "1.5"}, {"--bar", "NaN"}, {"--budget", "0"}, {"--budget", "much"}, {"--max-tokens", "-1"}, {"--class", "a\nb"}, {"--skill", "a\x1b"}} {
		if code, out, errs := d.asks(t, append(args, "x")...); code != exitUsage || out != "" || errs == "" {
			t.Errorf("%q: %d, %q, %q", args, code, out, errs)
		}
	}
	if _, body := d.last(); body != "" {
		t.Errorf("it was asked %s", body)
	}
}
