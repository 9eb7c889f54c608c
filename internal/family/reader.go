package family

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"strings"
	"unicode"

	"starling"
	"starling/internal/engine"
)

// A Reader turns what a model says, token by token, into text, thoughts and calls. It
// expects special tokens as their texts, without that which ended the answer. It belongs
// to one answer and one goroutine.
//
// Text is passed on as soon as it cannot be the beginning of a mark any more, a call when
// it is whole. What looks like a call and is none is text, as it was written. Blanks
// beside a mark belong to the mark. Where an answer is cut between tokens changes nothing
// of what it says, only when it is told.
type Reader struct {
	dialect Dialect
	tools   toolbox
	think   Think
	nonce   string

	buf      string // what is not told yet
	asked    int    // so much of buf was shown to a parser in vain; see due
	thinking bool
	said     bool // text or a call was told: no call can begin without a mark of its own
	block    int  // of the last delta; -1 none yet
	kind     starling.PartKind
	calls    int
	out      []starling.Delta
}

// Reader returns the reader of one answer. Without tools no call is looked for, and what
// looks like one is text; Harmony's channels are read all the same.
func (p *Profile) Reader(tools []starling.Tool) *Reader {
	var b [9]byte
	rand.Read(b[:])
	r := &Reader{dialect: p.Tools, tools: newToolbox(tools), think: p.Think, nonce: hex.EncodeToString(b[:]), block: -1}
	if len(tools) == 0 && r.dialect != Harmony {
		r.dialect = ""
	}
	return r
}

// After tells the reader which prompt the answer follows, before the first Add: some
// templates begin the model's thought themselves.
func (r *Reader) After(prompt []engine.Text) {
	if len(prompt) == 0 || r.think.Open == "" {
		return
	}
	last := prompt[len(prompt)-1]
	r.thinking = last.Special && strings.HasSuffix(strings.TrimSpace(last.Text), r.think.Open)
}

// Add takes the next text of the answer and returns what can be told of it, nil if
// nothing.
func (r *Reader) Add(text string) []starling.Delta {
	r.buf += text
	r.read(false)
	return r.take()
}

// End returns the rest, and why the answer ended as far as its text shows: ToolUse where
// it called tools, else Stopped. Of an answer that met a limit the caller knows better.
func (r *Reader) End() ([]starling.Delta, starling.Finish) {
	r.read(true)
	if r.calls > 0 {
		return r.take(), starling.ToolUse
	}
	return r.take(), starling.Stopped
}

func (r *Reader) take() []starling.Delta {
	out := r.out
	r.out = nil
	return out
}

// read tells of the buffer what can be told. Last says that nothing follows.
func (r *Reader) read(last bool) {
	for r.buf != "" {
		m, at := r.find()
		if at < 0 {
			r.tell(r.free(last))
			return
		}
		if !r.obey(m, at, last) {
			return
		}
	}
}

// A mark is a text at which something begins or ends.
type mark struct {
	text  string
	does  doing
	first bool // it counts only where nothing was said before it
}

type doing int

const (
	think  doing = iota // a thought begins
	answer              // a thought ends
	call                // a call begins, or a header of Harmony
)

// marks are those that count now. In a thought that is only its end.
func (r *Reader) marks() []mark {
	var all []mark
	switch {
	case r.dialect == Harmony:
		all = harmonyMarks
	case r.thinking:
		return []mark{{text: r.think.Close, does: answer}}
	case r.think.Open != "":
		all = append(all, mark{text: r.think.Open, does: think})
	}
	return append(all, openers[r.dialect]...)
}

// find returns the first mark of the buffer and where it stands; -1 if there is none.
func (r *Reader) find() (mark, int) {
	var found mark
	at := -1
	for _, m := range r.marks() {
		i := strings.Index(r.buf, m.text)
		if i < 0 || (at >= 0 && i >= at) || (m.first && (r.said || strings.TrimSpace(r.buf[:i]) != "")) {
			continue
		}
		found, at = m, i
	}
	return found, at
}

// free returns how many bytes of the buffer, in which no mark is, cannot become one. With
// the beginning of a mark the blanks before it wait.
func (r *Reader) free(last bool) int {
	n := len(r.buf)
	if last {
		return n
	}
	for _, m := range r.marks() {
		if m.first && r.said {
			continue
		}
		for k := min(len(m.text)-1, len(r.buf)); k > 0; k-- {
			if strings.HasSuffix(r.buf, m.text[:k]) && (!m.first || strings.TrimSpace(r.buf[:len(r.buf)-k]) == "") {
				n = min(n, len(r.buf)-k)
				break
			}
		}
	}
	return len(strings.TrimRightFunc(r.buf[:n], unicode.IsSpace))
}

// tell passes the first n bytes of the buffer on as text, or as a thought. Blanks at its
// beginning, after a mark, are left out.
func (r *Reader) tell(n int) {
	if n == 0 {
		return
	}
	text := r.buf[:n]
	r.buf, r.asked = r.buf[n:], 0
	kind := starling.TextPart
	if r.thinking {
		kind = starling.ReasoningPart
	}
	if r.block < 0 || r.kind != kind {
		text = strings.TrimLeftFunc(text, unicode.IsSpace)
	}
	if text == "" {
		return
	}
	r.said = r.said || kind == starling.TextPart
	r.start(kind)
	r.out = append(r.out, starling.Delta{Kind: kind, Block: r.block, Text: text})
}

// start begins a block of a kind, unless the last is one; each call is a block.
func (r *Reader) start(kind starling.PartKind) {
	if r.block < 0 || r.kind != kind || kind == starling.CallPart {
		r.block++
	}
	r.kind = kind
}

// obey does what the mark at a place of the buffer says. It reports whether there may be
// more to do; not so while a call is not whole.
func (r *Reader) obey(m mark, at int, last bool) bool {
	before := len(strings.TrimRightFunc(r.buf[:at], unicode.IsSpace))
	if m.does != call {
		r.tell(before)
		r.pass(at - before + len(m.text))
		r.thinking = m.does == think
		return true
	}
	r.tell(before)
	at -= before
	if !r.due(last) {
		return false
	}
	got := parse(r.dialect, r.buf[at:], &r.tools, last)
	switch {
	case got.more && !last:
		r.asked = len(r.buf)
		return false
	case got.n == 0: // it is none
		r.tell(at + len(m.text))
		return true
	}
	r.pass(at + got.n)
	if got.switches {
		r.thinking = got.thought
	}
	for _, c := range got.calls {
		r.said = true
		r.start(starling.CallPart)
		r.out = append(r.out, starling.Delta{Kind: starling.CallPart, Block: r.block, ID: fmt.Sprintf("call_%s%d", r.nonce, r.calls), Name: c.name, Text: c.arguments})
		r.calls++
	}
	return true
}

// due reports whether a parser that wanted more should be asked again: only something
// that ends something makes a call whole.
func (r *Reader) due(last bool) bool {
	return last || r.asked == 0 || strings.ContainsAny(r.buf[min(r.asked, len(r.buf)):], "}])>`")
}

// pass leaves out the first n bytes of the buffer, which were a mark or a call.
func (r *Reader) pass(n int) {
	r.buf, r.asked = r.buf[n:], 0
	r.kind = "" // what follows is a block of its own
}
