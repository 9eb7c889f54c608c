// Package split has long documents read in chunks: a strong model says what is to be
// looked for, cheap ones look for it, chunk by chunk, and the strong one answers from
// what they found, without having seen the documents.
//
//	what is a document, and its chunks   split.go, chunk.go
//	what the question may refer to       before.go
//	what is looked for, and where        plan.go
//	what a reader found                  find.go
//	the question without the documents   answer.go
//	in which words all that is asked     prompt.go
//
// It is pure: it makes requests and reads answers, and asks nobody (internal/cascade
// does) nor decides whether it pays (internal/route does). What a document says is data
// at every step: it stands between lines that end in a digest of it, which no text can
// hold of itself, and a reader's word counts only where its quote stands in the chunk.
//
// Source: A. Narayan et al., "Minions: Cost-efficient Collaboration Between On-device
// and Cloud Language Models", arXiv 2502.15964 (2025). From it are the three steps, and
// that a reader is given one thing to look for in one chunk.
package split

import (
	"regexp"
	"strings"

	"starling"
	"starling/internal/tokens"
	"starling/internal/wire"
)

// Options say how documents are cut.
type Options struct {
	Chunk   int64 // tokens; more where there would be more than Most chunks
	Overlap int64 // tokens at most that a chunk has in common with the one before
	Least   int64 // tokens from which on a text is a document though nothing marks it as one
	Most    int64 // readings
	Alone   bool  // the system prompt may be the question: an unmarked text without another beside it is a document too
}

// A Work is a question about documents, cut into chunks. It is immutable.
type Work struct {
	Documents []Document
	Chunks    []Chunk // of all documents, in order; the number of a chunk is its place, from 1
	Tokens    int64   // of all documents
	Most      int64   // readings

	request *starling.Request
	texts   []string // what the user said last, part by part
	asks    string   // what of that is no document
	system  string   // what stands before the conversation
	before  string   // what was said before
}

// A Document is a text that the user sent to be read.
type Document struct {
	Name   string // as the caller marked it; "" if nothing did
	Text   string
	Tokens int64
	part   int // of what the user said
}

// A Chunk is a piece of a document.
type Chunk struct {
	Document int
	From, To int // bytes of the document
	Fresh    int // where what the chunk before does not have begins
	Tokens   int64
}

// ErrNone is the error of a request in which there is no document.
var ErrNone = &starling.Error{Kind: starling.Invalid, Op: "there is no document in it"}

// Of cuts the documents of a request, which it keeps and does not change. The same
// request and options are always cut alike. Errors are Invalid: [ErrNone], nothing but
// documents is there, they make fewer than two chunks, or who plans could not be shown
// what the question may refer to.
func Of(r *starling.Request, o Options) (w *Work, err error) {
	w = &Work{request: r, texts: wire.Said(r), Most: o.Most}
	for _, s := range wire.OutlineOf(r).System {
		w.system = strings.TrimSpace(w.system + "\n" + wire.Text(s))
	}
	unmarked := w.sort(o.Least)
	if len(w.Documents) == 0 {
		return nil, ErrNone
	}
	if w.asks == "" && (w.system == "" || unmarked && !o.Alone) {
		return nil, refuse("nothing beside the document says what is asked", `send the question as a part of its own, and the document in one that begins with the line <document name="…">`)
	}
	if w.before, err = before(r); err != nil {
		return nil, err
	}
	w.cut(o)
	if len(w.Chunks) < 2 {
		return nil, refuse("the documents are one chunk", "")
	}
	return w, nil
}

func refuse(why, hint string) error {
	return &starling.Error{Kind: starling.Invalid, Op: why, Hint: hint}
}

// sort tells documents from what is asked about them, and reports whether nothing marked
// one of them.
func (w *Work) sort(least int64) (unmarked bool) {
	var asks []string
	for i, text := range w.texts {
		if name, inside, ok := marked(text); ok {
			w.Documents = append(w.Documents, Document{Name: name, Text: inside, part: i})
			continue
		}
		if int64(len(text)) >= least && tokens.Text(text) >= least { // a text has no more tokens than bytes
			w.Documents = append(w.Documents, Document{Text: text, part: i})
			unmarked = true
			continue
		}
		asks = append(asks, strings.TrimSpace(text))
	}
	w.asks = strings.TrimSpace(strings.Join(asks, "\n"))
	return unmarked
}

var opening = regexp.MustCompile(`^\s*<document name="([^"\n]{0,500})">[ \t]*\r?\n`)

// marked reads a part that begins as documents do. All of it is the document: what
// stands behind something in it that looks like its end may be of whoever wrote it.
func marked(text string) (name, inside string, ok bool) {
	m := opening.FindStringSubmatchIndex(text)
	if m == nil {
		return "", "", false
	}
	inside = strings.TrimSuffix(strings.TrimSpace(text[m[1]:]), "</document>")
	return text[m[2]:m[3]], strings.TrimRight(inside, " \t\r\n"), true
}

// cut cuts all documents. Where there would be too many chunks they are longer.
func (w *Work) cut(o Options) {
	pieces := make([][]unit, len(w.Documents))
	for i := range w.Documents {
		d := &w.Documents[i]
		pieces[i] = units(d.Text, o.Chunk)
		for _, u := range pieces[i] {
			d.Tokens += u.tokens
		}
		w.Tokens += d.Tokens
	}
	for size := o.Chunk; ; size += size/8 + 1 {
		w.Chunks = w.Chunks[:0]
		for i := range pieces {
			for _, s := range pack(pieces[i], size, min(o.Overlap, size/2)) {
				w.Chunks = append(w.Chunks, Chunk{Document: i, From: s.from, To: s.to, Fresh: s.fresh, Tokens: s.tokens})
			}
		}
		if int64(len(w.Chunks)) <= max(o.Most, int64(len(pieces)), 1) {
			return
		}
	}
}

// Text returns the text of a chunk, by its number.
func (w *Work) Text(number int) string {
	c := w.Chunks[number-1]
	return w.Documents[c.Document].Text[c.From:c.To]
}

// Bytes is the length of all documents.
func (w *Work) Bytes() (n int64) {
	for i := range w.Documents {
		n += int64(len(w.Documents[i].Text))
	}
	return n
}

// UsualRead returns the tokens that a reader is expected to read at once, where the most
// that one reads is given.
func (w *Work) UsualRead(longest *starling.Request) int64 {
	around := longest.TextBytes() - int64(sent(w.Text(w.longest()))) - mostAsk/2
	return (around + w.Bytes()/int64(len(w.Chunks))) / 4
}

// longest returns the number of the chunk that is the longest as it is sent.
func (w *Work) longest() (number int) {
	most := -1
	for i := range w.Chunks {
		if n := sent(w.Text(i + 1)); n > most {
			most, number = n, i+1
		}
	}
	return number
}
