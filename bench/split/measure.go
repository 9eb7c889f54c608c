package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http/httptest"
	"os"
	"strings"
	"testing/fstest"

	"starling"
	"starling/internal/cascade"
	"starling/internal/catalog"
	"starling/internal/ledger"
	"starling/internal/privacy"
	"starling/internal/provider"
	"starling/internal/route"
	"starling/internal/sim"
	"starling/internal/skill"
	"starling/internal/wire"
)

// What is stated of the simulated models, beside what a row states.
const (
	sent    = 0.95 // share of facts that the strong model answers rightly from the document
	found   = 0.98 // and from the findings
	invents = 0.03 // share of chunks in which a reader invents a quote
	second  = 0.97 // share of facts that the second reader finds
)

// measure asks so many questions both ways, and returns the row of a table.
func measure(ctx context.Context, s setting, questions int) (string, error) {
	var facts []sim.Fact
	for i := range questions * s.facts {
		facts = append(facts, factOf(i))
	}
	g, err := open(ctx, s, facts)
	if err != nil {
		return "", err
	}
	defer g.close()
	var whole, parts tally
	for i := range questions {
		body, err := question(s.tokens, facts[i*s.facts:(i+1)*s.facts], i)
		if err != nil {
			return "", err
		}
		for split, t := range map[bool]*tally{false: &whole, true: &parts} {
			if err := g.ask(ctx, body, split, facts[i*s.facts:(i+1)*s.facts], t); err != nil {
				return "", err
			}
		}
	}
	n := questions * s.facts
	row := fmt.Sprintf("| %d | %d | %.0f %% | %d |", s.tokens, s.facts, 100*s.finds, questions)
	row += fmt.Sprintf(" %s | %s | %s | ", parts.reading(), each(whole.cost, questions), parts.expected())
	if parts.planned == 0 {
		return row + fmt.Sprintf("| | %s | |", share(whole.right, n)), nil
	}
	return row + fmt.Sprintf("%s | %s | %s | %s |", each(parts.cost, questions), parts.compared(&whole), share(whole.right, n), share(parts.right, n)), nil
}

func each(cost starling.Money, n int) string {
	return fmt.Sprintf("$%.5f", float64(cost)/float64(n)/float64(starling.Dollar))
}

func share(n, of int) string { return fmt.Sprintf("%.0f %%", 100*float64(n)/float64(of)) }

// factOf is the ith fact of all.
func factOf(i int) sim.Fact {
	return sim.Fact{
		Ask: fmt.Sprintf("the fee in case %04d", i), Quote: fmt.Sprintf("the fee of case %04d is %d euros", i, 1000+7*i),
		Answer: fmt.Sprintf("case %04d: %d euros", i, 1000+7*i), Wrong: fmt.Sprintf("case %04d: it is not said", i),
	}
}

// question is a request with a document of about so many tokens, in which the facts
// stand far apart.
func question(tokens int, facts []sim.Fact, nth int) ([]byte, error) {
	const perRow = 27
	rows := tokens / perRow
	var b strings.Builder
	for i := range rows {
		for k, f := range facts {
			if i == (rows*(2*k+1)/(2*len(facts))+nth*131)%rows {
				fmt.Fprintf(&b, "## Fees\n\nIt was agreed that %s, due at once.\n\n", f.Quote)
			}
		}
		fmt.Fprintf(&b, "Clause %d of volume %d. The parties of clause %d meet in the yard at noon, and nobody else is heard.\n\n", i, nth, i)
	}
	var asks []string
	for _, f := range facts {
		asks = append(asks, f.Ask)
	}
	return json.Marshal(map[string]any{"model": "starling/long", "max_tokens": 300, "messages": []any{
		map[string]any{"role": "system", "content": "Answer from the document, one line a case."},
		map[string]any{"role": "user", "content": []any{
			map[string]any{"type": "text", "text": "<document name=\"contract.md\">\n" + b.String() + "</document>"},
			map[string]any{"type": "text", "text": "What is " + strings.Join(asks, ", and ") + "?"},
		}},
	}})
}

