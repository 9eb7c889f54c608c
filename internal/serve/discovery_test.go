package serve_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/tidwall/gjson"

	"starling"
	"starling/internal/route"
)

var asClaude = []string{"anthropic-version", "2023-06-01"}

// listed returns the ids of a list.
func listed(a answer) string { return strings.Join(ids(a), " ") }

func ids(a answer) (all []string) {
	for _, m := range gjson.Get(a.body, "data.#.id").Array() {
		all = append(all, m.Str)
	}
	return all
}

func TestWhoSpeaksAnthropicsDialectIsToldOfEverythingUnderANameThatClaudeCodeTakes(t *testing.T) {
	s := listing(t)
	a := s.get("/v1/models?limit=1000", asClaude...)
	want := "claude-starling-test claude-premium claude-hub-org-model-1 claude-sim-tiny-latest starling/test premium hub/org/model-1 sim/tiny:latest"
	if listed(a) != want {
		t.Errorf("%s, want %s", listed(a), want)
	}
	m := gjson.Get(a.body, "data.2")
	if m.Get("display_name").Str != "hub/org/model-1" || m.Get("type").Str != "model" || m.Get("max_input_tokens").Int() != 8192 || m.Get("max_tokens").Int() != 1024 || m.Get("lifecycle").Str != "active" {
		t.Error(m.Raw)
	}
	if skill := gjson.Get(a.body, "data.0"); skill.Get("max_input_tokens").Int() != 8192 { // its candidate's
		t.Error(skill.Raw)
	}
	if unknown := gjson.Get(a.body, "data.3"); unknown.Get("max_input_tokens").Raw != "null" {
		t.Error(unknown.Raw)
	}
	if strings.Contains(s.get("/v1/models?limit=1").body, "claude") {
		t.Error("others are told of other names")
	}
	one := s.get("/v1/models/claude-starling-test", asClaude...)
	if one.status != 200 || gjson.Get(one.body, "id").Str != "claude-starling-test" {
		t.Errorf("%d %s", one.status, one.body)
	}
}

func TestTheListComesInPages(t *testing.T) {
	s := listing(t)
	all := ids(s.get("/v1/models", asClaude...))
	var got []string
	for cursor, more := "", true; more; {
		a := s.get("/v1/models?limit=3"+cursor, asClaude...)
		got = append(got, ids(a)...)
		last := gjson.Get(a.body, "last_id").Str
		cursor, more = "&after_id="+strings.ReplaceAll(last, "/", "%2F"), gjson.Get(a.body, "has_more").Bool()
		if a.status != 200 || last != got[len(got)-1] || len(got) > len(all) {
			t.Fatalf("%d %s", a.status, a.body)
		}
	}
	if strings.Join(got, " ") != strings.Join(all, " ") || len(all) != 8 {
		t.Errorf("%v of %v", got, all)
	}
	back := s.get("/v1/models?limit=2&before_id="+all[3], asClaude...)
	if listed(back) != strings.Join(all[1:3], " ") || !gjson.Get(back.body, "has_more").Bool() {
		t.Error(back.body)
	}
	if end := s.get("/v1/models?after_id=sim%2Ftiny:latest", asClaude...); gjson.Get(end.body, "data").Raw != "[]" || gjson.Get(end.body, "last_id").Raw != "null" {
		t.Error(end.body)
	}
	for _, query := range []string{"limit=0", "limit=1001", "limit=x", "after_id=nobody", "after_id=premium&before_id=premium"} {
		if a := s.get("/v1/models?"+query, asClaude...); a.status != 400 || gjson.Get(a.body, "error.type").Str != "invalid_request_error" {
			t.Errorf("%s: %d %s", query, a.status, a.body)
		}
	}
}

func TestNamesThatWouldLookAlikeDoNot(t *testing.T) {
	model := func(provider, name string) starling.Model {
		return starling.Model{Provider: provider, Name: name, Dialect: starling.OpenAI, Zone: starling.Machine, Price: dollar}
	}
	embeds := model("a", "vectors")
	embeds.Takes = starling.Embeddings
	s := &stand{t: t, asked: map[string]string{}, client: newClient()}
	s.open(standOptions{skills: fstest.MapFS{}}, nil, must(route.NewDirectory([]starling.Model{
		model("a", "x:1"), model("a", "x/1"), model("anthropic", "claude-own"), model("b", "claude-c-y"), model("c", "y"), embeds,
	}, nil)))
	all := ids(s.get("/v1/models", asClaude...))
	seen := map[string]bool{}
	for _, id := range all {
		if seen[id] {
			t.Errorf("%s is there twice", id)
		}
		seen[id] = true
	}
	// anthropic/claude-own begins as it should; a bare name claude-c-y is taken; vectors do not converse
	if len(all) != 4+6 || seen["claude-a-x-1"] || seen["claude-c-y"] || seen["claude-anthropic-claude-own"] || !seen["claude-b-claude-c-y"] || strings.Contains(strings.Join(all[:4], " "), "vectors") {
		t.Errorf("%v", all)
	}
	again := ids(s.get("/v1/models", asClaude...))
	if strings.Join(again, " ") != strings.Join(all, " ") {
		t.Errorf("%v, then %v", all, again)
	}
}

func TestADisguiseIsAsGoodAsTheName(t *testing.T) {
	s := newStand(t, standOptions{skills: testSkill("candidates: [up/m]\n")}, answering())
	for name, plan := range map[string]string{"claude-up-m": "", "claude-starling-test": "test"} {
		for path, body := range map[string]string{messagesPath: messages(name, false), chatPath: chat(name, false), countPath: messages(name, false)} {
			a := s.ask(path, body, asClaude...)
			if a.status != 200 || a.header.Get("X-Starling-Model") != "m" {
				t.Errorf("%s at %s: %d %s", name, path, a.status, a.body)
			}
			if path == countPath {
				continue
			}
			if r := s.receipt(a); r.Plan.Skill != plan || r.Plan.Pinned != (plan == "") {
				t.Errorf("%s: %+v", name, r.Plan)
			}
		}
	}
	for _, name := range []string{"claude-opus-9", "claude-", "claude-starling-other"} {
		if a := s.ask(messagesPath, messages(name, false)); a.status != 404 {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
}
