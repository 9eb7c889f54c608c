package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/tidwall/gjson"

	"starling"
)

func TestWhatAModelSaysDoesNotDriveATerminal(t *testing.T) {
	for _, c := range []struct{ said, want string }{
		{"plain,\n\ttabs\n", "plain,\n\ttabs\n"},
		{"\x1b[2Jgone\x07\r", `\x1b[2Jgone\a\r`},
		{"\u009b31mred\u202eback\u2066", `\u009b31mred\u202eback\u2066`},
		{"naïve 你好 \u00a0 \u202f نمی\u200cخواهم 👩\u200d💻", "naïve 你好 \u00a0 \u202f نمی\u200cخواهم 👩\u200d💻"},
		{"bad\xff", "bad\ufffd"},
	} {
		if got := harmless(c.said); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}

func TestAPrinterKeepsThoughtsApart(t *testing.T) {
	pieces := []piece{{}, {"I\x1b", true}, {" think", true}, {"so", false}, {".", false}}
	for _, c := range []struct {
		name string
		printer
		want, signs string
	}{
		{"on a terminal", printer{thinks: true, dims: true}, dim + `I\x1b think` + undim + "\n\nso.\n", ""},
		{"elsewhere", printer{thinks: true}, `I\x1b think` + "\n\nso.\n", ""},
		{"without thoughts", printer{dims: true}, "so.\n", ""},
		{"while one waits", printer{signs: new(bytes.Buffer), model: "m\x1b"}, "so.\n", `loading "m\x1b"…` + eraseLine + `loading "m\x1b"… 0 s` + eraseLine},
	} {
		var out bytes.Buffer
		p := c.printer
		p.out = &out
		p.begin()
		for _, next := range pieces {
			p.hear(next)
		}
		p.end()
		signs := ""
		if p.signs != nil {
			signs = p.signs.(*bytes.Buffer).String()
		}
		if out.String() != c.want || signs != c.signs {
			t.Errorf("%s: %q and %q, want %q and %q", c.name, &out, signs, c.want, c.signs)
		}
	}
}

func TestAThoughtThatBreaksOffLeavesTheTerminalBright(t *testing.T) {
	var out bytes.Buffer
	p := printer{out: &out, thinks: true, dims: true}
	p.begin()
	p.hear(piece{"hm", true})
	p.end()
	if want := dim + "hm" + undim + "\n"; out.String() != want {
		t.Errorf("%q, want %q", &out, want)
	}
}

func TestAStreamIsReadToItsEnd(t *testing.T) {
	const end = `data: {"choices":[{"delta":{},"finish_reason":"stop"}]}` + "\n\n"
	for _, c := range []struct {
		name, stream     string
		answer, thoughts string
		signs            int
		want             starling.Kind
	}{
		{"text", `data: {"choices":[{"delta":{"content":"a"}}]}` + "\r\n\n" + `data:{"choices":[{"delta":{"content":"b"}}]}` + "\n\n" + end, "ab", "", 0, ""},
		{"thoughts in either field", `data: {"choices":[{"delta":{"reasoning_content":"a"}}]}` + "\n" + `data: {"choices":[{"delta":{"reasoning":"b"}}]}` + "\n" + end, "", "ab", 0, ""},
		{"a refusal", `data: {"choices":[{"delta":{"refusal":"no"}}]}` + "\n" + end, "no", "", 0, ""},
		{"signs of life", ": alive\n\n: alive\n\n" + end, "", "", 2, ""},
		{"no end", `data: {"choices":[{"delta":{"content":"a"}}]}` + "\n\n", "a", "", 0, starling.Overloaded},
		{"an error", `data: {"choices":[{"delta":{"content":"a"}}]}` + "\n" + `data: {"error":{"message":"none left","code":"over_budget"}}` + "\n" + end, "a", "", 0, starling.OverBudget},
		{"no JSON", "data: [DONE]\n\ndata: {\n" + end, "", "", 0, ""},
	} {
		signs := 0
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Starling-Receipt", "rcp_1")
			w.Header().Set("X-Starling-Cost", "$0.25 (incomplete)")
			_, _ = io.WriteString(w, c.stream)
		}))
		told, err := newClient(server.URL).talk(t.Context(), nil, nil, func(p piece) {
			if p.text == "" {
				signs++
			}
		})
		server.Close()
		if told.answer.String() != c.answer || told.thoughts.String() != c.thoughts || signs != c.signs || starling.KindOf(err) != c.want {
			t.Errorf("%s: %q, %q, %d signs, %v", c.name, told.answer.String(), told.thoughts.String(), signs, err)
		}
		if told.cost != starling.Dollar/4 || !told.unpriced {
			t.Errorf("%s: it cost %s", c.name, told.cost)
		}
	}
}

