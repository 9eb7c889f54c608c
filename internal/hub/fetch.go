package hub

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"starling"
)

// A want is one file to be had from outside.
type want struct {
	what   string // as a person calls it
	url    string
	path   string      // where it is, once it is whole
	sum    string      // "sha256:…" or "sha512:…" in hex
	size   int64       // bytes; 0 where nobody says
	header http.Header // of the request; Authorization goes to the first host alone
	hint   map[int]string
}

// A fetcher is the one way in which bytes come from outside.
type fetcher struct {
	client   *http.Client
	pause    time.Duration
	idle     time.Duration
	free     func(dir string) (int64, error)
	progress func(what string, done, total int64)
}

const (
	mostTries   = 6                // one after the other without a byte more
	mostDials   = 3                // of these, where nobody can be connected to
	mostCuts    = 100              // of one file
	mostPause   = 30 * time.Second // between tries, also where a server asks for more
	mostMessage = 16 << 20         // bytes of a list or manifest
	reserve     = 64 << 20         // bytes that a disk keeps beside what is fetched
)

func newFetcher(o Options) fetcher {
	client := http.Client{Transport: http.DefaultTransport} // which has the proxies of the environment
	if o.Client != nil {
		client = *o.Client
	}
	client.CheckRedirect = redirect
	return fetcher{
		client: &client, pause: cmp.Or(o.Pause, 500*time.Millisecond), idle: cmp.Or(o.Idle, time.Minute),
		free: o.Free, progress: o.Progress,
	}
}

// redirect keeps a token from every host but the one that it is for, of which a CDN
// may be a subdomain, and refuses to fall back from TLS.
func redirect(req *http.Request, via []*http.Request) error {
	first := via[0].URL
	switch {
	case len(via) >= 10:
		return errors.New("it leads from one address to the next without end")
	case first.Scheme == "https" && req.URL.Scheme != "https":
		return errors.New("it leads away from TLS")
	case req.URL.Host != first.Host:
		req.Header.Del("Authorization")
	}
	return nil
}

// A fault is why one try failed.
type fault struct {
	err   error // what ends the fetching; or the last fault, when tries are used up
	again bool  // another try may do
	most  int   // tries one after the other; 0: mostTries
	wait  time.Duration
}

// file fetches w and returns when it is whole under its name. What arrived of a file
// stays beside it when the fetching ends early, and is gone on from the next time.
//
// Errors: Cancelled, Overloaded (offline, or a server in trouble), Forbidden and NotFound
// as the server says, Refused for what is not what was promised, TooLarge for a full disk.
func (f *fetcher) file(ctx context.Context, w want) error {
	if err := os.MkdirAll(filepath.Dir(w.path), 0o700); err != nil {
		return unwritable(filepath.Dir(w.path), err)
	}
	if _, err := newHash(w.sum); err != nil {
		return &starling.Error{Kind: starling.Refused, Op: "hub: " + w.what + " cannot be checked", Hint: "take it from another source", Err: err}
	}
	p, err := openPartial(w)
	if err != nil {
		return unwritable(w.path, err)
	}
	defer p.close()
	if err := f.room(w, p.done); err != nil {
		return err
	}
	for rounds := 1; ; rounds++ {
		if err := f.fill(ctx, w, p); err != nil {
			return err
		}
		if p.holds() {
			return p.keep()
		}
		pieced := p.pieced // then the pieces may be of different versions, and only the whole shows
		if err := p.restart(); err != nil {
			return unwritable(w.path, err)
		}
		if !pieced || rounds > 1 {
			p.discard()
			return &starling.Error{Kind: starling.Refused, Op: "hub: " + w.what + " is not what its source promised: its checksum is another", Hint: "ask again later, or of another source"}
		}
	}
}

// room refuses what the disk has no place for, before a byte is fetched.
func (f *fetcher) room(w want, done int64) error {
	left, err := f.free(filepath.Dir(w.path))
	if err != nil || w.size == 0 { // then the disk itself will say
		return nil
	}
	if need := w.size - done + reserve; need > left {
		return noRoom(w.what, need, left)
	}
	return nil
}

