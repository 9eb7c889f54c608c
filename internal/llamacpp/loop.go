package llamacpp

import (
	"fmt"
	"slices"
	"time"

	"github.com/hybridgroup/yzma/pkg/llama"

	"starling"
	"starling/internal/engine"
)

// patience is for how many steps the works with one adapter go on while others, which
// cannot share a batch with them, wait.
const patience = 16

// A loop is a child at work: it takes orders, seats them, and steps. In each step the
// model reads one batch, in which every answer under way has its next token, and prompts
// have what room is left. The loop alone calls the library.
type loop struct {
	*model
	child     *child
	sequences []*sequence
	waiting   []*work
	vectors   []*embedding
	only      bool // vectors, no words

	rows  llama.Batch
	next  candidates
	lora  lora   // with which batches are computed now
	since int    // steps since it was chosen
	steps uint64 // all
}

func newLoop(m *model, l *engine.Load, c *child) *loop {
	lp := &loop{model: m, child: c, only: l.Vectors, rows: llama.BatchInit(int32(m.batch), 0, 1)}
	for i := range l.Sequences {
		lp.sequences = append(lp.sequences, &sequence{id: llama.SeqId(i)})
	}
	return lp
}

// run works until no more orders can come, or nobody listens, which is its error.
func (l *loop) run() error {
	for {
		idle := l.idle()
		orders, open := l.child.orders.take(idle)
		if !open {
			return nil
		}
		for _, o := range orders {
			if err := l.obey(o); err != nil {
				return err
			}
		}
		if idle && l.expects() {
			time.Sleep(company)
			continue
		}
		l.seat()
		if err := l.step(); err != nil {
			return err
		}
	}
}

// company is how long the first question waits for others that were asked at the same
// time: a model reads several at once in less time than one after the other, and who is
// late by a moment would wait until the first is read.
const company = 2 * time.Millisecond

// talkative is from how many tokens on a prompt takes so much longer to read than company
// that nobody notices the wait.
const talkative = 16

// expects reports whether the works that wait are worth waiting for others with.
func (l *loop) expects() bool {
	return len(l.waiting) > 0 && len(l.waiting) < len(l.sequences) && len(l.waiting[0].prompt) >= talkative
}

func (l *loop) idle() bool {
	busy := func(s *sequence) bool { return s.work != nil }
	return len(l.waiting) == 0 && len(l.vectors) == 0 && !slices.ContainsFunc(l.sequences, busy)
}

// obey takes an order. Like all that follows it returns an error only where nobody
// listens; what is wrong with an order is told.
func (l *loop) obey(o engine.Order) error {
	switch {
	case o.Cancel:
		return l.cancel(o.ID)
	case o.Threads != 0:
		n := int32(min(max(o.Threads, 1), mostThreads))
		llama.SetNThreads(l.context, n, n)
		return nil
	case o.ID == 0 || o.Load != nil:
		return l.fault(0, invalid("an order without an ID, or a second load"))
	case o.Generate != nil:
		return l.admit(o.ID, o.Generate)
	case o.Embed != nil:
		return l.embed(o.ID, o.Embed)
	case o.Count != nil:
		return l.count(o.ID, o.Count)
	}
	return l.fault(o.ID, invalid("an order of no known shape"))
}

func (l *loop) fault(id uint64, err error) error {
	return l.child.say(engine.Report{ID: id, Fault: faultOf(err)})
}

func (l *loop) admit(id uint64, g *engine.Generate) error {
	if l.only {
		return l.fault(id, refused("generate", "the model was loaded for vectors"))
	}
	w, err := newWork(id, g, l.model)
	if err != nil {
		return l.fault(id, err)
	}
	l.waiting = append(l.waiting, w)
	return nil
}

func (l *loop) count(id uint64, c *engine.Count) error {
	tokens, err := l.tokens(c.Text)
	if err != nil {
		return l.fault(id, err)
	}
	ids := make([]int32, len(tokens))
	for i, t := range tokens {
		ids[i] = int32(t)
	}
	return l.child.say(engine.Report{ID: id, Counted: &engine.Counted{Tokens: ids}})
}

// cancel ends a work with all its choices, wherever it is. One that has ended is none.
func (l *loop) cancel(id uint64) error {
	w := l.drop(id)
	if i := slices.IndexFunc(l.waiting, func(w *work) bool { return w.id == id }); i >= 0 {
		w = l.waiting[i]
		w.free()
		l.waiting = slices.Delete(l.waiting, i, i+1)
	}
	if w == nil {
		return l.cancelVectors(id)
	}
	d := w.done(starling.Stopped)
	d.Left = true
	return l.child.say(engine.Report{ID: id, Done: d})
}

