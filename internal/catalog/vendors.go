package catalog

import (
	"slices"

	"starling"
)

// A Vendor is an upstream that is known by name. To add one of a known dialect,
// add a row.
type Vendor struct {
	Name    string           // what a configuration calls it
	Dialect starling.Dialect // that it speaks
	URL     string           // of its API, version included: "https://api.openai.com/v1"
	KeyEnv  string           // the variable its key is usually in; "" if it wants none
	Zone    starling.Zone    // where it runs, unless the user knows better
	Catalog string           // its name in the snapshot; "" if its models are for it to list
}

// Also returns the dialects that the vendor's API understands beside Dialect.
func (v Vendor) Also() []starling.Dialect { return slices.Clone(also[v.Name]) }

// Vendors returns the known vendors: those in the cloud sorted by name, then the
// servers on this machine sorted by name.
func Vendors() []Vendor { return slices.Clone(vendors[:]) }

// VendorNamed returns the vendor of that name.
func VendorNamed(name string) (Vendor, bool) {
	for _, v := range vendors {
		if v.Name == name {
			return v, true
		}
	}
	return Vendor{}, false
}

// A URL without a comment is from models.dev's record of the vendor; of the
// others the comment names the maker's own page on it. Not here: vendors whose
// address holds an account's name (Azure, Bedrock, Vertex), whose usual variable
// holds a key for more than this (GITHUB_TOKEN, HF_TOKEN), and those that charge
// by the request (Perplexity). A provider of that kind states url, dialect and
// zone.
var vendors = [...]Vendor{
	{"alibaba", starling.OpenAI, "https://dashscope-intl.aliyuncs.com/compatible-mode/v1", "DASHSCOPE_API_KEY", starling.Cloud, "alibaba"},
	{"anthropic", starling.Anthropic, "https://api.anthropic.com/v1", "ANTHROPIC_API_KEY", starling.Cloud, "anthropic"}, // docs.anthropic.com/en/api/messages
	{"baseten", starling.OpenAI, "https://inference.baseten.co/v1", "BASETEN_API_KEY", starling.Cloud, "baseten"},
	{"cerebras", starling.OpenAI, "https://api.cerebras.ai/v1", "CEREBRAS_API_KEY", starling.Cloud, "cerebras"},             // inference-docs.cerebras.ai/resources/openai
	{"cohere", starling.OpenAI, "https://api.cohere.ai/compatibility/v1", "COHERE_API_KEY", starling.Cloud, "cohere"},       // docs.cohere.com/docs/compatibility-api
	{"deepinfra", starling.OpenAI, "https://api.deepinfra.com/v1/openai", "DEEPINFRA_API_KEY", starling.Cloud, "deepinfra"}, // deepinfra.com/docs/openai_api
	{"deepseek", starling.OpenAI, "https://api.deepseek.com", "DEEPSEEK_API_KEY", starling.Cloud, "deepseek"},
	{"fireworks", starling.OpenAI, "https://api.fireworks.ai/inference/v1", "FIREWORKS_API_KEY", starling.Cloud, "fireworks-ai"},
	{"google", starling.Gemini, "https://generativelanguage.googleapis.com/v1beta", "GEMINI_API_KEY", starling.Cloud, "google"}, // ai.google.dev/api/generate-content
	{"groq", starling.OpenAI, "https://api.groq.com/openai/v1", "GROQ_API_KEY", starling.Cloud, "groq"},                         // console.groq.com/docs/openai
	{"minimax", starling.OpenAI, "https://api.minimax.io/v1", "MINIMAX_API_KEY", starling.Cloud, "minimax"},                     // platform.minimax.io/docs/api-reference/text-openai-api
	{"mistral", starling.OpenAI, "https://api.mistral.ai/v1", "MISTRAL_API_KEY", starling.Cloud, "mistral"},                     // docs.mistral.ai/api
	{"moonshot", starling.OpenAI, "https://api.moonshot.ai/v1", "MOONSHOT_API_KEY", starling.Cloud, "moonshotai"},
	{"novita", starling.OpenAI, "https://api.novita.ai/openai", "NOVITA_API_KEY", starling.Cloud, "novita-ai"},
	{"nvidia", starling.OpenAI, "https://integrate.api.nvidia.com/v1", "NVIDIA_API_KEY", starling.Cloud, "nvidia"},
	{"ollama-cloud", starling.OpenAI, "https://ollama.com/v1", "OLLAMA_API_KEY", starling.Cloud, "ollama-cloud"},
	{"openai", starling.OpenAI, "https://api.openai.com/v1", "OPENAI_API_KEY", starling.Cloud, "openai"}, // platform.openai.com/docs/api-reference
	{"openrouter", starling.OpenAI, "https://openrouter.ai/api/v1", "OPENROUTER_API_KEY", starling.Cloud, "openrouter"},
	{"ovhcloud", starling.OpenAI, "https://oai.endpoints.kepler.ai.cloud.ovh.net/v1", "OVHCLOUD_API_KEY", starling.Cloud, "ovhcloud"},
	{"scaleway", starling.OpenAI, "https://api.scaleway.ai/v1", "SCALEWAY_API_KEY", starling.Cloud, "scaleway"},
	{"together", starling.OpenAI, "https://api.together.xyz/v1", "TOGETHER_API_KEY", starling.Cloud, "togetherai"}, // docs.together.ai/docs/openai-api-compatibility
	{"vultr", starling.OpenAI, "https://api.vultrinference.com/v1", "VULTR_API_KEY", starling.Cloud, "vultr"},
	{"xai", starling.OpenAI, "https://api.x.ai/v1", "XAI_API_KEY", starling.Cloud, "xai"}, // docs.x.ai/docs/api-reference
	{"zai", starling.OpenAI, "https://api.z.ai/api/paas/v4", "ZHIPU_API_KEY", starling.Cloud, "zai"},

	{"docker", starling.OpenAI, "http://127.0.0.1:12434/engines/v1", "", starling.Machine, ""}, // docs.docker.com/ai/model-runner
	{"jan", starling.OpenAI, "http://127.0.0.1:1337/v1", "", starling.Machine, ""},             // jan.ai/docs/local-api
	{"llama-server", starling.OpenAI, "http://127.0.0.1:8080/v1", "", starling.Machine, ""},    // llama.cpp, tools/server/README.md
	{"lmstudio", starling.OpenAI, "http://127.0.0.1:1234/v1", "", starling.Machine, ""},
	{"localai", starling.OpenAI, "http://127.0.0.1:8080/v1", "", starling.Machine, ""}, // localai.io
	{"mlx", starling.OpenAI, "http://127.0.0.1:8080/v1", "", starling.Machine, ""},     // mlx-lm, mlx_lm/SERVER.md
	{"ollama", starling.Ollama, "http://127.0.0.1:11434", "", starling.Machine, ""},    // ollama, docs/api.md
	{"sglang", starling.OpenAI, "http://127.0.0.1:30000/v1", "", starling.Machine, ""}, // docs.sglang.ai
	{"vllm", starling.OpenAI, "http://127.0.0.1:8000/v1", "", starling.Machine, ""},    // docs.vllm.ai, OpenAI-compatible server
}

