package serve

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"starling"
	"starling/internal/cascade"
	"starling/internal/route"
	"starling/internal/skill"
	"starling/internal/strict"
)

// A SkillLine is a skill as lists have it.
type SkillLine struct {
	skillLine
	Prompt bool `json:"prompt"` // there is one, which the gateway never adds
}

// A skillLine is what lists and the whole have in common.
type skillLine struct {
	Name        string         `json:"name"`
	Model       string         `json:"model"` // "starling/<name>"
	Description string         `json:"description"`
	Class       starling.Class `json:"class"`
	Reference   string         `json:"reference"`
	Candidates  []string       `json:"candidates"`
	Verify      []string       `json:"verify"` // kinds
}

// LineOf returns a skill as lists have it.
func LineOf(s *skill.Skill) SkillLine { return SkillLine{lineOf(s), s.Rubric.Prompt != ""} }

func lineOf(s *skill.Skill) skillLine {
	l := skillLine{s.Name, route.Prefix + s.Name, s.Description, s.Rubric.Class, s.Rubric.Reference, namesOf(s.Rubric.Candidates), []string{}}
	for _, v := range s.Rubric.Verify {
		l.Verify = append(l.Verify, v.Kind)
	}
	return l
}

func namesOf(candidates []skill.Candidate) []string {
	names := make([]string, len(candidates))
	for i, c := range candidates {
		names[i] = c.Model
	}
	return names
}

// A SkillSheet is all that decides about requests of a skill, as it is in force: its
// rubric, and how each candidate stands.
type SkillSheet struct {
	skillLine
	Prompt  string `json:"prompt"`
	Hash    string `json:"hash"`  // of the rubric: sha256
	Cases   string `json:"cases"` // of the cases; "" there are none
	Text    string `json:"skill"` // of SKILL.md
	Rubric  string `json:"rubric"`
	Observe bool   `json:"observe"` // the gateway only observes: nothing of this is enforced

	Bar     SheetBar      `json:"bar"`
	Budget  SheetBudget   `json:"budget"`
	Latency time.Duration `json:"latency_ns"` // to the first byte; 0 no limit
	Audit   float64       `json:"audit"`
	Keep    bool          `json:"keep"`
	Grade   []string      `json:"grade"`
	Split   *skill.Split  `json:"split,omitempty"` // how long documents are read in parts; nil: only where the caller asks for it

	Screen  starling.Screen                  `json:"screen"`  // of a request that says nothing of its own
	Classes map[starling.Class]starling.Zone `json:"classes"` // how far each may travel

	ReferenceModel string          `json:"reference_model"` // "provider/model"; "" nobody offers it
	Ladder         []route.Rung    `json:"ladder"`
	ByCost         bool            `json:"by_cost"` // the order is that of least expected cost, once there are tries enough
	Order          string          `json:"order"`   // why it is not; "" it is
	Verifiers      []SheetVerifier `json:"verifiers"`
	Rules          []SheetRule     `json:"rules"`
}

// A SheetBar is the rubric's bar; zero there is none.
type SheetBar struct {
	Pass       float64       `json:"pass,omitempty"`
	Margin     float64       `json:"margin,omitempty"`
	Confidence float64       `json:"confidence,omitempty"`
	Valid      time.Duration `json:"valid_ns,omitempty"`
	Unproven   string        `json:"unproven,omitempty"`
}

// A SheetBudget is the rubric's caps; 0 is none.
type SheetBudget struct {
	Request starling.Money `json:"request_nanodollars,omitempty"`
	Day     starling.Money `json:"day_nanodollars,omitempty"`
	Month   starling.Money `json:"month_nanodollars,omitempty"`
}

// A SheetVerifier is one who must accept an answer before anybody sees it.
type SheetVerifier struct {
	Kind  string   `json:"kind"`
	Words []string `json:"words"` // what it demands, line by line
}

