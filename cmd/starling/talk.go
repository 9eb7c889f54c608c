package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/tidwall/gjson"

	"starling"
)

// A piece is what comes of an answer at a time; one without text is a sign of life.
type piece struct {
	text    string
	thought bool
}

// A told is an answer as it was told, whole or up to where it broke off.
type told struct {
	answer, thoughts      strings.Builder
	model, receipt        string
	finish                string // as the dialect has it
	input, cached, output int64  // tokens, as the gateway counts them
	first, took           time.Duration
	cost                  starling.Money
}

// talk asks for an answer in OpenAI's dialect, as a stream, and has its pieces heard as
// they come. What was told is returned even with an error. Errors are of the gateway's
// kinds, and Overloaded where there is none.
func (c *client) talk(ctx context.Context, body []byte, hear func(piece)) (*told, error) {
	t, began := new(told), time.Now()
	resp, err := c.post(ctx, body)
	if err != nil {
		return t, c.silent(ctx, err)
	}
	defer resp.Body.Close()
	h := resp.Header
	t.receipt, t.model = h.Get("X-Starling-Receipt"), h.Get("X-Starling-Provider")+"/"+h.Get("X-Starling-Model")
	if resp.StatusCode != http.StatusOK {
		r := reply{status: resp.StatusCode, receipt: t.receipt}
		if r.text, r.code, err = answerText(resp, way{}); err != nil {
			return t, c.silent(ctx, err)
		}
		return t, r.failure()
	}
	err = t.hear(resp.Body, func(p piece) {
		if p.text != "" {
			t.first = cmp.Or(t.first, time.Since(began))
		}
		hear(p)
	})
	if t.took = time.Since(began); err != nil {
		return t, c.silent(ctx, err)
	}
	if t.cost, err = toldCost(resp); err != nil {
		return t, &starling.Error{Kind: starling.Internal, Op: "run: an answer came without its cost", Err: err}
	}
	return t, nil
}

func (c *client) post(ctx context.Context, body []byte) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url+paths[starling.OpenAI], bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	c.authorise(req)
	return c.http.Do(req)
}

func (c *client) authorise(req *http.Request) {
	if c.key != "" {
		req.Header.Set("Authorization", "Bearer "+c.key)
	}
}

// knows reports whether a gateway lists a model. One that cannot be asked is an error.
func (c *client) knows(ctx context.Context, name string) (bool, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url+"/v1/models", nil)
	if err != nil {
		return false, err
	}
	c.authorise(req)
	resp, err := c.http.Do(req)
	if err != nil {
		return false, c.silent(ctx, err)
	}
	defer resp.Body.Close()
	all, err := io.ReadAll(resp.Body)
	for _, id := range gjson.GetBytes(all, "data.#.id").Array() {
		if id.String() == name {
			return true, nil
		}
	}
	return false, err
}

// silent is the error of a gateway that says nothing more.
func (c *client) silent(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if _, ok := errors.AsType[*starling.Error](err); ok {
		return err
	}
	return &starling.Error{Kind: starling.Overloaded, Op: "run: ask the gateway at " + c.url, Hint: "is it there? --gateway says where the one is that has these books", Err: err}
}

// failure is the error that a gateway answered with.
func (r reply) failure() error {
	hint := "starling explain " + r.receipt
	switch {
	case r.status == http.StatusUnauthorized:
		hint = "put one into STARLING_KEY"
	case r.receipt == "":
		hint = ""
	}
	return &starling.Error{Kind: r.kind(), Op: "run: " + r.text, Hint: hint}
}

// hear reads a stream to its end.
func (t *told) hear(body io.Reader, hear func(piece)) error {
	lines := bufio.NewReader(body)
	for {
		line, err := lines.ReadBytes('\n')
		data, ok := bytes.CutPrefix(line, []byte("data:"))
		switch {
		case ok:
			if bad := t.take(gjson.ParseBytes(data), hear); bad != nil {
				return bad
			}
		case bytes.HasPrefix(line, []byte(":")):
			hear(piece{})
		}
		switch {
		case err == io.EOF && t.finish == "":
			return io.ErrUnexpectedEOF
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		}
	}
}

