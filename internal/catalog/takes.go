package catalog

import (
	"slices"
	"strings"

	"starling"
)

// Takes returns what a model of that name is asked for instead of an answer in
// words, as far as its name tells: vectors, or a moderation; "" it converses.
// Servers list all their models alike, and few say what each is for.
func Takes(model string) starling.Dialect {
	name := strings.ToLower(model)
	family := name[strings.LastIndexByte(name, '/')+1:]
	switch {
	case strings.Contains(name, "embed"):
		return starling.Embeddings
	case strings.Contains(name, "moderation"):
		return starling.Moderations
	}
	for _, f := range embedders {
		if strings.HasPrefix(family, f) && !strings.Contains(family, "rerank") {
			return starling.Embeddings
		}
	}
	return ""
}

// embedders are families of embedding models that do not say so in their names.
var embedders = []string{"all-minilm", "all-mpnet", "bge-", "e5-", "gte-", "multilingual-e5", "paraphrase-", "voyage-"}

// Moderators returns the vendor's models that moderate, the usual one first. The
// snapshot has none of them, as nobody pays for them.
func (v Vendor) Moderators() []string { return slices.Clone(moderators[v.Name]) }

// Source: ModerationModel in OpenAI's OpenAPI document 2.3.0, and
// platform.openai.com/docs/guides/moderation, which says that it is free.
var moderators = map[string][]string{
	"openai": {"omni-moderation-latest", "omni-moderation-2024-09-26", "text-moderation-latest", "text-moderation-stable"},
}

// UsualModerator is what clients ask a server of OpenAI's dialect that moderates.
const UsualModerator = "omni-moderation-latest"

// FreeModeration is the price of [Vendor.Moderators].
var FreeModeration = starling.Price{Free: true, Source: "platform.openai.com/docs/guides/moderation"}
