package main

import (
	"cmp"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"cel.dev/cel-go/cel"

	"starling"
)

// A reader decides about requests by what starling skill show prints, and by nothing
// else: it is the rubric's second implementation, as a person would be with the page, a
// pencil and docs/spec/rubric.md. It shares no code with the first.

// A decision is who is asked, in order, or why nobody is.
type decision struct {
	who  []string // "provider/model"
	kind starling.Kind
}

func (d decision) String() string {
	if d.kind != "" {
		return "refused: " + string(d.kind)
	}
	return strings.Join(d.who, " > ")
}

// asked is what a reader has to know of a request.
type asked struct {
	bytes     int64 // of its text
	length    int   // of all of it
	maxTokens int64
	choices   int64
	images    int
	tools     bool
	stream    bool
	shaped    bool // the answer must have a form
	team      string
	model     string
	hour      int
	class     string
	budget    float64 // dollars
	bar       float64
	tokens    func(model string) (all, least int64) // by the model's own count
}

// A page is what a reader found on it.
type page struct {
	rows      []row
	reference string
	pass      float64
	barred    bool
	byCost    bool
	enough    int
	class     string
	own       bool // the class is the skill's, and no default
	classes   map[string]string
	cap       float64
	latency   time.Duration
	rules     []sentence
}

type row struct {
	model, zone string
	listed      bool // by the rubric itself
	student     bool
	unknown     bool // nobody knows what it costs
	free        bool // nor has to
	watts, kWh  float64
	longest     time.Duration
	tiers       []rates // ascending; the first is above nothing
	marked      bool    // writes to the cache are the caller's choice
	twice       bool
	window      int64
	most        int64 // tokens of an answer
	noTools     bool
	noImages    bool
	reads       float64
	writes      float64
	verified    bool
	threshold   bool
	covered     bool
	least       float64
	odds        float64
	tries       int
	no          starling.Kind // why it may not answer where evidence counts, "" it may
}

type rates struct {
	above                        int64
	read, write, cached, caching float64 // dollars a million
}

type sentence struct {
	when   string
	rows   []int
	refuse bool
}

var zoneOrder = []string{"machine", "office", "tenant", "cloud"}

// readPage reads what was printed.
func readPage(t testing.TB, text string) *page {
	t.Helper()
	p := &page{classes: map[string]string{}}
	blocks := strings.Split(text, "\n\n")
	for _, block := range blocks[2 : len(blocks)-1] { // after the title and where it is from, and the ladder at a glance
		if regexp.MustCompile(`^ *\d+ `).MatchString(block) {
			p.rows = append(p.rows, readRow(t, unwrapped(block, 13)))
		}
	}
	for _, line := range unwrapped(blocks[len(blocks)-1], 11) {
		p.term(t, line)
	}
	return p
}

// unwrapped joins lines that were broken with those that they go on.
func unwrapped(block string, margin int) []string {
	var out []string
	for line := range strings.Lines(block) {
		line = strings.TrimSuffix(line, "\n")
		if rest, ok := strings.CutPrefix(line, strings.Repeat(" ", margin)); ok && len(out) > 0 {
			out[len(out)-1] += " " + rest
			continue
		}
		out = append(out, line)
	}
	return out
}

func find(pattern, text string) []string { return regexp.MustCompile(pattern).FindStringSubmatch(text) }