func noRoom(what string, need, left int64) error {
	return &starling.Error{Kind: starling.TooLarge, Op: fmt.Sprintf("hub: %s needs %d MB of disk, and %d MB are free", what, need/1e6, left/1e6), Hint: "make room ('starling model rm' frees some), or name another folder with --data"}
}

// fill tries until the partial file has all bytes.
func (f *fetcher) fill(ctx context.Context, w want, p *partial) error {
	for cuts, idle := 0, 0; ; cuts++ {
		before := p.done
		ft := f.try(ctx, w, p)
		switch {
		case ft == nil:
			return nil
		case ctx.Err() != nil:
			return cancelled(ctx)
		case !ft.again:
			return ft.err
		}
		if idle++; p.done > before {
			idle = 0
		}
		if idle >= cmp.Or(ft.most, mostTries) || cuts >= mostCuts {
			return ft.err
		}
		if err := f.rest(ctx, ft.wait, idle); err != nil {
			return err
		}
	}
}

// rest waits before another try: as long as the server asked for, else twice as long
// each time.
func (f *fetcher) rest(ctx context.Context, asked time.Duration, tries int) error {
	t := time.NewTimer(min(cmp.Or(asked, f.pause<<max(tries-1, 0)), mostPause))
	defer t.Stop()
	select {
	case <-ctx.Done():
		return cancelled(ctx)
	case <-t.C:
		return nil
	}
}

// try asks once for what is missing and writes what arrives. Nil: all is there.
func (f *fetcher) try(ctx context.Context, w want, p *partial) *fault {
	if w.size > 0 && p.done == w.size {
		return nil
	}
	ctx, cut := context.WithCancelCause(ctx)
	defer cut(nil)
	watch := time.AfterFunc(f.idle, func() { cut(errors.New("nothing came any more")) })
	defer watch.Stop()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, w.url, nil)
	if err != nil {
		return &fault{err: &starling.Error{Kind: starling.Invalid, Op: "hub: address of " + w.what, Err: err}}
	}
	req.Header = w.header.Clone()
	p.ask(req)
	resp, err := f.client.Do(req)
	if err != nil {
		return unreached(w.what, cmp.Or(context.Cause(ctx), err))
	}
	defer resp.Body.Close()
	if ft := p.agree(resp, w); ft != nil {
		return ft
	}
	return f.write(&reading{ctx, resp.Body, watch, f.idle}, w, p)
}

// A reading puts off the watch with each piece that arrives, and says why it was cut
// off if it was by us.
type reading struct {
	ctx   context.Context // of the one try
	body  io.Reader
	watch *time.Timer
	idle  time.Duration
}

func (r *reading) Read(b []byte) (int, error) {
	n, err := r.body.Read(b)
	if n > 0 {
		r.watch.Reset(r.idle)
	}
	if err != nil && !errors.Is(err, io.EOF) {
		err = cmp.Or(context.Cause(r.ctx), err)
	}
	return n, err
}

// write adds what arrives to the partial file.
func (f *fetcher) write(body io.Reader, w want, p *partial) *fault {
	buf := make([]byte, 256<<10)
	for {
		n, err := body.Read(buf)
		if w.size > 0 && p.done+int64(n) > w.size {
			return &fault{err: otherSize(w.what)}
		}
		if werr := p.write(buf[:n]); werr != nil {
			return &fault{err: unwritten(w, werr)}
		}
		f.progress(w.what, p.done, cmp.Or(w.size, p.total))
		switch {
		case errors.Is(err, io.EOF) && (p.total == 0 || p.done == p.total):
			return nil
		case errors.Is(err, io.EOF):
			return &fault{err: interrupted(w.what, io.ErrUnexpectedEOF), again: true}
		case err != nil:
			return &fault{err: interrupted(w.what, err), again: true}
		}
	}
}

func unwritten(w want, err error) error {
	if errors.Is(err, syscall.ENOSPC) {
		return &starling.Error{Kind: starling.TooLarge, Op: "hub: write " + w.what, Hint: "make room and ask again: it goes on where it was", Err: err}
	}
	return unwritable(w.path, err)
}

func interrupted(what string, err error) error {
	return &starling.Error{Kind: starling.Overloaded, Op: "hub: fetching " + what + " was cut off", Hint: "ask again: it goes on where it was", Err: err}
}

