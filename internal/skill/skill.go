package skill

import (
	"maps"
	"slices"
	"sync"
	"time"

	"starling"
	"starling/internal/strict"
)

// A Skill is a use case with a rubric. It is immutable and safe for concurrent
// use.
type Skill struct {
	Name        string // as its folder is called
	Description string
	Dir         string // of the file system it was read from
	Hash        string // hex SHA-256 over SKILL.md, rubric.yaml and assets ([hashOf])
	Cases       string // hex SHA-256 of cases.jsonl, "" if there is none
	Rubric      Rubric

	// The files as they were read, for people who want to see what is in force: some
	// kilobytes that nothing decides by. "" for a skill that was not loaded.
	Manifest string // text of SKILL.md
	Source   string // text of rubric.yaml

	prompt string // [promptHash] of the rubric's; "" for a skill that was not loaded
}

// A Rubric says what a good enough answer is, who may try and what it may cost.
// What it leaves unsaid is zero.
type Rubric struct {
	Version    int            `yaml:"version"`
	Reference  string         `yaml:"reference"` // an alias or "provider/model"
	Candidates []Candidate    `yaml:"candidates"`
	Order      string         `yaml:"order"` // who tries first: "cost", the cheapest in expectation, once evidence shows it; "listed", the candidates as they stand. "": cost
	Bar        Bar            `yaml:"bar"`
	Class      starling.Class `yaml:"class"`
	Budget     Budget         `yaml:"budget"`
	Latency    time.Duration  `yaml:"latency"` // limit to the first byte
	Audit      float64        `yaml:"audit"`   // share of answers of others than the reference that it is asked for too, 0 to 1
	Keep       bool           `yaml:"keep"`    // requests and the reference's answers may be kept on this machine, to learn from
	Prompt     string         `yaml:"prompt"`
	Verify     []VerifySpec   `yaml:"verify"`
	Rules      []Rule         `yaml:"rules"`
	Grade      []string       `yaml:"grade"` // "label", "json", "number", "contains", "cites", "verified"
}

// A Candidate is a model that may try.
type Candidate struct {
	Model       string  `yaml:"model"` // an alias or "provider/model"
	SkipVerify  bool    `yaml:"skip_verify"`
	Probability float64 `yaml:"probability"` // that its answer is accepted; 0 unsaid
	Confidence  string  `yaml:"confidence"`  // how it says how sure it is: [ByLogprob], or "" for not at all
}

// ByLogprob is the confidence that comes of the log-probabilities of an answer's
// tokens.
const ByLogprob = "logprob"

// UnmarshalText reads a candidate of which only the model is said.
func (c *Candidate) UnmarshalText(text []byte) error {
	*c = Candidate{Model: string(text)}
	return nil
}

// A Bar is what good enough means, and the confidence, between 0 and 1, with which
// that is shown. Exactly one of Pass and Margin is set, unless there is no bar.
type Bar struct {
	Pass       float64       `yaml:"pass"`       // share of answers that pass, in (0, 1]
	Margin     float64       `yaml:"margin"`     // by how much less than the reference's a grade may be in the mean, in (0, 1)
	Confidence float64       `yaml:"confidence"` // 0: there is no bar
	Valid      time.Duration `yaml:"valid"`      // how long what was shown holds; 0: [DefaultValid]
	Unproven   string        `yaml:"unproven"`   // who was not shown to be good enough may answer "verified", or must "climb"; "": verified
}

// Listed is the order that keeps the candidates as they stand.
const Listed = "listed"

// DefaultValid is how long a warrant holds if the rubric does not say.
const DefaultValid = 90 * 24 * time.Hour

// What [Bar.Unproven] says.
const (
	Verified = "verified"
	Climb    = "climb"
)

// Set reports whether there is a bar.
func (b Bar) Set() bool { return b.Confidence > 0 }

// A Budget caps what may be spent; 0 is no cap.
type Budget struct {
	Request starling.Money `yaml:"request"`
	Day     starling.Money `yaml:"day"`
	Month   starling.Money `yaml:"month"`
}

// A VerifySpec describes a verifier. Only the fields of its Kind are set.
type VerifySpec struct {
	Kind string `yaml:"kind"` // "label", "schema", "pattern", "arithmetic", "agreement", "judge"

	Values []string `yaml:"values"` // label: what the answer may be
	Fold   bool     `yaml:"fold"`   // label: case does not count
	At     string   `yaml:"at"`     // label: gjson path into a JSON answer; "" for the whole text

	File   string         `yaml:"file"`   // schema: where it is, below assets/
	Schema *strict.Schema `yaml:"schema"` // schema: never nil once loaded
	Fence  bool           `yaml:"fence"`  // a JSON answer may stand in a code fence

	Must     []string `yaml:"must"`      // pattern: RE2, each matches
	MustNot  []string `yaml:"must_not"`  // pattern: RE2, none matches
	MinWords int      `yaml:"min_words"` // pattern: 0 is no limit
	MaxWords int      `yaml:"max_words"`
	MaxChars int      `yaml:"max_chars"`
	Quoted   string   `yaml:"quoted"` // pattern: RE2, what it captures occurs in the request

	Equations bool  `yaml:"equations"` // arithmetic: those in the text hold, and there is one
	Sums      []Sum `yaml:"sums"`      // arithmetic: of numbers in a JSON answer

	Model    string `yaml:"model"`    // agreement, judge: who is asked, an alias or "provider/model"; "" the candidate itself
	Prompt   string `yaml:"prompt"`   // agreement: the instruction in other words
	Criteria string `yaml:"criteria"` // judge: what the answer must meet
}

// Asks reports whether the verifier asks a model, and so cannot judge off line.
func (v *VerifySpec) Asks() bool { return v.Kind == "agreement" || v.Kind == "judge" }

// A Sum demands that the number at one gjson path is the sum of those at others.
type Sum struct {
	Total string   `yaml:"total"`
	Parts []string `yaml:"parts"`
}

// A Set is the skills of a folder. It is immutable; a nil Set is empty.
type Set struct {
	skills map[string]*Skill
	plain  []string
	broken map[string]bool // folders that could not be read as a skill

	fold    sync.Once
	prompts map[string]*Skill // by prompt, white space folded; nil for one that two skills have
}

// Find returns the skill of that name.
func (s *Set) Find(name string) (*Skill, bool) {
	if s == nil {
		return nil, false
	}
	found, ok := s.skills[name]
	return found, ok
}

// Names returns the names of the skills with a rubric, sorted.
func (s *Set) Names() []string {
	if s == nil {
		return nil
	}
	return slices.Sorted(maps.Keys(s.skills))
}

// Plain returns the folders that hold a SKILL.md and no rubric, sorted.
func (s *Set) Plain() []string {
	if s == nil {
		return nil
	}
	return slices.Clone(s.plain)
}
