// Package route plans: from a screened request, the skills and the models that
// can be called, it says who should try, in which order, and why; and who may
// not, and why not.
//
//	which skill it is, where nobody said     identify.go
//	who may answer                           route.go, bounds.go, proof.go
//	how each stands before anybody asks      ladder.go
//	how likely an answer is accepted         odds.go, prompt.go
//	in which order they try                  order.go, talk.go, sessions.go
//	who reads long documents in parts        split.go, reports.go
//	what would be done, by who only observes  observe.go
//	what is learned beside the requests      insight.go, guard.go
//
// It calls nobody, and remembers nothing but what prompt caches may know of
// conversations under way ([Sessions]), and how long readers' reports were
// ([Reports]). Start reading at [Router.Plan].
package route

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"starling"
	"starling/internal/evidence"
	"starling/internal/skill"
	"starling/internal/tokens"
)

// Prefix begins the model names that name a skill: "starling/support-intent".
const Prefix = "starling/"

// Auto is the model name of a caller who leaves the choice to the skill that a
// header or the key names.
const Auto = Prefix + "auto"

// usualTime is how long a call is expected to run, for what electricity costs, where
// nobody has measured how fast the model is.
const usualTime = time.Second

// longest bounds how long a call can run, for the worst case of electricity, where
// nobody says.
const longest = 10 * time.Minute

// A Router is immutable and safe for concurrent use; a reload makes a new one.
type Router struct {
	Directory *Directory
	Skills    *skill.Set
	Verifiers map[string][]starling.Verifier      // by skill
	Board     *evidence.Board                     // what evidence says of candidates; nil nothing
	Insight   *Insight                            // what was learned from it in the background; nil nothing
	Factors   *tokens.Factors                     // how models' tokens compare with those that are counted; nil they don't differ
	Sessions  *Sessions                           // what providers' prompt caches may know; nil nothing
	Reports   *Reports                            // how long those of readers are; nil nothing is known of it
	Now       func(starling.Model) starling.Model // a model as it stands now, for those that come and go; nil as the directory has it
	bare      bool                                // there are no safety nets: it is only observed

	Default string // who answers where no skill was named or recognised: an alias or "provider/model"; "" nobody
}

// Skill returns the skill of a request: the one named by the model, else by the
// request, else by the caller's key; nil if none is named. A name that is not a
// skill is NotFound; two different ones in a request are Invalid.
func (r *Router) Skill(req *starling.Request) (*skill.Skill, error) {
	name := cmp.Or(req.Skill, req.Caller.Skill)
	if alias, ok := strings.CutPrefix(req.Model, Prefix); ok && req.Model != Auto {
		if req.Skill != "" && req.Skill != alias {
			return nil, &starling.Error{Kind: starling.Invalid, Op: "two skills are named, by the model and by the header X-Starling-Skill", Hint: "name one"}
		}
		name = alias
	}
	if name == "" {
		return nil, nil
	}
	s, ok := r.Skills.Find(name)
	if !ok {
		return nil, &starling.Error{Kind: starling.NotFound, Op: fmt.Sprintf("skill %q is not known", clip(name)), Hint: near(name, r.Skills.Names())}
	}
	return s, nil
}

// Plan says who may answer the request. The skill may be nil.
//
// Errors: NotFound for an unknown model, Forbidden when every candidate is
// further away than the data may travel, OverBudget when every one may cost more
// than the skill allows, TooLarge when the request fits the window of none, Unproven when nothing shows that any is good enough,
// Invalid otherwise. The plan is returned with an error too: it says who was
// considered.
func (r *Router) Plan(req *starling.Request, screen starling.Screen, s *skill.Skill) (starling.Plan, error) {
	p := &planning{Router: r, req: req, screen: screen, skill: s}
	p.Limit = req.Budget
	if s != nil {
		p.Plan.Skill, p.Rubric = s.Name, s.Hash
		p.Limit, p.Patience = tighter(req.Budget, s.Rubric.Budget.Request), s.Rubric.Latency
		p.refer()
	}
	err := p.make()
	p.spread()
	return p.Plan, err
}