func number(t testing.TB, text string) float64 {
	t.Helper()
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func readRow(t testing.TB, lines []string) row {
	r := row{odds: 1, listed: !strings.Contains(lines[0], ", by rule ")}
	if m := find(`= (\S+), zone (\w+)`, lines[0]); m != nil {
		r.model, r.zone = m[1], m[2]
		r.student = strings.HasPrefix(r.model, "student/")
	}
	for _, line := range lines[1:] {
		name, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch rest = strings.TrimSpace(rest); name {
		case "price":
			r.price(t, rest)
		case "limits":
			m := find(`window (\w+), longest answer (\w+)`, rest)
			r.window, _ = strconv.ParseInt(m[1], 10, 64)
			r.most, _ = strconv.ParseInt(m[2], 10, 64)
			r.noTools, r.noImages = strings.Contains(rest, "no tools"), strings.Contains(rest, "no images")
			if m := find(`reads (\S+) and writes (\S+) tokens`, rest); m != nil {
				r.reads, r.writes = number(t, m[1]), number(t, m[2])
			}
		case "verified":
			r.verified = !strings.HasPrefix(rest, "by nobody")
		case "evidence":
			if m := find(`^war_\S+ covers it: .* so at least (\S+) % do`, rest); m != nil {
				r.covered, r.least = true, number(t, m[1])/100
				r.threshold = strings.Contains(rest, "from a confidence of")
			}
		case "record":
			m := find(`(\S+) is expected, on (\d+) tries`, rest)
			r.odds, r.tries = number(t, m[1]), int(number(t, m[2]))
		case "answers":
			if m := find(`^no \((\w+)\)`, rest); m != nil {
				r.no = starling.Kind(m[1])
			} else if strings.Contains(rest, "; elsewhere no: ") {
				r.no = starling.Unproven
			}
		default:
			t.Fatalf("the page says %q", line)
		}
	}
	return r
}

// price reads what a call costs.
func (r *row) price(t testing.TB, text string) {
	r.twice = strings.Contains(text, "made twice")
	r.marked = strings.Contains(text, "where the caller marks it")
	if m := find(`^(\S+) W at \$(\S+) a kilowatt-hour, for (\S+) at most`, text); m != nil {
		r.watts, r.kWh = number(t, m[1]), number(t, m[2])
		r.longest, _ = time.ParseDuration(m[3])
		return
	}
	r.unknown, r.free = strings.HasPrefix(text, "unknown"), strings.HasPrefix(text, "free")
	for _, part := range strings.Split(text, "; ") {
		var tier rates
		if m := find(`above (\d+) read: `, part); m != nil {
			tier.above = int64(number(t, m[1]))
		}
		m := find(`\$(\S+) read, \$([\d.]+) written`, part)
		if m == nil {
			continue
		}
		tier.read, tier.write = number(t, m[1]), number(t, m[2])
		for _, m := range regexp.MustCompile(`\$([\d.]+) to the cache`).FindAllStringSubmatch(part, -1) {
			tier.caching = max(tier.caching, number(t, m[1]))
		}
		if m := find(`\$([\d.]+) from the cache`, part); m != nil {
			tier.cached = number(t, m[1])
		}
		r.tiers = append(r.tiers, tier)
	}
}

// term reads what holds for all candidates.
func (p *page) term(t testing.TB, line string) {
	name, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
	rest = strings.TrimSpace(rest)
	last := func() *sentence { return &p.rules[len(p.rules)-1] }
	switch name {
	case "reference":
		_, p.reference, _ = strings.Cut(rest, " = ")
	case "bar":
		p.barred = !strings.HasPrefix(rest, "none")
		if m := find(`^(\S+) % of answers pass`, rest); m != nil {
			p.pass = number(t, m[1]) / 100
		}
	case "order":
		if m := find(`^least expected cost, once each but the ladder's last has (\d+) tries`, rest); m != nil {
			p.byCost, p.enough = true, int(number(t, m[1]))
		}
	case "class":
		p.class, _, _ = strings.Cut(rest, ",")
		p.own = !strings.Contains(rest, "unless a request says another")
	case "classes":
		for _, m := range regexp.MustCompile(`([a-z]\S*) to (machine|office|tenant|cloud)`).FindAllStringSubmatch(rest, -1) {
			p.classes[m[1]] = m[2]
		}
	case "budget":
		if m := find(`\$(\S+) a request`, rest); m != nil {
			p.cap = number(t, m[1])
		}
	case "latency":
		if m := find(`^(\S+) to the first byte`, rest); m != nil {
			p.latency, _ = time.ParseDuration(m[1])
		}
	case "then":
		if rest == "refused" {
			last().refuse = true
			return
		}
		for _, m := range regexp.MustCompile(`(?:^|, )(\d+) `).FindAllStringSubmatch(rest, -1) {
			last().rows = append(last().rows, int(number(t, m[1]))-1)
		}
	case "trusted", "audit", "keep", "grade", "prompt", "verify", "rules", "why":
	default:
		if m := find(`^  \d+ when +(.*)$`, line); m != nil {
			p.rules = append(p.rules, sentence{when: m[1]})
			return
		}
		t.Fatalf("the page says %q", line)
	}
}

// decide comes to a decision.
func (p *page) decide(t testing.TB, a *asked) decision {
	class, furthest := p.screen(a)
	list, refused := p.list(t, a, class)
	if refused {
		return decision{kind: starling.Forbidden}
	}
	var in []int
	kinds := map[starling.Kind]bool{}
	trusted := false
	for i, n := range list {
		last := i == len(list)-1
		kind := p.against(a, &p.rows[n], furthest, last)
		if slices.ContainsFunc(in, func(other int) bool { return p.rows[other].model == p.rows[n].model }) {
			kind = starling.Invalid
		}
		if trusted = kind == ""; trusted {
			in = append(in, n)
		}
		kinds[kind] = true
	}
	if len(in) == 0 {
		for _, kind := range []starling.Kind{starling.Forbidden, starling.OverBudget, starling.TooLarge, starling.Unproven, starling.Invalid, starling.NotFound} {
			if kinds[kind] {
				return decision{kind: kind}
			}
		}
	}
	var d decision
	for _, n := range p.arrange(a, in, trusted) {
		d.who = append(d.who, p.rows[n].model)
	}
	return d
}

// screen picks the strictest class of request and skill.
func (p *page) screen(a *asked) (class, furthest string) {
	var labels []string
	if a.class != "" {
		labels = append(labels, a.class)
	}
	if p.own || a.class == "" {
		labels = append(labels, p.class)
	}
	class = slices.MinFunc(labels, func(x, y string) int {
		return cmp.Or(cmp.Compare(slices.Index(zoneOrder, p.classes[x]), slices.Index(zoneOrder, p.classes[y])), cmp.Compare(x, y))
	})
	return class, p.classes[class]
}

// list asks the rules who may try.
func (p *page) list(t testing.TB, a *asked, class string) (rows []int, refused bool) {
	facts := map[string]any{
		"request.model": a.model, "request.stream": a.stream, "request.input_bytes": a.length, "request.max_tokens": a.maxTokens, "request.images": a.images,
		"request.tools": a.tools, "request.team": a.team, "request.key": "", "request.hour": a.hour, "class": class,
	}
	for _, r := range p.rules {
		if holds(t, r.when, facts) {
			return r.rows, r.refuse
		}
	}
	for n := range p.rows {
		if p.rows[n].listed {
			rows = append(rows, n)
		}
	}
	return rows, false
}

// programs are conditions that were compiled, by their text.
var programs sync.Map

// holds evaluates a condition as it is printed.
func holds(t testing.TB, condition string, facts map[string]any) bool {
	t.Helper()
	program, ok := programs.Load(condition)
	if !ok {
		options := []cel.EnvOption{cel.CrossTypeNumericComparisons(true)}
		for name := range facts {
			options = append(options, cel.Variable(name, cel.DynType))
		}
		env, err := cel.NewEnv(options...)
		if err != nil {
			t.Fatal(err)
		}
		ast, issues := env.Compile(condition)
		if issues.Err() != nil {
			t.Fatalf("%s: %v", condition, issues.Err())
		}
		if program, err = env.Program(ast); err != nil {
			t.Fatal(err)
		}
		programs.Store(condition, program)
	}
	out, _, err := program.(cel.Program).Eval(facts)
	if err != nil {
		t.Fatal(err)
	}
	return out.Value() == true
}

// against says why a row is not asked, "" if it is. The first reason counts.
func (p *page) against(a *asked, r *row, furthest string, last bool) starling.Kind {
	byTokens := r.watts == 0 && !r.free
	output := cmp.Or(a.maxTokens, r.most, r.window)
	switch {
	case r.model == "":
		return starling.NotFound
	case slices.Index(zoneOrder, r.zone) > slices.Index(zoneOrder, furthest):
		return starling.Forbidden
	case r.no != "" && r.no != starling.Unproven:
		return r.no
	case a.tools && r.noTools, a.images > 0 && r.noImages, output == 0 && byTokens:
		return starling.Invalid
	case p.overfull(a, r):
		return starling.TooLarge
	case p.latency > 0 && r.reads > 0 && !last && float64(a.input())/r.reads > p.latency.Seconds():
		return starling.Invalid
	case p.limit(a) > 0 && r.worst(a, output) > p.limit(a):
		return starling.OverBudget
	case !p.proven(a, r, last):
		return starling.Unproven
	case a.choices > 1 && (r.verified || r.threshold || a.shaped):
		return starling.Invalid
	}
	return ""
}

func (p *page) limit(a *asked) float64 {
	if p.cap > 0 && a.budget > 0 {
		return min(p.cap, a.budget)
	}
	return max(p.cap, a.budget)
}

func (p *page) proven(a *asked, r *row, last bool) bool {
	raised := a.bar > p.pass
	switch {
	case !r.student && (last || r.model == p.reference || !p.barred && !raised):
		return true
	case raised:
		return r.covered && r.least >= a.bar
	}
	return r.no != starling.Unproven
}

// overfull reports whether question and answer have no room in the window.
func (p *page) overfull(a *asked, r *row) bool {
	answer := cmp.Or(a.maxTokens, 256)
	if r.most > 0 {
		answer = min(answer, r.most)
	}
	switch {
	case r.window == 0:
		return false
	case a.bytes/16 > r.window:
		return true
	case a.bytes+answer <= max(r.window, 1024):
		return false
	}
	tokens, least := a.tokens(r.model)
	if r.zone != "machine" && r.zone != "office" {
		tokens = least
	}
	return tokens+answer > r.window
}

// input and output are the tokens that are usual.
func (a *asked) input() int64 { return a.bytes/4 + 1600*int64(a.images) }

func (a *asked) output() int64 { return min(cmp.Or(a.maxTokens, 300), 300) }

// worst is the most that a call costs, in dollars.
func (r *row) worst(a *asked, output int64) float64 {
	input := a.bytes + 64 + 50_000*int64(a.images)
	if a.tools {
		input += 2048
	}
	total := r.watts / 1000 * r.longest.Hours() * r.kWh
	read, write := 0.0, 0.0
	for _, tier := range r.tiers {
		if input < tier.above {
			continue
		}
		dearest := max(tier.read, tier.cached)
		if !r.marked {
			dearest = max(dearest, tier.caching)
		}
		read, write = max(read, dearest), max(write, tier.write)
	}
	total += (read*float64(input) + write*float64(output*a.choices)) / 1e6
	if r.twice {
		total *= 2
	}
	return total
}

// usual is what a call is expected to cost.
func (r *row) usual(a *asked) float64 {
	seconds := 1.0
	if r.reads > 0 {
		seconds = float64(a.input())/r.reads + float64(a.output())/r.writes
	}
	cost := r.watts / 1000 * seconds / 3600 * r.kWh
	for _, tier := range slices.Backward(r.tiers) {
		if a.input() > tier.above {
			cost = (tier.read*float64(a.input()) + tier.write*float64(a.output())) / 1e6
			break
		}
	}
	return min(cost, r.worst(a, cmp.Or(a.maxTokens, r.most, r.window)))
}

// arrange puts those who may answer in order.
func (p *page) arrange(a *asked, in []int, trusted bool) []int {
	known := in
	if trusted {
		known = in[:len(in)-1]
	}
	if !p.byCost || slices.ContainsFunc(known, func(n int) bool { return p.rows[n].tries < p.enough }) {
		return in
	}
	cost := func(order []int) float64 {
		sum, reach := 0.0, 1.0
		for _, n := range order {
			sum += reach * p.rows[n].usual(a)
			reach *= 1 - p.rows[n].odds
		}
		return sum
	}
	ratio := slices.Clone(in)
	slices.SortStableFunc(ratio, func(x, y int) int {
		return cmp.Compare(p.rows[x].usual(a)/math.Max(p.rows[x].odds, 1e-6), p.rows[y].usual(a)/math.Max(p.rows[y].odds, 1e-6))
	})
	if listed := cost(in); cost(ratio) < listed-1e-9*listed {
		return ratio
	}
	return in
}
