package skill

import (
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/cost"

	"starling"
)

// A Rule changes who may try when its condition holds.
type Rule struct {
	When       string      `yaml:"when"` // CEL
	Candidates []Candidate `yaml:"candidates"`
	Refuse     bool        `yaml:"refuse"` // nobody may try
	Why        string      `yaml:"why"`

	program cel.Program
}

// Constant reports whether the condition says the same of every request, and what: it
// is asked without any fact. The rule is one that was loaded.
func (r *Rule) Constant() (holds, constant bool) {
	said, _, err := r.program.Eval(cel.NoVars())
	if err != nil {
		return false, false
	}
	holds, constant = said.Value().(bool)
	return holds, constant
}

// Facts are what a rule may know of a request. There is no content in them.
type Facts struct {
	Model      string
	Stream     bool
	InputBytes int   // of the request's body
	MaxTokens  int64 // 0: unsaid
	Images     int
	Tools      bool
	Team       string
	Key        string    // the key's public id
	Now        time.Time // zero: the present
	Class      starling.Class
}

// A Decision says who may try, in order. Why is the deciding rule's own reason,
// "" if no rule applied and the rubric's order holds.
type Decision struct {
	Candidates []Candidate
	Refuse     bool
	Why        string
}

// Decide asks the rules, in order; the first that holds decides. Errors are
// Internal: a condition that divides by zero or goes beyond its cost.
func (s *Skill) Decide(f Facts) (Decision, error) {
	for i := range s.Rubric.Rules {
		rule := &s.Rubric.Rules[i]
		holds, _, err := rule.program.Eval(activation{&f})
		if err != nil {
			return Decision{}, &starling.Error{Kind: starling.Internal, Op: fmt.Sprintf("skill %s: rule %d", s.Name, i+1), Hint: "mend its condition in " + rubricFile, Err: err}
		}
		if holds.Value() == true {
			return Decision{Candidates: rule.Candidates, Refuse: rule.Refuse, Why: rule.Why}, nil
		}
	}
	return Decision{Candidates: s.Rubric.Candidates}, nil
}

// A fact is a name that conditions may use.
type fact struct {
	name  string
	typ   *cel.Type
	value func(*Facts) any
}

var facts = []fact{
	{"request.model", cel.StringType, func(f *Facts) any { return clip(f.Model) }},
	{"request.stream", cel.BoolType, func(f *Facts) any { return f.Stream }},
	{"request.input_bytes", cel.IntType, func(f *Facts) any { return f.InputBytes }},
	{"request.max_tokens", cel.IntType, func(f *Facts) any { return f.MaxTokens }},
	{"request.images", cel.IntType, func(f *Facts) any { return f.Images }},
	{"request.tools", cel.BoolType, func(f *Facts) any { return f.Tools }},
	{"request.team", cel.StringType, func(f *Facts) any { return clip(f.Team) }},
	{"request.key", cel.StringType, func(f *Facts) any { return clip(f.Key) }},
	{"request.hour", cel.IntType, func(f *Facts) any { return hour(f.Now) }},
	{"class", cel.StringType, func(f *Facts) any { return clip(string(f.Class)) }},
}

// longest bounds the text of a fact, and with it what a condition costs.
const longest = 256

func clip(s string) string { return s[:min(len(s), longest)] }

func hour(now time.Time) int {
	if now.IsZero() {
		now = time.Now()
	}
	return now.UTC().Hour()
}

// An activation gives the facts to a running condition.
type activation struct{ facts *Facts }

func (a activation) ResolveName(name string) (any, bool) {
	for _, f := range facts {
		if f.name == name {
			return f.value(a.facts), true
		}
	}
	return nil, false
}

func (a activation) Parent() cel.Activation { return nil }

// A language compiles conditions. Making one takes time, so a loader makes it
// when it meets the first rule.
type language struct{ env *cel.Env }

func onDemand() func() (*language, error) { return sync.OnceValues(newLanguage) }

func newLanguage() (*language, error) {
	options := []cel.EnvOption{
		cel.CrossTypeNumericComparisons(true),
		cel.ParserRecursionLimit(50),
		cel.ParserExpressionSizeLimit(1_000),
	}
	for _, f := range facts {
		options = append(options, cel.Variable(f.name, f.typ))
	}
	env, err := cel.NewEnv(options...)
	if err != nil {
		return nil, err
	}
	return &language{env}, nil
}

// maxCost bounds a condition, in CEL's units of about one operation: some tens
// of microseconds.
const maxCost = 5_000

// A fault is what is wrong with a condition, and where: line from 1, column
// from 0, its beginning if it is the whole.
type fault struct {
	line, column int
	text         string
}

func (l *language) compile(condition string) (cel.Program, *fault) {
	ast, issues := l.env.Compile(condition)
	if issues.Err() != nil {
		first := issues.Errors()[0]
		return nil, &fault{max(1, first.Location.Line()), max(0, first.Location.Column()), first.Message}
	}
	if ast.OutputType() != cel.BoolType {
		return nil, &fault{1, 0, "a condition must be true or false, this is " + ast.OutputType().String()}
	}
	estimate, err := l.env.EstimateCost(ast, sizes{})
	if err != nil || estimate.Max > maxCost {
		return nil, &fault{1, 0, "the condition may take too long"}
	}
	program, err := l.env.Program(ast, cel.EvalOptions(cel.OptOptimize), cel.CostLimit(maxCost))
	if err != nil {
		return nil, &fault{1, 0, err.Error()}
	}
	return program, nil
}

// sizes tells the cost estimate how long the text of a fact can be.
type sizes struct{}

func (sizes) EstimateSize(n cost.AstNode) *cost.SizeEstimate {
	if path := n.Path(); len(path) > 0 && n.ComputedSize() == nil {
		return &cost.SizeEstimate{Max: longest}
	}
	return nil
}

func (sizes) EstimateCallCost(string, string, *cost.AstNode, []cost.AstNode) *cost.CallEstimate {
	return nil
}

// rules compiles the conditions. A candidate that a rule names by its model
// alone is the rubric's candidate of that name, with all that is said there.
func (c *check) rules(r *Rubric, make func() (*language, error)) {
	if len(r.Rules) == 0 {
		return
	}
	l, err := make()
	if err != nil {
		c.complain([]string{"rules"}, err.Error(), "")
		return
	}
	for i := range r.Rules {
		at, rule := []string{"rules", strconv.Itoa(i)}, &r.Rules[i]
		if rule.Refuse == (len(rule.Candidates) > 0) {
			c.complain(at, "a rule needs either candidates or refuse", "keep one of them")
		}
		c.candidates(in(at, "candidates"), rule.Candidates)
		inherit(rule.Candidates, r.Candidates)
		program, fault := l.compile(rule.When)
		if fault != nil {
			c.problems = append(c.problems, c.doc.Inside(in(at, "when"), fault.line, fault.column, fault.text))
		}
		rule.program = program
	}
}

func inherit(candidates, from []Candidate) {
	for i, c := range candidates {
		known := slices.IndexFunc(from, func(f Candidate) bool { return f.Model == c.Model })
		if known >= 0 && c == (Candidate{Model: c.Model}) {
			candidates[i] = from[known]
		}
	}
}
