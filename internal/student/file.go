package student

import (
	"crypto/sha256"
	"encoding/binary"
	"io"
	"math"

	"starling"
)

const (
	magic  = "STUDENT\x02"
	header = 4 * 6

	// maxFile is the most bytes that a student takes in a file.
	maxFile = 8_000_000
	perRow  = 4 + 4 + 4 // hash, idf and scale of a row
	perDim  = 4 + 4     // mean and scale of a number of vectors
	perStep = 4 + 4 + 4
	// overhead is room for all but the rows: labels of the greatest length take
	// most of it.
	overhead = maxLabels*(2+maxLabel) + 10_000
)

// maxRows is how many n-grams a student of so many labels, and of vectors of so
// many numbers, may know. Beyond 2¹⁵ more of them bring nothing that can be
// measured.
func maxRows(labels, dims int) int {
	return min(1<<15, (maxFile-overhead-dims*(perDim+labels))/(perRow+labels))
}

// WriteTo writes the student in the format that the package comment describes.
func (s *Student) WriteTo(w io.Writer) (int64, error) {
	n, err := w.Write(s.encode())
	if err != nil {
		err = &starling.Error{Kind: starling.Internal, Op: "student: write", Hint: "is there room on the disk?", Err: err}
	}
	return int64(n), err
}

func (s *Student) encode() []byte {
	b := append(make([]byte, 0, overhead+len(s.scales)*(perRow+len(s.labels))), magic...)
	for _, n := range []int{s.Dims(), len(s.labels), len(s.lexicon.hashes), len(s.steps)} {
		b = binary.LittleEndian.AppendUint32(b, uint32(n))
	}
	b = appendFloats(b, float32(s.sharpness), float32(s.familiar))
	for _, l := range s.labels {
		b = append(binary.LittleEndian.AppendUint16(b, uint16(len(l))), l...)
	}
	for _, t := range s.steps {
		b = appendFloats(b, float32(t.Confidence), float32(t.Coverage), float32(t.Agreement))
	}
	for _, h := range s.lexicon.hashes {
		b = binary.LittleEndian.AppendUint32(b, h)
	}
	b = appendFloats(b, s.lexicon.idf...)
	b = appendFloats(b, s.mean...)
	b = appendFloats(b, s.scales...)
	for _, w := range s.weights {
		b = append(b, byte(w))
	}
	sum := sha256.Sum256(b)
	return append(b, sum[:]...)
}

func appendFloats(b []byte, values ...float32) []byte {
	for _, v := range values {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
	}
	return b
}

// Read returns the student that [Student.WriteTo] wrote; it predicts the same to
// the last bit. It takes at most 8 MB from r and a small multiple of that in
// memory, whatever the file says. The error is Invalid for a file that is no
// student or is damaged.
func Read(r io.Reader) (*Student, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	if err != nil {
		return nil, &starling.Error{Kind: starling.Internal, Op: "student: read", Err: err}
	}
	s, err := decode(b)
	if err != nil {
		return nil, &starling.Error{Kind: starling.Invalid, Op: "student: read", Hint: "train the student again", Err: err}
	}
	return s, nil
}
