package provider

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"time"

	"starling"
	"starling/internal/wire"
)

// maxRefusal is how much of an upstream's refusal is read.
const maxRefusal = 1 << 20

// refusal reads what the upstream says against the call.
func (t *try) refusal(resp *http.Response) *failure {
	body, _ := io.ReadAll(io.LimitReader(t.body, maxRefusal)) // what came of it will do
	if err := t.body.err; t.caller.Err() != nil && err != nil && err != io.EOF {
		return t.fail(err)
	}
	key := t.opts.Key
	e := wire.ReadError(t.dialect, resp.StatusCode, key.outOfHeader(resp.Header), key.outOf(body))
	if t.own && e.Kind == starling.Refused && bytes.Contains(bytes.ToLower(body), []byte("logprob")) {
		e = unsure(e)
	}
	f := t.refused(resp.StatusCode, retryAfter(resp.Header, time.Now()), e)
	f.final = resp.Header.Get("X-Should-Retry") == "false"
	return f
}

// unsure is the refusal of a question because of the log-probabilities that we
// asked for: none of the caller's affair, who would look for them in vain.
func unsure(e *starling.Error) *starling.Error {
	return &starling.Error{Kind: e.Kind, Op: e.Op, Err: e.Err, Hint: "it gives no log-probabilities: remove confidence: logprob from this candidate in the rubric"}
}

// refused is a failure that the upstream itself told us.
func (t *try) refused(status int, after time.Duration, e *starling.Error) *failure {
	own := *e
	own.Billed = doubtful(status)
	t.free.Store(!own.Billed)
	return t.failed(&failure{err: &own, retriable: postponed(status) && own.Kind == starling.Overloaded, sick: sickly(status), after: after})
}

// readable checks that a success is what was asked for, and not a captive
// portal's page.
func (t *try) readable(resp *http.Response) *failure {
	media, _, _ := strings.Cut(resp.Header.Get("Content-Type"), ";")
	media = strings.ToLower(strings.TrimSpace(media))
	coding := resp.Header.Get("Content-Encoding")
	want, fits := "JSON", media == "application/json" || strings.HasSuffix(media, "+json")
	if t.Request.Stream {
		want, fits = "a stream of events", media == streamed(t.dialect)
	}
	switch {
	case coding != "" && !strings.EqualFold(coding, "identity"):
		return t.unreadable("it answered in a coding that was not asked for")
	case media != "" && !fits:
		return t.unreadable("it answered with something else than " + want)
	}
	return nil
}

// streamed is the media type of a streamed answer, without parameters.
func streamed(d starling.Dialect) string {
	media, _, _ := strings.Cut(wire.StreamType(d), ";")
	return media
}

func (t *try) unreadable(what string) *failure {
	return t.failed(&failure{sick: true, err: &starling.Error{Kind: starling.Refused, Op: what, Hint: "check its url, and that nothing stands between", Billed: true}})
}