// refer finds the reference of the skill. It answers in words.
func (p *planning) refer() {
	if ref, ok := p.Directory.Find(p.skill.Rubric.Reference); ok && p.req.Dialect.Wants() == "" {
		p.Reference = &ref
	}
}

// tighter is the lower of two caps, of which 0 is none.
func tighter(a, b starling.Money) starling.Money {
	if a > 0 && b > 0 {
		return min(a, b)
	}
	return max(a, b)
}

// A planning is a plan in the making.
type planning struct {
	starling.Plan
	*Router
	req     *starling.Request
	screen  starling.Screen
	skill   *skill.Skill // nil if none was named
	tries   []int        // of the candidates: how often each was seen to be accepted or not
	trusted bool         // the last candidate is the ladder's own last
	prompt  prompt
	only    bool     // there is nobody else to ask
	chooses bool     // the rubric says who may try, and its verifiers judge
	unasked bool     // nobody asks: it is only looked how candidates stand
	crowded crowding // who was left out for their windows, and comes nearest; zero if nobody was
	close   string   // what is to be said of who was looked at last: the prompt may not fit
}

func (p *planning) make() error {
	if err := p.raise(); err != nil {
		return err
	}
	if err := p.wish(); err != nil {
		return err
	}
	switch {
	case p.req.Model == "": // which no other dialect allows
		return p.moderator()
	case !strings.HasPrefix(p.req.Model, Prefix):
		return p.pin()
	case p.skill == nil && p.Default != "":
		return p.fallback()
	case p.skill == nil:
		return &starling.Error{Kind: starling.Invalid, Op: "model " + Auto + " without a skill", Hint: "name one: model " + Prefix + "<skill>, the header X-Starling-Skill, --skill of starling ask, or a key with a default skill; or set default in the configuration"}
	}
	return p.ladder()
}

// pin plans for a caller who named the model: that one, or nobody.
func (p *planning) pin() error {
	p.Pinned, p.only, p.Rule = true, true, "pinned by the caller"
	m, ok := p.Directory.Find(p.req.Model)
	if !ok {
		return &starling.Error{Kind: starling.NotFound, Op: fmt.Sprintf("there is no model %q", clip(p.req.Model)), Hint: p.Directory.hint(p.req.Model)}
	}
	p.Patience = 0 // a latency limit chooses between candidates; there is no choice here
	p.consider(skill.Candidate{Model: m.ID(), Probability: 1}, true)
	if len(p.Candidates) == 0 {
		return p.refusal()
	}
	p.Candidates[0].Basis = "not needed: the caller chose"
	p.Candidates[0].Why = p.Rule + p.close
	p.Expected = p.Candidates[0].Expected
	return nil
}

// moderator plans for a caller who wants a moderation and named no model: the first
// of the configuration that may read it.
func (p *planning) moderator() error {
	p.Rule = "the first model that moderates: none was named"
	for _, m := range p.Directory.Models() {
		if m.Takes == starling.Moderations && len(p.Candidates) == 0 {
			p.consider(skill.Candidate{Model: m.ID(), Probability: 1}, true)
		}
	}
	if len(p.Candidates) > 0 {
		p.Candidates[0].Basis = "not needed: nobody chooses"
		p.Expected = p.Candidates[0].Expected
		return nil
	}
	if len(p.Left) > 0 {
		return p.refusal()
	}
	return &starling.Error{Kind: starling.NotFound, Op: "nobody here moderates", Hint: "configure a provider that does: openai, or one with also: [moderations]"}
}

// fallback plans for a caller who left the choice to a skill that nobody knows.
func (p *planning) fallback() error {
	p.only, p.Rule = true, "the configuration's default: no skill was named, and none recognised"
	p.consider(skill.Candidate{Model: p.Default}, true)
	if len(p.Candidates) == 0 {
		return p.refusal()
	}
	p.number()
	p.Expected = p.Candidates[0].Expected
	return nil
}

