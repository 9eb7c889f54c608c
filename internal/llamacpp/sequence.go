package llamacpp

import (
	"slices"
	"time"

	"github.com/hybridgroup/yzma/pkg/llama"

	"starling"
	"starling/internal/engine"
)

// A lora is an adapter in use. The zero value is none.
type lora struct {
	name  string
	scale float32
}

func loraOf(g *engine.Generate) lora {
	if g.Adapter == "" {
		return lora{}
	}
	if g.Scale == 0 {
		return lora{g.Adapter, 1}
	}
	return lora{g.Adapter, g.Scale}
}

// A sequence is a place at which one answer at a time is written. What was read and
// written there stays until another prompt, which may begin in the same way, takes it.
type sequence struct {
	id     llama.SeqId
	tokens []llama.Token // that the cache holds
	lora   lora          // with which they were computed
	work   *work         // nil: free
	served uint64        // the step in which it had its last turn
}

// A work is an answer that is asked for, or a choice of one, and how far it has come.
// Choices have one id. Only the first reads the prompt: the others have their sequences
// from the beginning, and wait there until they can go on from what it has read.
type work struct {
	id      uint64
	choice  int
	others  []*work // of the first: the other choices, until they have their sequences
	waits   bool    // for the first choice to have read the prompt
	order   *engine.Generate
	prompt  []llama.Token
	sampler *sampler
	text    text
	held    []engine.Token // that are not told yet, because of what the text holds back

	next    llama.Token // what was said last and has to be read by the model
	writing bool        // the prompt has been read
	row     int32       // in the batch, of the token after which the next is chosen; -1: none
	cached  int
	output  int
	begun   time.Time // when it got its sequence
	first   time.Time // when its first token came
}

// newWork checks an order, and makes of it what can be seated.
func newWork(id uint64, g *engine.Generate, m *model) (*work, error) {
	if err := checkGenerate(g, m); err != nil {
		return nil, err
	}
	prompt, err := m.tokens(g.Prompt)
	if err != nil {
		return nil, err
	}
	if len(prompt) == 0 {
		return nil, invalid("the prompt is empty")
	}
	if len(prompt) > m.window {
		return nil, m.tooLong(len(prompt))
	}
	w := &work{id: id, order: g, prompt: prompt, text: text{stops: g.Stop}}
	if w.sampler, err = newSampler(g, m); err != nil {
		return nil, err
	}
	if err := w.choose(m); err != nil {
		w.free()
		return nil, err
	}
	return w, nil
}

// choose makes the other choices of an order.
func (w *work) choose(m *model) error {
	for i := 1; i < w.order.Choices; i++ {
		g := *w.order
		seed := engine.SeedOf(w.sampler.seed, i)
		g.Seed = &seed
		s, err := newSampler(&g, m)
		if err != nil {
			return err
		}
		w.others = append(w.others, &work{id: w.id, choice: i, waits: true, order: &g, prompt: w.prompt, sampler: s, text: text{stops: g.Stop}})
	}
	return nil
}

// free gives back what the library holds for a work, and for the choices that have no
// sequences yet.
func (w *work) free() {
	w.sampler.free()
	for _, other := range w.others {
		other.free()
	}
}

// common returns how many tokens of a prompt the cache holds already and can keep. The
// last token of a prompt is always read anew, because what follows it is computed with it.
func (s *sequence) common(w *work, m *model) int {
	if s.lora != loraOf(w.order) {
		return 0
	}
	n, most := 0, min(len(s.tokens), len(w.prompt)-1)
	for n < most && s.tokens[n] == w.prompt[n] {
		n++
	}
	if m.state && n < len(s.tokens) {
		return 0
	}
	return n
}

// seat gives a free sequence a work. What the cache holds beyond the common beginning is
// forgotten; a model that cannot forget the end alone forgets everything.
func (s *sequence) seat(w *work, m *model) {
	n := s.common(w, m)
	if n < len(s.tokens) {
		if ok, _ := llama.MemorySeqRm(m.memory, s.id, llama.Pos(n), -1); !ok {
			s.forget(m)
			n = 0
		}
	}
	s.tokens = s.tokens[:n]
	s.take(w, n)
}

// take begins a work of which so many tokens have been read.
func (s *sequence) take(w *work, cached int) {
	s.lora, s.work = loraOf(w.order), w
	w.cached, w.begun = cached, time.Now()
	if penalises(&w.order.Sampling) {
		w.sampler.remember(w.prompt)
	}
}

// join goes on from where another sequence has read the prompt of a choice that waits
// here. The library copies whole sequences alone.
func (s *sequence) join(first *sequence, m *model) {
	_ = llama.MemorySeqCp(m.memory, first.id, s.id, -1, -1) // it fails without a memory alone
	s.tokens = slices.Clone(first.tokens)
	s.work.waits, s.work.row = false, first.work.row
}

func (s *sequence) forget(m *model) {
	_, _ = llama.MemorySeqRm(m.memory, s.id, -1, -1)
	s.tokens = nil
}

// ahead returns the tokens that the model has to read next.
func (s *sequence) ahead() []llama.Token {
	if s.work.writing {
		return []llama.Token{s.work.next}
	}
	return s.work.prompt[len(s.tokens):]
}

// done says how a work ended.
func (w *work) done(finish starling.Finish) *engine.Done {
	d := &engine.Done{Finish: finish, Prompt: len(w.prompt), Cached: w.cached, Output: w.output, Seed: w.sampler.seed}
	now := time.Now()
	switch {
	case w.begun.IsZero():
	case w.first.IsZero():
		d.Reading = now.Sub(w.begun).Seconds()
	default:
		d.Reading, d.Writing = w.first.Sub(w.begun).Seconds(), now.Sub(w.first).Seconds()
	}
	return d
}
