package main

import (
	"context"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestACellIsWhatWasFound(t *testing.T) {
	c := client{Features: []string{"chat", "schema"}, Endpoint: "chat", Cannot: map[string]string{"schema/gemini": "no schemas"}}
	for _, tt := range []struct {
		name, said string
		chat       cell
		schema     cell
	}{
		{"all pass", "ok chat openai\nnoise\nok chat gemini\nok schema openai\n", cell{State: passed}, cell{State: passed}},
		{"one of two fails", "ok chat openai\nnot ok chat gemini: no  words\nok schema openai\n", cell{failed, "gemini: no words"}, cell{State: passed}},
		{"silence is no success", "ok schema openai\n", cell{failed, "nothing was said of it"}, cell{State: passed}},
		{"what a pair cannot do is shown", "ok chat openai\nok schema openai\nnot ok schema gemini: x\n", cell{State: passed}, cell{missing, "gemini: no schemas"}},
		{"one that can after all fails", "ok chat openai\nok schema gemini\n", cell{State: passed}, cell{failed, "gemini: it can after all: no schemas"}},
		{"what was not tried is no success", "skip chat -: no file\nok schema openai\n", cell{skipped, "no file"}, cell{State: passed}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := c.judge(findings(strings.NewReader(tt.said)))
			if got["chat"] != tt.chat || got["schema"] != tt.schema {
				t.Errorf("%+v", got)
			}
		})
	}
}

func TestAScriptThatBreaksFailsWhatItHadPassed(t *testing.T) {
	c := client{Features: []string{"chat"}, Endpoint: "chat"}
	got := c.judge([]finding{{Feature: "chat", Dialect: "openai", State: passed}, {Dialect: "-", State: failed, Why: "killed"}})
	if got["chat"] != (cell{failed, "killed"}) {
		t.Errorf("%+v", got)
	}
}

func TestThePlanNamesOnlyWhatThereIs(t *testing.T) {
	var known, seen []string
	for _, f := range features {
		known = append(known, f.Name)
	}
	for _, c := range clients {
		if slices.Contains(seen, c.Name) {
			t.Errorf("%s is there twice", c.Name)
		}
		seen = append(seen, c.Name)
		for _, f := range c.Features {
			if !slices.Contains(known, f) {
				t.Errorf("%s: no feature is called %q", c.Name, f)
			}
		}
		for endpoint := range maps.Values(c.Other) {
			if _, ok := endpoints[endpoint]; !ok {
				t.Errorf("%s: no endpoint is called %q", c.Name, endpoint)
			}
		}
		if _, ok := endpoints[c.Endpoint]; !ok {
			t.Errorf("%s: no endpoint is called %q", c.Name, c.Endpoint)
		}
		for what := range c.Cannot {
			if feature, _, ok := strings.Cut(what, "/"); !ok || !slices.Contains(c.Features, feature) {
				t.Errorf("%s cannot do %q, of which it is not asked", c.Name, what)
			}
		}
		if strings.HasPrefix(c.Group, "agents/") {
			if r, err := c.recipe(); err != nil || len(r.Run) == 0 {
				t.Errorf("%s: %v, %+v", c.Name, err, r)
			}
		}
	}
}

// tapped is a tap in front of what answers.
func tapped(t *testing.T, answers http.HandlerFunc) *tap {
	t.Helper()
	server := httptest.NewServer(answers)
	t.Cleanup(server.Close)
	to, _ := url.Parse(server.URL)
	front, err := newTap(func(*http.Request) *url.URL { return to })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(front.close)
	return front
}

func TestATapCountsThoseWhoLeave(t *testing.T) {
	begun := make(chan struct{})
	front := tapped(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			_, _ = io.WriteString(w, "a piece")
			_ = http.NewResponseController(w).Flush()
			close(begun)
			<-r.Context().Done()
			return
		}
		body, _ := io.ReadAll(r.Body)
		_, _ = w.Write(body)
	})

	resp, err := http.Post(front.URL+"/echo", "text/plain", strings.NewReader("words"))
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	if string(body) != "words" || front.read() != (counts{Asked: 1}) {
		t.Errorf("%q, %+v", body, front.read())
	}

	ctx, leave := context.WithCancel(t.Context())
	req, _ := http.NewRequestWithContext(ctx, http.MethodPost, front.URL+"/slow", strings.NewReader("x"))
	resp, err = http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	<-begun
	leave()
	for end := time.Now().Add(time.Minute); front.read() != (counts{Asked: 2, Cancelled: 1}); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%+v", front.read())
		}
	}
}

func TestATapHasKeptWhatItsCallerWasAnswered(t *testing.T) {
	front := tapped(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Starling-Receipt", "rcp_1")
		_, _ = io.WriteString(w, "an answer")
	})
	front.keep = true
	resp, err := http.Post(front.URL+"/ask", "text/plain", strings.NewReader("a question"))
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.ReadAll(resp.Body)
	resp.Body.Close()
	if all := front.exchanges(t.Context()); len(all) != 1 || all[0].Path != "/ask" || string(all[0].Body) != "a question" || all[0].Receipt != "rcp_1" {
		t.Errorf("%+v", all)
	}
}

func TestAHomeIsFilledIn(t *testing.T) {
	from, to := t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(from, "config"), []byte("key=${KEY}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := furnish(from, to, func(s string) string { return strings.ReplaceAll(s, "${KEY}", "k") }); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(filepath.Join(to, "config")); err != nil || string(text) != "key=k" {
		t.Errorf("%q, %v", text, err)
	}
}

func TestTheTableGivesEachReasonOnce(t *testing.T) {
	rows := []row{
		{Client: "a", Version: "1", Cells: map[string]cell{"chat": {State: passed}, "stream": {missing, "not yet"}}},
		{Client: "b", Cells: map[string]cell{"chat": {failed, "broken"}, "stream": {missing, "not yet"}}},
	}
	var b strings.Builder
	markdown(&b, rows)
	for _, want := range []string{"| a | 1 | pass | no 1 | - |", "| b |  | FAIL 2 | no 1 | - |", "\n1. not yet\n2. broken\n", "2 clients: 1 pass, 1 fail, 2 no, 0 skipped"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("there is no %q in\n%s", want, &b)
		}
	}
}