// drop takes a work and all its choices from their sequences, and returns one of them;
// nil if it has none.
func (l *loop) drop(id uint64) (w *work) {
	for _, s := range l.of(id) {
		w, s.work = s.work, nil
		w.free()
	}
	return w
}

// of returns the sequences in which a work and its choices are.
func (l *loop) of(id uint64) (all []*sequence) {
	for _, s := range l.sequences {
		if s.work != nil && s.work.id == id {
			all = append(all, s)
		}
	}
	return all
}

// seat gives free sequences to those that wait, in order. Choices get theirs at once, or
// none, so that two orders never wait for each other's.
func (l *loop) seat() {
	for len(l.waiting) > 0 {
		w := l.waiting[0]
		if l.vacant() < 1+len(w.others) {
			return
		}
		l.free(w).seat(w, l.model)
		for _, other := range w.others {
			s := l.oldest()
			s.forget(l.model) // what is copied there finds nothing else
			s.take(other, len(other.prompt))
		}
		w.others = nil
		l.waiting = slices.Delete(l.waiting, 0, 1)
	}
}

// vacant is how many sequences are free.
func (l *loop) vacant() (n int) {
	for _, s := range l.sequences {
		if s.work == nil {
			n++
		}
	}
	return n
}

// oldest returns the free sequence that was of no use for longest.
func (l *loop) oldest() (best *sequence) {
	for _, s := range l.sequences {
		if s.work == nil && (best == nil || s.served < best.served) {
			best = s
		}
	}
	return best
}

// worthwhile is how many tokens a cache has to save for it to be taken from those who
// may come back to it: nearly all prompts have their very first ones in common.
const worthwhile = 8

// free returns the free sequence that holds most of a prompt. Where all hold little of
// it, it is the one that was of no use for longest.
func (l *loop) free(w *work) (best *sequence) {
	worth := func(s *sequence) int {
		if n := s.common(w, l.model); n >= worthwhile {
			return n
		}
		return 0
	}
	for _, s := range l.sequences {
		if s.work != nil {
			continue
		}
		if best == nil || worth(s) > worth(best) || worth(s) == worth(best) && s.served < best.served {
			best = s
		}
	}
	return best
}

// step has the model read one batch, and takes what follows from it.
func (l *loop) step() error {
	if len(l.vectors) > 0 {
		return l.vector()
	}
	turn, err := l.turn()
	if err != nil || len(turn) == 0 {
		return err
	}
	read := l.fill(turn)
	if code, err := llama.Decode(l.context, l.rows); err != nil || code != 0 {
		return l.broke(turn, code)
	}
	for i, s := range turn {
		s.tokens = append(s.tokens, s.ahead()[:read[i]]...)
	}
	for _, s := range l.joined(turn) {
		if s.work == nil || s.work.row < 0 { // nil: another choice of its order failed
			continue
		}
		s.work.writing = true
		if err := l.advance(s); err != nil {
			return err
		}
	}
	return nil
}

// joined adds to the sequences that had their turn the other choices of those that have
// read their prompts in it: they all begin with what the model says of the last token.
func (l *loop) joined(turn []*sequence) []*sequence {
	all := turn
	for _, s := range turn {
		if s.work.row < 0 || s.work.writing {
			continue
		}
		for _, other := range l.of(s.work.id) {
			if other.work.waits {
				other.join(s, l.model)
				all = append(all, other)
			}
		}
	}
	return all
}

// turn returns the sequences that may share the next batch, in the order in which they get
// room in it.
func (l *loop) turn() (turn []*sequence, err error) {
	l.steps++
	l.since++
	if s := l.longest(); s != nil {
		l.lora, l.since = s.lora, 0
		if err := l.use(l.lora.name, l.lora.scale); err != nil {
			return nil, err
		}
	}
	for _, s := range l.sequences {
		if s.work != nil && !s.work.waits && s.lora == l.lora {
			s.served = l.steps
			turn = append(turn, s)
		}
	}
	slices.SortStableFunc(turn, inTurn)
	return turn, nil
}

// inTurn puts those first that write, and then the prompts that came first, so that none
// waits for ever behind long ones.
func inTurn(a, b *sequence) int {
	switch {
	case a.work.writing && b.work.writing:
		return 0
	case a.work.writing:
		return -1
	case b.work.writing:
		return 1
	}
	return a.work.begun.Compare(b.work.begun)
}

