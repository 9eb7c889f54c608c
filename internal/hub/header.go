package hub

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"

	"starling"
)

// A header reads the beginning of a file outside, block by block, each when it is first
// asked for, so that what a model takes of memory is known before it is fetched.
type header struct {
	ctx context.Context // of the pull, as ReadAt has none
	get *fetcher
	w   want

	mu     sync.Mutex
	blocks map[int64][]byte
}

const (
	block      = 1 << 20 // bytes that are asked for at once
	mostHeader = 64      // blocks; what describes a model, with its tokens, takes a few
)

// ReadAt implements [io.ReaderAt]. Errors are those of fetching, and Refused beyond what
// a header may take.
func (h *header) ReadAt(p []byte, off int64) (n int, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for n < len(p) {
		at := off + int64(n)
		if at < 0 || at >= h.w.size {
			return n, io.EOF
		}
		b, err := h.block(at / block)
		if err != nil {
			return n, err
		}
		n += copy(p[n:], b[at%block:])
	}
	return n, nil
}

func (h *header) block(i int64) ([]byte, error) {
	if b, ok := h.blocks[i]; ok {
		return b, nil
	}
	if len(h.blocks) >= mostHeader {
		return nil, &starling.Error{Kind: starling.Refused, Op: "hub: " + h.w.what + " describes itself at too great length"}
	}
	b := make([]byte, min(block, h.w.size-i*block))
	for tries := 1; ; tries++ {
		ft := h.fetch(i*block, b)
		switch {
		case ft == nil:
			h.blocks[i] = b
			return b, nil
		case h.ctx.Err() != nil:
			return nil, cancelled(h.ctx)
		case !ft.again || tries >= mostDials:
			return nil, ft.err
		}
		if err := h.get.rest(h.ctx, ft.wait, tries); err != nil {
			return nil, err
		}
	}
}

func (h *header) fetch(from int64, into []byte) *fault {
	ctx, cancel := context.WithTimeout(h.ctx, h.get.idle)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, h.w.url, nil)
	if err != nil {
		return &fault{err: &starling.Error{Kind: starling.Invalid, Op: "hub: address of " + h.w.what, Err: err}}
	}
	if req.Header = h.w.header.Clone(); req.Header == nil {
		req.Header = http.Header{}
	}
	req.Header.Set("Accept-Encoding", "identity")
	req.Header.Set("Range", fmt.Sprintf("bytes=%d-%d", from, from+int64(len(into))-1))
	resp, err := h.get.client.Do(req)
	if err != nil {
		return unreached(h.w.what, err)
	}
	defer resp.Body.Close()
	whole := resp.StatusCode == http.StatusOK && from == 0 // it knows no ranges, and the beginning will do
	if at, _, ok := contentRange(resp.Header.Get("Content-Range")); !whole && (resp.StatusCode != http.StatusPartialContent || !ok || at != from) {
		return status(resp, h.w)
	}
	if _, err := io.ReadFull(resp.Body, into); err != nil {
		return &fault{err: interrupted(h.w.what, err), again: true}
	}
	return nil
}
