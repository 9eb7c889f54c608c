package family

import (
	"testing"

	"starling"
)

func FuzzAnAnswerIsReadTheSameInWholeAndByBytes(f *testing.F) {
	for _, x := range fixtures(f) {
		f.Add(x.answer)
	}
	f.Fuzz(func(t *testing.T, answer string) {
		for _, p := range All() {
			whole, finish := read(p.Reader([]starling.Tool{weather}), answer)
			var pieces []string
			for _, c := range []byte(answer) {
				pieces = append(pieces, string([]byte{c}))
			}
			cut, finish2 := read(p.Reader([]starling.Tool{weather}), pieces...)
			if a, b := shown(whole, finish), shown(cut, finish2); a != b {
				t.Fatalf("%s: %q\n%s\n%s", p.Name, answer, a, b)
			}
		}
	})
}

func FuzzATemplateNeverPanics(f *testing.F) {
	for _, source := range harmful {
		f.Add(source)
	}
	for _, source := range []string{"{% for m in messages %}{{ m.content }}{% endfor %}", "{{", "{%-", "{# -#}", "{% raw %}{{", "{% set x = '%}' %}{{- x -}}"} {
		f.Add(source)
	}
	f.Fuzz(func(t *testing.T, source string) {
		o := day
		o.Template = source
		if _, err := Find("", "", "").Prompt(talk(), o); err != nil && starling.KindOf(err) != starling.Invalid {
			t.Fatal(err)
		}
	})
}