// longest returns the sequence for which another adapter has to be used now: one that
// has waited for longest, if those of this adapter have had their turn; else nil.
func (l *loop) longest() (other *sequence) {
	same := false
	for _, s := range l.sequences {
		switch {
		case s.work == nil || s.work.waits:
		case s.lora == l.lora:
			same = true
		case other == nil || s.served < other.served:
			other = s
		}
	}
	if same && l.since < patience {
		return nil
	}
	return other
}

// fill puts what is to be read into the batch, and returns how many tokens of each.
func (l *loop) fill(turn []*sequence) []int {
	_ = l.rows.Clear()
	read := make([]int, len(turn))
	for i, s := range turn {
		ahead := s.ahead()
		read[i] = min(len(ahead), l.batch-int(l.rows.NTokens))
		s.work.row = -1
		for j, t := range ahead[:read[i]] {
			last := j == len(ahead)-1
			if last {
				s.work.row = l.rows.NTokens
			}
			_ = l.rows.Add(t, llama.Pos(len(s.tokens)+j), []llama.SeqId{s.id}, last)
		}
	}
	return read
}

// broke ends the works whose batch failed. What their caches hold is not known.
func (l *loop) broke(turn []*sequence, code int32) error {
	for _, s := range turn {
		s.forget(l.model)
		if s.work == nil { // it was a choice of one that was told
			continue
		}
		err := &starling.Error{Kind: starling.Internal, Op: fmt.Sprintf("llamacpp: the library answered %d to a batch", code)}
		if err := l.fail(s, err); err != nil {
			return err
		}
	}
	return nil
}

// fail ends a work with all its choices.
func (l *loop) fail(s *sequence, err error) error {
	return l.fault(l.drop(s.work.id).id, err)
}

// advance takes the next token of an answer.
func (l *loop) advance(s *sequence) error {
	w := s.work
	logits, _ := llama.GetLogitsIth(l.context, w.row, l.size)
	if len(logits) == 0 {
		return l.fail(s, &starling.Error{Kind: starling.Internal, Op: "llamacpp: the library has no logits"})
	}
	ch, over, err := w.sampler.choose(logits, &l.next, w.order.Logprobs || w.order.Top > 0, w.order.Top)
	if err != nil {
		return l.fail(s, err)
	}
	if w.first.IsZero() {
		w.first = time.Now()
	}
	if over {
		return l.finish(s, w.done(starling.Stopped))
	}
	w.output++
	if llama.VocabIsEOG(l.vocab, ch.token) {
		return l.finish(s, w.done(starling.Stopped))
	}
	w.sampler.accept(ch.token)
	w.next = ch.token
	return l.tell(s, ch)
}

// tell says what is sure of an answer by now, and ends it where it has to end.
func (l *loop) tell(s *sequence, ch choice) error {
	w := s.work
	sure, stop := w.text.add(l.piece(ch.token))
	t := engine.Token{Text: sure, ID: int32(ch.token), Logprob: ch.logprob}
	for _, d := range ch.top {
		t.Top = append(t.Top, engine.Likely{Text: l.piece(d.Id), ID: int32(d.Id), Logprob: float64(d.P)})
	}
	w.held = append(w.held, t)
	switch {
	case stop != "":
		for len(w.held) > 0 && w.held[len(w.held)-1].Text == "" {
			w.held = w.held[:len(w.held)-1] // it is a part of the stop text
		}
		d := w.done(starling.StopWord)
		d.Stop = stop
		return l.finish(s, d)
	case w.output == w.order.MaxTokens:
		return l.finish(s, w.done(starling.Length))
	case len(s.tokens) >= l.window:
		d := w.done(starling.Length)
		d.Window = true
		return l.finish(s, d)
	case w.text.waits():
		return nil
	}
	return l.release(w)
}

// finish ends an answer. What its text held back is said with the last token.
func (l *loop) finish(s *sequence, d *engine.Done) error {
	w := s.work
	if rest := w.text.end(); rest != "" {
		w.held[len(w.held)-1].Text += rest
	}
	if err := l.release(w); err != nil {
		return err
	}
	s.work = nil
	w.free()
	d.More = len(l.of(w.id)) > 0
	return l.child.say(engine.Report{ID: w.id, Choice: w.choice, Done: d})
}

// release tells the tokens that were held back.
func (l *loop) release(w *work) error {
	for i := range w.held {
		if err := l.child.say(engine.Report{ID: w.id, Choice: w.choice, Token: &w.held[i]}); err != nil {
			return err
		}
	}
	w.held = w.held[:0]
	return nil
}