// A tally sums what came of questions asked one way.
type tally struct {
	cost     starling.Money // parts included
	plans    starling.Money // of it, what plans cost
	right    int            // facts
	planned  int            // questions that had a plan
	unread   int            // of them, those whose documents were sent all the same
	readings int            // that were made
	chunks   int64          // of the last that had a plan
	foreseen float64        // sum over those with a plan: what the split was expected to cost, of what sending everything was
	why      string         // the last was not split, or not read
}

// note adds what came of a question.
func (t *tally) note(ex *starling.Exchange, facts []sim.Fact, said string) {
	t.cost = t.cost.Plus(ex.Receipt.Response.Cost)
	for _, f := range facts {
		if strings.Contains(said, f.Answer) {
			t.right++
		}
	}
	c := &ex.Plan.Candidates[0]
	if c.Split == nil {
		_, t.why, _ = strings.Cut(ex.Plan.Rule, "not split: ")
		return
	}
	t.planned++
	t.plans = t.plans.Plus(ex.Parts[0].Cost)
	t.readings += len(ex.Parts) - 1
	t.chunks = c.Split.Chunks
	t.foreseen += float64(c.Expected) / float64(c.Split.Whole)
	if first := &ex.Attempts[0]; first.Spared == 0 {
		t.unread++
		t.why = first.Why
	}
}

// reading says of how many chunks how many readings a question had.
func (t *tally) reading() string {
	switch {
	case t.planned == 0:
		return "| not split: " + t.why
	case t.unread == t.planned:
		return fmt.Sprintf("%d | planned, not read: %s", t.chunks, t.why)
	case t.unread > 0:
		return fmt.Sprintf("%d | %d in all; %d questions planned, not read: %s", t.chunks, t.readings, t.unread, t.why)
	}
	return fmt.Sprintf("%d | %.4g", t.chunks, float64(t.readings)/float64(t.planned))
}

// expected is the forecast from before the plan, as a share of that for sending everything.
func (t *tally) expected() string {
	if t.planned == 0 {
		return ""
	}
	return fmt.Sprintf("%.0f %%", 100*t.foreseen/float64(t.planned))
}

// compared is what the split cost as a share of what it cost to send everything, and what
// of that was its plans. More than everything and the plans it must not be.
func (t *tally) compared(whole *tally) string {
	text := fmt.Sprintf("%s, plan %s", percent(t.cost, whole.cost), percent(t.plans, whole.cost))
	if t.cost > whole.cost.Plus(t.plans) {
		text += ": **it did not pay**"
	}
	return text
}

func percent(cost, of starling.Money) string {
	return fmt.Sprintf("%.0f %%", 100*float64(cost)/float64(of))
}

// A gateway is the whole of it, before one simulated upstream.
type gateway struct {
	*cascade.Cascade
	closers []func()
}

func (g *gateway) close() {
	for i := len(g.closers) - 1; i >= 0; i-- {
		g.closers[i]()
	}
}

// ask puts a question to the skill, in parts or to its reference as it stands.
func (g *gateway) ask(ctx context.Context, body []byte, split bool, facts []sim.Fact, t *tally) error {
	r, err := wire.Parse(starling.OpenAI, body)
	if err != nil {
		return err
	}
	if r.Split = &split; !split {
		s, _ := g.Router.Skills.Find("long")
		r.Skill, r.Split, r.Model = s.Name, nil, s.Rubric.Reference
	}
	told := new(gatherer)
	ex := g.Answer(ctx, r, told)
	if ex.Err != nil {
		return ex.Err
	}
	said, err := told.text()
	if err != nil {
		return err
	}
	t.note(ex, facts, said)
	return nil
}

// A gatherer is a reply that nobody is sent. The caller's dialect is the upstream's, so
// the answer comes as it is.
type gatherer struct{ raw []byte }