// ladder plans by the skill's rubric. The last candidate is the safest there is:
// somebody has to answer what nobody was shown to be good enough for.
func (p *planning) ladder() error {
	p.chooses = true
	candidates, why, err := decide(p.skill, p.req, p.screen)
	p.Rule = why
	if err != nil {
		return err
	}
	p.Candidates, p.tries = make([]starling.Candidate, 0, len(candidates)), make([]int, 0, len(candidates))
	for i, c := range candidates {
		before := len(p.Candidates)
		p.consider(c, i == len(candidates)-1)
		p.trusted = len(p.Candidates) > before
	}
	if len(p.Candidates) > 0 {
		p.arrange()
		p.number()
	}
	p.split(candidates)
	if len(p.Candidates) == 0 {
		return p.refusal()
	}
	return nil
}

// listedRule is what a plan says of the order when nothing has changed it.
const listedRule = "order of the rubric"

// decide asks the rubric who should try, in order.
func decide(s *skill.Skill, req *starling.Request, screen starling.Screen) ([]skill.Candidate, string, error) {
	d, err := s.Decide(skill.Facts{
		Model: req.Model, Stream: req.Stream, InputBytes: len(req.Body), MaxTokens: req.MaxTokens,
		Images: req.Images + req.Documents, Tools: req.Tools > 0, Team: req.Caller.Team, Key: req.Caller.Key, Class: screen.Class,
	})
	switch {
	case err != nil:
		return nil, "", err
	case d.Refuse:
		return nil, d.Why, &starling.Error{Kind: starling.Forbidden, Op: "skill " + s.Name + " refuses this request", Hint: d.Why}
	case d.Why == "":
		return d.Candidates, listedRule, nil
	}
	return d.Candidates, "rule: " + d.Why, nil
}

// consider adds a candidate to the plan, or to those left out. Who is trusted
// answers without evidence.
func (p *planning) consider(c skill.Candidate, trusted bool) {
	name, m, ok := p.find(c.Model)
	if !ok {
		p.leave(name, starling.NotFound, "no provider offers it: "+p.Directory.hint(name))
		return
	}
	if p.req.Dialect == starling.CountTokens {
		m.Price = counted
	}
	if slices.ContainsFunc(p.Candidates, func(before starling.Candidate) bool { return before.Model.ID() == m.ID() }) {
		p.leave(m.ID(), starling.Invalid, fmt.Sprintf("it is a candidate already; %q is another name for it", c.Model))
		return
	}
	input, output := m.Bounds(p.req)
	if kind, why := unsuited(p.req, p.screen, m, input, output); kind != "" {
		p.leave(m.ID(), kind, why)
		return
	}
	if why := p.overfull(m); why != "" {
		p.leave(m.ID(), starling.TooLarge, why)
		return
	}
	if first, _ := m.Time(m.Expect(p.req)); p.Patience > 0 && first > p.Patience && !trusted {
		p.leave(m.ID(), starling.Invalid, fmt.Sprintf("at %.0f tokens a second it reads the prompt for about %s, and the skill allows %s to the first byte", m.Reads, first.Round(100*time.Millisecond), p.Patience))
		return
	}
	worst := worst(p.req, m, input, output)
	if p.Limit > 0 && worst > p.Limit {
		p.leave(m.ID(), starling.OverBudget, fmt.Sprintf("may cost %s, %s allows %s a request%s", worst, p.limits(), p.Limit, outputHint(p.req, m, p.Limit)))
		p.Left[len(p.Left)-1].Worst = worst
		return
	}
	next := p.candidate(c, m)
	next.Worst = worst
	proof := p.proof(&next, trusted)
	if proof.against != "" {
		p.leave(m.ID(), starling.Unproven, proof.against)
		return
	}
	if (next.Held() || p.shaped()) && p.req.Choices > 1 {
		p.leave(m.ID(), starling.Invalid, "of several choices only one would be verified; ask for one")
		return
	}
	p.add(next, proof)
}

