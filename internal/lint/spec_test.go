package lint

import (
	"cmp"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"starling"
	"starling/internal/privacy"
	"starling/internal/route"
	"starling/internal/skill"
	"starling/internal/strict"
	"starling/internal/verify"
)

var update = flag.Bool("update", false, "write down what follows from the fixtures; read it before you keep it")

// The fixtures of docs/spec/rubric.md, and the JSON Schema that it names.
var (
	fixtures = filepath.Join("..", "..", "docs", "spec", "testdata", "rubric")
	schema   = filepath.Join("..", "skill", "rubric.schema.json")
	form     = strict.NewSchema(must(os.ReadFile(schema)))
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// folders lists the fixtures of a kind: twenty at least.
func folders(t *testing.T, kind string) []string {
	t.Helper()
	names := must(skill.Folders(os.DirFS(filepath.Join(fixtures, kind))))
	if len(names) < 20 {
		t.Fatalf("only %d %s fixtures", len(names), kind)
	}
	return names
}

// long skips a test where tests are to be short: nothing here runs beside another.
func long(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("it compiles the conditions of seventy skills, which takes long under the race detector")
	}
}

// golden compares with a file of a fixture, or writes it.
func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if diff := gocmp.Diff(string(must(os.ReadFile(file))), got); diff != "" {
		t.Errorf("%s: %s", file, diff)
	}
}

// fits reports whether a rubric is YAML that may be read, and whether the JSON Schema
// alone takes it.
func fits(kind, name string) (yaml, formed bool) {
	file := filepath.Join(fixtures, kind, name, "rubric.yaml")
	doc, err := strict.Parse(file, must(os.ReadFile(file)))
	if err != nil {
		return false, false
	}
	var any any
	return true, doc.Decode(form, &any) == nil
}

// What is refused, and by what: the reader of YAML, the JSON Schema, or neither, as the
// name of a fixture says.
func TestInvalidFixturesAreRefusedWithTheirPlaces(t *testing.T) {
	long(t)
	fsys := os.DirFS(filepath.Join(fixtures, "invalid"))
	for _, name := range folders(t, "invalid") {
		found := Skill(t.Context(), fsys, name, World{})
		var lines strings.Builder
		for _, f := range found.Findings {
			if f.Severity == Error {
				lines.WriteString(f.Problem().String() + "\n")
			}
		}
		if !found.Failed() {
			t.Errorf("%s: nothing is wrong with it", name)
		}
		golden(t, filepath.Join(fixtures, "invalid", name, "want.txt"), lines.String())
		yaml, formed := fits("invalid", name)
		if want := !strings.HasPrefix(name, "yaml-"); yaml != want {
			t.Errorf("%s: it is YAML: %v", name, yaml)
		}
		if want := !strings.HasPrefix(name, "yaml-") && !strings.HasPrefix(name, "form-"); formed != want {
			t.Errorf("%s: the schema takes it: %v", name, formed)
		}
	}
}

// A world is the models and the classes that the decisions are made with.
type world struct {
	Aliases map[string]string `json:"aliases"`
	Models  []struct {
		ID        string        `json:"id"`
		Zone      starling.Zone `json:"zone"`
		Price     string        `json:"price"`
		Input     string        `json:"input_per_million"`
		Output    string        `json:"output_per_million"`
		Context   int64         `json:"context"`
		MaxOutput int64         `json:"max_output"`
	} `json:"models"`
	Classes    map[starling.Class]starling.Zone `json:"classes"`
	Unlabelled starling.Class                   `json:"unlabelled"`
}

func (w *world) directory() *route.Directory {
	var models []starling.Model
	for _, m := range w.Models {
		provider, name, _ := strings.Cut(m.ID, "/")
		price := starling.Price{Free: true}
		if m.Price != "free" {
			price = starling.Price{Rates: starling.Rates{Input: starling.Rate(must(starling.ParseMoney(m.Input))), Output: starling.Rate(must(starling.ParseMoney(m.Output)))}}
		}
		models = append(models, starling.Model{Provider: provider, Name: name, Dialect: starling.OpenAI, Zone: m.Zone, Price: price, Context: m.Context, MaxOutput: m.MaxOutput})
	}
	return must(route.NewDirectory(models, w.Aliases))
}

// A decided is a request, and what follows from the rubric where nothing is known but
// what it says.
type decided struct {
	Request struct {
		Model      string         `json:"model,omitempty"` // "starling/" and the skill's name if unsaid
		Skill      string         `json:"skill,omitempty"`
		InputBytes int            `json:"input_bytes"`
		MaxTokens  int64          `json:"max_tokens"`
		Stream     bool           `json:"stream,omitempty"`
		Tools      int            `json:"tools,omitempty"`
		Images     int            `json:"images,omitempty"`
		Team       string         `json:"team,omitempty"`
		Key        string         `json:"key,omitempty"`
		Class      starling.Class `json:"class,omitempty"`
		Budget     string         `json:"budget,omitempty"`
		Bar        float64        `json:"bar,omitempty"`
	} `json:"request"`

	Class      starling.Class `json:"class,omitempty"`
	Candidates []candidate    `json:"candidates"`
	Left       []left         `json:"left_out,omitempty"`
	Rule       string         `json:"rule,omitempty"`
	Reference  string         `json:"reference,omitempty"`
	Limit      string         `json:"limit,omitempty"`
	Latency    string         `json:"latency,omitempty"`
	Refused    starling.Kind  `json:"refused,omitempty"`
}

