package student

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"

	"starling"
)

func lesson() Lesson {
	return Lesson{
		Skill: "triage", Prompt: "Give one\nlabel.", Form: Form{Before: `{"label": `, After: "}", Quoted: true}, Texts: 60,
		Exam: Exam{Threshold: 0.5, Mark: Mark{Asked: 2, Right: 1, Covered: 1, Agreed: 1}, Marks: []Mark{{Label: "label 00", Asked: 2, Right: 1, Covered: 1, Agreed: 1}}, Mixups: []Mixup{{"label 00", "label 01", 1, 0}}},
	}
}

func taughtOne(t testing.TB) *Taught {
	t.Helper()
	made, err := Teach(train(t, examples(1, 3, 20, 0)), lesson())
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func TestAStudentAtWorkIsReadAsItWasWritten(t *testing.T) {
	made := taughtOne(t)
	var file bytes.Buffer
	if n, err := made.WriteTo(&file); err != nil || n != int64(made.Size()) {
		t.Fatal(n, err)
	}
	read, err := ReadTaught(&file)
	if err != nil {
		t.Fatal(err)
	}
	if read.Digest() != made.Digest() || len(read.Digest()) != 16 || !reflect.DeepEqual(read.Lesson, made.Lesson) {
		t.Errorf("wrote %s %+v, read %s %+v", made.Digest(), made.Lesson, read.Digest(), read.Lesson)
	}
	if e := examples(2, 3, 1, 0)[0]; read.Predict(e.Text) != made.Predict(e.Text) {
		t.Error("it predicts otherwise")
	}
}

func TestAnotherLessonIsAnotherStudent(t *testing.T) {
	made, other := taughtOne(t), lesson()
	other.Form = Form{}
	again, err := Teach(made.Student, other)
	if err != nil || again.Digest() == made.Digest() {
		t.Error("the form makes no difference", err)
	}
	same, err := Teach(made.Student, lesson())
	if err != nil || same.Digest() != made.Digest() {
		t.Error("the same lesson makes a difference", err)
	}
}

func TestADamagedLessonIsRefused(t *testing.T) {
	made := taughtOne(t)
	for at := range made.file {
		if at > 700 && at%37 != 0 {
			continue
		}
		file := bytes.Clone(made.file)
		file[at] ^= 1
		if _, err := ReadTaught(bytes.NewReader(file)); starling.KindOf(err) != starling.Invalid {
			t.Fatalf("byte %d changed: %v", at, err)
		}
		if _, err := ReadTaught(bytes.NewReader(made.file[:at])); starling.KindOf(err) != starling.Invalid {
			t.Fatalf("cut at %d: %v", at, err)
		}
	}
	var plain bytes.Buffer
	if _, err := made.Student.WriteTo(&plain); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadTaught(&plain); starling.KindOf(err) != starling.Invalid {
		t.Errorf("one without a lesson: %v", err)
	}
}

func TestALabelIsSaidInItsForm(t *testing.T) {
	for _, c := range []struct {
		form        Form
		label, want string
	}{
		{Form{}, "refund", "refund"},
		{Form{Before: "Label: "}, "refund", "Label: refund"},
		{Form{Before: `{"label": `, After: `, "by": 1}`, Quoted: true}, `a "b" <c>`, `{"label": "a \"b\" <c>", "by": 1}`},
	} {
		if got := c.form.Say(c.label); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
	var read map[string]any
	if err := json.Unmarshal([]byte(Form{Before: `{"label":`, After: "}", Quoted: true}.Say("über\n")), &read); err != nil || read["label"] != "über\n" {
		t.Error(read, err)
	}
}

func TestAPromptIsTheSameHoweverItIsSpaced(t *testing.T) {
	l := lesson()
	for prompt, same := range map[string]bool{"Give one label.": true, " Give  one\n\nlabel.\n": true, "Give one label": false, "": false} {
		if l.Asks(prompt) != same {
			t.Errorf("%q asks for it: %v", prompt, !same)
		}
	}
	if none := (Lesson{}); !none.Asks(" \n") || none.Asks("x") {
		t.Error("without a prompt none is right")
	}
}

func TestTextsThatLookTheSameHaveTheSameKey(t *testing.T) {
	one, ok := Key("Where's my parcel?")
	two, _ := Key(" wheres  MY parcel ?\n")
	other, _ := Key("Where's my parcels?")
	if !ok || one != two || one == other {
		t.Errorf("%v: %x, %x and %x", ok, one, two, other)
	}
	if _, ok := Key(" \n’'"); ok {
		t.Error("there is nothing to see, and it has a key")
	}
}

func TestOneWorkerMakesTheSameStudentAsMany(t *testing.T) {
	all := examples(5, 3, 20, 0.1)
	one, err := Train(t.Context(), all, Options{Workers: 1})
	if err != nil || !bytes.Equal(one.encode(), train(t, all).encode()) {
		t.Error("it is another", err)
	}
}

func FuzzReadTaught(f *testing.F) {
	f.Add(taughtOne(f).file)
	f.Add([]byte(magicTaught + "\x02\x00\x00\x00{}"))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := ReadTaught(bytes.NewReader(b))
		if (s == nil) == (err == nil) {
			t.Fatal(s, err)
		}
		if s != nil {
			s.Predict("Where is it?")
		}
	})
}