// text is what the answer says.
func (g *gatherer) text() (string, error) {
	var answer struct {
		Choices []struct{ Message struct{ Content string } }
	}
	if err := json.Unmarshal(g.raw, &answer); err != nil {
		return "", err
	}
	if len(answer.Choices) != 1 {
		return "", errors.New("an answer without a choice")
	}
	return answer.Choices[0].Message.Content, nil
}

func (g *gatherer) Start(*starling.Exchange, io.Writer) {}
func (g *gatherer) Finish(*starling.Exchange)           {}

func (g *gatherer) Event(ev starling.Event) error {
	g.raw = append(g.raw, ev.Raw...)
	return nil
}

// open wires a gateway before simulated models with the names and prices of real ones.
func open(ctx context.Context, s setting, facts []sim.Fact) (g *gateway, err error) {
	g = &gateway{}
	defer func() {
		if err != nil {
			g.close()
		}
	}()
	strong, err := modelOf(s.pair.strong)
	if err != nil {
		return g, err
	}
	served, offered := []sim.Model{{Name: strong.Name, Long: sim.Reading{Sent: sent, Found: found}}}, []starling.Model{strong}
	for i, r := range s.pair.readers {
		m, err := modelOf(r)
		if err != nil {
			return g, err
		}
		q := sim.Reading{Finds: s.finds, Invents: invents}
		if i > 0 {
			q = sim.Reading{Finds: second}
		}
		served, offered = append(served, sim.Model{Name: m.Name, Long: q}), append(offered, m)
	}
	upstream := httptest.NewServer(sim.New(sim.Options{Models: served, Facts: facts}))
	g.closers = append(g.closers, upstream.Close)
	guard, err := provider.NewGuard(provider.Upstream{URL: upstream.URL, Zone: starling.Cloud})
	if err != nil {
		return g, err
	}
	g.closers = append(g.closers, guard.Close)
	p, err := provider.New(guard, provider.Options{Name: "sim", Dialect: starling.OpenAI, URL: upstream.URL + "/v1", Zone: starling.Cloud, Models: offered})
	if err != nil {
		return g, err
	}
	g.closers = append(g.closers, p.Close)
	return g, g.wire(ctx, p, offered)
}

// wire puts the parts together.
func (g *gateway) wire(ctx context.Context, p *provider.HTTP, offered []starling.Model) error {
	dir, err := os.MkdirTemp("", "starling-split")
	if err != nil {
		return err
	}
	g.closers = append(g.closers, func() { _ = os.RemoveAll(dir) })
	log := slog.New(slog.DiscardHandler)
	books, err := ledger.Open(ctx, ledger.Options{Dir: dir, Log: log})
	if err != nil {
		return err
	}
	g.closers = append(g.closers, func() { _ = books.Close() })
	var names []string
	for _, m := range offered {
		names = append(names, "sim/"+m.Name)
	}
	set, err := skill.LoadAll(fstest.MapFS{
		"long/SKILL.md":    {Data: []byte("---\nname: long\ndescription: Questions about long documents.\n---\n\n# Long\n")},
		"long/rubric.yaml": {Data: []byte(fmt.Sprintf("version: 1\nreference: %[1]s\ncandidates: [%[1]s]\nsplit: {readers: [%[2]s]}\n", names[0], strings.Join(names[1:], ", ")))},
	})
	if err != nil {
		return err
	}
	directory, err := route.NewDirectory(p.Models(), nil)
	if err != nil {
		return err
	}
	g.Cascade = &cascade.Cascade{
		Policy: &privacy.Policy{}, Router: &route.Router{Directory: directory, Skills: set},
		Providers: map[string]starling.Provider{"sim": p}, Ledger: books, Log: log,
	}
	return nil
}

// modelOf returns a model with its price in the catalogue, simulated.
func modelOf(name [2]string) (starling.Model, error) {
	row, ok := catalog.Embedded().Find(name[0], name[1])
	if !ok {
		return starling.Model{}, errors.New("the catalogue has no " + name[0] + " " + name[1])
	}
	m := row.Fill()
	m.Simulated = true
	return m, nil
}
