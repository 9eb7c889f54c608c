package serve_test

import (
	"context"
	"testing"
	"testing/fstest"
	"time"

	"github.com/tidwall/gjson"

	"starling"
	"starling/internal/route"
)

// listing is a stand that calls nobody: its models have awkward names.
func listing(t *testing.T) *stand {
	models := []starling.Model{
		{Provider: "hub", Name: "org/model-1", Dialect: starling.OpenAI, Zone: starling.Office, Price: dollar, Context: 8192, MaxOutput: 1024, Released: "2026-02-03"},
		{Provider: "sim", Name: "tiny:latest", Dialect: starling.Anthropic, Zone: starling.Machine, Price: dollar, Simulated: true},
	}
	s := &stand{t: t, asked: map[string]string{}, client: newClient()}
	s.open(standOptions{skills: testSkill("candidates: [premium]\n")}, nil, must(route.NewDirectory(models, map[string]string{"premium": "hub/org/model-1"})))
	return s
}

func TestTheListOfModelsSuitsTheClientsOfBothDialects(t *testing.T) {
	s := listing(t)
	for name, header := range map[string][]string{"OpenAI's": nil, "Anthropic's": {"anthropic-version", "2023-06-01", "x-api-key", "x"}} {
		t.Run(name, func(t *testing.T) {
			a := s.get("/v1/models", header...)
			if a.status != 200 || gjson.Get(a.body, "object").Str != "list" || gjson.Get(a.body, "has_more").Type != gjson.False {
				t.Fatalf("status %d: %s", a.status, a.body)
			}
			want := []string{"starling/test", "premium", "hub/org/model-1", "sim/tiny:latest"}
			entries := gjson.Get(a.body, "data").Array()
			if gjson.Get(a.body, "first_id").Str != entries[0].Get("id").Str || gjson.Get(a.body, "last_id").Str != want[3] {
				t.Fatal(a.body)
			}
			if name == "Anthropic's" { // who is told of each under another name first
				entries = entries[len(want):]
			}
			if len(entries) != len(want) {
				t.Fatalf("want %v: %s", want, a.body)
			}
			for i, e := range entries {
				wantListed(t, e, want[i])
			}
			if e := entries[2]; e.Get("created").Int() != 1770076800 || e.Get("created_at").Str != "2026-02-03T00:00:00Z" || e.Get("owned_by").Str != "hub" ||
				e.Get("context_window").Int() != 8192 || e.Get("max_output_tokens").Int() != 1024 || e.Get("zone").Str != "office" {
				t.Errorf("got %s", e.Raw)
			}
			if !entries[3].Get("simulated").Bool() || entries[2].Get("simulated").Exists() {
				t.Error("what is simulated is not told from what is not")
			}
		})
	}
}

// wantListed checks the fields that the two vendors' clients require.
func wantListed(t *testing.T, e gjson.Result, id string) {
	t.Helper()
	_, err := time.Parse(time.RFC3339, e.Get("created_at").Str)
	if e.Get("id").Str != id || e.Get("object").Str != "model" || e.Get("type").Str != "model" || e.Get("display_name").Str != id ||
		e.Get("created").Type != gjson.Number || e.Get("owned_by").Str == "" || err != nil {
		t.Errorf("want %s with every field: %s", id, e.Raw)
	}
}

func TestAModelIsFoundByEachOfItsNames(t *testing.T) {
	s := listing(t)
	for _, c := range []struct{ name, path, id string }{
		{"an id with slashes", "hub/org/model-1", "hub/org/model-1"},
		{"an id with slashes, as clients escape it", "hub%2Forg%2Fmodel-1", "hub/org/model-1"},
		{"an id with a colon", "sim/tiny:latest", "sim/tiny:latest"},
		{"an id with a colon, escaped", "sim%2Ftiny%3Alatest", "sim/tiny:latest"},
		{"a bare name", "org/model-1", "org/model-1"},
		{"an alias", "premium", "premium"},
		{"a skill", "starling/test", "starling/test"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := s.get("/v1/models/" + c.path)
			if a.status != 200 {
				t.Fatalf("status %d: %s", a.status, a.body)
			}
			wantListed(t, gjson.Parse(a.body), c.id)
		})
	}
	for name, path := range map[string]string{"nobody": "nobody", "a skill that is not there": "starling/other", "half a name": "hub"} {
		t.Run(name, func(t *testing.T) {
			if a := s.get("/v1/models/" + path); a.status != 404 || gjson.Get(a.body, "error.code").Str != "not_found" {
				t.Errorf("status %d: %s", a.status, a.body)
			}
			if a := s.get("/v1/models/"+path, "anthropic-version", "2023-06-01"); a.status != 404 || gjson.Get(a.body, "type").Str != "error" {
				t.Errorf("for a client of Anthropic: status %d: %s", a.status, a.body)
			}
		})
	}
}

func TestWhereNoModelIsAskedTheHeadersSaySo(t *testing.T) {
	s := newStand(t, standOptions{}, answering())
	asked := s.ask(chatPath, chat("up/m", false))
	for _, path := range []string{"/v1/models", "/v1/models/up/m", "/v1/receipts/" + asked.header.Get("X-Starling-Receipt"), "/healthz", "/metrics"} {
		a := s.get(path)
		for _, name := range alwaysThere {
			if a.status != 200 || a.header.Get(name) == "" {
				t.Errorf("%s: status %d, no %s", path, a.status, name)
			}
		}
		if a.header.Get("X-Starling-Model") != "none" || a.header.Get("X-Starling-Cost") != "$0.00" {
			t.Errorf("%s: %v", path, a.header)
		}
	}
}

func TestAGatewayWithoutModelsListsNone(t *testing.T) {
	s := &stand{t: t, client: newClient()}
	s.open(standOptions{skills: fstest.MapFS{}}, nil, must(route.NewDirectory(nil, nil)))
	a := s.get("/v1/models")
	if a.status != 200 || gjson.Get(a.body, "data").Raw != "[]" || gjson.Get(a.body, "first_id").Raw != "null" {
		t.Errorf("status %d: %s", a.status, a.body)
	}
	a = s.ask(chatPath, chat("gpt", false))
	s.wantRefusal(t, chatPath, a, starling.NotFound, "no provider is configured")
	if err := s.ledger.Flush(context.Background()); err != nil {
		t.Error(err)
	}
}
