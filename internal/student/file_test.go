package student

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"

	"starling"
)

func TestAStudentThatWasStoredPredictsTheSame(t *testing.T) {
	s := pupil()
	var file bytes.Buffer
	n, err := s.WriteTo(&file)
	if err != nil || n != int64(file.Len()) || n > maxFile {
		t.Fatalf("%d of %d bytes, %v", n, file.Len(), err)
	}
	again, err := Read(&file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(again.encode(), s.encode()) {
		t.Error("it is stored otherwise the second time")
	}
	texts := examples(20, 8, 10, 0)
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.SampledFrom(texts).Draw(t, "example").Text + " " + rapid.String().Draw(t, "more")
		if got, want := again.Predict(text), s.Predict(text); got != want {
			t.Fatalf("%q: %+v, want %+v", text, got, want)
		}
	})
}

func TestADamagedFileIsRefused(t *testing.T) {
	file := train(t, examples(21, 2, 3, 0)).encode()
	for i := 0; i < len(file); i += 1 + len(file)/500 {
		flipped := bytes.Clone(file)
		flipped[i] ^= 0x10
		for _, b := range [][]byte{flipped, file[:i], append(bytes.Clone(file), file[:i+1]...)} {
			if s, err := Read(bytes.NewReader(b)); s != nil || starling.KindOf(err) != starling.Invalid {
				t.Fatalf("at byte %d: %v, %v", i, s, err)
			}
		}
	}
}

func TestAFileOfAnyLengthIsNotReadToItsEnd(t *testing.T) {
	endless := bytes.NewReader(make([]byte, maxFile+100_000))
	if _, err := Read(endless); starling.KindOf(err) != starling.Invalid || endless.Len() < 90_000 {
		t.Errorf("%v, %d bytes left", err, endless.Len())
	}
}

func TestTroubleWithTheDiskIsNotTheStudents(t *testing.T) {
	if _, err := Read(iotest.ErrReader(errors.New("gone"))); starling.KindOf(err) != starling.Internal {
		t.Error(err)
	}
	if _, err := pupil().WriteTo(full{}); starling.KindOf(err) != starling.Internal {
		t.Error(err)
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("full") }

func TestTheGreatestStudentFitsIntoItsFile(t *testing.T) {
	for labels := 2; labels <= maxLabels; labels++ {
		for _, dims := range []int{0, 1, 384, 1024, maxDims} {
			rows := maxRows(labels, dims)
			size := len(magic) + header + labels*(2+maxLabel) + fineness*perStep + rows*(perRow+labels) + dims*(perDim+labels) + sha256.Size
			if size > maxFile || rows < 2000 {
				t.Errorf("%d labels and vectors of %d take %d bytes with %d rows", labels, dims, size, rows)
			}
		}
	}
}

// FuzzRead signs what it made up, so that a wrong checksum does not hide what is
// behind it.
func FuzzRead(f *testing.F) {
	small := train(f, examples(22, 2, 3, 0)).encode()
	f.Add(small[:len(small)-sha256.Size])
	seeing := far(f).encode()
	f.Add(seeing[:len(seeing)-sha256.Size])
	f.Add([]byte(magic))
	f.Add(append([]byte(magic), 0, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 0, 0, 128, 63, 0, 0, 0, 63))
	f.Fuzz(func(t *testing.T, body []byte) {
		if _, err := Read(bytes.NewReader(body)); err != nil && starling.KindOf(err) != starling.Invalid {
			t.Fatal(err)
		}
		sum := sha256.Sum256(body)
		s, err := Read(bytes.NewReader(append(bytes.Clone(body), sum[:]...)))
		if err != nil {
			return
		}
		p, err := s.PredictWith("please tell me about alo0 it", make([]float32, s.Dims()))
		if err != nil || !(p.Confidence >= 0 && p.Confidence <= 1) || p.Label == p.Second {
			t.Errorf("%+v", p)
		}
		if _, err := s.ExplainWith("please tell me", make([]float32, s.Dims()), 3); err != nil {
			t.Error(err)
		}
		if !bytes.Equal(s.encode()[:len(body)], body) {
			t.Error("it is stored otherwise than it was read")
		}
	})
}
