package gguf

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"

	"starling"
)

// A Spec is a file to be written.
type Spec struct {
	Metadata []Entry // in their order
	Tensors  []Source
}

// An Entry is one key and its value: string, bool, int32, uint32, int64, uint64, float32,
// float64, or a slice of string, int32, uint32 or float32.
type Entry struct {
	Key   string
	Value any
}

// A Source is a tensor and where its bytes come from.
type Source struct {
	Name string
	Dims []int64
	Type Type
	Fill func(io.Writer) error // writes exactly the bytes that the tensor has
}

// Write writes a file of version 3. The tensors are filled one after the other, straight
// into w, so nothing of them is held.
//
// Errors: Internal if a value is of another type, a tensor has no size or fills another
// number of bytes, or w fails.
func Write(w io.Writer, s Spec) error {
	if err := write(w, s); err != nil {
		return &starling.Error{Kind: starling.Internal, Op: "gguf: write", Err: err}
	}
	return nil
}

func write(w io.Writer, s Spec) error {
	header, sizes, err := s.header()
	if err != nil {
		return err
	}
	out := &counter{w: bufio.NewWriterSize(w, 1<<20)}
	_, _ = out.Write(header) // Flush tells
	for i, t := range s.Tensors {
		begin := out.n
		if err := t.Fill(out); err != nil {
			return err
		}
		if got := out.n - begin; got != sizes[i] {
			return fmt.Errorf("tensor %q: %d bytes, not %d", t.Name, got, sizes[i])
		}
		_, _ = out.Write(padding(out.n))
	}
	return out.w.Flush()
}

type counter struct {
	w *bufio.Writer
	n int64
}

func (c *counter) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	c.n += int64(n)
	return n, err
}

// padding is what is missing to the next place where a tensor may begin.
func padding(at int64) []byte { return make([]byte, (alignment-at%alignment)%alignment) }

func (s Spec) header() (header []byte, sizes []int64, err error) {
	var b bytes.Buffer
	b.WriteString(magicText)
	put(&b, uint32(3), uint64(len(s.Tensors)), uint64(len(s.Metadata)))
	for _, e := range s.Metadata {
		putText(&b, e.Key)
		if err := putValue(&b, e.Value); err != nil {
			return nil, nil, fmt.Errorf("%s: %w", e.Key, err)
		}
	}
	offset := int64(0)
	for _, t := range s.Tensors {
		n, why := sizeOf(t.Dims, t.Type)
		if why != "" {
			return nil, nil, fmt.Errorf("tensor %q %s", t.Name, why)
		}
		putText(&b, t.Name)
		put(&b, uint32(len(t.Dims)), t.Dims, uint32(t.Type), offset)
		sizes = append(sizes, n)
		offset += n + int64(len(padding(n)))
	}
	b.Write(padding(int64(b.Len())))
	return b.Bytes(), sizes, nil
}

// put appends numbers of fixed size, which cannot fail in a buffer.
func put(b *bytes.Buffer, values ...any) {
	for _, v := range values {
		_ = binary.Write(b, binary.LittleEndian, v)
	}
}

func putText(b *bytes.Buffer, s string) {
	put(b, uint64(len(s)))
	b.WriteString(s)
}

func putValue(b *bytes.Buffer, value any) error {
	switch v := value.(type) {
	case string:
		put(b, uint32(isText))
		putText(b, v)
	case []string:
		put(b, uint32(isArray), uint32(isText), uint64(len(v)))
		for _, s := range v {
			putText(b, s)
		}
	case []uint32:
		put(b, uint32(isArray), uint32(4), uint64(len(v)), v)
	case []int32:
		put(b, uint32(isArray), uint32(5), uint64(len(v)), v)
	case []float32:
		put(b, uint32(isArray), uint32(6), uint64(len(v)), v)
	case uint32:
		put(b, uint32(4), v)
	case int32:
		put(b, uint32(5), v)
	case float32:
		put(b, uint32(6), v)
	case bool:
		put(b, uint32(isBool), v)
	case uint64:
		put(b, uint32(10), v)
	case int64:
		put(b, uint32(11), v)
	case float64:
		put(b, uint32(12), v)
	default:
		return fmt.Errorf("a value of type %T", value)
	}
	return nil
}
