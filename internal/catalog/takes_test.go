package catalog

import (
	"testing"

	"starling"
)

func TestTheNameOfAModelTellsWhatItTakes(t *testing.T) {
	for name, want := range map[string]starling.Dialect{
		"text-embedding-3-small":      starling.Embeddings,
		"nomic-embed-text:latest":     starling.Embeddings,
		"Qwen/Qwen3-Embedding-8B":     starling.Embeddings,
		"BAAI/bge-m3":                 starling.Embeddings,
		"all-minilm:l6-v2":            starling.Embeddings,
		"intfloat/e5-mistral-7b":      starling.Embeddings,
		"omni-moderation-latest":      starling.Moderations,
		"mistral-moderation-2411":     starling.Moderations,
		"BAAI/bge-reranker-v2-m3":     "",
		"gpt-5.5":                     "",
		"qwen3:0.6b":                  "",
		"llama-guard3":                "", // it answers in words
		"someone/my-bge-like-chatter": "",
	} {
		if got := Takes(name); got != want {
			t.Errorf("%s takes %q, want %q", name, got, want)
		}
	}
}

func TestTheCatalogHasEmbeddingModelsAtTheirPrice(t *testing.T) {
	row, ok := Embedded().Find("openai", "text-embedding-3-small")
	if m := row.Fill(); !ok || m.Takes != starling.Embeddings || m.Price.Input != 20_000_000 || m.Price.Output != 0 || m.Context != 8191 || m.MaxOutput != 0 {
		t.Errorf("%+v", row)
	}
	v, _ := VendorNamed("openai")
	if all := v.Moderators(); len(all) == 0 || all[0] != UsualModerator || !FreeModeration.Known() {
		t.Error(all)
	}
	for _, name := range v.Moderators() {
		if Takes(name) != starling.Moderations {
			t.Error(name)
		}
	}
}
