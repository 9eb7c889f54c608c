package gguf

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"

	"starling"
)

// Limits of a header, all far beyond what real files have. With them a corrupt one
// costs at most the memory of mostHeld, and the time to read what is there.
const (
	mostHeld    = 64 << 20 // bytes of names and values that are kept
	mostKeys    = 1 << 16
	mostTensors = 1 << 18
	mostItems   = 4096    // of an array that is kept; a longer one is counted and skipped
	mostText    = 2 << 20 // of a value that is kept; a longer one is skipped, and empty
	mostName    = 1 << 16
)

// Open reads the headers of a file and of all that belong to its set ([Set]).
//
// Errors: NotFound if one of them is not there, else those of [Read].
func Open(path string) (*File, error) {
	var parts []*File
	for _, name := range Set(path) {
		f, err := open(name)
		if err != nil {
			return nil, err
		}
		parts = append(parts, f)
	}
	return Join(parts...)
}

func open(path string) (*File, error) {
	r, err := os.Open(path)
	if err != nil {
		kind := starling.Internal
		if errors.Is(err, os.ErrNotExist) {
			kind = starling.NotFound
		}
		return nil, &starling.Error{Kind: kind, Op: "gguf: open", Err: err}
	}
	defer func() { _ = r.Close() }() // nothing was written
	info, err := r.Stat()
	if err != nil {
		return nil, &starling.Error{Kind: starling.Internal, Op: "gguf: open", Err: err}
	}
	f, err := Read(r, info.Size())
	if err != nil {
		return nil, err
	}
	if f.bos, err = f.piece(r, "bos"); err != nil {
		return nil, err
	}
	f.eos, err = f.piece(r, "eos")
	return f, err
}

// Read reads the header of a file of the given bytes, versions 2 and 3. It reads
// forward, so r may be far away, and nothing of the weights; of r it only needs the
// header, but the size must be that of the whole file, so that one that is cut is seen.
//
// Errors: Invalid if it is none, is corrupt or is cut; Internal if r cannot be read.
//
// Source: ggml's docs/gguf.md.
func Read(r io.ReaderAt, size int64) (*File, error) {
	d := decode(r, 0, size)
	f := d.file()
	if d.err != nil {
		return nil, d.err
	}
	return f, nil
}

// decode reads from a place in a file on.
func decode(r io.ReaderAt, at, size int64) *decoder {
	return &decoder{r: bufio.NewReaderSize(io.NewSectionReader(r, at, size-at), 64<<10), size: size, at: at}
}

// piece looks up the text of a special token, "" if the file names none: of a long
// vocabulary only the length was kept.
func (f *File) piece(r io.ReaderAt, which string) (string, error) {
	id, ok := f.Int("tokenizer.ggml." + which + "_token_id")
	if !ok || f.pieces == 0 || id < 0 || id >= f.Len(piecesKey) {
		return "", nil
	}
	d := decode(r, f.pieces, f.Size)
	for range id {
		d.skip(d.length(1))
	}
	text := d.name()
	return text, d.err
}

const piecesKey = "tokenizer.ggml.tokens"

// A decoder reads values one after the other. The first error stays, and what is read
// after it is zero.
type decoder struct {
	r    *bufio.Reader
	size int64 // of the whole file
	at   int64 // bytes read
	held int64 // bytes kept
	err  error

	items int64 // where the texts of the latest array begin; 0 of another
}

// fail keeps the first error.
func (d *decoder) fail(format string, args ...any) {
	if d.err == nil {
		d.err = &starling.Error{Kind: starling.Invalid, Op: "gguf: read", Hint: "fetch the file again", Err: fmt.Errorf("at byte %d: "+format, append([]any{d.at}, args...)...)}
	}
}

// read fills b, with zeros after an error. Short input is Invalid, another trouble
// Internal.
func (d *decoder) read(b []byte) {
	if d.err != nil {
		clear(b)
		return
	}
	n, err := io.ReadFull(d.r, b)
	d.at += int64(n)
	if d.ended(err); err != nil {
		clear(b)
	}
}

func (d *decoder) ended(err error) {
	switch {
	case err == nil:
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		d.fail("the file ends inside its header")
	case d.err == nil:
		d.err = &starling.Error{Kind: starling.Internal, Op: "gguf: read", Err: err}
	}
}

func (d *decoder) skip(n int64) {
	for n > 0 && d.err == nil { // Discard takes an int, which may have 32 bits
		m, err := d.r.Discard(int(min(n, 1<<30)))
		d.at, n = d.at+int64(m), n-int64(m)
		d.ended(err)
	}
}

func (d *decoder) u32() uint32 {
	var b [4]byte
	d.read(b[:])
	return binary.LittleEndian.Uint32(b[:])
}

// length reads a count of things of which each takes at least so many bytes: what
// cannot be in the rest of the file is refused before anybody makes room for it.
func (d *decoder) length(each int64) int64 {
	var b [8]byte
	d.read(b[:])
	n := binary.LittleEndian.Uint64(b[:])
	if left := d.size - d.at; n > uint64(max(left, 0)/each) {
		d.fail("a length of %d, where %d bytes are left", n, left)
		return 0
	}
	return int64(n)
}

// keep says that so many bytes will be held.
func (d *decoder) keep(n int64) {
	if d.held += n; d.held > mostHeld {
		d.fail("the header is larger than %d MiB", mostHeld>>20)
	}
}

// name reads the name of a key or a tensor.
func (d *decoder) name() string {
	n := d.length(1)
	if n > mostName {
		d.fail("a name of %d bytes", n)
	}
	return d.text(n)
}

func (d *decoder) text(n int64) string {
	if d.keep(n); d.err != nil {
		return ""
	}
	b := make([]byte, n)
	d.read(b)
	return string(b)
}

