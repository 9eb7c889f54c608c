package wire

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strconv"

	"starling"
)

// unfit is what is wrong with an answer that was bought and is none. Asking again
// would change nothing. It quotes nothing of the answer.
type unfit string

func (u unfit) Error() string { return string(u) }

func isUnfit(err error) bool {
	_, is := errors.AsType[unfit](err)
	return is
}

func unfitf(format string, args ...any) error { return unfit(fmt.Sprintf(format, args...)) }

// An asking is what a question for vectors wants of its answer.
type asking struct {
	texts  int64 // how many vectors; 0 if nobody looks back at a question
	base64 bool
	dims   int64 // 0 unsaid
}

// askingOf reads what [Parse] has accepted. A nil request asks for nothing.
func askingOf(r *starling.Request) asking {
	if r == nil {
		return asking{}
	}
	a := asking{texts: r.Choices}
	if lang, googles := known(r.Dialect).(contents); googles {
		a.dims = lang.dims(r.Body)
		return a
	}
	for m := enter(r.Body[skipSpace(r.Body, 0):]); m.next(); {
		switch {
		case m.is("encoding_format"):
			a.base64 = text(m.value) == packedFormat
		case m.is("dimensions") && r.Dialect != starling.EmbedOne: // which has none
			a.dims, _ = whole(m.value)
		}
	}
	return a
}

// The two forms of a vector: an array of numbers, and the base64 of little-endian
// 32-bit floats.
const (
	plainFormat  = "float"
	packedFormat = "base64"
)

var errNoVector = errors.New("a vector that is none")

// readVector reads a vector in either form. Its numbers are finite.
func readVector(raw []byte) (v []float32, err error) {
	switch kindOf(raw) {
	case '"':
		v, err = unpacked(raw)
	case '[':
		for m := enter(raw); m.next(); {
			if kindOf(m.value) != '0' {
				return nil, errNoVector
			}
			x, bad := strconv.ParseFloat(string(m.value), 32)
			if bad != nil {
				return nil, errNoVector
			}
			v = append(v, float32(x))
		}
	default:
		return nil, errNoVector
	}
	switch {
	case err != nil:
		return nil, err
	case len(v) == 0:
		return nil, errors.New("a vector of 0 numbers")
	}
	return v, nil
}

func unpacked(raw []byte) ([]float32, error) {
	packed, err := base64.StdEncoding.DecodeString(text(raw))
	if err != nil || len(packed)%4 != 0 {
		return nil, errNoVector
	}
	v := make([]float32, len(packed)/4)
	for i := range v {
		v[i] = math.Float32frombits(binary.LittleEndian.Uint32(packed[4*i:]))
		if x := float64(v[i]); math.IsNaN(x) || math.IsInf(x, 0) {
			return nil, errors.New("a vector of what is no number")
		}
	}
	return v, nil
}

// appendVector appends a vector in one of its forms. Both say the same bits.
func appendVector(dst []byte, v []float32, packed bool) []byte {
	if packed {
		raw := make([]byte, 0, 4*len(v))
		for _, x := range v {
			raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(x))
		}
		dst = append(dst, '"')
		return append(base64.StdEncoding.AppendEncode(dst, raw), '"')
	}
	dst = append(dst, '[')
	for i, x := range v {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = strconv.AppendFloat(dst, float64(x), 'g', -1, 32)
	}
	return append(dst, ']')
}

// fit checks that vectors are what was asked for.
func (a asking) fit(all [][]float32) error {
	if int64(len(all)) != a.texts && a.texts > 0 || len(all) == 0 {
		return unfitf("%d vectors for %d texts", len(all), a.texts)
	}
	for _, v := range all {
		switch {
		case len(v) != len(all[0]):
			return unfit("vectors of several lengths")
		case a.dims > 0 && int64(len(v)) != a.dims:
			return unfitf("vectors of %d numbers, where %d were asked for: the model has no such dimensions", len(v), a.dims)
		}
	}
	return nil
}

// vectors reads a list of them. Where an element has its vector value knows.
func (a asking) vectors(list []byte, value func(element []byte) []byte) (all [][]float32, err error) {
	for m := enter(list); m.next(); {
		v, err := readVector(value(m.value))
		if err != nil {
			return nil, unfit(err.Error())
		}
		all = append(all, v)
	}
	return all, a.fit(all)
}

// A numbered is one vector of OpenAI's list, as it came and as it was read.
type numbered struct {
	raw   []byte
	v     []float32
	index int
	same  bool // nothing of it has to change for the caller
}

// number reads one element of the list, the i-th, for a caller who asked so.
func (a asking) number(raw []byte, i int) (n numbered, err error) {
	n = numbered{raw: raw, index: i}
	from, to := locate(raw, "embedding")
	if from == to {
		return n, errNoVector
	}
	at := field(raw, "index")
	if index, ok := whole(at); ok {
		n.index = int(min(max(index, -1), math.MaxInt32))
	} else if at != nil {
		n.index = -1
	}
	n.v, err = readVector(raw[from:to])
	n.same = at != nil && n.index == i && (raw[from] == '"') == a.base64
	return n, err
}

// retold is the element as the caller asked for it, with everything else that it
// has.
func (a asking) retold(n numbered) []byte {
	if n.same {
		return n.raw
	}
	var edits []edit
	from, to := locate(n.raw, "embedding")
	if (n.raw[from] == '"') != a.base64 {
		edits = append(edits, edit{from, to, string(appendVector(nil, n.v, a.base64))})
	}
	if field(n.raw, "index") == nil {
		start := skipSpace(n.raw, 0) + 1
		edits = append(edits, edit{start, start, `"index":` + strconv.Itoa(n.index) + ","})
	}
	return edited(n.raw, edits...)
}

// list reads OpenAI's list of vectors. It returns them in the order of the texts,
// and the list as the caller asked for it: data itself where that is it already.
func (a asking) list(data []byte) (all [][]float32, out []byte, err error) {
	if kindOf(data) != '[' {
		return nil, nil, unfit("what it answers is no list of vectors")
	}
	var items []numbered
	same := true
	for m := enter(data); m.next(); {
		if kindOf(m.value) != '{' {
			return nil, nil, unfit(errNoVector.Error())
		}
		n, err := a.number(m.value, len(items))
		if err != nil {
			return nil, nil, unfit(err.Error())
		}
		items, same = append(items, n), same && n.same
	}
	all = make([][]float32, len(items))
	sorted := make([]numbered, len(items))
	for _, n := range items {
		if n.index < 0 || n.index >= len(all) || all[n.index] != nil {
			return nil, nil, unfit("its vectors are numbered otherwise than the texts")
		}
		all[n.index], sorted[n.index] = n.v, n
	}
	if err := a.fit(all); err != nil || same {
		return all, data, err
	}
	parts := make([][]byte, len(sorted))
	for i, n := range sorted {
		parts[i] = a.retold(n)
	}
	out = append([]byte{'['}, bytes.Join(parts, []byte{','})...)
	return all, append(out, ']'), nil
}
