package strict_test

import (
	"errors"
	"testing"

	"starling"
	"starling/internal/strict"
)

// FuzzRead: no text makes the reader panic, and every refusal has a position in
// the text.
func FuzzRead(f *testing.F) {
	for _, seed := range []string{
		"version: 1\nname: abc\n",
		"version: 1\nitems: [a, {model: b}]\ntable: {x: {a: 1}}\n",
		"a: &x [1, *x]\n? b\n: |\n  text\n",
		"- - - 'x'\n- !!str 5\n",
		"a: {b: [c, d: e]}\n---\n...\n",
		"\ufeffversion: 1e9\nfree: >-\n\n x\n",
		"<<: *a\n\t- b\n",
		"a: \"\\u00e9\\x41\\\n  b\"\n",
	} {
		f.Add(seed)
	}
	schema := strict.NewSchema([]byte(schemaText))
	f.Fuzz(func(t *testing.T, text string) {
		var into target
		err := strict.Read("t", []byte(text), schema, &into)
		if err == nil {
			return
		}
		problems, ok := errors.AsType[strict.Problems](err)
		if !ok || starling.KindOf(err) != starling.Invalid {
			t.Fatalf("%v", err)
		}
		for _, p := range problems {
			if p.Line < 1 || p.Column < 1 || p.Text == "" {
				t.Fatalf("a problem without a place: %+v", p)
			}
		}
	})
}
