package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/tidwall/gjson"

	"starling"
	"starling/internal/skill"
)

// A way is a path, whether the answer is streamed, and whether the model is to say
// how sure it is.
type way struct {
	dialect  starling.Dialect
	stream   bool
	logprobs bool // in OpenAI's dialect
}

var ways = []way{{dialect: starling.OpenAI}, {dialect: starling.OpenAI, stream: true}, {dialect: starling.Anthropic}, {dialect: starling.Anthropic, stream: true}}

var paths = map[starling.Dialect]string{starling.OpenAI: "/v1/chat/completions", starling.Anthropic: "/v1/messages"}

// A client asks a gateway as any program would: plain HTTP, no help from inside.
type client struct {
	url  string
	key  string // "" none
	far  bool   // the gateway has other books than we
	http *http.Client
}

func newClient(url string) *client {
	dial := net.Dialer{Timeout: 10 * time.Second}
	return &client{url: url, http: &http.Client{Transport: &http.Transport{DialContext: dial.DialContext, MaxIdleConnsPerHost: 64, DisableCompression: true}, Timeout: time.Minute}}
}

func (c *client) close() { c.http.CloseIdleConnections() }

// do sends a request with headers beside the usual ones; a nil body is none.
func (c *client) do(ctx context.Context, method, path string, body []byte, header map[string]string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.url+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.key != "" {
		req.Header.Set("Authorization", "Bearer "+c.key)
	}
	for name, value := range header {
		req.Header.Set(name, value)
	}
	return c.http.Do(req)
}

// A reply is what a gateway said.
type reply struct {
	status  int
	text    string // of the answer, or of the error
	code    string // of the error
	hint    string // of the error: what can be done about it; "" if nothing
	model   string // that answered
	receipt string
	cost    starling.Money
	took    time.Duration

	simulated  bool    // by a simulated upstream
	confidence float64 // of the model in its answer, where the gateway says it; 0 unknown
}

// kind is that of an error: the gateway's own, where an upstream's did not take its
// place.
func (r reply) kind() starling.Kind {
	switch kind := starling.Kind(r.code); {
	case exitCodes[kind] != 0:
		return kind
	case r.status == http.StatusRequestEntityTooLarge, r.code == "context_length_exceeded":
		return starling.TooLarge
	case r.status >= http.StatusInternalServerError, r.status == http.StatusTooManyRequests:
		return starling.Overloaded
	}
	return starling.Refused
}

// refuse takes in why there is no answer. A gateway has the hint in its message too, for
// clients that show nothing else.
func (r *reply) refuse(why gjson.Result) {
	r.text, r.code, r.hint = why.Get("message").String(), why.Get("code").String(), why.Get("hint").String()
	if r.hint != "" {
		r.text = strings.Replace(r.text, " ("+r.hint+")", "", 1)
	}
}

// send asks, with headers beside the usual ones. Whatever the gateway says is a
// reply; an error means that it said nothing that can be understood.
func (c *client) send(ctx context.Context, w way, body []byte, header map[string]string) (reply, error) {
	began := time.Now()
	resp, err := c.do(ctx, http.MethodPost, paths[w.dialect], body, header)
	if err != nil {
		return reply{}, err
	}
	defer resp.Body.Close()
	r := reply{status: resp.StatusCode, model: resp.Header.Get("X-Starling-Model"), receipt: resp.Header.Get("X-Starling-Receipt"), simulated: resp.Header.Get("X-Starling-Simulated") == "true"}
	if r.receipt == "" {
		return r, &starling.Error{Kind: starling.Internal, Op: "an answer came without a receipt"}
	}
	if err := r.read(resp, w); err != nil {
		return r, err
	}
	r.took, r.confidence = time.Since(began), toldConfidence(resp.Header)
	r.cost, err = toldCost(resp)
	return r, err
}

// toldCost reads what the gateway says that it cost: in a header, or behind a
// stream.
func toldCost(resp *http.Response) (starling.Money, error) {
	amount, _, _ := strings.Cut(toldBeside(resp, "X-Starling-Cost"), " ")
	return starling.ParseMoney(amount)
}

// toldBeside reads what the gateway says beside an answer: in a header, or behind a
// stream.
func toldBeside(resp *http.Response, name string) string {
	return cmp.Or(resp.Trailer.Get(name), resp.Header.Get(name))
}

// toldConfidence reads how sure the model says that it is. What is no share of 1 is
// nothing that can be compared with.
func toldConfidence(h http.Header) float64 {
	said, err := strconv.ParseFloat(h.Get("X-Starling-Confidence"), 64)
	if err != nil || !(0 < said && said <= 1) {
		return 0
	}
	return said
}

// question is a case in the given dialect, for a model as the gateway knows it.
func question(model, prompt string, cs skill.Case, limit int, w way) ([]byte, error) {
	type message struct {
		Role    string `json:"role"`
		Content string `json:"content"`
	}
	user := message{"user", cs.Input}
	body := map[string]any{"model": model, "stream": w.stream, "max_tokens": limit}
	if w.logprobs {
		body["logprobs"] = true
	}
	if w.dialect == starling.Anthropic {
		body["system"], body["messages"] = prompt, []message{user}
	} else {
		body["messages"] = []message{{"system", prompt}, user}
	}
	return json.Marshal(body)
}

// wholes and pieces are where the text of an answer stands, whole or streamed.
var (
	wholes = map[starling.Dialect]string{starling.OpenAI: "choices.0.message.content", starling.Anthropic: "content.0.text"}
	pieces = map[starling.Dialect]string{starling.OpenAI: "choices.0.delta.content", starling.Anthropic: "delta.text"}
)

// read reads the text out of what came back in any of the four ways, or why there is none.
func (r *reply) read(resp *http.Response, w way) (err error) {
	if w.stream && resp.StatusCode == http.StatusOK {
		r.text, err = streamText(resp.Body, pieces[w.dialect])
		return err
	}
	data, err := io.ReadAll(resp.Body)
	if resp.StatusCode != http.StatusOK {
		r.refuse(gjson.GetBytes(data, "error"))
	} else {
		r.text = gjson.GetBytes(data, wholes[w.dialect]).String()
	}
	return err
}

func streamText(body io.Reader, piece string) (string, error) {
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
