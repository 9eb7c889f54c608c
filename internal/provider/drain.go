package provider

import (
	"context"
	"errors"
	"io"
	"net/http"
)

// errLeft tells a drained exchange that its reader is gone.
var errLeft = errors.New("the caller left")

// detach sends the request on a goroutine of the provider, which does not end
// with its caller: whatever the upstream still says is read and dropped, within
// the limits. Some local engines fail every call of a batch when one hangs up.
//
// The exchange is over when the answer is, or under [HTTP.Close].
func (t *try) detach(req *http.Request) (*http.Response, error) {
	type result struct {
		resp *http.Response
		err  error
	}
	handed := make(chan result, 1)
	t.detached = true
	t.drains.Go(func() {
		defer t.cancel(nil)
		defer t.watch.end()
		defer t.over()
		resp, err := t.guard.Do(req, t.Furthest)
		if err != nil {
			handed <- result{err: err}
			return
		}
		body := resp.Body
		defer body.Close()
		r, w := io.Pipe()
		resp.Body = pipe{r}
		handed <- result{resp: resp}
		t.pump(w, body, r)
	})
	select {
	case got := <-handed:
		return got.resp, got.err
	case <-t.caller.Done():
		return nil, t.caller.Err()
	}
}

// pump passes the body on while somebody reads it, then drops the rest.
func (t *try) pump(w *io.PipeWriter, body io.Reader, r *io.PipeReader) {
	stop := context.AfterFunc(t.caller, func() { _ = r.CloseWithError(errLeft) })
	defer stop()
	_, err := io.Copy(w, body)
	if errors.Is(err, errLeft) {
		t.leave()
		_, err = io.CopyN(io.Discard, body, t.opts.Limits.Body)
	}
	_ = w.CloseWithError(err)
}

// mostDrains is how many answers an upstream may be made to end at once for
// nobody: callers who ask and leave must not keep it busy for ever.
const mostDrains = 32

// leave has the exchange drained from now on, or cut where too many are.
func (t *try) leave() {
	t.leaving.Do(func() {
		select {
		case t.draining <- struct{}{}:
			t.drained = true
		default:
			t.cancel(errLost)
		}
	})
	t.watch.enter(draining, t.opts.Limits.Drain)
}

// over gives the place back, if there is one.
func (t *try) over() {
	t.leaving.Do(func() {})
	if t.drained {
		<-t.draining
	}
}

// A pipe is a body whose closing its writer hears of.
type pipe struct{ *io.PipeReader }

func (p pipe) Close() error { return p.CloseWithError(errLeft) }