// also has the dialects that vendors understand beside their own, for questions that
// then need no translation. Of the servers on this machine Responses is not here: which
// version of them understands how much of it differs (Ollama since 0.13.3, vLLM, LM
// Studio, llama-server), and what they do not know of an agent's tools they refuse, where
// a translation leaves it out and says so. A configuration may say also for them.
var also = map[string][]starling.Dialect{
	"google":       {starling.OpenAI, starling.Embeddings},     // ai.google.dev/gemini-api/docs/openai
	"llama-server": {starling.Completions},                     // llama.cpp, tools/server/README.md
	"lmstudio":     {starling.Completions},                     // lmstudio.ai/docs/developer/openai-compat
	"ollama":       {starling.Generate, starling.Completions},  // ollama, docs/api.md and docs/openai.md
	"openai":       {starling.Responses, starling.Completions}, // OpenAI's OpenAPI document, createResponse and createCompletion
	"openrouter":   {starling.Responses},                       // openrouter.ai/docs/api_reference/responses/basic-usage
	"vllm":         {starling.Completions},                     // docs.vllm.ai, OpenAI-compatible server
	"xai":          {starling.Responses},                       // docs.x.ai/developers/model-capabilities/text/comparison
}

// searchFee is what a vendor charges for each search that it runs, beside the
// tokens, by its name in the snapshot. models.dev has no such figures.
var searchFee = map[string]starling.Money{
	"anthropic": starling.Dollar / 100, // $10 for 1,000: docs.anthropic.com, web search tool
}