func TestWhatIsPipedInComesBeforeTheArguments(t *testing.T) {
	file := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(file, []byte("a text\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		from string
		args []string
		want string
	}{
		{file, []string{"sum", "up"}, "a text\n\nsum up"},
		{file, nil, "a text"},
		{os.DevNull, []string{"sum", "up"}, "sum up"},
		{os.DevNull, nil, ""},
	} {
		in, err := os.Open(c.from)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := spoken(in, c.args); got != c.want || err != nil {
			t.Errorf("%s %v: %q, %v", c.from, c.args, got, err)
		}
		_ = in.Close()
	}
}

// A parrot is a gateway that says what it is told, and keeps silent after "hush".
type parrot struct {
	*httptest.Server
	mu   sync.Mutex
	told []string // the conversations that it was asked to go on with
}

func newParrot(t *testing.T) *parrot {
	p := new(parrot)
	p.Server = httptest.NewServer(http.HandlerFunc(p.answer))
	t.Cleanup(p.Close)
	return p
}

func (p *parrot) answer(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	var talk []string
	for _, m := range gjson.GetBytes(body, "messages").Array() {
		talk = append(talk, m.Get("role").String()[:1]+":"+m.Get("content").String())
	}
	p.mu.Lock()
	p.told = append(p.told, strings.Join(talk, "|"))
	p.mu.Unlock()
	last := talk[len(talk)-1]
	w.Header().Set("X-Starling-Receipt", "rcp_1")
	if last == "u:fail" {
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = io.WriteString(w, `{"error":{"message":"not now","code":"overloaded"}}`)
		return
	}
	w.Header().Set("X-Starling-Cost", "$0.25")
	fmt.Fprintf(w, "data: {\"choices\":[{\"delta\":{\"content\":%q}}]}\n\n", "heard "+last[2:])
	_ = http.NewResponseController(w).Flush()
	if last == "u:hush" {
		<-r.Context().Done()
		return
	}
	fmt.Fprint(w, `data: {"choices":[{"delta":{},"finish_reason":"stop"}]}`+"\n\n")
}

func (p *parrot) talks() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.told
}

// A tty is a terminal with a person before it.
type tty struct {
	*testing.T
	io.Reader
	*output
	keys io.WriteCloser
	over chan error
	seen int // of the output
}

// sits has a chat held with a person, who types with [tty.types].
func sits(t *testing.T, c runCmd, to *parrot) *tty {
	t.Helper()
	in, keys := io.Pipe()
	s := &tty{T: t, Reader: in, output: new(output), keys: keys, over: make(chan error, 1)}
	ch := &chat{run: c, client: newClient(to.URL), model: "m"}
	ctx, cancel := context.WithCancel(t.Context())
	go func() { s.over <- ch.hold(ctx, s) }()
	t.Cleanup(func() {
		cancel()
		_ = keys.Close()
		ch.client.close()
	})
	s.sees("m answers; /? helps\r\n" + ready)
	return s
}

// types presses keys and waits until the screen shows something new.
func (s *tty) types(keys, want string) {
	s.Helper()
	if _, err := io.WriteString(s.keys, keys); err != nil {
		s.Fatal(err)
	}
	s.sees(want)
}

func (s *tty) sees(want string) {
	s.Helper()
	if !poll(func() bool { return strings.Contains(s.output.String()[s.seen:], want) }) {
		s.Fatalf("no %q on the screen, but %q", want, s.output.String()[s.seen:])
	}
	s.seen += strings.Index(s.output.String()[s.seen:], want) + len(want)
}

// ends expects the chat to be over.
func (s *tty) ends(want error) {
	s.Helper()
	if err := <-s.over; !errors.Is(err, want) {
		s.Error(err)
	}
}

func TestAChatRemembersWhatWasSaid(t *testing.T) {
	p := newParrot(t)
	s := sits(t, runCmd{System: "sys", Verbose: true}, p)
	s.types("one\r", "heard one\r\n")
	s.sees("$0.25")
	s.types("two\r", "heard two\r\n")
	s.types("fail\r", "starling: not now (starling explain rcp_1)")
	s.types("/clear\r", "forgotten\r\n")
	s.types("\"\"\"three\r", more)
	s.types("four\"\"\"\r", "heard three\r\nfour\r\n")
	s.types("\x1b[200~five\rsix\x1b[201~\r", "heard five\r\nsix\r\n")
	s.types("/?\r", "forgets what was said")
	s.types("/nothing\r", "there is no command /nothing")
	s.types("/usr/bin is what?\r", "heard /usr/bin is what?\r\n")
	s.types("\r", ready)
	s.types("/bye\r", "")
	s.ends(nil)
	want := []string{
		"s:sys|u:one",
		"s:sys|u:one|a:heard one|u:two",
		"s:sys|u:one|a:heard one|u:two|a:heard two|u:fail",
		"s:sys|u:three\nfour",
		"s:sys|u:three\nfour|a:heard three\nfour|u:five\nsix",
		"s:sys|u:three\nfour|a:heard three\nfour|u:five\nsix|a:heard five\nsix|u:/usr/bin is what?",
	}
	if got := strings.Join(p.talks(), "\n\n"); got != strings.Join(want, "\n\n") {
		t.Errorf("it was told\n%s", got)
	}
}

func TestCtrlCStopsAnAnswerAndLeavesThePromptAtTheSecondTime(t *testing.T) {
	p := newParrot(t)
	s := sits(t, runCmd{}, p)
	s.types("hush\r", "heard hush")
	s.types("\x03", "stopped\r\n")
	s.types("typed\x03", "ctrl-C once more ends this")
	s.types("on\r", "heard on\r\n")
	s.types("\"\"\"quoted\r", more)
	s.types("\x03", "ctrl-C once more")
	s.types("\x03", "")
	s.ends(nil)
	if got := strings.Join(p.talks(), "\n"); got != "u:hush\nu:hush|a:heard hush|u:on" {
		t.Errorf("it was told\n%s", got)
	}
}

func TestCtrlDEndsAChatAndSoDoesTheProgramsEnd(t *testing.T) {
	s := sits(t, runCmd{}, newParrot(t))
	s.types("\x04", "")
	s.ends(nil)

	in, keys := io.Pipe()
	defer keys.Close()
	ctx, cancel := context.WithCancel(t.Context())
	ch := &chat{client: newClient("http://127.0.0.1:9"), model: "m"}
	over := make(chan error, 1)
	go func() {
		over <- ch.hold(ctx, struct {
			io.Reader
			io.Writer
		}{in, io.Discard})
	}()
	cancel()
	if err := <-over; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