func (d *decoder) file() *File {
	f := &File{Size: d.size}
	if magic := d.u32(); d.err == nil && magic != binary.LittleEndian.Uint32([]byte(magicText)) {
		d.fail("it does not begin with %s", magicText)
	}
	f.Version = int(d.u32())
	if d.err == nil && f.Version != 2 && f.Version != 3 {
		d.fail("version %d, where 2 and 3 are known", f.Version)
	}
	tensors, keys := d.length(leastTensor), d.length(leastKey)
	if tensors > mostTensors || keys > mostKeys {
		d.fail("%d tensors and %d keys", tensors, keys)
	}
	f.meta = d.metadata(keys, f)
	f.Tensors = d.tensors(tensors)
	d.place(f)
	return f
}

const (
	magicText   = "GGUF"
	leastKey    = 8 + 4 + 1
	leastTensor = 8 + 4 + 4 + 8
	alignment   = 32 // where general.alignment says nothing
)

func (d *decoder) metadata(n int64, f *File) map[string]any {
	meta := map[string]any{}
	for ; n > 0 && d.err == nil; n-- {
		key := d.name()
		if _, twice := meta[key]; twice {
			d.fail("a key is there twice")
		}
		d.keep(64) // of the map
		if meta[key] = d.value(d.u32()); key == piecesKey {
			f.pieces = d.items
		}
	}
	return meta
}

// The types of values that are not numbers.
const (
	isBool  = 7
	isText  = 8
	isArray = 9
)

// widths are the bytes of a value, by its type; 0 of those that have no fixed ones.
var widths = [...]int64{1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8}

// value reads one as string, bool, int64, float64 or [list].
func (d *decoder) value(kind uint32) any {
	switch {
	case d.err != nil:
	case kind == isText:
		n := d.length(1)
		if n > mostText {
			d.skip(n)
			return ""
		}
		return d.text(n)
	case kind == isArray:
		return d.array()
	case kind < uint32(len(widths)):
		var b [8]byte
		d.read(b[:widths[kind]])
		return number(kind, b)
	default:
		d.fail("a value of type %d", kind)
	}
	return nil
}

func number(kind uint32, b [8]byte) any {
	n := binary.LittleEndian.Uint64(b[:])
	switch kind {
	case isBool:
		return b[0] != 0
	case 1:
		return int64(int8(n))
	case 3:
		return int64(int16(n))
	case 5:
		return int64(int32(n))
	case 6:
		return float64(math.Float32frombits(uint32(n)))
	case 12:
		return math.Float64frombits(n)
	case 10:
		if n > math.MaxInt64 {
			return float64(n) // nothing that is asked for is so large
		}
	}
	return int64(n)
}

// A list is an array. Of a long one, such as a vocabulary, only the length is kept.
type list struct {
	length int64
	items  []any
}

func (d *decoder) array() list {
	kind := d.u32()
	if kind >= uint32(len(widths)) || kind == isArray {
		d.fail("an array of type %d", kind)
		return list{}
	}
	each := widths[kind]
	l := list{length: d.length(max(each, 1))}
	if d.items = 0; kind == isText {
		d.items = d.at
	}
	if l.length <= mostItems {
		d.keep(16 * l.length)
		for i := int64(0); i < l.length && d.err == nil; i++ {
			l.items = append(l.items, d.value(kind))
		}
		return l
	}
	if kind != isText {
		d.skip(each * l.length)
		return l
	}
	for i := int64(0); i < l.length && d.err == nil; i++ {
		d.skip(d.length(1))
	}
	return l
}

func (d *decoder) tensors(n int64) []Tensor {
	var all []Tensor
	names := map[string]bool{}
	for ; n > 0 && d.err == nil; n-- {
		t := d.tensor()
		if names[t.Name] {
			d.fail("a tensor is there twice")
		}
		names[t.Name] = true
		all = append(all, t)
	}
	return all
}

func (d *decoder) tensor() Tensor {
	t := Tensor{Name: d.name()}
	dims := d.u32()
	if dims > 4 {
		d.fail("a tensor of %d dimensions", dims)
		return t
	}
	d.keep(128)
	for range dims {
		t.Dims = append(t.Dims, d.i64())
	}
	t.Type = Type(d.u32())
	t.Offset = d.i64()
	if d.err != nil {
		return t
	}
	n, why := sizeOf(t.Dims, t.Type)
	if why != "" {
		d.fail("tensor %q %s", t.Name, why)
	}
	t.Bytes = n
	return t
}

func (d *decoder) i64() int64 {
	var b [8]byte
	d.read(b[:])
	return int64(binary.LittleEndian.Uint64(b[:]))
}

// place turns the tensors' offsets into those from the file's beginning and sees that
// all lie inside the file.
func (d *decoder) place(f *File) {
	if d.err != nil {
		return
	}
	step := int64(alignment)
	if n, ok := f.Int("general.alignment"); ok {
		step = n
	}
	if step < 1 || step > 1<<20 || step&(step-1) != 0 {
		d.fail("an alignment of %d", step)
		return
	}
	begin, end := (d.at+step-1)/step*step, int64(0)
	for i := range f.Tensors {
		t := &f.Tensors[i]
		if t.Offset < 0 || t.Offset%step != 0 || t.Offset > math.MaxInt64-t.Bytes-begin {
			d.fail("tensor %q begins at %d", t.Name, t.Offset)
			return
		}
		t.Offset += begin
		end = max(end, t.Offset+t.Bytes)
	}
	if end > d.size {
		d.err = &starling.Error{Kind: starling.Invalid, Op: "gguf: read", Hint: "fetch the rest of it", Err: fmt.Errorf("the file is cut: it has %d bytes of %d", d.size, end)}
	}
}
