package serve_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"starling"
	"starling/internal/serve"
)

const sheeted = `reference: far/m
candidates: [near/m, {model: far/m, skip_verify: true}]
bar: {pass: 0.9, confidence: 0.95}
class: public
budget: {request: $0.05}
prompt: Answer yes or no.
verify: [{kind: label, values: [yes, no]}]
rules: [{when: request.stream, candidates: [far/m, gone], why: it is waited for}]
`

func sheetStand(t *testing.T, o standOptions) *stand {
	o.skills = testSkill(sheeted)
	return newStand(t, o, upstreamAt{name: "near", dialect: starling.OpenAI, zone: starling.Machine, handler: http.NotFoundHandler()}, upstreamAt{name: "far", dialect: starling.OpenAI, handler: http.NotFoundHandler()})
}

func TestASkillIsShownAsItIsEnforced(t *testing.T) {
	s := sheetStand(t, standOptions{keyed: true})
	list := s.get("/v1/skills")
	want := `{"object":"list","data":[{"name":"test","model":"starling/test","description":"A skill for tests.","class":"public","reference":"far/m","candidates":["near/m","far/m"],"verify":["label"],"prompt":true}]}`
	if list.status != 200 || strings.TrimSpace(list.body) != want {
		t.Errorf("the list is %d %s", list.status, list.body)
	}
	for _, name := range []string{"test", "starling%2Ftest"} {
		a := s.get("/v1/skills/" + name)
		var sheet serve.SkillSheet
		if err := json.Unmarshal([]byte(a.body), &sheet); err != nil || a.status != 200 {
			t.Fatalf("%s: %d %s, %v", name, a.status, a.body, err)
		}
		own, _ := s.cascade.Router.Skills.Find("test")
		if sheet.Hash != own.Hash || sheet.Rubric != "version: 1\n"+sheeted || !strings.HasPrefix(sheet.Text, "---\nname: test\n") || sheet.Prompt != "Answer yes or no." {
			t.Errorf("%s: %+v", name, sheet)
		}
		for path, want := range map[string]string{
			"bar.pass": "0.9", "bar.unproven": "verified", "budget.request_nanodollars": "50000000", "ladder.#": "3", "ladder.0.model": "near/m", "ladder.0.facts.zone": "machine", "ladder.0.tried": "0",
			"ladder.0.why": "not yet shown to be good enough", "ladder.1.trusted": "it is the reference", "ladder.1.verify": "", "ladder.2.name": "gone", "ladder.2.rule": "1",
			"ladder.2.kind": "not_found", "rules.0.rungs": "[2,3]", "reference_model": "far/m", "screen.furthest_zone": "cloud", "classes.restricted": "machine", "verifiers.0.words.0": `the answer is one of "yes", "no"`,
		} {
			if got := gjson.Get(a.body, path).String(); got != want {
				t.Errorf("%s: %s is %q, want %q", name, path, got, want)
			}
		}
	}
}

func TestASkillThatIsNotThereIsRefusedInTheCallersDialect(t *testing.T) {
	s := sheetStand(t, standOptions{})
	a := s.get("/v1/skills/tset")
	if a.status != 404 || gjson.Get(a.body, "error.code").String() != "not_found" || !strings.Contains(a.body, "did you mean test?") {
		t.Errorf("%d %s", a.status, a.body)
	}
	a = s.get("/v1/skills/tset", "Anthropic-Version", "2023-06-01")
	if a.status != 404 || gjson.Get(a.body, "type").String() != "error" {
		t.Errorf("to an Anthropic client %d %s", a.status, a.body)
	}
}

func TestWhoHasNoKeySeesNoSkill(t *testing.T) {
	s := sheetStand(t, standOptions{keyed: true})
	s.key = ""
	for _, path := range []string{"/v1/skills", "/v1/skills/test"} {
		if a := s.get(path); a.status != 401 {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
}
