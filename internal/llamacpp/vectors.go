package llamacpp

import (
	"fmt"
	"math"
	"slices"

	"github.com/hybridgroup/yzma/pkg/llama"

	"starling"
	"starling/internal/engine"
)

// An embedding is an order for vectors, and how far it has come: one text in each step.
type embedding struct {
	id    uint64
	texts [][]llama.Token
	made  [][]float32
}

// pool makes one vector of a text of the tokens' vectors: as the model says, or their
// mean where it says nothing.
func (m *model) pool(p llama.ContextParams) error {
	if llama.GetPoolingType(m.context) == llama.PoolingTypeNone {
		if err := llama.Free(m.context); err != nil {
			return err
		}
		p.PoolingType = llama.PoolingTypeMean
		if err := m.enter(p); err != nil {
			return err
		}
	}
	m.batch = min(m.batch, int(llama.NUBatch(m.context)))
	if llama.GetPoolingType(m.context) == llama.PoolingTypeRank {
		return refused("load the model", "this one ranks texts, and makes no vectors of them")
	}
	return nil
}

func (l *loop) embed(id uint64, e *engine.Embed) error {
	if !l.only {
		return l.fault(id, refused("embed", "the model was loaded for words"))
	}
	if len(e.Texts) == 0 {
		return l.fault(id, invalid("there are no texts"))
	}
	work := &embedding{id: id}
	for _, text := range e.Texts {
		tokens, err := l.tokenize(text, true, false)
		switch {
		case err != nil:
			return l.fault(id, err)
		case len(tokens) == 0:
			return l.fault(id, invalid("a text is empty"))
		case len(tokens) > min(l.window, l.batch):
			return l.fault(id, l.tooLong(len(tokens)))
		}
		work.texts = append(work.texts, tokens)
	}
	l.vectors = append(l.vectors, work)
	return nil
}

func (l *loop) cancelVectors(id uint64) error {
	i := slices.IndexFunc(l.vectors, func(e *embedding) bool { return e.id == id })
	if i < 0 {
		return nil
	}
	l.vectors = slices.Delete(l.vectors, i, i+1)
	return l.child.say(engine.Report{ID: id, Done: &engine.Done{Finish: starling.Stopped, Left: true}})
}

// vector makes the next vector of the first order, and tells all when it was the last.
func (l *loop) vector() error {
	e := l.vectors[0]
	v, err := l.vectorOf(e.texts[len(e.made)])
	if err != nil {
		l.vectors = slices.Delete(l.vectors, 0, 1)
		return l.fault(e.id, err)
	}
	e.made = append(e.made, v)
	if len(e.made) < len(e.texts) {
		return nil
	}
	l.vectors = slices.Delete(l.vectors, 0, 1)
	return l.child.say(engine.Report{ID: e.id, Vectors: e.made})
}

func (l *loop) vectorOf(tokens []llama.Token) ([]float32, error) {
	if l.memory != 0 {
		_ = llama.MemoryClear(l.memory, true)
	}
	_ = l.rows.Clear()
	for i, t := range tokens {
		_ = l.rows.Add(t, llama.Pos(i), []llama.SeqId{0}, true)
	}
	if code, err := llama.Decode(l.context, l.rows); err != nil || code != 0 {
		return nil, &starling.Error{Kind: starling.Internal, Op: fmt.Sprintf("llamacpp: the library answered %d to a text", code)}
	}
	raw, _ := llama.GetEmbeddingsSeq(l.context, 0, llama.ModelNEmbdOut(l.model.model))
	return unit(raw)
}

// unit returns a copy of a vector with length 1.
func unit(raw []float32) ([]float32, error) {
	sum := 0.0
	for _, x := range raw {
		sum += float64(x) * float64(x)
	}
	length := math.Sqrt(sum)
	if !(length > 0) || math.IsInf(length, 0) {
		return nil, &starling.Error{Kind: starling.Internal, Op: "llamacpp: the library made a vector without a direction"}
	}
	v := make([]float32, len(raw))
	for i, x := range raw {
		v[i] = float32(float64(x) / length)
	}
	return v, nil
}