func otherSize(what string) error {
	return &starling.Error{Kind: starling.Refused, Op: fmt.Sprintf("hub: %s has another size than its source lists", what), Hint: "ask again later, or of another source"}
}

func unreached(what string, err error) *fault {
	if e, ok := errors.AsType[*url.Error](err); ok {
		err = e.Err // without the address, which may hold a signature
	}
	most := 0
	if e, ok := errors.AsType[*net.OpError](err); ok && e.Op == "dial" {
		most = mostDials
	}
	return &fault{again: true, most: most, err: &starling.Error{
		Kind: starling.Overloaded, Op: "hub: " + what + " cannot be reached", Err: err,
		Hint: "is this machine offline, or behind a proxy (HTTPS_PROXY)? 'starling engine install FILE' and 'starling model import FILE' need no network",
	}}
}

// status turns what a server answered into what to do.
func status(resp *http.Response, w want) *fault {
	op := fmt.Sprintf("hub: %s: %s answered %d", w.what, resp.Request.URL.Hostname(), resp.StatusCode)
	e := &starling.Error{Kind: starling.Refused, Op: op, Hint: w.hint[resp.StatusCode]}
	switch code := resp.StatusCode; {
	case code == http.StatusUnauthorized, code == http.StatusForbidden:
		e.Kind, e.Hint = starling.Forbidden, cmp.Or(e.Hint, "it wants a token, or its licence agreed to")
	case code == http.StatusNotFound, code == http.StatusGone:
		e.Kind, e.Hint = starling.NotFound, cmp.Or(e.Hint, "look at the name")
	case code == http.StatusTooManyRequests, code == http.StatusRequestTimeout, code >= 500:
		e.Kind, e.Hint = starling.Overloaded, "ask again later: it goes on where it was"
		return &fault{err: e, again: true, wait: retryAfter(resp.Header.Get("Retry-After"), time.Now())}
	}
	return &fault{err: e}
}

// retryAfter reads the header of that name, in seconds or as a date; 0 if it says
// nothing. Source: RFC 9110, section 10.2.3.
func retryAfter(value string, now time.Time) time.Duration {
	if n, err := strconv.Atoi(value); err == nil {
		return time.Duration(min(max(n, 0), int(mostPause/time.Second))) * time.Second
	}
	if t, err := http.ParseTime(value); err == nil {
		return min(max(t.Sub(now), 0), mostPause)
	}
	return 0
}

// document reads a whole answer of bounded length into v, with its header.
func (f *fetcher) document(ctx context.Context, w want, v any) (http.Header, error) {
	for tries := 1; ; tries++ {
		header, ft := f.read(ctx, w, v)
		switch {
		case ft == nil:
			return header, nil
		case ctx.Err() != nil:
			return nil, cancelled(ctx)
		case !ft.again || tries >= cmp.Or(ft.most, mostTries):
			return nil, ft.err
		}
		if err := f.rest(ctx, ft.wait, tries); err != nil {
			return nil, err
		}
	}
}

func (f *fetcher) read(ctx context.Context, w want, v any) (http.Header, *fault) {
	ctx, cancel := context.WithTimeout(ctx, f.idle)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, w.url, nil)
	if err != nil {
		return nil, &fault{err: &starling.Error{Kind: starling.Invalid, Op: "hub: address of " + w.what, Err: err}}
	}
	req.Header = w.header.Clone()
	resp, err := f.client.Do(req)
	if err != nil {
		return nil, unreached(w.what, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, status(resp, w)
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, mostMessage+1))
	switch {
	case err != nil:
		return nil, &fault{err: interrupted(w.what, err), again: true}
	case len(data) > mostMessage:
		return nil, &fault{err: &starling.Error{Kind: starling.Refused, Op: "hub: " + w.what + ": the answer is too long"}}
	}
	if text, ok := v.(*string); ok {
		*text = string(data)
	} else if err := json.Unmarshal(data, v); err != nil {
		return nil, &fault{err: notData(w.what)}
	}
	return resp.Header, nil
}

func notData(what string) error {
	return &starling.Error{Kind: starling.Refused, Op: "hub: " + what + ": something else than data was answered", Hint: "a proxy or a page to log in may stand between: open the address in a browser"}
}
