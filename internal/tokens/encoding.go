package tokens

import (
	"hash/maphash"
	"strings"
	"sync"

	"github.com/tiktoken-go/tokenizer/codec"

	"starling"
	"starling/internal/wire"
)

// An encoding is a tokenizer, which takes some megabytes and a tenth of a second once
// somebody counts with it.
type encoding struct {
	name  string
	codec func() *codec.Codec
	known memory // of long passages
	words memory // of short pieces
}

var (
	o200k  = &encoding{name: "o200k_base", codec: sync.OnceValue(codec.NewO200kBase)}
	cl100k = &encoding{name: "cl100k_base", codec: sync.OnceValue(codec.NewCl100kBase)}
)

// A match is the encoding of a model, and whether it is the model's own.
type match struct {
	enc *encoding
	own bool
}

// families has the beginnings of the names of the models that these are the own
// tokenizers of; the first one that fits counts.
//
// Source: the table of models of OpenAI's tiktoken.
var families = []struct {
	prefix string
	enc    *encoding
}{
	{"gpt-4o", o200k}, {"chatgpt-", o200k}, {"gpt-4.1", o200k}, {"gpt-4.5", o200k}, {"gpt-5", o200k}, {"gpt-oss", o200k},
	{"o1", o200k}, {"o3", o200k}, {"o4", o200k},
	{"gpt-4", cl100k}, {"gpt-3.5", cl100k}, {"gpt-35", cl100k}, {"text-embedding-3", cl100k}, {"text-embedding-ada-002", cl100k},
}

// encodingOf returns how the tokens of a model are counted. A simulated model is none
// of those that it may be named like.
func encodingOf(m starling.Model) match {
	name := strings.ToLower(m.Name)
	if i := strings.LastIndexByte(name, '/'); i >= 0 { // as those who resell models name them
		name = name[i+1:]
	}
	name = strings.TrimPrefix(name, "ft:")
	for _, f := range families {
		if strings.HasPrefix(name, f.prefix) {
			return match{f.enc, !m.Simulated}
		}
	}
	return match{enc: o200k}
}

// Of a very long request as many bytes are counted, in blocks that are spread evenly,
// and the rest is taken to be like them.
const mostText = 1 << 20

const (
	longPassage = 256 // bytes from which on the count of a passage is remembered
	shortPiece  = 48  // and up to which that of a piece: words come again
	block       = 64  // pieces
)

// count returns the tokens of all passages, -1 if stop said true before.
func (e *encoding) count(passages [][]byte, stop func() bool) int64 {
	length := 0
	for _, p := range passages {
		length += len(p)
	}
	c := counting{encoding: e, sparse: max(1, (length+mostText-1)/mostText), stop: stop}
	for _, p := range passages {
		if !c.passage(p) {
			return -1
		}
	}
	if c.sparse > 1 && c.bytes > 0 {
		return int64(float64(c.tokens) * float64(length) / float64(c.bytes))
	}
	return c.tokens
}

// A counting is under way.
type counting struct {
	*encoding
	sparse int // of so many blocks of pieces one is counted
	stop   func() bool

	nth    int   // piece
	bytes  int   // that were counted
	tokens int64 // that they have
}

// passage counts one passage, and reports false if it was stopped.
func (c *counting) passage(p []byte) bool {
	if c.sparse > 1 || len(p) < longPassage {
		return c.text(wire.Passage(p))
	}
	digest := maphash.Bytes(seed, p)
	if n, ok := c.known.find(digest); ok {
		c.tokens += n
		return true
	}
	before := c.tokens
	if !c.text(wire.Passage(p)) {
		return false
	}
	c.known.keep(digest, c.tokens-before)
	return true
}

// text counts a text piece by piece, and reports false if it was stopped.
func (c *counting) text(text string) bool {
	for ; text != ""; c.nth++ {
		at := cut(text)
		if c.nth/block%c.sparse == 0 {
			if c.nth%block == 0 && c.stop != nil && c.stop() {
				return false
			}
			c.tokens, c.bytes = c.tokens+c.piece(text[:at]), c.bytes+at
		}
		text = text[at:]
	}
	return true
}

// piece returns the tokens of a piece.
func (e *encoding) piece(text string) int64 {
	if len(text) > shortPiece {
		return e.tokens(text)
	}
	digest := maphash.String(seed, text)
	n, ok := e.words.find(digest)
	if !ok {
		n = e.tokens(text)
		e.words.keep(digest, n)
	}
	return n
}

func (e *encoding) tokens(text string) int64 {
	n, err := e.codec().Count(text)
	if err != nil { // the splitting ran into a limit of its own: a token has about four bytes
		n = len(text)/4 + 1
	}
	return int64(n)
}

// seed dies with the process: what is remembered are digests, and no content.
var seed = maphash.MakeSeed()

// mostKnown is how many counts a memory has, in each of two generations.
const mostKnown = 16 << 10

// A memory has counts by digest of what was counted: a conversation that goes on sends
// its past again with every turn, and words come again everywhere. Safe for concurrent
// use.
type memory struct {
	mu       sync.Mutex
	new, old map[uint64]int64
}

func (m *memory) find(digest uint64) (int64, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if n, ok := m.new[digest]; ok {
		return n, true
	}
	n, ok := m.old[digest]
	if ok {
		m.put(digest, n)
	}
	return n, ok
}

func (m *memory) keep(digest uint64, n int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.put(digest, n)
}

// put is called with the lock.
func (m *memory) put(digest uint64, n int64) {
	if m.new == nil || len(m.new) >= mostKnown {
		m.old, m.new = m.new, make(map[uint64]int64)
	}
	m.new[digest] = n
}