// take takes one event in.
func (t *told) take(event gjson.Result, hear func(piece)) error {
	if bad := event.Get("error"); bad.Exists() {
		return reply{text: bad.Get("message").String(), code: bad.Get("code").String(), receipt: t.receipt}.failure()
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
	return nil
}

// speed is in tokens a second, from the first to the last; 0 if that cannot be said.
func (t *told) speed() float64 {
	if t.output < 2 || t.took <= t.first {
		return 0
	}
	return float64(t.output-1) / (t.took - t.first).Seconds()
}

// comment says of an answer what its text does not.
func (t *told) comment(w io.Writer, verbose bool) {
	if t.finish == "length" {
		fmt.Fprintln(w, "note: the answer is cut off: there was no room for more tokens")
	}
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

// A printer prints an answer as it comes.
type printer struct {
	out    io.Writer
	signs  io.Writer // for what is shown while nothing has come yet; nil where nobody would see it go
	model  string
	thinks bool // thoughts are printed
	dims   bool // and dimmed

	asked             time.Time
	waiting, thinking bool
	last              rune // that was printed
}

const (
	eraseLine  = "\r\x1b[K"
	dim, undim = "\x1b[2m", "\x1b[0m"
)

// begin shows that an answer is waited for, and each sign of life for how long.
func (p *printer) begin() {
	p.asked, p.last = time.Now(), 0
	if p.waiting = p.signs != nil; p.waiting {
		printf(p.signs, "loading %s…", p.model)
	}
}

// hear prints a piece.
func (p *printer) hear(next piece) {
	switch {
	case next.text == "":
		if p.waiting {
			fmt.Fprint(p.signs, eraseLine)
			printf(p.signs, "loading %s… %.0f s", p.model, time.Since(p.asked).Seconds())
		}
		return
	case next.thought && !p.thinks:
		return
	}
	p.arrived()
	if next.thought != p.thinking {
		p.turn(next.thought)
	}
	p.print(harmless(next.text))
}

// arrived takes away what was shown while nothing had come.
func (p *printer) arrived() {
	if p.waiting {
		fmt.Fprint(p.signs, eraseLine)
		p.waiting = false
	}
}

// turn goes from thoughts to the answer, or back.
func (p *printer) turn(thinking bool) {
	if p.dims && p.thinking {
		fmt.Fprint(p.out, undim)
	}
	p.endLine()
	if p.thinking {
		p.print("\n")
	}
	if p.thinking = thinking; p.dims && thinking {
		fmt.Fprint(p.out, dim)
	}
}

func (p *printer) print(text string) {
	for _, p.last = range text { // the last one stays
	}
	_, _ = io.WriteString(p.out, text) // a reader who left ends the program by a signal
}

func (p *printer) endLine() {
	if p.last != '\n' && p.last != 0 {
		p.print("\n")
	}
}

// end ends the last line, whatever it is of.
func (p *printer) end() {
	p.arrived()
	if p.dims && p.thinking {
		fmt.Fprint(p.out, undim)
	}
	p.thinking = false
	p.endLine()
}

// harmless is text of a model as people read it: what would drive a terminal, or turn
// the direction of what is on it, is written out.
func harmless(text string) string {
	var b strings.Builder
	for _, r := range text {
		if r == '\n' || r == '\t' || r == zeroWidthNonJoiner || r == zeroWidthJoiner || unicode.Is(unicode.Zs, r) || !strange(r) {
			b.WriteRune(r)
		} else {
			b.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
		}
	}
	return b.String()
}

// Scripts and emojis need these two between their letters.
const zeroWidthNonJoiner, zeroWidthJoiner = '\u200c', '\u200d'
