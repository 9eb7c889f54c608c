package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tidwall/gjson"

	"starling"
)

// A message is one of a conversation.
type message struct {
	Role    string `json:"role"`
	Content any    `json:"content"` // a text, or its parts
}

// conversation asks a model to go on with a conversation, in OpenAI's dialect and as a
// stream. wanted are fields beside the usual ones.
func conversation(model string, wanted map[string]any, talk ...message) []byte {
	body := map[string]any{"model": model, "messages": talk, "stream": true, "stream_options": map[string]bool{"include_usage": true}}
	maps.Copy(body, wanted)
	text, err := json.Marshal(body)
	if err != nil {
		panic("a conversation cannot be written down: " + err.Error())
	}
	return text
}

// A piece is what comes of an answer at a time; one without text is a sign of life.
type piece struct {
	text    string
	thought bool
}

// A told is an answer as it was told, whole or up to where it broke off.
type told struct {
	answer, thoughts      strings.Builder
	model, provider, zone string // that answered, the model as "provider/name"
	reason, receipt       string
	warning               string // what the gateway has against the answer; "" nothing
	simulated, observed   bool   // nobody was really asked; nobody was chosen
	finish                string // as the dialect has it
	input, cached, output int64  // tokens, as the gateway counts them
	first, took           time.Duration
	cost                  starling.Money
	charged               bool            // the cost was told
	unpriced              bool            // there may be more to pay
	saved                 *starling.Money // an estimate; nil where nothing is known
	broken                *reply          // why it broke off, where the gateway said so
}

// talk asks for an answer in OpenAI's dialect, as a stream, and has its pieces heard as
// they come. What was told is returned even with an error. Errors are of the gateway's
// kinds, Overloaded where there is none, and Invalid where something else answers.
func (c *client) talk(ctx context.Context, body []byte, header map[string]string, hear func(piece)) (*told, error) {
	t, began := new(told), time.Now()
	resp, err := c.do(ctx, http.MethodPost, paths[starling.OpenAI], body, header)
	if err != nil {
		return t, c.silent(ctx, err)
	}
	defer resp.Body.Close()
	t.head(resp.Header)
	if resp.StatusCode != http.StatusOK {
		_ = t.charge(resp) // a door that stays shut says none
		return t, c.refused(ctx, resp)
	}
	if t.receipt == "" {
		return t, c.strange(nil)
	}
	err = t.hear(resp.Body, func(p piece) {
		if p.text != "" {
			t.first = cmp.Or(t.first, time.Since(began))
		}
		hear(p)
	})
	t.took = time.Since(began)
	unbooked := t.end(resp)
	switch {
	case t.broken != nil:
		return t, c.failure(*t.broken)
	case err != nil:
		return t, c.silent(ctx, err)
	case unbooked != nil:
		return t, &starling.Error{Kind: starling.Internal, Op: "an answer came without its cost", Err: unbooked}
	}
	return t, nil
}

// head takes in what is said before the answer.
func (t *told) head(h http.Header) {
	t.receipt, t.zone, t.reason = h.Get("X-Starling-Receipt"), h.Get("X-Starling-Zone"), h.Get("X-Starling-Reason")
	t.provider = h.Get("X-Starling-Provider")
	t.model = t.provider + "/" + h.Get("X-Starling-Model")
	t.simulated, t.observed = h.Get("X-Starling-Simulated") == "true", h.Get("X-Starling-Observed") != ""
}

// end takes in what is said behind the answer. The error is that of a cost that is not
// said.
func (t *told) end(resp *http.Response) error {
	t.warning = toldBeside(resp, "X-Starling-Warning")
	t.unpriced = strings.Contains(toldBeside(resp, "X-Starling-Cost"), " ")
	saved, _, _ := strings.Cut(toldBeside(resp, "X-Starling-Saved"), " ")
	if amount, err := starling.ParseMoney(saved); err == nil {
		t.saved = &amount
	}
	return t.charge(resp)
}

// charge takes in what it cost. The error is that of a cost that is not said.
func (t *told) charge(resp *http.Response) (err error) {
	t.cost, err = toldCost(resp)
	t.charged = err == nil
	return err
}

// prompt returns what a skill has the model told before everything else, as the gateway
// serves it; "" if the skill has nothing to say. Errors: as of get.
func (c *client) prompt(ctx context.Context, skill string) (string, error) {
	var sheet struct{ Prompt string }
	err := c.get(ctx, skillPath(skill), &sheet)
	return sheet.Prompt, err
}

func skillPath(name string) string { return "/v1/skills/" + url.PathEscape(name) }

