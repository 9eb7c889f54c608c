package student

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"starling"
)

// A Lesson is what a student was taught, beside what is in its weights: to which
// question it gives a label, and in which form. It holds nothing of a text.
type Lesson struct {
	Skill  string `json:"skill"`
	Prompt string `json:"prompt,omitempty"` // under which its examples were answered
	Form   Form   `json:"form"`
	Texts  int    `json:"texts"` // of the skill that were kept when it was trained, whatever became of them
	Exam   Exam   `json:"exam"`

	Embedder *Embedder `json:"embedder,omitempty"` // whose vectors it learned from; nil for a student that wants none
}

// Asks reports whether a system prompt asks what the student was taught: the same
// words, however they are spaced.
func (l *Lesson) Asks(prompt string) bool {
	return strings.Join(strings.Fields(prompt), " ") == strings.Join(strings.Fields(l.Prompt), " ")
}

// A Form is what stands around the label in an answer. The zero value is the label
// alone.
type Form struct {
	Before string `json:"before,omitempty"`
	After  string `json:"after,omitempty"`
	Quoted bool   `json:"quoted,omitempty"` // the label is a JSON string
}

// Say returns the answer that gives the label.
func (f Form) Say(label string) string {
	if f.Quoted {
		var b strings.Builder
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false) // nobody else escapes a < either
		_ = enc.Encode(label)    // of a string, into memory
		label = strings.TrimSuffix(b.String(), "\n")
	}
	return f.Before + label + f.After
}

// An Exam is what came of the texts that were held back from a student's training.
type Exam struct {
	Threshold float64 `json:"threshold,omitempty"` // of the confidence from which an answer is covered; 0 every one
	Mark
	Marks  []Mark  `json:"marks"`  // by the right label, ascending
	Mixups []Mixup `json:"mixups"` // the most frequent first
}

// A Mark is how a student did on the texts of one label.
type Mark struct {
	Label   string `json:"label,omitempty"`
	Asked   int    `json:"asked"`
	Right   int    `json:"right"`   // of those asked
	Covered int    `json:"covered"` // answered with the confidence that it takes
	Agreed  int    `json:"agreed"`  // right, of those covered
}

// A Mixup is a label that was given where another was right.
type Mixup struct {
	Right   string `json:"right"`
	Said    string `json:"said"`
	Times   int    `json:"times"`
	Covered int    `json:"covered"` // of them, how often with the confidence that it takes
}

// A Taught is a student that is ready to answer in a skill. It never changes.
type Taught struct {
	*Student
	Lesson Lesson

	file   []byte
	digest string
}

const (
	magicTaught = "TAUGHT\x01\x00"
	maxLesson   = 2 << 20
)

// Teach puts a student and its lesson together. Errors: Invalid for a lesson that
// is too long to be kept.
func Teach(s *Student, l Lesson) (*Taught, error) {
	lesson, err := json.Marshal(l)
	switch {
	case err != nil:
	case len(lesson) > maxLesson:
		err = fmt.Errorf("its lesson is longer than %d bytes", maxLesson)
	case !l.suits(s):
		err = errors.New("its lesson does not name the embedding model that it learned with, or names one in vain")
	}
	if err != nil {
		return nil, &starling.Error{Kind: starling.Invalid, Op: "student: teach", Hint: "shorten the prompt, or use fewer labels", Err: err}
	}
	b := binary.LittleEndian.AppendUint32([]byte(magicTaught), uint32(len(lesson)))
	b = append(append(b, lesson...), s.encode()...)
	sum := sha256.Sum256(b)
	return taught(s, l, append(b, sum[:]...)), nil
}

func taught(s *Student, l Lesson, file []byte) *Taught {
	sum := sha256.Sum256(file)
	return &Taught{Student: s, Lesson: l, file: file, digest: hex.EncodeToString(sum[:8])}
}

// Digest names the student and its lesson.
func (t *Taught) Digest() string { return t.digest }

// Size is how many bytes its file has.
func (t *Taught) Size() int { return len(t.file) }

// WriteTo writes the file. It takes the place of [Student.WriteTo], which leaves
// the lesson out.
func (t *Taught) WriteTo(w io.Writer) (int64, error) {
	n, err := w.Write(t.file)
	if err != nil {
		err = &starling.Error{Kind: starling.Internal, Op: "student: write", Hint: "is there room on the disk?", Err: err}
	}
	return int64(n), err
}

// ReadTaught reads what [Taught.WriteTo] wrote. Errors: Invalid for any other, or
// one that is damaged; Internal if it cannot be read.
func ReadTaught(r io.Reader) (*Taught, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxFile+maxLesson+1))
	if err != nil {
		return nil, &starling.Error{Kind: starling.Internal, Op: "student: read", Err: err}
	}
	t, err := decodeTaught(b)
	if err != nil {
		return nil, &starling.Error{Kind: starling.Invalid, Op: "student: read", Hint: "train it again: starling distill <skill>", Err: err}
	}
	return t, nil
}

var errTaught = errors.New("it is not a student at work of a version that this program knows")

func decodeTaught(b []byte) (*Taught, error) {
	head := len(magicTaught) + 4
	if len(b) < head+sha256.Size || string(b[:len(magicTaught)]) != magicTaught {
		return nil, errTaught
	}
	body := b[:len(b)-sha256.Size]
	if sha256.Sum256(body) != [sha256.Size]byte(b[len(body):]) {
		return nil, errors.New("it is damaged: the checksum is another")
	}
	n := int64(binary.LittleEndian.Uint32(b[len(magicTaught):]))
	if n > maxLesson || int64(head)+n > int64(len(body)) {
		return nil, errTaught
	}
	var l Lesson
	if err := json.Unmarshal(body[head:head+int(n)], &l); err != nil {
		return nil, errTaught
	}
	s, err := decode(body[head+int(n):])
	if err != nil {
		return nil, err
	}
	if !l.suits(s) {
		return nil, errTaught
	}
	return taught(s, l, b), nil
}
