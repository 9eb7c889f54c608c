package main

import (
	"strings"
	"testing"

	"starling"
)

// offers returns what a configured upstream offers, by name.
func offers(t *testing.T, name string, own Upstream) map[string]starling.Model {
	t.Helper()
	cfg := Config{Providers: map[string]*Upstream{name: &own}}
	parts, err := build(t.Context(), cfg, t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(parts.close)
	all := map[string]starling.Model{}
	for _, m := range parts.directory.Models() {
		all[m.Name] = m
	}
	return all
}

func TestAProviderOffersWhatEmbedsAndWhatModeratesBesideWhatConverses(t *testing.T) {
	t.Setenv("OPENAI_API_KEY", "sk-test")
	near := Upstream{Dialect: starling.OpenAI, URL: "http://127.0.0.1:9/v1", Zone: starling.Machine}
	with := func(change func(*Upstream)) Upstream {
		u := near
		change(&u)
		return u
	}
	for _, c := range []struct {
		name, provider string
		own            Upstream
		want           map[string]starling.Dialect // takes
		not            string
	}{
		{"a vendor's, without a word", "openai", Upstream{}, map[string]starling.Dialect{"text-embedding-3-small": starling.Embeddings, "omni-moderation-latest": starling.Moderations}, ""},
		{"a vendor's that are listed", "openai", Upstream{Models: []string{"gpt-5.5"}}, map[string]starling.Dialect{"gpt-5.5": ""}, "omni-moderation-latest"},
		{"by its name", "near", with(func(u *Upstream) { u.Models = []string{"chatty", "nomic-embed-text"} }), map[string]starling.Dialect{"chatty": "", "nomic-embed-text": starling.Embeddings}, "omni-moderation-latest"},
		{"as it is said", "near", with(func(u *Upstream) { u.Models, u.Embeds = []string{"chatty"}, []string{"odd"} }), map[string]starling.Dialect{"chatty": "", "odd": starling.Embeddings}, ""},
		{"by what it also understands", "near", with(func(u *Upstream) { u.Models, u.Also = []string{"chatty"}, []starling.Dialect{starling.Moderations} }), map[string]starling.Dialect{"omni-moderation-latest": starling.Moderations}, ""},
		{"under its own name", "near", with(func(u *Upstream) {
			u.Models, u.Also = []string{"my-moderation"}, []starling.Dialect{starling.Moderations}
		}), map[string]starling.Dialect{"my-moderation": starling.Moderations}, "omni-moderation-latest"},
	} {
		t.Run(c.name, func(t *testing.T) {
			all := offers(t, c.provider, c.own)
			for name, takes := range c.want {
				if m, ok := all[name]; !ok || m.Takes != takes || m.Embeds || !m.Price.Known() {
					t.Errorf("%s: %+v", name, m)
				}
			}
			if _, ok := all[c.not]; ok {
				t.Errorf("%s is offered", c.not)
			}
		})
	}
	both := offers(t, "near", with(func(u *Upstream) { u.Models, u.Embeds = []string{"chatty"}, []string{"chatty"} }))["chatty"]
	if both.Takes != "" || !both.Embeds || !both.Answers(starling.Embeddings) || !both.Answers(starling.OpenAI) {
		t.Errorf("%+v", both)
	}
	own := Upstream{Models: []string{"text-embed-x"}}
	if _, err := build(t.Context(), Config{Providers: map[string]*Upstream{"anthropic": &own}}, t.TempDir(), nil); starling.KindOf(err) != starling.Invalid || !strings.Contains(err.Error(), "text-embed-x") {
		t.Errorf("nobody could ask it: %v", err)
	}
	t.Setenv("X_KEY", "k")
	for name, m := range offers(t, "openai", Upstream{Dialect: starling.Anthropic, KeyEnv: "X_KEY"}) { // by the catalog, and none that nobody could ask
		if m.Takes != "" {
			t.Errorf("%s: %+v", name, m)
		}
	}
}
