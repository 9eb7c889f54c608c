package sim

import (
	"encoding/base64"
	"encoding/binary"
	"math"
	"net/http"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/tidwall/gjson"

	"starling"
)

// mostInputs is how many texts one request may have, as at the vendor.
const mostInputs = 2048

// A wanted is a request for embeddings.
type wanted struct {
	model  string
	inputs []string
	base64 bool
	dims   int64 // 0 unsaid
	tokens int64

	tell func(m *runner, vectors [][]float32) []byte // the reply
}

// parseEmbeddings reads the body of POST /v1/embeddings. Inputs are texts: what
// a token would be here, nobody could tell.
func parseEmbeddings(f map[string]gjson.Result) (*wanted, *fault) {
	a := &ask{dialect: starling.OpenAI}
	w := &wanted{model: a.text("model", f["model"]), dims: a.count("dimensions", f["dimensions"])}
	format := a.text("encoding_format", f["encoding_format"])
	w.base64 = format == "base64"
	if format != "" && format != "float" && !w.base64 {
		a.bad("encoding_format", "encoding_format must be float or base64")
	}
	if input := f["input"]; input.Type == gjson.String && input.Str != "" {
		w.inputs = []string{input.Str}
	} else {
		w.inputs = a.strings("input", input)
	}
	switch {
	case len(w.inputs) == 0 || len(w.inputs) > mostInputs:
		a.bad("input", "input must be a text, or 1 to %d texts", mostInputs)
	case w.model == "":
		a.bad("model", "you must provide a model")
	}
	w.count()
	w.tell = w.openAI
	return w, a.wrong
}

func (w *wanted) count() {
	for _, text := range w.inputs {
		w.tokens += Tokens(text)
	}
}

// embed answers with a vector for each input.
func (x *visit) embed(w *wanted, wrong *fault) *fault {
	if wrong != nil {
		return wrong
	}
	m, wrong := x.find(w.model)
	switch {
	case wrong != nil:
		return wrong
	case w.dims > int64(m.Dims):
		return refused("dimensions", "dimensions must be at most %d for %s", m.Dims, m.Name)
	}
	began := time.Now()
	m.begin()
	end := failed
	defer func() { m.settleEmbedding(end, w.tokens, time.Since(began)) }()
	about := x.die.about(m.Name).about("embed").about(strings.Join(w.inputs, "\x00"))
	switch fate := m.Failure.fate(about.nth(x.attempts.next(uint64(about)))); {
	case fate.fault() != nil:
		return fate.fault()
	case fate != fine:
		end = brokenOff
		panic(http.ErrAbortHandler)
	}
	end = left
	if m.Latency.pace(began, about).wait(x.r.Context(), 0) == nil && x.reply(w.tell(m, x.vectors(&m.Model, w))) == nil {
		end = whole
	}
	return nil
}

type embedding struct {
	Object    string `json:"object"`
	Index     int    `json:"index"`
	Embedding any    `json:"embedding"`
}

type embeddings struct {
	Object string      `json:"object"`
	Data   []embedding `json:"data"`
	Model  string      `json:"model"`
	Usage  struct {
		PromptTokens int64 `json:"prompt_tokens"`
		TotalTokens  int64 `json:"total_tokens"`
	} `json:"usage"`
	Simulated bool `json:"simulated"`
}

// vectors returns those of all inputs, of as many numbers as are wanted.
func (s *Server) vectors(m *Model, w *wanted) (all [][]float32) {
	for _, text := range w.inputs {
		v := s.vector(m, text)
		if w.dims > 0 {
			v = length1(v[:w.dims])
		}
		all = append(all, v)
	}
	return all
}

func (w *wanted) openAI(m *runner, vectors [][]float32) []byte {
	out := embeddings{Object: "list", Model: m.Name, Simulated: true}
	out.Usage.PromptTokens, out.Usage.TotalTokens = w.tokens, w.tokens
	for i, v := range vectors {
		e := embedding{Object: "embedding", Index: i, Embedding: v}
		if w.base64 {
			raw := make([]byte, 0, 4*len(v))
			for _, x := range v {
				raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(x))
			}
			e.Embedding = base64.StdEncoding.EncodeToString(raw)
		}
		out.Data = append(out.Data, e)
	}
	return marshal(out)
}

// vector is the sum of the words of a text: each has a direction of its own at
// every model, and those that the shop's customers use of one topic lean towards
// the same. So it knows, as an embedding model does, which words go together, and
// nothing else.
func (s *Server) vector(m *Model, text string) []float32 {
	about := s.die.about(m.Name).about("embedding")
	sum := make([]float64, m.Dims)
	for word := range strings.FieldsFuncSeq(strings.ToLower(text), notLetter) {
		about.about("word").about(word).push(sum, 0.5)
		for label, share := range leanings()[word] {
			about.about("topic").about(label).push(sum, 2*share*share)
		}
	}
	about.push(sum, 1) // all texts are in one corner
	v := make([]float32, len(sum))
	for i, x := range sum {
		v[i] = float32(x)
	}
	return length1(v)
}

func notLetter(r rune) bool { return !unicode.IsLetter(r) }

// push moves a point in the die's direction.
func (d die) push(at []float64, by float64) {
	for i := range at {
		at[i] += by * (2*d.nth(int64(i)).share() - 1)
	}
}

func length1(v []float32) []float32 {
	var square float64
	for _, x := range v {
		square += float64(x) * float64(x)
	}
	out := make([]float32, len(v))
	for i, x := range v {
		out[i] = float32(float64(x) / max(math.Sqrt(square), 1e-12))
	}
	return out
}

// leanings say, of each word that the shop's customers use when they want
// something, which share of that is about which topic.
var leanings = sync.OnceValue(func() map[string]map[string]float64 {
	all, total := map[string]map[string]float64{}, map[string]float64{}
	for section, lines := range sections(shopText) {
		topic, kind, _ := strings.Cut(section, ".")
		if kind != "ask" && kind != "bitte" {
			continue
		}
		label, _, _ := strings.Cut(topic, "/")
		for word := range strings.FieldsFuncSeq(strings.ToLower(strings.Join(lines, " ")), notLetter) {
			if all[word] == nil {
				all[word] = map[string]float64{}
			}
			all[word][label]++
			total[word]++
		}
	}
	for word, labels := range all {
		for label := range labels {
			labels[label] /= total[word]
		}
	}
	return all
})

// settleEmbedding books a request for embeddings that has ended.
func (m *runner) settleEmbedding(e end, tokens int64, took time.Duration) {
	usage := starling.Usage{Input: tokens}
	_, cost := m.Price.Cost(usage, took)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.running--
	if m.count.ended(e) {
		m.count.Cost = m.count.Cost.Plus(cost)
		m.count.add(usage)
	}
}