type candidate struct {
	Model       string   `json:"model"`
	Verify      []string `json:"verify,omitempty"`
	Probability float64  `json:"probability"`
	Logprobs    bool     `json:"logprobs,omitempty"`
}

type left struct {
	Model string        `json:"model"`
	Kind  starling.Kind `json:"kind"`
}

// follow decides as the gateway does.
func (d *decided) follow(r *route.Router, policy *privacy.Policy, name string) {
	q := d.Request
	req := &starling.Request{
		Dialect: starling.OpenAI, Body: []byte(strings.Repeat("x", q.InputBytes)), Model: cmp.Or(q.Model, route.Prefix+name), Skill: q.Skill, Choices: 1,
		MaxTokens: q.MaxTokens, Stream: q.Stream, Tools: q.Tools, Images: q.Images, Class: q.Class, Bar: q.Bar, Caller: starling.Caller{Team: q.Team, Key: q.Key},
	}
	if q.Budget != "" {
		req.Budget = must(starling.ParseMoney(q.Budget))
	}
	*d = decided{Request: q, Candidates: []candidate{}}
	s, err := r.Skill(req)
	if err != nil {
		d.Refused = starling.KindOf(err)
		return
	}
	var class starling.Class
	if s != nil {
		class = s.Rubric.Class
	}
	screen, err := policy.Screen(req, class)
	if err != nil {
		d.Refused = starling.KindOf(err)
		return
	}
	plan, err := r.Plan(req, screen, s)
	d.Class, d.Rule = screen.Class, plan.Rule
	if err != nil {
		d.Refused = starling.KindOf(err)
	}
	if plan.Reference != nil {
		d.Reference = plan.Reference.ID()
	}
	if plan.Limit > 0 {
		d.Limit = plan.Limit.String()
	}
	if plan.Patience > 0 {
		d.Latency = plan.Patience.String()
	}
	for _, c := range plan.Candidates {
		d.Candidates = append(d.Candidates, candidate{c.Model.ID(), c.Verify, c.Probability, c.Logprobs})
	}
	for _, l := range plan.Left {
		d.Left = append(d.Left, left{l.Model, l.Kind})
	}
}

func TestValidFixturesDecideAsTheySay(t *testing.T) {
	long(t)
	var w world
	if err := json.Unmarshal(must(os.ReadFile(filepath.Join(fixtures, "world.json"))), &w); err != nil {
		t.Fatal(err)
	}
	fsys := os.DirFS(filepath.Join(fixtures, "valid"))
	set := must(skill.LoadAll(fsys))
	r := &route.Router{Directory: w.directory(), Skills: set, Verifiers: map[string][]starling.Verifier{}}
	policy := &privacy.Policy{Reach: w.Classes, Default: w.Unlabelled}
	for _, name := range folders(t, "valid") {
		if found := Skill(t.Context(), fsys, name, World{}); found.Failed() {
			t.Errorf("%s: %v", name, found.Findings)
			continue
		}
		if yaml, formed := fits("valid", name); !yaml || !formed {
			t.Errorf("%s: it is YAML: %v, the schema takes it: %v", name, yaml, formed)
		}
		s, _ := set.Find(name)
		r.Verifiers[name] = must(verify.ForSkill(s))
		file := filepath.Join(fixtures, "valid", name, "want.json")
		var all []decided
		if err := json.Unmarshal(must(os.ReadFile(file)), &all); err != nil {
			t.Fatal(err)
		}
		for i := range all {
			all[i].follow(r, policy, name)
		}
		golden(t, file, string(must(json.MarshalIndent(all, "", "  ")))+"\n")
	}
}

// What the specification does not show nobody can check a second implementation by.
func TestTheValidFixturesUseEveryFieldOfTheSchema(t *testing.T) {
	var all strings.Builder
	for _, name := range folders(t, "valid") {
		all.Write(must(os.ReadFile(filepath.Join(fixtures, "valid", name, "rubric.yaml"))))
	}
	text := strings.NewReplacer(`"version"`, "version").Replace(all.String())
	for _, field := range fields(must(jsonOf(schema)), nil) {
		if !strings.Contains(text, field+":") {
			t.Errorf("no valid fixture has %s", field)
		}
	}
}

func jsonOf(file string) (v any, err error) {
	err = json.Unmarshal(must(os.ReadFile(file)), &v)
	return v, err
}

// fields lists the names of all properties in a JSON Schema.
func fields(v any, found []string) []string {
	switch v := v.(type) {
	case map[string]any:
		if properties, ok := v["properties"].(map[string]any); ok {
			for name := range properties {
				found = append(found, name)
			}
		}
		for _, part := range v {
			found = fields(part, found)
		}
	case []any:
		for _, part := range v {
			found = fields(part, found)
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}
