package hub

import (
	"cmp"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"starling/internal/durable"
)

// A partial is a file that is not whole yet: the bytes so far, beside the name that
// it will have, and the version of the source that they are of.
type partial struct {
	path  string // of the whole file
	file  *os.File
	done  int64  // bytes
	total int64  // as the source says; 0 unknown
	etag  string // of the source
	sum   string // that it must have
	hash  hash.Hash

	pieced bool // it was not fetched in one go
}

// partSuffix ends the name of a file that is not whole, etagSuffix that of what says
// which version of the source it is of.
const partSuffix, etagSuffix = ".partial", ".etag"

// openPartial opens what there is of a file, or begins it.
func openPartial(w want) (*partial, error) {
	h, err := newHash(w.sum)
	if err != nil {
		return nil, err
	}
	file, err := os.OpenFile(w.path+partSuffix, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	p := &partial{path: w.path, file: file, sum: w.sum, hash: h}
	if etag, err := os.ReadFile(w.path + partSuffix + etagSuffix); err == nil {
		p.etag = string(etag)
	}
	if p.done, err = io.Copy(h, file); err == nil && w.size > 0 && p.done > w.size {
		err = p.restart()
	}
	if err != nil {
		p.close()
		return nil, err
	}
	p.pieced = p.done > 0
	return p, nil
}

func newHash(sum string) (hash.Hash, error) {
	switch algorithm, digits, _ := strings.Cut(sum, ":"); {
	case algorithm == "sha256" && len(digits) == 2*sha256.Size:
		return sha256.New(), nil
	case algorithm == "sha512" && len(digits) == 2*sha512.Size:
		return sha512.New(), nil
	}
	return nil, errors.New("a checksum is neither SHA-256 nor SHA-512")
}

// ask wants only what is missing, and only of the version that the part is of.
func (p *partial) ask(req *http.Request) {
	if req.Header == nil {
		req.Header = http.Header{}
	}
	req.Header.Set("Accept-Encoding", "identity") // a range is of the bytes themselves
	if p.done == 0 {
		return
	}
	req.Header.Set("Range", fmt.Sprintf("bytes=%d-", p.done))
	if p.etag != "" && !strings.HasPrefix(p.etag, "W/") { // a weak one may not stand there
		req.Header.Set("If-Range", p.etag)
	}
}

// agree makes the partial file stand where the answer begins, or says why the answer
// is none.
func (p *partial) agree(resp *http.Response, w want) *fault {
	etag := resp.Header.Get("ETag")
	switch resp.StatusCode {
	case http.StatusOK:
		return p.agreeWhole(resp, etag, w)
	case http.StatusPartialContent:
		from, total, ok := contentRange(resp.Header.Get("Content-Range"))
		if ok && from == p.done && (p.etag == "" || etag == "" || etag == p.etag) {
			p.pieced = true
			return p.expect(total, w)
		}
	case http.StatusRequestedRangeNotSatisfiable:
	default:
		return status(resp, w)
	}
	if p.done == 0 {
		return &fault{err: otherSize(w.what)}
	}
	if err := p.restart(); err != nil { // the source has become another
		return &fault{err: unwritten(w, err)}
	}
	return &fault{err: otherSize(w.what), again: true, wait: time.Millisecond}
}

func (p *partial) agreeWhole(resp *http.Response, etag string, w want) *fault {
	if strings.HasPrefix(resp.Header.Get("Content-Type"), "text/html") {
		return &fault{err: notData(w.what)}
	}
	if p.done > 0 {
		if err := p.restart(); err != nil {
			return &fault{err: unwritten(w, err)}
		}
	}
	if etag != p.etag {
		p.etag = etag
		if err := os.WriteFile(p.path+partSuffix+etagSuffix, []byte(etag), 0o600); err != nil {
			return &fault{err: unwritten(w, err)}
		}
	}
	return p.expect(max(resp.ContentLength, 0), w)
}

// expect notes how long the source says the whole is.
func (p *partial) expect(total int64, w want) *fault {
	if p.total = total; total > 0 && w.size > 0 && total != w.size {
		return &fault{err: otherSize(w.what)}
	}
	p.total = cmp.Or(total, w.size)
	return nil
}

// contentRange reads "bytes 5-9/10"; total is 0 for "*". Source: RFC 9110, section 14.4.
func contentRange(value string) (from, total int64, ok bool) {
	rest, ok := strings.CutPrefix(value, "bytes ")
	span, all, ok2 := strings.Cut(rest, "/")
	first, _, ok3 := strings.Cut(span, "-")
	from, err := strconv.ParseInt(first, 10, 64)
	if all != "*" {
		var err2 error
		total, err2 = strconv.ParseInt(all, 10, 64)
		err = errors.Join(err, err2)
	}
	return from, total, ok && ok2 && ok3 && err == nil && from >= 0 && total >= 0
}

func (p *partial) write(b []byte) error {
	n, err := p.file.WriteAt(b, p.done)
	p.hash.Write(b[:n])
	p.done += int64(n)
	return err
}

func (p *partial) restart() error {
	p.done, p.total, p.etag, p.pieced = 0, 0, "", false
	p.hash.Reset()
	return errors.Join(p.file.Truncate(0), gone(p.path+partSuffix+etagSuffix))
}

func (p *partial) holds() bool {
	_, digits, _ := strings.Cut(p.sum, ":")
	return hex.EncodeToString(p.hash.Sum(nil)) == digits
}

// keep gives the file its name, after all of it is on the disk.
func (p *partial) keep() error {
	err := errors.Join(p.file.Sync(), p.file.Close())
	if err == nil {
		err = os.Rename(p.path+partSuffix, p.path)
	}
	if err == nil {
		err = errors.Join(gone(p.path+partSuffix+etagSuffix), durable.SyncDir(filepath.Dir(p.path)))
	}
	if err != nil {
		return unwritable(p.path, err)
	}
	return nil
}

// discard takes away what is of no use.
func (p *partial) discard() {
	p.close()
	_ = os.Remove(p.path + partSuffix) // if it stays, it is empty
}

func (p *partial) close() { _ = p.file.Close() } // a part need not be safe from a power cut: its checksum tells

// gone removes a file that may not be there.
func gone(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// checkFile looks whether a file has a checksum.
func checkFile(path, sum string) error {
	h, err := newHash(sum)
	if err != nil {
		return err
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := io.Copy(h, f); err != nil {
		return err
	}
	if algorithm, digits, _ := strings.Cut(sum, ":"); hex.EncodeToString(h.Sum(nil)) != digits {
		return errors.New("its " + algorithm + " checksum is another")
	}
	return nil
}