// find returns the model that a candidate's name means here, as it stands now, and the
// name by which it is known.
func (p *planning) find(name string) (known string, m starling.Model, ok bool) {
	if p.skill != nil {
		name = Named(p.skill.Name, name)
	}
	m, ok = p.Directory.Find(name)
	if ok && p.Now != nil {
		m = p.Now(m)
	}
	return name, m, ok
}

// candidate is one of the rubric, before anything is known of it.
func (p *planning) candidate(c skill.Candidate, m starling.Model) starling.Candidate {
	next := starling.Candidate{Model: m, Probability: c.Probability, Basis: "stated in the rubric", Logprobs: c.Confidence == skill.ByLogprob}
	if !p.chooses || c.SkipVerify {
		return next
	}
	for _, v := range p.Verifiers[p.skill.Name] {
		next.Verify = append(next.Verify, v.Name())
	}
	return next
}

// limits names whose cap is the plan's.
func (p *planning) limits() string {
	if p.Limit == p.req.Budget {
		return "the caller"
	}
	return "the skill"
}

// counted is the price of having tokens counted.
var counted = starling.Price{Free: true, Source: "counting is free: docs.anthropic.com, token counting"}

func (p *planning) leave(model string, kind starling.Kind, why string) {
	p.Left = append(p.Left, starling.Left{Model: model, Kind: kind, Why: why})
}

func (p *planning) add(c starling.Candidate, proof proof) {
	c.Why = "unverified"
	if len(c.Verify) > 0 {
		c.Why = "verified by " + strings.Join(c.Verify, ", ")
	}
	if proof.why != "" {
		c.Why += ", " + proof.why
	}
	p.tries = append(p.tries, p.weigh(&c))
	c.Why += p.close
	c.Expected = min(expected(c.Model, c.Model.Expect(p.req)), c.Worst)
	p.Candidates = append(p.Candidates, c)
}

// expected is what a use of a model should cost. What electricity costs follows from its
// speed, if that is known.
func expected(m starling.Model, u starling.Usage) starling.Money {
	_, long := m.Time(u)
	return m.Price.Amount(u, cmp.Or(long, usualTime))
}

// number says of each candidate which it is.
func (p *planning) number() {
	for i := range p.Candidates {
		p.Candidates[i].Why = "candidate " + strconv.Itoa(i+1) + ", " + p.Candidates[i].Why
	}
}

// reasons are why candidates are left out, in the order in which they concern the caller.
var reasons = []struct {
	kind starling.Kind
	text string // of such a candidate
}{
	{starling.Forbidden, "too far away for the data"},
	{starling.OverBudget, "too dear"},
	{starling.TooLarge, "too small for the prompt"},
	{starling.Unproven, "not shown to be good enough"},
	{starling.Invalid, "not able to answer it"},
	{starling.NotFound, "not there"},
}

// refusal is the error of a plan without candidates: its kind is the one that most concerns
// the caller. Where there are others, the message counts them all: a nearer candidate does not
// help whose data may not travel if it was not shown to be good enough.
func (p *planning) refusal() error {
	hints, count := make([]string, len(p.Left)), map[starling.Kind]int{}
	for i, l := range p.Left {
		hints[i] = l.Model + ": " + l.Why
		count[l.Kind]++
	}
	kind, why := starling.NotFound, []string(nil)
	for _, r := range reasons {
		if count[r.kind] == 0 {
			continue
		}
		if len(why) == 0 {
			kind = r.kind
		}
		why = append(why, fmt.Sprintf("%d %s", count[r.kind], r.text))
	}
	op := "no model may answer this request"
	switch {
	case kind == starling.TooLarge: // in the words by which clients know that they should shorten it
		op = fmt.Sprintf("prompt is too long: %d tokens > %d maximum", p.crowded.tokens, p.crowded.most)
	case len(why) > 1:
		op += ": " + strings.Join(why, ", ")
	}
	return &starling.Error{Kind: kind, Op: op, Hint: strings.Join(hints, "; ")}
}
