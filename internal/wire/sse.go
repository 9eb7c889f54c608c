package wire

import (
	"bytes"
	"errors"
	"io"
)

// errTooLong is the end of a stream with an event beyond the limit.
var errTooLong = errors.New("an event is longer than the limit")

// An eventReader cuts a stream into server-sent events, or into lines. It never
// looks inside a character, so that it doesn't matter where the network cut one,
// and there is no limit to a line but the limit to an event.
type eventReader struct {
	src   io.Reader
	most  int  // bytes of an event
	lines bool // each line that is not blank is an event

	buf  []byte
	r, w int  // what is unread: buf[r:w]
	line int  // where the current line starts
	seen int  // up to here there is no line end
	some bool // the current event has a line that is not blank
	lone bool // lines end in CR alone
	cut  bool // the event returned last had no end of its own
	err  error
}

func newEventReader(src io.Reader, most int) *eventReader {
	return &eventReader{src: src, most: most, buf: make([]byte, min(8<<10, most))}
}

// next returns the bytes of the next event with its terminator, valid until the
// next call. At the end it returns io.EOF. What stands there without its
// terminator is returned first, ended and with cut set: servers forget the last one.
func (e *eventReader) next() ([]byte, error) {
	for {
		if end := e.find(); end > 0 {
			raw := e.buf[e.r:end]
			e.r, e.some = end, false
			return raw, nil
		}
		if e.err == io.EOF && e.w > e.r && (e.some || e.line < e.w) {
			raw := bytes.TrimRight(e.buf[e.r:e.w], "\r\n")
			e.r, e.line, e.seen, e.some = e.w, e.w, e.w, false
			if e.cut = len(raw) > 0; e.cut {
				return append(raw, e.terminator()...), nil
			}
		}
		if e.err != nil {
			return nil, e.err
		}
		e.fill()
	}
}

// find returns the end of the first event in the buffer, 0 if it isn't there
// yet. Blank lines before an event belong to it: one may be the other half of
// the CRLF that ended the event before.
func (e *eventReader) find() int {
	for e.seen < e.w {
		i := lineEnd(e.buf[e.seen:e.w])
		if i < 0 {
			e.seen = e.w
			return 0
		}
		end := e.seen + i
		next := end + 1
		if e.buf[end] == '\r' {
			switch {
			case next < e.w && e.buf[next] == '\n':
				next++
			case next < e.w:
				e.lone = true
			case !e.lone: // a LF may follow
				e.seen = end
				return 0
			}
		}
		blank := end == e.line
		e.line, e.seen = next, next
		if blank && e.some || e.lines && !blank {
			return next
		}
		e.some = e.some || !blank
	}
	return 0
}

func (e *eventReader) terminator() string {
	if e.lines {
		return "\n"
	}
	return "\n\n"
}

// parse reads what next returned. A line is all data.
func (e *eventReader) parse(raw []byte) block {
	if !e.lines {
		return parse(raw)
	}
	data := bytes.TrimSpace(bytes.TrimPrefix(raw, byteOrderMark))
	return block{data: data, some: len(data) > 0}
}

var byteOrderMark = []byte("\xEF\xBB\xBF")

func lineEnd(b []byte) int {
	lf := bytes.IndexByte(b, '\n')
	if lf >= 0 {
		b = b[:lf]
	}
	if cr := bytes.IndexByte(b, '\r'); cr >= 0 {
		return cr
	}
	return lf
}

// fill reads more, in the place of what has been returned.
func (e *eventReader) fill() {
	if e.r > 0 {
		n := copy(e.buf, e.buf[e.r:e.w])
		e.line, e.seen, e.w, e.r = e.line-e.r, e.seen-e.r, n, 0
	}
	if e.w == len(e.buf) {
		if e.w >= e.most {
			e.err = errTooLong
			return
		}
		e.buf = append(e.buf, make([]byte, min(len(e.buf), e.most-e.w))...)
	}
	for range 100 { // as long as bufio waits for a reader that makes no progress
		n, err := e.src.Read(e.buf[e.w:])
		e.w += n
		if e.err = err; n > 0 || err != nil {
			return
		}
	}
	e.err = io.ErrNoProgress
}

// A block is an event's fields.
type block struct {
	name []byte // of the event; nil if unnamed
	data []byte // its lines joined, without space around them; empty if there is none
	some bool   // there is a line that is neither blank nor a comment
}

// complete reports whether nothing is missing in a block that was cut. A name
// without data may not pass: there are clients that look at nothing else.
func (b *block) complete() bool {
	if len(b.data) > 0 {
		return valid(b.data) || isDone(b.data)
	}
	return !b.some
}

// parse reads an event's fields. Comments and the fields that dialects don't use
// are skipped.
func parse(raw []byte) (b block) {
	raw = bytes.TrimPrefix(raw, byteOrderMark)
	lines, size := 0, len(raw)
	for len(raw) > 0 {
		line := raw
		if i := lineEnd(raw); i >= 0 {
			line, raw = raw[:i], raw[i+1:]
		} else {
			raw = nil
		}
		b.some = b.some || len(line) > 0 && line[0] != ':'
		if v, ok := bytes.CutPrefix(line, []byte("data:")); ok {
			v = bytes.TrimPrefix(v, []byte(" "))
			switch lines++; lines {
			case 1:
				b.data = v
			case 2: // the event itself stays as it is
				b.data = append(make([]byte, 0, size), b.data...)
				fallthrough
			default:
				b.data = append(append(b.data, '\n'), v...)
			}
		} else if v, ok := bytes.CutPrefix(line, []byte("event:")); ok {
			b.name = bytes.TrimPrefix(v, []byte(" "))
		}
	}
	b.data = bytes.TrimSpace(b.data)
	return b
}