// get reads what a gateway says at a path, as JSON. Errors: its own, Overloaded if it says
// nothing, Invalid where something else answers.
func (c *client) get(ctx context.Context, path string, into any) error {
	resp, err := c.do(ctx, http.MethodGet, path, nil, nil)
	if err != nil {
		return c.silent(ctx, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return c.refused(ctx, resp)
	}
	all, err := io.ReadAll(resp.Body)
	if err != nil {
		return c.silent(ctx, err)
	}
	if err := json.Unmarshal(all, into); err != nil {
		return c.strange(err)
	}
	return nil
}

// strange is the error of something else than a gateway.
func (c *client) strange(err error) error {
	return &starling.Error{Kind: starling.Invalid, Op: "what answers at " + c.url + " is no gateway of Starling's", Hint: "is another program there, or an older starling? --gateway says where to ask", Err: err}
}

// knows reports whether a gateway lists a model. Errors: as of get.
func (c *client) knows(ctx context.Context, name string) (bool, error) {
	var list struct{ Data []struct{ ID string } }
	err := c.get(ctx, "/v1/models", &list)
	return slices.ContainsFunc(list.Data, func(m struct{ ID string }) bool { return m.ID == name }), err
}

// silent is the error of a gateway that says nothing more.
func (c *client) silent(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	hint := "is it there? --gateway says where the one is that has these books"
	if c.far {
		hint = "is it there? --gateway, or STARLING_GATEWAY, says where"
	}
	return &starling.Error{Kind: starling.Overloaded, Op: "ask the gateway at " + c.url, Hint: hint, Err: err}
}

// refused reads the error that a gateway answered with.
func (c *client) refused(ctx context.Context, resp *http.Response) error {
	r := reply{status: resp.StatusCode, receipt: resp.Header.Get("X-Starling-Receipt")}
	if err := r.read(resp, way{}); err != nil {
		return c.silent(ctx, err)
	}
	return c.failure(r)
}

// failure is the error that a gateway answered with.
func (c *client) failure(r reply) error {
	said := cmp.Or(r.text, fmt.Sprintf("what answers at %s says %d and nothing else", c.url, r.status))
	return &starling.Error{Kind: r.kind(), Op: said, Hint: c.hint(r)}
}

// hint is what can be done about an error here: as the gateway says, and where more is to
// be read.
func (c *client) hint(r reply) string {
	switch {
	case r.status == http.StatusUnauthorized && c.far:
		return "put one into STARLING_KEY"
	case r.status == http.StatusUnauthorized:
		return "put one into STARLING_KEY; starling key create makes one"
	case r.receipt == "" || r.receipt == "none":
		return r.hint
	case c.far:
		return also(r.hint, "its receipt is at "+c.url+"/v1/receipts/"+r.receipt)
	}
	return also(r.hint, "starling explain "+r.receipt)
}

// also adds to a hint.
func also(hint, more string) string {
	if hint == "" {
		return more
	}
	return hint + "; " + more
}

// hear reads a stream to its end: what stands behind it is known only then.
func (t *told) hear(body io.Reader, hear func(piece)) error {
	lines := bufio.NewReader(body)
	for {
		line, err := lines.ReadBytes('\n')
		data, ok := bytes.CutPrefix(line, []byte("data:"))
		switch {
		case ok:
			t.take(gjson.ParseBytes(data), hear)
		case bytes.HasPrefix(line, []byte(":")):
			hear(piece{})
		}
		switch {
		case err == io.EOF && t.finish == "" && t.broken == nil:
			return io.ErrUnexpectedEOF
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		}
	}
}

// take takes one event in. Behind one that says why the answer breaks off there is none.
func (t *told) take(event gjson.Result, hear func(piece)) {
	bad := event.Get("error")
	if bad.Exists() && t.broken == nil {
		t.broken = &reply{receipt: t.receipt}
		t.broken.refuse(bad)
	}
	if t.broken != nil {
		return
	}
	if u := event.Get("usage"); u.IsObject() {
		t.input, t.output = u.Get("prompt_tokens").Int(), u.Get("completion_tokens").Int()
		t.cached = u.Get("prompt_tokens_details.cached_tokens").Int()
	}
	choice := event.Get("choices.0")
	t.finish = cmp.Or(choice.Get("finish_reason").String(), t.finish)
	delta := choice.Get("delta")
	thought := cmp.Or(delta.Get("reasoning_content").String(), delta.Get("reasoning").String())
	for _, p := range []piece{{thought, true}, {delta.Get("content").String(), false}, {delta.Get("refusal").String(), false}} {
		switch {
		case p.text == "":
			continue
		case p.thought:
			t.thoughts.WriteString(p.text)
		default:
			t.answer.WriteString(p.text)
		}
		hear(p)
	}
}

// speed is in tokens a second, from the first to the last; 0 if that cannot be said.
func (t *told) speed() float64 {
	if t.output < 2 || t.took <= t.first {
		return 0
	}
	return float64(t.output-1) / (t.took - t.first).Seconds()
}

// warn says of an answer what must not be silent.
func (t *told) warn(w io.Writer) {
	switch t.finish {
	case "length":
		fmt.Fprintln(w, "note: the answer is cut off: there was no room for more tokens")
	case "content_filter":
		fmt.Fprintln(w, "note: the provider's filter has cut the answer off, or kept it back")
	}
	if t.warning != "" {
		printf(w, "note: %s\n", t.warning)
	}
}

// comment says of an answer what its text does not.
func (t *told) comment(w io.Writer, verbose bool) {
	t.warn(w)
	if !verbose {
		return
	}
	speed := "-"
	if s := t.speed(); s > 0 {
		speed = strconv.FormatFloat(s, 'f', 1, 64)
	}
	printf(w, "%d tokens, %s a second, the first after %s; %d read, %d of them from the cache; %s; %s, receipt %s\n",
		t.output, speed, t.first.Round(time.Millisecond), t.input, t.cached, t.cost, t.model, t.receipt)
}
