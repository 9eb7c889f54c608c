package sim

import (
	"fmt"
	"net/http"
	"strconv"

	"starling"
)

// birthday is when every simulated model was created, for the lists.
const birthday = 1_700_000_000

type openaiModel struct {
	ID      string `json:"id"`
	Object  string `json:"object"`
	Created int64  `json:"created"`
	OwnedBy string `json:"owned_by"`

	Simulated bool `json:"simulated"`
}

type anthropicModel struct {
	Type        string `json:"type"`
	ID          string `json:"id"`
	DisplayName string `json:"display_name"`
	CreatedAt   string `json:"created_at"`
	MaxInput    int64  `json:"max_input_tokens,omitempty"`
	MaxTokens   int64  `json:"max_tokens,omitempty"`
	OwnedBy     string `json:"owned_by"`

	Simulated bool `json:"simulated"`
}

// geminiModel is a model as Google lists it.
type geminiModel struct {
	Name        string   `json:"name"`
	Version     string   `json:"version"`
	DisplayName string   `json:"displayName"`
	MaxInput    int64    `json:"inputTokenLimit,omitempty"`
	MaxOutput   int64    `json:"outputTokenLimit,omitempty"`
	Methods     []string `json:"supportedGenerationMethods"`

	Simulated bool `json:"simulated"`
}

func (x *visit) model(m *runner) any {
	if x.dialect == starling.Gemini {
		return geminiModel{
			Name: "models/" + m.Name, Version: "001", DisplayName: m.Name + " (simulated)", MaxInput: m.Context, MaxOutput: m.MaxOutput,
			Methods: []string{"generateContent", "countTokens", "embedContent", "batchEmbedContents"}, Simulated: true,
		}
	}
	if x.dialect == starling.Anthropic {
		return anthropicModel{
			Type: "model", ID: m.Name, DisplayName: m.Name + " (simulated)", CreatedAt: "2023-11-14T22:13:20Z",
			MaxInput: m.Context, MaxTokens: m.MaxOutput, OwnedBy: "simulated", Simulated: true,
		}
	}
	return openaiModel{ID: m.Name, Object: "model", Created: birthday, OwnedBy: "simulated", Simulated: true}
}

// listModels lists the models that speak the caller's dialect.
func (x *visit) listModels() *fault {
	if f := x.get(); f != nil {
		return f
	}
	all := []any{}
	var ids []string
	for _, name := range x.names {
		if m := x.models[name]; m.speaks(x.dialect) {
			all = append(all, x.model(m))
			ids = append(ids, name)
		}
	}
	if x.dialect == starling.Gemini {
		x.reply(marshal(struct {
			Models    []any `json:"models"`
			Simulated bool  `json:"simulated"`
		}{all, true}))
		return nil
	}
	if x.dialect != starling.Anthropic {
		x.reply(marshal(struct {
			Object    string `json:"object"`
			Data      []any  `json:"data"`
			Simulated bool   `json:"simulated"`
		}{"list", all, true}))
		return nil
	}
	page := struct {
		Data      []any   `json:"data"`
		HasMore   bool    `json:"has_more"`
		FirstID   *string `json:"first_id"`
		LastID    *string `json:"last_id"`
		Simulated bool    `json:"simulated"`
	}{Data: all, Simulated: true}
	if len(ids) > 0 {
		page.FirstID, page.LastID = &ids[0], &ids[len(ids)-1]
	}
	x.reply(marshal(page))
	return nil
}

type ollamaTag struct {
	Name       string `json:"name"`
	Model      string `json:"model"`
	ModifiedAt string `json:"modified_at"`
	Size       int64  `json:"size"`
	Digest     string `json:"digest"`
	Details    struct {
		Format   string   `json:"format"`
		Family   string   `json:"family"`
		Families []string `json:"families"`
	} `json:"details"`

	Simulated bool `json:"simulated"`
}

// listTags lists the models that speak Ollama's dialect.
func (x *visit) listTags() *fault {
	if f := x.get(); f != nil {
		return f
	}
	all := []ollamaTag{}
	for _, name := range x.names {
		if m := x.models[name]; m.speaks(x.dialect) {
			t := ollamaTag{Name: name, Model: name, ModifiedAt: "2023-11-14T22:13:20Z", Digest: fmt.Sprintf("%064x", uint64(x.die.about(name))), Simulated: true}
			t.Details.Family, t.Details.Families = "simulated", []string{"simulated"}
			all = append(all, t)
		}
	}
	x.reply(marshal(struct {
		Models    []ollamaTag `json:"models"`
		Simulated bool        `json:"simulated"`
	}{all, true}))
	return nil
}

func (x *visit) showModel(name string) *fault {
	if f := x.get(); f != nil {
		return f
	}
	m, f := x.find(name)
	if f != nil {
		return f
	}
	x.reply(marshal(x.model(m)))
	return nil
}

func (x *visit) get() *fault {
	if x.r.Method == http.MethodGet || x.r.Method == http.MethodHead {
		return nil
	}
	x.w.Header().Set("Allow", "GET, HEAD")
	return &fault{cause: badMethod, message: "Only GET is allowed here"}
}

// reply sends a whole JSON body.
func (x *visit) reply(body []byte) error {
	h := x.w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	_, err := x.w.Write(body)
	return err
}
