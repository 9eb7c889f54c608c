package tokens

import (
	"slices"
	"sync"

	"starling"
)

const (
	window     = 64   // readings of a model that its factor is made of
	enough     = 8    // readings from which on it is known
	leastOurs  = 256  // tokens: in a shorter request the frames weigh more than the text
	unlikely   = 0.6  // no tokenizer in use has so few tokens for one of ours
	mostFactor = 4.0  // nor so many
	tolerance  = 0.05 // of what was sent, that a model may read less
	deviations = 3    // beside it, by as many may a reading be off its model's usual one
)

// Factors say how many tokens of a model's own one of ours is, as the usage that it
// returned has shown: a fold over receipts, in memory. Safe for concurrent use; nil
// ones know nothing, and every factor is 1.
type Factors struct {
	mu sync.Mutex
	of map[string]*readings // by model, "provider/name"
}

// NewFactors knows nothing yet.
func NewFactors() *Factors { return &Factors{of: map[string]*readings{}} }

// A reading is what one call has shown.
type reading struct{ ours, theirs int64 }

func (r reading) ratio() float64 { return float64(r.theirs) / float64(r.ours) }

// readings are a model's latest, and what follows from them.
type readings struct {
	last   [window]reading
	seen   int       // ever
	doubts []reading // that look short, though not by much
	dense  float64   // tokens of its own that a byte of text has at most, lately; 0 unknown
	known  known
}

// A known is what is known of a model's tokens.
type known struct {
	seen   int
	factor float64 // of the middle reading
	least  float64 // no reading of a whole request is below, as far as is known
	proved int64   // the longest prompt that it has read, in its own tokens
	dense  float64 // tokens of its own that a byte of text has at most; 0 unknown
}

// unknown is what is known of a model before it was asked.
var unknown = known{factor: 1, least: unlikely}

func (f *Factors) known(model string) known {
	if f == nil {
		return unknown
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if r := f.of[model]; r != nil && r.known.seen >= enough {
		k := r.known
		k.dense = r.dense
		return k
	}
	return unknown
}

// Fold takes in what the attempts of a settled exchange have shown. What was cut short
// teaches nothing, unless it turns out that it was not.
func (f *Factors) Fold(r *starling.Receipt) {
	if f == nil || r == nil {
		return
	}
	for i := range r.Attempts {
		a := &r.Attempts[i]
		if a.Counted < leastOurs || a.Usage.Estimated || a.Usage.TotalInput() == 0 {
			continue
		}
		f.learn(a.Model, reading{a.Counted, a.Usage.TotalInput()}, a.Short != "")
	}
}

func (f *Factors) learn(model string, r reading, short bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := f.of[model]
	if all == nil {
		all = &readings{known: unknown}
		f.of[model] = all
	}
	switch ratio := r.ratio(); {
	case ratio > mostFactor || ratio < unlikely/2:
	case short:
		all.doubt(r)
	default:
		all.take(r)
	}
}

func (all *readings) take(r reading) {
	all.last[all.seen%window] = r
	all.seen++
	all.sum()
}

// doubt notes a reading that looks short. Who reads no more than a window reports about
// as much whatever it was sent; where reports grow with what was sent it was read, and
// the text was only of another kind than the model's usual one.
func (all *readings) doubt(r reading) {
	if r.ratio() < unlikely*all.known.factor {
		return
	}
	all.doubts = append(all.doubts, r)
	if len(all.doubts) > enough {
		all.doubts = all.doubts[1:]
	}
	least, most := all.doubts[0].theirs, all.doubts[0].theirs
	for _, d := range all.doubts {
		least, most = min(least, d.theirs), max(most, d.theirs)
	}
	if len(all.doubts) == enough && float64(most) > 1.5*float64(least) {
		for _, d := range all.doubts {
			all.take(d)
		}
		all.doubts = nil
	}
}

// fading is what is left, after each reading, of the densest text that was read.
const fading = 0.99

// Whole notes that m has read the whole of r: so dense is its text for that model.
func (f *Factors) Whole(r *starling.Request, m starling.Model, u starling.Usage) {
	if f == nil || u.Estimated || r.TextBytes() < leastText {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if all := f.of[m.ID()]; all != nil {
		all.dense = max(float64(u.TotalInput())/float64(r.TextBytes()), fading*all.dense)
	}
}

// fits reports whether a text is, by all that was read lately, no longer than a prompt
// that its model is known to have read whole.
func (k *known) fits(text int64) bool {
	return k.dense > 0 && float64(text)*k.dense <= float64(k.proved)*(1+tolerance)
}

// sum makes of the readings what is known: their middle, and how far they stray from
// it, neither of which a few odd ones move.
func (all *readings) sum() {
	n := min(all.seen, window)
	ratios := make([]float64, n)
	all.known = known{seen: all.seen}
	for i, r := range all.last[:n] {
		ratios[i] = r.ratio()
		all.known.proved = max(all.known.proved, r.theirs)
	}
	middle := median(ratios)
	for i, x := range ratios {
		ratios[i] = max(x-middle, middle-x)
	}
	const normal = 1.4826 // of a normal distribution, the deviation in terms of this one
	all.known.factor = middle
	all.known.least = max((middle-deviations*normal*median(ratios))*(1-tolerance), unlikely*middle)
}

// median sorts its argument.
func median(of []float64) float64 {
	slices.Sort(of)
	half := len(of) / 2
	if len(of)%2 == 1 {
		return of[half]
	}
	return (of[half-1] + of[half]) / 2
}
