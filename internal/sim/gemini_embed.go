package sim

import (
	"strings"

	"github.com/tidwall/gjson"

	"starling"
)

// mostContents is how many texts one batch may have, as at Google.
const mostContents = 100

// parseGeminiBatch reads the body of :batchEmbedContents, whose path names the model.
// Each of its requests names it again.
func parseGeminiBatch(f map[string]gjson.Result, model string) (*wanted, *fault) {
	a, w := &ask{dialect: starling.Gemini}, &wanted{model: model}
	requests := f["requests"].Array()
	if !f["requests"].IsArray() || len(requests) == 0 || len(requests) > mostContents {
		a.bad("requests", "a batch must have 1 to %d requests", mostContents)
	}
	for _, r := range requests {
		if r.Get("model").Str != "models/"+model {
			a.bad("requests.model", "the model of each request must match the model of the batch")
		}
		w.geminiText(a, r.Get("content"))
		w.dims = a.count("requests.output_dimensionality", r.Get("outputDimensionality"))
	}
	w.count()
	w.tell = w.geminiBatch
	return w, a.wrong
}

// parseGeminiText reads the body of :embedContent.
func parseGeminiText(f map[string]gjson.Result, model string) (*wanted, *fault) {
	a, w := &ask{dialect: starling.Gemini}, &wanted{model: model}
	w.geminiText(a, f["content"])
	w.dims = a.count("output_dimensionality", f["outputDimensionality"])
	w.count()
	w.tell = w.geminiOne
	return w, a.wrong
}

// geminiText takes the text of a content. This model reads nothing else.
func (w *wanted) geminiText(a *ask, content gjson.Result) {
	var texts []string
	for _, p := range content.Get("parts").Array() {
		if p.Get("text").Type != gjson.String {
			a.bad("content.parts", "a part must have a text")
		}
		texts = append(texts, p.Get("text").Str)
	}
	text := strings.Join(texts, "\n")
	if text == "" {
		a.bad("content", "content is empty")
	}
	w.inputs = append(w.inputs, text)
}

type geminiVector struct {
	Values []float32 `json:"values"`
}

type geminiVectorUsage struct {
	Prompt int64 `json:"promptTokenCount"`
}

func (w *wanted) geminiBatch(_ *runner, vectors [][]float32) []byte {
	out := struct {
		Embeddings []geminiVector    `json:"embeddings"`
		Usage      geminiVectorUsage `json:"usageMetadata"`
		Simulated  bool              `json:"simulated"`
	}{Usage: geminiVectorUsage{w.tokens}, Simulated: true}
	for _, v := range vectors {
		out.Embeddings = append(out.Embeddings, geminiVector{v})
	}
	return marshal(out)
}

func (w *wanted) geminiOne(_ *runner, vectors [][]float32) []byte {
	return marshal(struct {
		Embedding geminiVector      `json:"embedding"`
		Usage     geminiVectorUsage `json:"usageMetadata"`
		Simulated bool              `json:"simulated"`
	}{geminiVector{vectors[0]}, geminiVectorUsage{w.tokens}, true})
}
