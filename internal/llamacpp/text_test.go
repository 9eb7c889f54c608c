package llamacpp

import (
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestNothingOfAStopTextIsLetOut(t *testing.T) {
	for _, c := range []struct {
		pieces     []string
		stops      []string
		said, stop string
	}{
		{[]string{"one END two"}, []string{"END"}, "one ", "END"},
		{[]string{"one E", "N", "D two"}, []string{"END"}, "one ", "END"},
		{[]string{"EEN", "END"}, []string{"END"}, "EEN", "END"},
		{[]string{"a", "b", "c"}, []string{"abd"}, "abc", ""},
		{[]string{"a", "b"}, []string{"abd"}, "ab", ""},
		{[]string{"xyz"}, []string{"z", "yz"}, "x", "yz"},
		{[]string{"xyz"}, []string{"x", "xy"}, "", "xy"},
		{[]string{"\xe6\x97", "\xa5\xe6", "\x9c\xac"}, []string{"本"}, "日", "本"},
		{[]string{"caf\xc3"}, nil, "caf", ""},
		{[]string{"a\xff", "b"}, nil, "a\uFFFDb", ""},
	} {
		said, stop := spoken(&text{stops: c.stops}, c.pieces)
		if said != c.said || stop != c.stop {
			t.Errorf("%q: %q, %q", c.pieces, said, stop)
		}
	}
}

func spoken(x *text, pieces []string) (said, stop string) {
	for _, p := range pieces {
		sure, stop := x.add([]byte(p))
		said += sure
		if stop != "" {
			return said, stop
		}
	}
	return said + x.end(), ""
}

func TestHowATextIsCutChangesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := rapid.StringOfN(rapid.RuneFrom([]rune("abé日\n")), 0, 30, -1).Draw(t, "text")
		stops := rapid.SliceOfN(rapid.StringOfN(rapid.RuneFrom([]rune("abé日")), 1, 3, -1), 0, 3).Draw(t, "stops")
		var pieces []string
		for rest := all; rest != ""; {
			n := rapid.IntRange(1, len(rest)).Draw(t, "cut")
			pieces, rest = append(pieces, rest[:n]), rest[n:]
		}
		said, stop := spoken(&text{stops: stops}, pieces)
		first := len(all)
		for _, s := range stops {
			if i := strings.Index(all, s); i >= 0 {
				first = min(first, i)
			}
		}
		// Of stops that overlap, the one that is whole first may win.
		if !utf8.ValidString(said) || !strings.HasPrefix(all, said) || stop == "" && said != all[:first] ||
			stop != "" && !strings.HasPrefix(all[len(said):], stop) {
			t.Fatalf("%q with %q, in pieces %q: %q, %q", all, stops, pieces, said, stop)
		}
	})
}
