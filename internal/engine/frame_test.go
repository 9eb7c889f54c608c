package engine

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strings"
	"testing"

	"starling"
)

func TestAReportComesThroughWhole(t *testing.T) {
	parent, child := net.Pipe()
	c := NewConn(parent)
	defer c.Close()
	defer child.Close()
	go func() { _ = writeFrame(child, Report{ID: 7, Token: &Token{Text: "é", ID: 3}}) }()
	r, err := c.Receive()
	if err != nil || r.ID != 7 || r.Token == nil || r.Token.Text != "é" {
		t.Errorf("%+v, %v", r, err)
	}
	go func() { _ = c.Send(Order{ID: 8, Cancel: true}) }()
	var o Order
	if err := readFrame(child, &o); err != nil || o.ID != 8 || !o.Cancel {
		t.Errorf("%+v, %v", o, err)
	}
}

func TestWhatIsNoReportIsAnError(t *testing.T) {
	for _, body := range []string{"", "{", "[]", "{}", `{"token":{}}`, `{"id":1,"token":{},"done":{}}`, `{"progress":2}`,
		`{"id":1,"hello":{}}`, `{"id":1,"fault":{}}`, `{"id":1,"choice":-1,"token":{}}`, `{"id":1,"choice":1,"counted":{}}`, `{"id":1,"done":{"prompt":1,"cached":2}}`} {
		frame := append(binary.LittleEndian.AppendUint32(nil, uint32(len(body))), body...)
		c := NewConn(half{strings.NewReader(string(frame))})
		if _, err := c.Receive(); starling.KindOf(err) != starling.Overloaded {
			t.Errorf("%s: %v", body, err)
		}
	}
}

func TestAnEndBetweenFramesIsToldFromOneWithin(t *testing.T) {
	if _, err := NewConn(half{strings.NewReader("")}).Receive(); !errors.Is(err, io.EOF) {
		t.Errorf("between frames: %v", err)
	}
	for _, cut := range []string{"\x02", "\x02\x00\x00\x00", "\x02\x00\x00\x00{"} {
		if _, err := NewConn(half{strings.NewReader(cut)}).Receive(); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%q: %v", cut, err)
		}
	}
}

func TestEachChoiceHasASeedOfItsOwn(t *testing.T) {
	for _, c := range []struct {
		seed   uint32
		choice int
		want   uint32
	}{{7, 0, 7}, {7, 3, 10}, {MostSeed - 1, 1, MostSeed}, {MostSeed, 1, 0}, {MostSeed + 1, 0, MostSeed + 1}, {MostSeed + 1, 2, 1}} {
		if got := SeedOf(c.seed, c.choice); got != c.want {
			t.Errorf("choice %d of %d has %d, not %d", c.choice, c.seed, got, c.want)
		}
	}
}

// half is a stream of which only the reading matters.
type half struct{ io.Reader }

func (half) Write(p []byte) (int, error) { return len(p), nil }
func (half) Close() error                { return nil }

func FuzzNoInputCrashesTheCodec(f *testing.F) {
	var good bytes.Buffer
	_ = writeFrame(&good, Report{ID: 1, Fault: &Fault{Kind: starling.Invalid, Op: "x"}})
	f.Add(good.Bytes())
	f.Add([]byte("\xff\xff\xff\xff{}"))
	f.Add([]byte("\x00\x00\x00\x04{}"))
	f.Fuzz(func(t *testing.T, in []byte) {
		c := NewConn(half{bytes.NewReader(in)})
		for range len(in) + 1 {
			if _, err := c.Receive(); err != nil {
				return
			}
		}
		t.Error("more reports came than bytes")
	})
}