// A SheetRule is one of the rubric.
type SheetRule struct {
	When       string   `json:"when"`
	Candidates []string `json:"candidates,omitempty"`
	Rungs      []int    `json:"rungs,omitempty"` // where these stand on the ladder, from 1
	Refuse     bool     `json:"refuse,omitempty"`
	Why        string   `json:"why"`
}

// SheetOf says what is in force of a skill in a cascade. Errors are Invalid: the class of
// its data is none that the policy knows, so that every request of it is refused.
func SheetOf(c *cascade.Cascade, s *skill.Skill) (SkillSheet, error) {
	r := &s.Rubric
	screen, err := c.Policy.Screen(&starling.Request{}, r.Class)
	if err != nil {
		return SkillSheet{}, err
	}
	sheet := SkillSheet{
		skillLine: lineOf(s), Prompt: r.Prompt, Hash: s.Hash, Cases: s.Cases, Text: s.Manifest, Rubric: s.Source, Observe: c.Observe != nil,
		Bar: barOf(r.Bar), Budget: SheetBudget(r.Budget), Latency: r.Latency, Audit: r.Audit, Keep: r.Keep, Grade: append([]string{}, r.Grade...),
		Screen: screen, Classes: c.Policy.Classes(), Ladder: c.Router.Ladder(s, screen), Verifiers: []SheetVerifier{}, Rules: []SheetRule{},
	}
	if r.Split != nil {
		filled := r.Filled()
		sheet.Split = &filled
	}
	sheet.ByCost, sheet.Order = c.Router.Orders(s)
	if ref, ok := c.Router.Directory.Find(r.Reference); ok {
		sheet.ReferenceModel = ref.ID()
	}
	for i := range r.Verify {
		sheet.Verifiers = append(sheet.Verifiers, SheetVerifier{r.Verify[i].Kind, r.Verify[i].Words()})
	}
	for i := range r.Rules {
		sheet.Rules = append(sheet.Rules, ruleOf(s, &r.Rules[i]))
	}
	return sheet, nil
}

// barOf says what the rubric leaves unsaid, too.
func barOf(b skill.Bar) SheetBar {
	if !b.Set() {
		return SheetBar{}
	}
	return SheetBar(b.Filled())
}

func ruleOf(s *skill.Skill, r *skill.Rule) SheetRule {
	rule := SheetRule{When: r.When, Candidates: namesOf(r.Candidates), Refuse: r.Refuse, Why: r.Why}
	for _, at := range route.Rungs(s, r.Candidates) {
		rule.Rungs = append(rule.Rungs, at+1)
	}
	return rule
}

// skills answers GET /v1/skills: those in force, for whoever may ask.
func (s *Server) skills(w http.ResponseWriter, _ *http.Request, _ starling.Caller) {
	set := s.current().Router.Skills
	list := struct {
		Object string      `json:"object"`
		Data   []SkillLine `json:"data"`
	}{"list", []SkillLine{}}
	for _, name := range set.Names() {
		found, _ := set.Find(name)
		list.Data = append(list.Data, LineOf(found))
	}
	writeJSON(w, http.StatusOK, list)
}

// skill answers GET /v1/skills/{name}.
func (s *Server) skill(w http.ResponseWriter, r *http.Request, _ starling.Caller) {
	c, name := s.current(), r.PathValue("name")
	found, ok := c.Router.Skills.Find(strings.TrimPrefix(name, route.Prefix))
	if !ok {
		s.refuse(w, r, noSkill(name, c.Router.Skills))
		return
	}
	sheet, err := SheetOf(c, found)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, sheet)
}

func noSkill(name string, set *skill.Set) error {
	hint := "GET /v1/skills and starling skill list show what there is"
	if near := strict.Nearest(name, set.Names()); len(near) > 0 {
		hint = "did you mean " + strings.Join(near, " or ") + "?"
	}
	return &starling.Error{Kind: starling.NotFound, Op: fmt.Sprintf("there is no skill %q", clip(name)), Hint: hint}
}
