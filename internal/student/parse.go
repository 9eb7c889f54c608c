package student

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"unicode/utf8"
)

var errFormat = errors.New("it is not a student of a version that this program knows")

func decode(b []byte) (*Student, error) {
	switch {
	case len(b) > maxFile:
		return nil, fmt.Errorf("it is longer than %d bytes", maxFile)
	case !bytes.HasPrefix(b, []byte(magic)) || len(b) < len(magic)+header+sha256.Size:
		return nil, errFormat
	}
	body := b[:len(b)-sha256.Size]
	if sha256.Sum256(body) != [sha256.Size]byte(b[len(body):]) {
		return nil, errors.New("it is damaged: the checksum is another")
	}
	p := parser{rest: body[len(magic):]}
	s := p.student()
	if p.bad || len(p.rest) > 0 || !s.sound() {
		return nil, errFormat
	}
	return s, nil
}

// A parser takes values off the front of a file. Once something is not there,
// bad is set and all that follows is zero.
type parser struct {
	rest []byte
	bad  bool
}

func (p *parser) student() *Student {
	dims, labels, rows, steps := p.count(), p.count(), p.count(), p.count()
	scale := p.floats(2)
	if p.bad || dims > maxDims || labels < 2 || labels > maxLabels || rows > maxRows(labels, dims) || steps > fineness {
		p.bad = true
		return nil
	}
	s := &Student{sharpness: float64(scale[0]), familiar: float64(scale[1]), labels: make([]string, labels), steps: make([]Step, steps)}
	for i := range s.labels {
		s.labels[i] = string(p.take(int(binary.LittleEndian.Uint16(p.take(2)))))
	}
	for i := range s.steps {
		f := p.floats(3)
		s.steps[i] = Step{float64(f[0]), float64(f[1]), float64(f[2])}
	}
	hashes := make([]uint32, rows)
	for i := range hashes {
		hashes[i] = p.word()
	}
	s.lexicon = newLexicon(hashes, p.floats(rows))
	s.mean = p.floats(dims)
	s.scales = p.floats(rows + dims)
	s.weights = make([]int8, (rows+dims)*labels)
	for i, w := range p.take((rows + dims) * labels) {
		s.weights[i] = int8(w)
	}
	return s
}

// take returns the next n bytes, or n zeros. The callers have checked n against
// the limits.
func (p *parser) take(n int) []byte {
	if p.bad || n > len(p.rest) {
		p.bad = true
		return make([]byte, n)
	}
	b := p.rest[:n]
	p.rest = p.rest[n:]
	return b
}

func (p *parser) word() uint32 { return binary.LittleEndian.Uint32(p.take(4)) }

// count returns a number of things that are in the file, each a byte at least.
func (p *parser) count() int {
	n := p.word()
	if n > maxFile {
		p.bad = true
		return 0
	}
	return int(n)
}

func (p *parser) floats(n int) []float32 {
	f := make([]float32, n)
	for i := range f {
		f[i] = math.Float32frombits(p.word())
	}
	return f
}

// sound says whether the student has what Predict relies on: labels and hashes
// in ascending order, and numbers from which no infinity can come.
func (s *Student) sound() bool {
	for i, l := range s.labels {
		if len(l) > maxLabel || !utf8.ValidString(l) || i > 0 && l <= s.labels[i-1] {
			return false
		}
	}
	for i, h := range s.lexicon.hashes {
		if i > 0 && h <= s.lexicon.hashes[i-1] || !within(s.lexicon.idf[i], 1, 100) {
			return false
		}
	}
	if slices.ContainsFunc(s.scales, func(v float32) bool { return !within(v, 0, 1e6) }) || slices.ContainsFunc(s.mean, func(v float32) bool { return !within(v, -1, 1) }) {
		return false
	}
	unsound := func(t Step) bool {
		return !within(t.Confidence, 0, 1) || !within(t.Coverage, 0, 1) || !within(t.Agreement, 0, 1)
	}
	return within(s.sharpness, bluntest, sharpest) && within(s.familiar, 0, 1) && !slices.ContainsFunc(s.steps, unsound)
}

// within is false for what is not a number.
func within[F float32 | float64](v, lo, hi F) bool { return lo <= v && v <= hi }
