package llamacpp

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"unsafe"

	"github.com/hybridgroup/yzma/pkg/llama"

	"starling"
	"starling/internal/engine"
)

const (
	usualLast   = 64
	mostTop     = 20
	mostStops   = 64
	mostStop    = 4 << 10 // bytes
	mostGrammar = 4 << 20 // bytes
)

// checkSampling returns an error unless every number can be given to the library, which ends
// the process where it meets some that it does not expect.
func checkSampling(s *engine.Sampling, vocabulary int) error {
	for _, x := range []float32{s.Temperature, s.TopP, s.MinP, s.Typical, s.Repeat} {
		if !(x >= 0) || math.IsInf(float64(x), 0) {
			return invalid("a number of the sampling is below 0 or none")
		}
	}
	if s.TopP > 1 || s.MinP > 1 || s.Typical > 1 {
		return invalid("a probability of the sampling is above 1")
	}
	if !finite(s.Frequency) || !finite(s.Presence) || s.TopK < 0 || s.Last < -1 {
		return invalid("a number of the sampling is out of range")
	}
	for token, bias := range s.Bias {
		if token < 0 || int(token) >= vocabulary || !finite(bias) {
			return invalid("a bias of no token, or that is no number")
		}
	}
	return nil
}

func finite(x float32) bool { return !math.IsNaN(float64(x)) && !math.IsInf(float64(x), 0) }

func checkGenerate(g *engine.Generate, m *model) error {
	if err := checkSampling(&g.Sampling, m.size); err != nil {
		return err
	}
	if g.Choices < 0 || g.Choices > m.places || g.MaxTokens < 0 || g.Top < 0 || g.Top > mostTop || !finite(g.Scale) || len(g.Stop) > mostStops {
		return invalid("a number of the order is out of range")
	}
	for _, s := range g.Stop {
		if s == "" || len(s) > mostStop {
			return invalid("a stop text of %d bytes, 1 to %d can be looked for", len(s), mostStop)
		}
	}
	if strings.ContainsRune(g.Grammar, 0) || len(g.Grammar) > mostGrammar {
		return invalid("the grammar is too long, or holds a zero byte")
	}
	if g.Adapter != "" && m.adapters[g.Adapter] == 0 {
		return &starling.Error{Kind: starling.NotFound, Op: "llamacpp: no such adapter was loaded"}
	}
	return nil
}

// A sampler chooses the tokens of one answer. It belongs to the library and has to be
// freed.
type sampler struct {
	chain   llama.Sampler
	grammar llama.Sampler // 0: none
	asIs    bool          // the chain makes no token likelier than the model has it
	seed    uint32
}

// newSampler makes the chain in llama.cpp's usual order.
func newSampler(g *engine.Generate, m *model) (*sampler, error) {
	s := &sampler{seed: rand.Uint32(), asIs: len(g.Bias) == 0 && !penalises(&g.Sampling) && g.Temperature <= 1}
	if g.Seed != nil {
		s.seed = *g.Seed
	}
	if g.Grammar != "" {
		// The library prints a grammar that it cannot read, which is content.
		quietly(func() { s.grammar = llama.SamplerInitGrammar(m.vocab, g.Grammar, "root") })
		if s.grammar == 0 {
			return nil, invalid("the grammar cannot be read")
		}
	}
	s.chain = llama.SamplerChainInit(llama.SamplerChainDefaultParams())
	add := func(wanted bool, init func() llama.Sampler) {
		if wanted {
			llama.SamplerChainAdd(s.chain, init())
		}
	}
	add(len(g.Bias) > 0, func() llama.Sampler { return biased(g.Bias, m.size) })
	add(penalises(&g.Sampling), func() llama.Sampler { return penalties(&g.Sampling, m) })
	if g.Temperature == 0 {
		add(true, llama.SamplerInitGreedy)
		return s, nil
	}
	add(g.TopK > 0, func() llama.Sampler { return llama.SamplerInitTopK(g.TopK) })
	add(g.Typical > 0 && g.Typical < 1, func() llama.Sampler { return llama.SamplerInitTypical(g.Typical, 1) })
	add(g.TopP > 0 && g.TopP < 1, func() llama.Sampler { return llama.SamplerInitTopP(g.TopP, 1) })
	add(g.MinP > 0, func() llama.Sampler { return llama.SamplerInitMinP(g.MinP, 1) })
	add(true, func() llama.Sampler { return llama.SamplerInitTemp(g.Temperature) })
	// The greatest seed means one by chance to the library.
	add(true, func() llama.Sampler { return llama.SamplerInitDist(min(s.seed, engine.MostSeed)) })
	return s, nil
}

func biased(bias map[int32]float32, vocabulary int) llama.Sampler {
	list := make([]llama.LogitBias, 0, len(bias))
	for token, b := range bias {
		list = append(list, llama.LogitBias{Token: llama.Token(token), Bias: b})
	}
	return llama.SamplerInitLogitBias(int32(vocabulary), int32(len(list)), &list[0])
}

func penalises(s *engine.Sampling) bool {
	return s.Repeat != 0 && s.Repeat != 1 || s.Frequency != 0 || s.Presence != 0
}

// penalties looks back as far as the window at most. The library itself takes -1 for
// none at all.
func penalties(s *engine.Sampling, m *model) llama.Sampler {
	last, repeat := s.Last, s.Repeat
	if last == 0 {
		last = usualLast
	}
	if last < 0 || int(last) > m.window {
		last = int32(m.window)
	}
	if repeat == 0 {
		repeat = 1
	}
	return llama.SamplerInitPenalties(int32(m.size), last, repeat, s.Frequency, s.Presence)
}

