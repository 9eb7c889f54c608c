package verify

import (
	"encoding/json"
	"regexp"
	"strings"
	"unicode"

	"starling"
)

// How much repetition is too much. A list, a table or a log repeats itself by right;
// what a model says that has lost its way ends in the same words until something
// stops it. So the end of a text counts, and one that the output limit ended is
// judged more strictly than one that came to an end by itself.
const (
	babbleMost   = 64 << 10 // bytes at the end that are looked at
	babbleTail   = 6000     // characters at the end in which a piece is repeated
	babbleUnit   = 800      // longest piece that is repeated
	babbleBytes  = 160      // that the repetitions must have together
	timesCut     = 5        // repetitions of a text that was cut
	timesEnded   = 8        // of one that came to its end
	shareEnded   = 0.3      // of such a text that they must make up
	timesOfOne   = 200      // repetitions of a single character
	shareOfOne   = 0.6      // of a text that they must make up
	gram         = 5        // words that are counted together
	leastWords   = 120      // of a text whose words are counted
	variedCut    = 0.3      // share of different n-grams below which a text that was cut
	variedEnded  = 0.2      // and one that came to its end, babbles
	wordsAtEnd   = 400      // of a long text, the last ones count by themselves too
	mostOneWords = 40       // bytes of a word; a longer one is none
)

// babbles reports whether a text says the same again and again. JSON is data and never
// does.
func babbles(text string, finish starling.Finish) bool {
	if len(text) < babbleBytes || json.Valid([]byte(text)) {
		return false
	}
	text = strings.ToValidUTF8(text[max(0, len(text)-babbleMost):], "")
	cut := cut(finish)
	if ofOneCharacter(text) {
		return true
	}
	if !cut {
		text = prose(text)
	}
	if repeatsAtEnd(text, cut) || cut && repeatsAtEnd(uncounted(prose(text)), cut) {
		return true
	}
	least := variedEnded
	if cut {
		least = variedCut
	}
	if len(text) < 2*leastWords-1 {
		return false // it cannot have that many
	}
	all := words(text)
	return varied(all) < least || len(all) > 2*wordsAtEnd && varied(all[len(all)-wordsAtEnd:]) < least
}

// ofOneCharacter reports whether a text is for the most part one character in a row.
func ofOneCharacter(text string) bool {
	runes := []rune(text[max(0, len(text)-babbleTail):])
	run, most := 0, 0
	for i, r := range runes {
		if i == 0 || r != runes[i-1] || unicode.IsSpace(r) {
			run = 0
		}
		run++
		most = max(most, run)
	}
	return most >= timesOfOne && float64(most) >= shareOfOne*float64(len(runes))
}

// prose is a text without code blocks, tables, and lines without words.
func prose(text string) string {
	var b strings.Builder
	fenced := false
	for line := range strings.Lines(text) {
		bare := strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(bare, "```") || strings.HasPrefix(bare, "~~~"):
			fenced = !fenced
		case fenced || bare == "" || strings.ContainsRune("|{}[]\"'<", rune(bare[0])) || strings.Count(bare, "|") > 1 || strings.Count(bare, "\t") > 1:
		case strings.IndexFunc(bare, unicode.IsLetter) >= 0:
			b.WriteString(line)
		}
	}
	return b.String()
}

// uncounted is a text in which all numbers are the same: who counts while it says the
// same gets nowhere either.
func uncounted(text string) string {
	return counts.ReplaceAllString(text, "0")
}

var counts = regexp.MustCompile(`\d+`)

// repeatsAtEnd reports whether a text ends in one piece, again and again. Space and
// case are no difference.
func repeatsAtEnd(text string, cut bool) bool {
	whole := []rune(strings.ToLower(strings.Join(strings.Fields(text), " ")))
	tail := whole[max(0, len(whole)-babbleTail):]
	if len(tail) == 0 {
		return false
	}
	for i, j := 0, len(tail)-1; i < j; i, j = i+1, j-1 {
		tail[i], tail[j] = tail[j], tail[i]
	}
	need := timesEnded
	if cut {
		need = timesCut
	}
	for unit, more := range repeats(tail) {
		covered := unit + more
		switch {
		case unit == 0 || unit > babbleUnit || covered/unit < need || covered < babbleBytes/bytesOf(tail):
		case !cut && float64(covered) < shareEnded*float64(len(whole)):
		case speaks(tail[:unit]):
			return true
		}
	}
	return false
}

// bytesOf is how many bytes a character of a text usually has: scripts with more of
// them say more with each.
func bytesOf(runes []rune) int {
	return max(1, len(string(runes))/len(runes))
}

// repeats returns, for each length of a piece, for how long the text goes on as it was
// that long before: the Z function.
func repeats(text []rune) []int {
	z := make([]int, len(text))
	for i, l, r := 1, 0, 0; i < len(text); i++ {
		if i < r {
			z[i] = min(r-i, z[i-l])
		}
		for i+z[i] < len(text) && text[z[i]] == text[i+z[i]] {
			z[i]++
		}
		if i+z[i] > r {
			l, r = i, i+z[i]
		}
	}
	return z
}

// speaks reports whether a piece has two different letters.
func speaks(piece []rune) bool {
	var first rune
	for _, r := range piece {
		if !unicode.IsLetter(r) {
			continue
		}
		if first != 0 && r != first {
			return true
		}
		first = r
	}
	return false
}

// words returns the words of a text; where a script has no space between them, its
// characters.
func words(text string) (all []string) {
	for _, word := range strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
		if unicode.Is(unicode.Han, []rune(word)[0]) || len(word) > mostOneWords {
			for _, r := range word {
				all = append(all, string(r))
			}
			continue
		}
		all = append(all, word)
	}
	return all
}

// varied returns which share of the n-grams of a text are different ones, 1 of one
// that is too short to tell.
func varied(all []string) float64 {
	if len(all) < leastWords {
		return 1
	}
	seen := map[[gram]string]bool{}
	for i := 0; i+gram <= len(all); i++ {
		seen[[gram]string(all[i:i+gram])] = true
	}
	return float64(len(seen)) / float64(len(all)-gram+1)
}
