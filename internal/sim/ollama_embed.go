package sim

import (
	"github.com/tidwall/gjson"

	"starling"
)

// parseOllamaEmbed reads the body of POST /api/embed. This model reads all of a text, so
// whether it may be cut makes no difference.
func parseOllamaEmbed(f map[string]gjson.Result) (*wanted, *fault) {
	a := &ask{dialect: starling.Ollama}
	w := &wanted{model: a.text("model", f["model"]), dims: a.count("dimensions", f["dimensions"])}
	if input := f["input"]; input.Type == gjson.String && input.Str != "" {
		w.inputs = []string{input.Str}
	} else {
		w.inputs = a.strings("input", input)
	}
	switch {
	case w.model == "":
		a.bad("model", "model is required")
	case len(w.inputs) == 0:
		a.bad("input", "the simulator loads no models: send a text")
	}
	w.count()
	w.tell = w.ollama
	return w, a.wrong
}

func (w *wanted) ollama(m *runner, vectors [][]float32) []byte {
	return marshal(struct {
		Model      string      `json:"model"`
		Embeddings [][]float32 `json:"embeddings"`
		Prompt     int64       `json:"prompt_eval_count"`
		Simulated  bool        `json:"simulated"`
	}{m.Name, vectors, w.tokens, true})
}