// remember tells the penalties what was said before the answer: the prompt.
func (s *sampler) remember(prompt []llama.Token) {
	for _, t := range prompt {
		llama.SamplerAccept(s.chain, t)
	}
}

func (s *sampler) free() {
	llama.SamplerFree(s.chain)
	llama.SamplerFree(s.grammar)
}

// candidates are the tokens that could come next. One is made for all answers in turn.
type candidates struct {
	all   []llama.TokenData
	array llama.TokenDataArray
}

// A choice is a token that was taken, and how likely it and others were.
type choice struct {
	token   llama.Token
	logprob *float64
	top     []llama.TokenData // whose P is a log-probability
}

var errNoNumbers = &starling.Error{Kind: starling.Refused, Op: "llamacpp: the model's logits are no numbers", Hint: "its file is damaged: pull it again"}

// choose takes the next token from the logits, which it leaves as they are. With weigh it
// also says how likely the token was among those that the grammar allows, whatever the
// chain prefers, and top others. over: the grammar allows nothing more. The error is
// Refused: the logits are no numbers.
func (s *sampler) choose(logits []float32, c *candidates, weigh bool, top int) (ch choice, over bool, err error) {
	s.allow(logits, c)
	if c.array.Size == 0 && s.grammar != 0 {
		return choice{}, true, nil
	}
	if c.array.Size == 0 {
		return choice{}, false, errNoNumbers
	}
	sum := 0.0
	if weigh {
		sum = logSum(c.all)
		ch.top = likeliest(c.all, top, sum)
	}
	llama.SamplerApply(s.chain, &c.array)
	if c.array.Selected < 0 || uint64(c.array.Selected) >= c.array.Size {
		return choice{}, false, errNoNumbers
	}
	ch.token = c.all[c.array.Selected].Id
	if p := float64(logits[ch.token]) - sum; weigh && !math.IsNaN(p) && !math.IsInf(p, 0) {
		ch.logprob = &p
	}
	return ch, false, nil
}

// What is far below the likeliest token counts for little.
const (
	headroom   = 10   // tokens whose logits are less far below the greatest are looked at first
	negligible = 1e-4 // and no others, where those are less likely than this share, all together
)

// allow makes candidates of what the grammar allows. To ask the grammar about a whole
// vocabulary takes longer than to compute a token of a small model; so it is asked about
// the likely ones alone where the others together make no difference that is worth it.
func (s *sampler) allow(logits []float32, c *candidates) {
	if s.grammar != 0 && s.asIs {
		greatest := slices.Max(logits)
		rest := c.fill(logits, greatest-headroom, greatest)
		if rest < negligible*mass(c.all, greatest) {
			c.restrict(s.grammar)
			if rest < negligible*mass(c.all, greatest) {
				return
			}
		}
	}
	c.fill(logits, float32(math.Inf(-1)), 0)
	if s.grammar != 0 {
		c.restrict(s.grammar)
	}
}

// mass is the probability of tokens together, as a multiple of that of one with the
// greatest logit.
func mass(all []llama.TokenData, greatest float32) (sum float64) {
	for _, d := range all {
		sum += math.Exp(float64(d.Logit - greatest))
	}
	return sum
}

// logSum is the logarithm of the sum of what the logits are the logarithms of.
func logSum(all []llama.TokenData) float64 {
	greatest := all[0].Logit
	for _, d := range all {
		greatest = max(greatest, d.Logit)
	}
	return float64(greatest) + math.Log(mass(all, greatest))
}

// likeliest returns the n tokens with the greatest logits, the greatest first.
func likeliest(all []llama.TokenData, n int, sum float64) []llama.TokenData {
	var best []llama.TokenData
	for _, d := range all {
		if len(best) == n && (n == 0 || d.Logit <= best[n-1].Logit) {
			continue
		}
		at, _ := slices.BinarySearchFunc(best, d, func(a, b llama.TokenData) int { return cmp.Compare(b.Logit, a.Logit) })
		if len(best) == n {
			best = best[:n-1]
		}
		best = slices.Insert(best, at, d)
	}
	for i := range best {
		best[i].P = float32(float64(best[i].Logit) - sum)
	}
	return slices.DeleteFunc(best, func(d llama.TokenData) bool { return !finite(d.P) })
}

// accept goes on from a token that was chosen.
func (s *sampler) accept(t llama.Token) {
	llama.SamplerAccept(s.chain, t)
	if s.grammar != 0 {
		llama.SamplerAccept(s.grammar, t)
	}
}

// fill takes the tokens whose logits are not below one, and returns the [mass] of others.
func (c *candidates) fill(logits []float32, least, greatest float32) (rest float64) {
	c.all = slices.Grow(c.all[:0], len(logits))
	for i, x := range logits {
		if x >= least {
			c.all = append(c.all, llama.TokenData{Id: llama.Token(i), Logit: x})
		} else {
			rest += math.Exp(float64(x - greatest))
		}
	}
	c.set()
	return rest
}

// restrict leaves out what a grammar forbids.
func (c *candidates) restrict(grammar llama.Sampler) {
	if len(c.all) > 0 {
		llama.SamplerApply(grammar, &c.array)
	}
	c.all = slices.DeleteFunc(c.all, func(d llama.TokenData) bool { return math.IsInf(float64(d.Logit), -1) })
	c.set()
}

func (c *candidates) set() {
	c.array = llama.TokenDataArray{Data: unsafe.SliceData(c.all), Size: uint64(len(c.all)), Selected: -1}
}
