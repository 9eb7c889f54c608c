package forecast

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func features(text string) []feature {
	got := new(reader).read(text, nil)
	slices.SortFunc(got, func(a, b feature) int { return int(a.at) - int(b.at) })
	return got
}

func TestWhatMakesNoDifferenceIsNotRead(t *testing.T) {
	for _, c := range []struct{ name, a, b string }{
		{"white space", "two  words\n\nand\tmore ", "two words and more"},
		{"capitals", "What is the TIME in Köln?", "what is the time in köln?"},
		{"a please", "Please name a river.", "name a river."},
		{"a please in the middle", "name a river please.", "name a river."},
		{"how often a symbol stands there", "yes!!! ______", "yes!!!!! ____"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, b := features(c.a), features(c.b)
			onlyWords := func(f feature) bool { return f.at >= hashed }
			if strings.Contains(c.name, "symbol") { // the shape may see it
				a, b = slices.DeleteFunc(a, onlyWords), slices.DeleteFunc(b, onlyWords)
			}
			if !slices.Equal(a, b) {
				t.Errorf("%q and %q are not the same", c.a, c.b)
			}
		})
	}
}

func TestWhatMakesADifferenceIsRead(t *testing.T) {
	for _, c := range []struct{ name, a, b string }{
		{"a word", "name a river", "name a city"},
		{"the order of words", "dog bites man", "man bites dog"},
		{"a number", "take 12 of them", "take 13 of them"},
		{"cents", "it costs 5.00", "it costs 5.50"},
		{"a language without spaces", "東京の人口", "大阪の人口"},
		{"length", strings.Repeat("word ", 100), strings.Repeat("word ", 200)},
	} {
		t.Run(c.name, func(t *testing.T) {
			if slices.Equal(features(c.a), features(c.b)) {
				t.Errorf("%q and %q are the same", c.a, c.b)
			}
		})
	}
}

func TestSpacesAndCapitalsNeverMakeADifference(t *testing.T) {
	word := rapid.StringMatching(`[a-zA-Z0-9,.?!$%]{1,12}`)
	rapid.Check(t, func(t *rapid.T) {
		words := rapid.SliceOfN(word, 1, 600).Draw(t, "words")
		plain := strings.Join(words, " ")
		other := strings.Join(words, rapid.SampledFrom([]string{"  ", "\n", "\t ", " \r\n"}).Draw(t, "space"))
		if rapid.Bool().Draw(t, "capitals") {
			other = strings.ToUpper(other)
		}
		if !slices.Equal(features(plain), features(other)) {
			t.Fatal("another white space or case made a difference")
		}
	})
}

func TestOfALongTextTheBeginningTheEndAndTheLengthAreRead(t *testing.T) {
	middle := strings.Repeat("abc ", 10_000)
	begin, end := "translate this ", " into french"
	text := begin + middle + end
	if !slices.Equal(features(text), features(begin+strings.Replace(middle, strings.Repeat("abc ", 50), strings.Repeat("xyz ", 50), 1)[:0]+middle[:20_000]+"xyz "+middle[20_004:]+end)) {
		t.Error("a word in the middle is read")
	}
	for _, other := range []string{"summarise that " + middle + end, begin + middle + " into danish", begin + middle + middle + end} {
		if slices.Equal(features(text), features(other)) {
			t.Error("the beginning, the end or the length is not read")
		}
	}
}

func TestATypingErrorChangesFewFeatures(t *testing.T) {
	a := features("the quick brown fox jumps over the lazy dog and the river runs past the old mill")
	b := features("the quick brown fox jumps over the lazy dog and the rivre runs past the old mill")
	same := 0
	for _, f := range a {
		if _, found := slices.BinarySearchFunc(b, f.at, func(g feature, at uint32) int { return int(g.at) - int(at) }); found {
			same++
		}
	}
	if share := float64(same) / float64(len(a)); share < 0.9 {
		t.Errorf("%v of the features stay", share)
	}
}

func FuzzRead(f *testing.F) {
	for _, s := range []string{"", "please", "a.b,c", "1,2.3.", "\xff\xfe", "東京", strings.Repeat("x", 5000)} {
		f.Add(s)
	}
	r := new(reader)
	f.Fuzz(func(t *testing.T, text string) {
		seen := map[uint32]bool{}
		for _, g := range r.read(text, nil) {
			if g.at >= slots || g.by < 0 || seen[g.at] {
				t.Fatalf("slot %d with %v", g.at, g.by)
			}
			seen[g.at] = true
		}
	})
}
