package student

import (
	"crypto/sha256"
	"unicode"
	"unicode/utf8"
)

const (
	// maxText is how many bytes of a text count, after normalising: about 350
	// words. What follows is not read, so that work is bounded.
	maxText = 2048

	// maxRaw is how far normalising looks for them.
	maxRaw = 64 << 10
)

// A text is a message as the student reads it: lower case, words and signs
// separated, preceded and followed by a single space each, without apostrophes
// and without characters that nobody sees.
type text struct {
	bytes []byte
	words []span
}

// A span is a part of a text: bytes[from:to].
type span struct{ from, to int }

// normalise reads a message. Two messages that differ only in case, in the
// amount of space, or in apostrophes are the same text.
func normalise(message string) text {
	t := text{bytes: make([]byte, 1, min(maxText, 2*len(message)+8)), words: make([]span, 0, 32)}
	t.bytes[0] = ' '
	if len(message) > maxRaw {
		message = message[:maxRaw]
	}
	inside := false
	for _, r := range message {
		if unseen(r) {
			continue
		}
		letter := wordly(r)
		if !letter || !inside {
			t.close()
		}
		inside = letter
		if unicode.IsSpace(r) {
			continue
		}
		if len(t.bytes)+utf8.UTFMax >= maxText {
			break
		}
		t.bytes = utf8.AppendRune(t.bytes, fold(r))
	}
	t.close()
	return t
}

// Key names what a student sees of a text: two texts have the same key if no
// student can tell them apart but by a vector. It is false for a text in which there is nothing to
// see.
func Key(text string) (key [sha256.Size]byte, ok bool) {
	t := normalise(text)
	return sha256.Sum256(t.bytes), len(t.words) > 0
}

// close ends the word that is being read, if one is.
func (t *text) close() {
	if t.bytes[len(t.bytes)-1] == ' ' {
		return
	}
	from := 1
	if n := len(t.words); n > 0 {
		from = t.words[n-1].to + 1
	}
	t.words = append(t.words, span{from, len(t.bytes)})
	t.bytes = append(t.bytes, ' ')
}

// fold gives all cases of a letter one form. Going through upper case catches
// letters that share a capital, such as the two small sigmas.
func fold(r rune) rune {
	if r < utf8.RuneSelf {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}
	return unicode.ToLower(unicode.ToUpper(r))
}

// wordly says whether a character belongs to a word; any other that is seen is
// a word of its own.
func wordly(r rune) bool {
	if r < utf8.RuneSelf {
		return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
	}
	return unicode.IsLetter(r) || unicode.IsMark(r) || unicode.IsNumber(r)
}

// unseen says whether a character makes no difference: apostrophes, which people
// leave out, and what is not printed at all.
func unseen(r rune) bool {
	switch r {
	case '\'', '`', '’', '‘', 'ʼ', '´':
		return true
	}
	return !unicode.IsSpace(r) && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r))
}
