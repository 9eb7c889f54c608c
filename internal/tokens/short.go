package tokens

import (
	"fmt"

	"starling"
	"starling/internal/wire"
)

const (
	leastText   = 1024     // bytes: a shorter text teaches nothing of a factor, and no window is as small
	leastWindow = 2048     // tokens: the smallest window that servers come with
	unsure      = 16 << 10 // bytes that may be over a window that nobody knows
	oftenText   = 8 << 10  // bytes up to which requests are drawn alike
	seldom      = 1.0 / 64 // the share that is drawn of a model whose factor is known
	often       = 1.0 / 8  // of one whose factor is not
	sparsest    = 8        // bytes of text for a token, beyond which something is odd
)

// Due returns which share of such calls of m is to be counted beside, from 0, none, to
// 1, all. Servers near by cut a prompt to their window and say nothing, so of theirs all
// are that may be longer than any that was read whole. Vendors far away refuse what does
// not fit. Of the others a few are counted to learn the factors, and of long ones as much
// fewer as counting them takes longer.
func (f *Factors) Due(r *starling.Request, m starling.Model) (share float64) {
	text, k := r.TextBytes(), f.known(m.ID())
	near := m.Zone == starling.Machine || m.Zone == starling.Office
	switch {
	case m.Student || text < leastText:
		return 0
	case near && !k.fits(text) && text >= leastWindow, m.Context == 0 && text >= unsure, m.Context > 0 && text > m.Context:
		return 1
	}
	share = often
	if k.seen > 0 {
		share = seldom
	}
	return share * min(1, oftenText/float64(text))
}

// Odd reports whether what an upstream has counted is worth counting after the fact: so
// few tokens for so long a text, or near by more than it was ever known to read, which
// may be its window.
func (f *Factors) Odd(r *starling.Request, m starling.Model, u starling.Usage) bool {
	read, k := u.TotalInput(), f.known(m.ID())
	if r.TextBytes() < leastText || u.Estimated || read == 0 {
		return false
	}
	near := m.Zone == starling.Machine || m.Zone == starling.Office
	return read*sparsest < r.TextBytes() || near && k.fits(r.TextBytes()) && float64(read) > float64(k.proved)*(1+tolerance)
}

// Short says how much m read of r, of which so many tokens of ours were counted, if that
// is too little: "read 4096 of about 9310 tokens". It is "" if nothing shows that.
//
// By the vendor's own tokenizer too little is 5 % less. Where the factor is learned it
// is 5 % less than readings vary, and of a prompt longer than any that the model has
// read; where it is not, less than any tokenizer in use would have.
func (f *Factors) Short(r *starling.Request, m starling.Model, counted int64, u starling.Usage) string {
	read := u.TotalInput()
	if counted < leastOurs || u.Estimated || read == 0 {
		return ""
	}
	s := f.size(r, m, counted)
	if s.Exact {
		return ShortOf(counted, u)
	}
	if read >= s.Least || f.otherwise(m, read, s.Tokens) || wire.ReadingOf(r).Managed != "" {
		return ""
	}
	return fmt.Sprintf("read %d of about %d tokens", read, s.Tokens)
}

// ShortOf is Short where it is known exactly how many tokens were sent.
func ShortOf(sent int64, u starling.Usage) string {
	read := u.TotalInput()
	if u.Estimated || read == 0 || float64(read) >= float64(sent)*(1-tolerance) {
		return ""
	}
	return fmt.Sprintf("read %d of %d tokens", read, sent)
}

// otherwise reports whether a model that has read little less than was expected is one
// that has read longer prompts: then the text is of another kind.
func (f *Factors) otherwise(m starling.Model, read, expected int64) bool {
	return float64(read) >= unlikely*float64(expected) && expected <= f.known(m.ID()).proved
}
