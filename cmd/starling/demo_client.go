package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/tidwall/gjson"

	"starling"
	"starling/internal/skill"
	"starling/internal/verify"
)

// A way is a path and whether the answer is streamed.
type way struct {
	dialect starling.Dialect
	stream  bool
}

var ways = []way{{starling.OpenAI, false}, {starling.OpenAI, true}, {starling.Anthropic, false}, {starling.Anthropic, true}}

var paths = map[starling.Dialect]string{starling.OpenAI: "/v1/chat/completions", starling.Anthropic: "/v1/messages"}

// A result is one case, asked and graded.
type result struct {
	skill, id string
	way       way
	status    int
	who       string
	receipt   string
	right     bool
	took      time.Duration
}

func (r result) compare(o result) int {
	return cmp.Or(cmp.Compare(r.skill, o.skill), cmp.Compare(r.id, o.id))
}

// A client asks the gateway as any program would: plain HTTP, no help from
// inside.
type client struct {
	url  string
	http *http.Client
}

func newClient(url string) *client {
	return &client{url: url, http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true}, Timeout: time.Minute}}
}

func (c *client) close() { c.http.CloseIdleConnections() }

// ask sends one case and grades what comes back.
func (c *client) ask(ctx context.Context, pk *pack, cs skill.Case, w way) (result, error) {
	r := result{skill: pk.Name, id: cs.ID, way: w}
	body, err := question(pk, cs, w)
	if err != nil {
		return r, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url+paths[w.dialect], bytes.NewReader(body))
	if err != nil {
		return r, err
	}
	req.Header.Set("Content-Type", "application/json")
	began := time.Now()
	resp, err := c.http.Do(req)
	if err != nil {
		return r, err
	}
	defer resp.Body.Close()
	text, err := answerText(resp.Body, w)
	if err != nil {
		return r, err
	}
	r.took, r.status = time.Since(began), resp.StatusCode
	r.who, r.receipt = resp.Header.Get("X-Starling-Model"), resp.Header.Get("X-Starling-Receipt")
	if r.receipt == "" {
		return r, &starling.Error{Kind: starling.Internal, Op: "an answer came without a receipt"}
	}
	if r.status == http.StatusOK {
		r.right, _, err = verify.Grade(ctx, cs, pk.Rubric.Grade, text, pk.verifiers)
	}
	return r, err
}

// question is a case in the given dialect. The output limit leaves the ideal
// answer room to spare; it is also what the worst case is reserved for.
func question(pk *pack, cs skill.Case, w way) ([]byte, error) {
	type message struct {
		Role    string `json:"role"`
		Content string `json:"content"`
	}
	user := message{"user", cs.Input}
	body := map[string]any{"model": "starling/" + pk.Name, "stream": w.stream, "max_tokens": outputLimit(cs)}
	if w.dialect == starling.Anthropic {
		body["system"], body["messages"] = pk.Rubric.Prompt, []message{user}
	} else {
		body["messages"] = []message{{"system", pk.Rubric.Prompt}, user}
	}
	return json.Marshal(body)
}

func outputLimit(cs skill.Case) int { return 64 + len(cs.Answer)/2 }

// answerText reads the text out of a reply in any of the four ways.
func answerText(body io.Reader, w way) (string, error) {
	if !w.stream {
		data, err := io.ReadAll(body)
		if w.dialect == starling.Anthropic {
			return gjson.GetBytes(data, "content.0.text").String(), err
		}
		return gjson.GetBytes(data, "choices.0.message.content").String(), err
	}
	piece := map[starling.Dialect]string{starling.OpenAI: "choices.0.delta.content", starling.Anthropic: "delta.text"}[w.dialect]
	var text strings.Builder
	lines := bufio.NewReader(body)
	for {
		line, err := lines.ReadBytes('\n')
		if data, ok := bytes.CutPrefix(line, []byte("data: ")); ok {
			if bad := gjson.GetBytes(data, "error.message"); bad.Exists() {
				return "", fmt.Errorf("the stream broke off: %s", bad)
			}
			text.WriteString(gjson.GetBytes(data, piece).String())
		}
		if err == io.EOF {
			return text.String(), nil
		}
		if err != nil {
			return "", err
		}
	}
}
