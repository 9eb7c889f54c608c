package route_test

import (
	"strings"
	"testing"

	"starling"
	"starling/internal/route"
)

func at(provider, name string) starling.Model {
	return starling.Model{Provider: provider, Name: name, Dialect: starling.OpenAI, Zone: starling.Cloud, Price: starling.Price{Rates: starling.Rates{Input: 1e9, Output: 5e9}}}
}

func TestANameLeadsToItsModel(t *testing.T) {
	models := []starling.Model{at("proxy", "openai/gpt"), at("openai", "gpt"), at("openai", "mini"), at("azure", "gpt")}
	aliases := map[string]string{"small": "mini", "cheap": "small", "premium": "azure/gpt", "mini": "mini", "gpt": "azure/gpt"}
	d := must(route.NewDirectory(models, aliases))
	for _, c := range []struct{ name, ask, want string }{
		{"an id is unmistakable", "azure/gpt", "azure/gpt"},
		{"an id wins over a bare name that looks like it", "openai/gpt", "openai/gpt"},
		{"which is still reached by its own id", "proxy/openai/gpt", "proxy/openai/gpt"},
		{"a bare name is that of the first provider", "mini", "openai/mini"},
		{"an alias stands for a model", "premium", "azure/gpt"},
		{"an alias stands for an alias", "cheap", "openai/mini"},
		{"an alias goes before a model of the same name", "gpt", "azure/gpt"},
		{"an unknown name is nobody's", "opus", ""},
		{"case counts", "Mini", ""},
		{"nothing is nobody's", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, ok := d.Find(c.ask)
			if ok != (c.want != "") || ok && m.ID() != c.want {
				t.Errorf("%q is %v %q, want %q", c.ask, ok, m.ID(), c.want)
			}
		})
	}
	if got := strings.Join(d.Aliases(), " "); got != "cheap gpt mini premium small" {
		t.Errorf("aliases %s", got)
	}
}

func TestADirectoryThatMakesNoSenseIsRefused(t *testing.T) {
	for _, c := range []struct {
		name    string
		models  []starling.Model
		aliases map[string]string
		says    []string
	}{
		{"an alias that leads nowhere", []starling.Model{at("openai", "gpt-mini")}, map[string]string{"small": "gpt-mimi"}, []string{`"small"`, "did you mean gpt-mini"}},
		{"a circle of two", []starling.Model{at("p", "m")}, map[string]string{"a": "b", "b": "a"}, []string{"circle"}},
		{"a circle through names of models", []starling.Model{at("p", "a"), at("p", "b")}, map[string]string{"a": "b", "b": "a"}, []string{"circle"}},
		{"an alias that leads into a circle", []starling.Model{at("p", "m")}, map[string]string{"a": "b", "b": "c", "c": "b"}, []string{"circle"}},
		{"an alias of itself without such a model", []starling.Model{at("p", "m")}, map[string]string{"x": "x"}, []string{`"x"`}},
		{"a model that is there twice", []starling.Model{at("p", "m"), at("p", "m")}, nil, []string{"p/m is there twice"}},
		{"an alias that is written like a skill", []starling.Model{at("p", "m")}, map[string]string{"starling/x": "m"}, []string{"written like a skill"}},
		{"an alias that is the word for a student", []starling.Model{at("p", "m")}, map[string]string{"student": "m"}, []string{"rubrics call their own student"}},
		{"an alias without any provider", nil, map[string]string{"x": "y"}, []string{"no provider is configured"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := route.NewDirectory(c.models, c.aliases)
			if starling.KindOf(err) != starling.Invalid {
				t.Fatalf("got %v, want Invalid", err)
			}
			for _, s := range c.says {
				if !strings.Contains(err.Error(), s) {
					t.Errorf("%q does not say %q", err, s)
				}
			}
		})
	}
}

func TestAMistypedModelIsToldTheNearOnes(t *testing.T) {
	d := must(route.NewDirectory([]starling.Model{at("openai", "gpt-mini"), at("anthropic", "claude-opus")}, map[string]string{"premium": "claude-opus"}))
	r := &route.Router{Directory: d}
	for _, c := range []struct{ name, ask, says string }{
		{"a slip in a bare name", "gtp-mini", "did you mean gpt-mini"},
		{"a slip in an id", "antropic/claude-opus", "anthropic/claude-opus"},
		{"a slip in an alias", "premum", "did you mean premium"},
		{"a wrong provider", "azure/gpt-mini", "gpt-mini"},
		{"a dated name of a model", "claude-opus-20260101", "claude-opus"},
		{"something else entirely", "zzz", "GET /v1/models"},
		{"a novel", strings.Repeat("novel ", 1000), "GET /v1/models"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := r.Plan(&starling.Request{Model: c.ask, Choices: 1}, starling.Screen{Furthest: starling.Cloud}, nil)
			if starling.KindOf(err) != starling.NotFound || !strings.Contains(err.Error(), c.says) || len(err.Error()) > 400 {
				t.Errorf("got %v, want NotFound and %q", err, c.says)
			}
		})
	}
}

func TestAnAliasWaitsForAProviderThatIsSilentNow(t *testing.T) {
	models, silent := []starling.Model{at("openai", "gpt-mini")}, []string{"ollama"}
	for _, c := range []struct {
		name, target string
		waits        string // "" if it is an error
	}{
		{"for a model that its provider may have", "ollama/qwen3", "ollama"},
		{"for a bare name that may be its", "qwen3", "ollama"},
		{"not for one that is there", "gpt-mini", ""},
	} {
		d, err := route.NewDirectory(models, map[string]string{"small": c.target}, silent...)
		if got := strings.Join(d.Awaits("small"), " "); err != nil || got != c.waits {
			t.Errorf("%s: waits for %q, %v", c.name, got, err)
		}
	}
	for _, target := range []string{"openai/qwen3", "nobody/qwen3"} {
		_, err := route.NewDirectory(models, map[string]string{"small": target}, silent...)
		if starling.KindOf(err) != starling.Invalid || !strings.Contains(err.Error(), "starling models lists") {
			t.Errorf("%s: %v", target, err)
		}
	}
	d := must(route.NewDirectory(models, map[string]string{"small": "ollama/qwen3"}, silent...))
	r := &route.Router{Directory: d}
	for ask, says := range map[string]string{
		"small": "it is ollama/qwen3, and provider ollama offers no models now", "ollama/qwen3": "provider ollama offers no models now",
		"gtp-mini": "did you mean gpt-mini", "zzz": "GET /v1/models",
	} {
		_, err := r.Plan(&starling.Request{Model: ask, Choices: 1}, starling.Screen{Furthest: starling.Cloud}, nil)
		if starling.KindOf(err) != starling.NotFound || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", ask, err)
		}
	}
}
