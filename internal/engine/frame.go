package engine

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"

	"starling"
)

// writeFrame writes one message in one call of Write. A message that is longer than
// MostFrame is an error, and nothing of it is written.
func writeFrame(w io.Writer, message any) error {
	body, err := json.Marshal(message)
	if err != nil {
		return err
	}
	if len(body) > MostFrame {
		return errGiant
	}
	frame := binary.LittleEndian.AppendUint32(make([]byte, 0, 4+len(body)), uint32(len(body)))
	_, err = w.Write(append(frame, body...))
	return err
}

// readFrame reads one message into what its argument points to. The error is io.EOF
// only between frames. Memory grows with what has arrived, not with what a length claims.
func readFrame(r io.Reader, message any) error {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return err
	}
	size := int64(binary.LittleEndian.Uint32(head[:]))
	if size > MostFrame {
		return errGiant
	}
	var body bytes.Buffer
	if _, err := io.CopyN(&body, r, size); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return err
	}
	if json.Unmarshal(body.Bytes(), message) != nil {
		return ErrGarbage // and no byte of it, as its own error would say
	}
	return nil
}

// ReadOrder reads what a child is told next. The error is io.EOF where its parent hung
// up, else an Overloaded one.
func ReadOrder(r io.Reader) (Order, error) {
	var o Order
	err := readFrame(r, &o)
	if errors.Is(err, io.EOF) {
		return Order{}, io.EOF
	}
	return o, lost("read an order", err)
}

// WriteReport says something as a child. The error is an Overloaded one: nobody reads.
func WriteReport(w io.Writer, r Report) error { return lost("report", writeFrame(w, r)) }

// A Conn is a parent's end of the talk with its child. Send may be called from several
// goroutines at once, and Receive from one beside them. After an error of either the
// child is of no more use.
type Conn struct {
	stream io.ReadWriteCloser
	in     *bufio.Reader
	mu     sync.Mutex // of what is written
}

// NewConn speaks over a stream, which the Conn closes.
func NewConn(stream io.ReadWriteCloser) *Conn {
	return &Conn{stream: stream, in: bufio.NewReader(stream)}
}

// Send gives the child an order. It waits for as long as the child does not read. Errors:
// Overloaded where the child is gone, TooLarge where the order is longer than MostFrame.
func (c *Conn) Send(o Order) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	err := writeFrame(c.stream, o)
	if errors.Is(err, errGiant) {
		return &starling.Error{Kind: starling.TooLarge, Op: "engine: send", Err: err}
	}
	return lost("send", err)
}

// Receive waits for the next report. The error is an Overloaded one: the child ended,
// which is io.EOF within it where it ended between two frames, or it said garbage.
func (c *Conn) Receive() (Report, error) {
	var r Report
	if err := readFrame(c.in, &r); err != nil {
		return Report{}, lost("receive", err)
	}
	if err := r.check(); err != nil {
		return Report{}, lost("receive", err)
	}
	return r, nil
}

// Close ends the talk, and with it the child. A Receive that waits returns.
func (c *Conn) Close() error { return c.stream.Close() }

func lost(op string, err error) error {
	if err == nil {
		return nil
	}
	return &starling.Error{Kind: starling.Overloaded, Op: "engine: " + op, Err: err}
}

// errGiant is of what somebody would have to send or to hold.
var errGiant = fmt.Errorf("a message of more than %d bytes", MostFrame)

// ErrGarbage is within the errors of what nobody can understand.
var ErrGarbage = errors.New("it sent garbage")

// check returns an error unless the report is of a shape that a child may send.
func (r *Report) check() error {
	set := 0
	for _, is := range []bool{r.Hello != nil, r.Progress != 0, r.Loaded != nil, r.Token != nil, r.Done != nil,
		r.Vectors != nil, r.Counted != nil, r.Fault != nil} {
		if is {
			set++
		}
	}
	ofWork := r.Token != nil || r.Done != nil || r.Vectors != nil || r.Counted != nil
	ofChild := r.Hello != nil || r.Loaded != nil || r.Progress != 0
	if set != 1 || ofWork && r.ID == 0 || ofChild && r.ID != 0 || r.Choice < 0 || r.Choice > 0 && r.Token == nil && r.Done == nil {
		return ErrGarbage
	}
	if !(r.Progress >= 0 && r.Progress <= 1) || r.Fault != nil && r.Fault.Kind == "" {
		return ErrGarbage
	}
	if d := r.Done; d != nil && (d.Prompt < 0 || d.Cached < 0 || d.Cached > d.Prompt || d.Output < 0 || d.Reading < 0 || d.Writing < 0) {
		return ErrGarbage
	}
	return nil
}
