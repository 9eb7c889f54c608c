package main

import (
	"cmp"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// A printer prints an answer as it comes.
type printer struct {
	out    io.Writer
	signs  io.Writer // for what is shown while nothing has come yet; nil where nobody would see it go
	model  string
	doing  string // to the model, while nothing has come; "" loading it
	thinks bool   // thoughts are printed
	dims   bool   // and dimmed
	exact  bool   // text goes out as it came: no terminal reads it

	asked             time.Time
	waiting, thinking bool
	last              rune  // that was printed
	err               error // of the first piece that could not be
}

const (
	eraseLine  = "\r\x1b[K"
	dim, undim = "\x1b[2m", "\x1b[0m"
)

// begin shows that an answer is waited for, and each sign of life for how long.
func (p *printer) begin() {
	p.asked, p.last = time.Now(), 0
	if p.waiting = p.signs != nil; p.waiting {
		printf(p.signs, "%s %s…", cmp.Or(p.doing, "loading"), p.model)
	}
}

// hear prints a piece.
func (p *printer) hear(next piece) {
	switch {
	case next.text == "":
		if p.waiting {
			fmt.Fprint(p.signs, eraseLine)
			printf(p.signs, "%s %s… %.0f s", cmp.Or(p.doing, "loading"), p.model, time.Since(p.asked).Seconds())
		}
		return
	case next.thought && !p.thinks:
		return
	}
	p.arrived()
	if next.thought != p.thinking {
		p.turn(next.thought)
	}
	if p.exact {
		p.print(next.text)
	} else {
		p.print(harmless(next.text))
	}
}

// arrived takes away what was shown while nothing had come.
func (p *printer) arrived() {
	if p.waiting {
		fmt.Fprint(p.signs, eraseLine)
		p.waiting = false
	}
}

// turn goes from thoughts to the answer, or back.
func (p *printer) turn(thinking bool) {
	if p.dims && p.thinking {
		fmt.Fprint(p.out, undim)
	}
	p.endLine()
	if p.thinking {
		p.print("\n")
	}
	if p.thinking = thinking; p.dims && thinking {
		fmt.Fprint(p.out, dim)
	}
}

func (p *printer) print(text string) {
	for _, p.last = range text { // the last one stays
	}
	if _, err := io.WriteString(p.out, text); p.err == nil { // a reader who left ends the program by a signal
		p.err = err
	}
}

func (p *printer) endLine() {
	if p.last != '\n' && p.last != 0 {
		p.print("\n")
	}
}

// end ends the last line, whatever it is of.
func (p *printer) end() {
	p.arrived()
	if p.dims && p.thinking {
		fmt.Fprint(p.out, undim)
	}
	p.thinking = false
	p.endLine()
}

// harmless is text of a model as people read it: what would drive a terminal, or turn
// the direction of what is on it, is written out.
func harmless(text string) string {
	var b strings.Builder
	for _, r := range text {
		if r == '\n' || r == '\t' || r == zeroWidthNonJoiner || r == zeroWidthJoiner || unicode.Is(unicode.Zs, r) || !strange(r) {
			b.WriteRune(r)
		} else {
			b.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
		}
	}
	return b.String()
}

// Scripts and emojis need these two between their letters.
const zeroWidthNonJoiner, zeroWidthJoiner = '\u200c', '\u200d'
