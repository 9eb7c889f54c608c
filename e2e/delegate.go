package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// An agent's user asks it to delegate two jobs by the skill delegate, which is
// installed in its home. Its model is simulated and plays the turns below; the agent,
// the program starling that it runs, the gateway and its receipts are real. Every job
// is also done without the skill, for comparison, outside of the quick subset.

// The skills that are delegated to, and the models that they speak of.
const (
	sorting = "support-intent"
	reading = "report-answer"
	small   = "small"
	premium = "premium"
)

// A job is a bounded task of an agent's user.
type job struct {
	Feature, Name string
	skill         string
	says          string // what the user says of it, after the ticket's number
	run           string // what delegates it
	own           []turn // the calls by which an agent does it itself
	play                 // what a model that has the input finds in it
	answer        string // what must be in the answer
	file          string // text of report.txt beside it; "" none
}

const (
	message  = `Where is my parcel? Order 48213, was supposed to be here Tuesday.`
	question = `For how many days did the harbour crane stand still?`
	ask      = `starling ask --class internal --budget 0.01 --json --skill `
)

var jobs = []job{
	{
		Feature: "delegate", Name: "sort a message", skill: sorting,
		says: "Which intent of a customer is this: " + message,
		run:  ask + sorting + ` "` + message + `"`,
		play: play{Say: "order_status"}, answer: "order_status",
	},
	{
		Feature: "document", Name: "ask of a report", skill: reading,
		says: question + " It stands in report.txt, which is long.",
		run:  ask + reading + ` --file report.txt "` + question + `"`,
		own:  []turn{{Run: "sed -n 1,80p report.txt"}, {Run: "sed -n 81,160p report.txt"}, {Run: "sed -n 161,240p report.txt"}},
		play: play{Find: `(\[R-\d+\]) The harbour crane stood still for (\d+ days)`, Say: "It stood still for $2 $1."}, answer: "41 days [R-238]",
		file: harbour(),
	},
}

// A play is how a simulated model takes its turns in a task, as starling simulate
// --play reads it.
type play struct {
	Task  string `json:"task"`
	Turns []turn `json:"turns,omitempty"`
	Find  string `json:"find,omitempty"`
	Say   string `json:"say"`
}

type turn struct {
	Run   string          `json:"run,omitempty"`
	Tool  string          `json:"tool,omitempty"`
	Input json.RawMessage `json:"input,omitempty"`
}

// harbour is a text of 240 numbered lines, one of which is worth finding.
func harbour() string {
	var b strings.Builder
	places := []string{"the north quay", "the ferry ramp", "the grain silo", "the fish market", "the customs shed", "the slipway", "the pilot station"}
	for i := 1; i <= 240; i++ {
		fmt.Fprintf(&b, "[R-%d] ", i)
		if i == 238 {
			b.WriteString("The harbour crane stood still for 41 days, longer than in any year before. ")
		}
		fmt.Fprintf(&b, "In week %d a crew of %d worked at %s for %d hours and %d minutes; it moved %d pallets and reported %d faults, of which %d were mended on the day.\n",
			1+i*52/241, 3+i*7%5, places[i*5%len(places)], 6+i*11%30, i*13%60, 100+i*37%900, 2+i*3%9, i*5%2)
	}
	return b.String()
}

// ticket is how a task is known to the simulated models.
func (j job) ticket(c client, delegated bool) string {
	number := 1000 + 100*slices.IndexFunc(clients, func(o client) bool { return o.Name == c.Name }) + 10*slices.IndexFunc(jobs, func(o job) bool { return o.Feature == j.Feature })
	if delegated {
		number++
	}
	return fmt.Sprintf("Ticket %d.", number)
}

func (j job) prompt(c client, delegated bool) string {
	prompt := j.ticket(c, delegated) + " " + j.says
	if delegated {
		prompt += " Use the skill delegate."
	}
	return prompt
}

// turns are the calls that the agent's model makes before it answers.
func (j job) turns(r recipe, delegated bool) []turn {
	if delegated {
		return []turn{r.Skills.Read, {Run: j.run}}
	}
	return j.own
}

// plays are what the simulated models play, by their names: the small one reads
// what it is sent, the premium one leads the agents.
func plays() (map[string][]play, error) {
	all := map[string][]play{}
	for _, j := range jobs {
		if j.Find != "" {
			all[small] = append(all[small], play{Task: question, Find: j.Find, Say: j.Say})
		}
		for _, c := range clients {
			if !slices.Contains(c.Features, j.Feature) {
				continue
			}
			r, err := c.recipe()
			if err != nil {
				return nil, err
			}
			told := play{Find: `(?s)"answer": ?"([^"]*)".*"receipt": ?"(rcp_\w+)"`, Say: "$1 (receipt $2)"}
			told.Task, told.Turns = j.ticket(c, true), j.turns(r, true)
			itself := j.play
			itself.Task, itself.Turns = j.ticket(c, false), j.turns(r, false)
			all[premium] = append(all[premium], told, itself)
		}
	}
	return all, nil
}

// playbills writes what each simulated model plays, as <model>.json.
func playbills(dir string) error {
	all, err := plays()
	if err != nil {
		return err
	}
	for name, list := range all {
		text, err := json.MarshalIndent(list, "", "  ")
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, name+".json"), text, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// An account is what one job took: who did it, and what the agent's own session was
// charged for. Money is in nanodollars.
type account struct {
	Job       string `json:"job"`
	Delegated bool   `json:"delegated"`
	Turns     int    `json:"turns"`
	Input     int64  `json:"input"`  // tokens of the session, by the simulator's count
	Cached    int64  `json:"cached"` // of them, those that the prompt cache had
	Output    int64  `json:"output"`
	Cost      int64  `json:"cost_nanodollars"` // of the session

	uncached int // turns after the first for which the prompt cache had nothing

	By      string `json:"by,omitempty"` // who did what was delegated
	Zone    string `json:"zone,omitempty"`
	Paid    int64  `json:"paid_nanodollars,omitempty"`  // for it
	Saved   int64  `json:"saved_nanodollars,omitempty"` // an estimate
	Receipt string `json:"receipt,omitempty"`
}

// atOnce is how many errands an agent is on at once.
const atOnce = 2

// delegations has the agent do its jobs. Where they are compared with what it does
// itself, the prompt cache knows beforehand how a session of either kind begins.
func (s *stand) delegations(ctx context.Context, c client, quick bool) []finding {
	var found []finding
	for _, j := range jobs {
		for _, delegated := range []bool{true, false} {
			if slices.Contains(c.Features, j.Feature) && (delegated || !quick) {
				found = append(found, finding{Feature: j.Feature, Dialect: "-", State: passed, Account: &account{Job: j.Name, Delegated: delegated}})
			}
		}
	}
	if len(found) > 0 && !quick {
		severally(2, func(i int) {
			if e, err := s.sent(ctx, c, jobs[0], i == 0); err == nil {
				e.prompt, e.at = task, s.front
				_, _ = s.perform(ctx, c, e) // what matters is said of the jobs
			}
		})
	}
	severally(len(found), func(i int) {
		f := &found[i]
		if err := s.delegation(ctx, c, jobOf(f.Feature), f.Account); err != nil {
			f.State, f.Why, f.Account = failed, oneLine(err.Error()), nil
		}
	})
	return found
}

// severally does n things, a few at once.
func severally(n int, do func(i int)) {
	var all sync.WaitGroup
	slots := make(chan struct{}, atOnce)
	for i := range n {
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			do(i)
		})
	}
	all.Wait()
}

func jobOf(feature string) job {
	return jobs[slices.IndexFunc(jobs, func(j job) bool { return j.Feature == feature })]
}

// delegation has the agent do one job once, by the skill or itself, and checks what
// it sent and what the receipts say of it.
func (s *stand) delegation(ctx context.Context, c client, j job, a *account) error {
	r, err := c.recipe()
	if err != nil {
		return err
	}
	e, err := s.sent(ctx, c, j, a.Delegated)
	if err != nil {
		return err
	}
	if e.at, err = newTap(s.toGateway); err != nil {
		return err
	}
	defer e.at.close()
	e.at.keep = true
	out, err := s.perform(ctx, c, e)
	if err != nil {
		return fmt.Errorf("%w: %s", err, last(out, 300))
	}
	if !strings.Contains(out, "[simulated]") || !strings.Contains(out, j.answer) {
		return fmt.Errorf("it does not end with %q: %s", j.answer, last(out, 300))
	}
	return s.account(ctx, c, j, len(j.turns(r, a.Delegated)), e.at.exchanges(ctx), a)
}

// sent is the errand on which an agent is sent with a job: starling is on its PATH
// and knows the gateway and the key, and if it is to delegate it has the skill.
func (s *stand) sent(ctx context.Context, c client, j job, delegated bool) (errand, error) {
	r, err := c.recipe()
	if err != nil {
		return errand{}, err
	}
	e := errand{model: dialects[c.Endpoint] + "-" + premium, key: s.keys["rich"], prompt: j.prompt(c, delegated)}
	e.env = []string{"STARLING_KEY=" + e.key, "STARLING_GATEWAY=" + s.gateway, "PATH=" + s.dir + string(os.PathListSeparator) + path("runtime", c.Group)}
	for name, value := range r.Skills.Env {
		e.env = append(e.env, name+"="+value)
	}
	e.furnish = func(home, work string) error {
		profile := "export PATH='" + s.dir + "':$PATH\n" // some agents' shells are login shells
		err := errors.Join(j.lay(work), os.WriteFile(filepath.Join(home, ".profile"), []byte(profile), 0o600))
		if err != nil || !delegated {
			return err
		}
		return s.install(ctx, r, home)
	}
	return e, nil
}

// install has starling put the skill delegate where the agent looks for skills.
func (s *stand) install(ctx context.Context, r recipe, home string) error {
	cmd := exec.CommandContext(ctx, s.binary, "skill", "install", r.Skills.Of)
	cmd.Dir, cmd.Env = home, []string{"HOME=" + home}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("install the skill: %w: %s", err, last(string(out), 300))
	}
	return nil
}

// lay puts what the job is about into the folder in which the agent works.
func (j job) lay(work string) error {
	if j.file == "" {
		return nil
	}
	return os.WriteFile(filepath.Join(work, "report.txt"), []byte(j.file), 0o600)
}

// account fills in what the exchanges of one errand come to, and says what is wrong
// with them.
func (s *stand) account(ctx context.Context, c client, j job, calls int, all []exchange, a *account) error {
	var session [][]byte
	for _, x := range all {
		r, err := s.receipt(ctx, x.Receipt)
		if err != nil {
			return err
		}
		if err := r.ofTheSession(); err != nil {
			return fmt.Errorf("%s: %w", x.Path, err)
		}
		if turns(x.Body) {
			session = append(session, x.Body)
		}
		a.add(r, len(session) > 1 && turns(x.Body))
	}
	if a.Turns = len(session); a.Turns != calls+1 {
		return fmt.Errorf("its session has %d turns, not %d", a.Turns, calls+1)
	}
	if err := keeps(session, exceptions[c.Name]); err != nil {
		return err
	}
	if a.uncached > 0 {
		return fmt.Errorf("%d turns found nothing of the session in the prompt cache", a.uncached)
	}
	if !a.Delegated {
		return j.held(session)
	}
	return s.handed(ctx, j, session, a)
}

func (a *account) add(r receipt, later bool) {
	a.Cost += r.Cost
	for _, t := range r.Attempts {
		u := t.Usage
		a.Input += u.Input + u.CacheRead + u.CacheWrite + u.CacheWrite1h
		a.Cached += u.CacheRead
		a.Output += u.Output
		if later && u.CacheRead == 0 {
			a.uncached++
		}
	}
}

// handed checks that the skill was found and read, that nothing of the document came
// into the session, and that the receipt which it was told says who did the job.
func (s *stand) handed(ctx context.Context, j job, session [][]byte, a *account) error {
	text, err := os.ReadFile(filepath.Join("..", "skills", "delegate", "SKILL.md"))
	if err != nil {
		return err
	}
	for i, want := range []*regexp.Regexp{described, titled} { // in the catalogue, then read
		words := want.FindSubmatch(text)
		if words == nil || !bytes.Contains(session[i], words[1]) {
			return fmt.Errorf("turn %d does not show the skill's %q", i+1, words)
		}
	}
	end := session[len(session)-1]
	if lines := j.within(end); len(lines) > 0 {
		return fmt.Errorf("its session has %d lines of the document: %s", len(lines), lines[0])
	}
	told := receiptID.FindAll(end, -1)
	if told == nil {
		return errors.New("no receipt was told")
	}
	r, err := s.receipt(ctx, string(told[len(told)-1]))
	if err != nil {
		return err
	}
	a.By, a.Zone, a.Paid, a.Saved, a.Receipt = r.Response.Model, r.Response.Zone, r.Cost, r.Saved, r.ID
	return r.ofTheJob(j)
}

var (
	described = regexp.MustCompile(`(?m)^description: ([\w ]{20,})`)
	titled    = regexp.MustCompile(`(?m)^# (.+)$`)
	receiptID = regexp.MustCompile(`rcp_[0-9a-f]{32}`)
)

// held checks that an agent that did the job itself had the document in its session:
// else nothing would show that the others had not.
func (j job) held(session [][]byte) error {
	if j.file != "" && len(j.within(session[len(session)-1])) == 0 {
		return errors.New("its session has nothing of the document that it read")
	}
	return nil
}

// within returns the lines of the document that a request has, the one aside that is
// the answer. They have nothing that JSON would write otherwise.
func (j job) within(body []byte) []string {
	var lines []string
	for line := range strings.Lines(j.file) {
		line = strings.TrimSpace(line)
		if !regexp.MustCompile(j.Find).MatchString(line) && bytes.Contains(body, []byte(line[len("[R-1] "):])) {
			lines = append(lines, line)
		}
	}
	return lines
}

// A receipt is what is read of one here.
type receipt struct {
	ID     string `json:"id"`
	Screen struct {
		Class string   `json:"class"`
		From  []string `json:"from"`
	} `json:"screen"`
	Plan struct {
		Skill     string `json:"skill"`
		Limit     int64  `json:"limit_nanodollars"`
		Reference struct {
			Name string `json:"name"`
		} `json:"reference"`
	} `json:"plan"`
	Attempts []struct {
		Usage struct {
			Input        int64 `json:"input"`
			CacheRead    int64 `json:"cache_read"`
			CacheWrite   int64 `json:"cache_write"`
			CacheWrite1h int64 `json:"cache_write_1h"`
			Output       int64 `json:"output"`
		} `json:"usage"`
	} `json:"attempts"`
	Response struct {
		Model     string `json:"model"`
		Zone      string `json:"zone"`
		Simulated bool   `json:"simulated"`
	} `json:"response"`
	Outcome  string `json:"outcome"`
	Why      string `json:"why"`
	Cost     int64  `json:"cost_nanodollars"`
	Saved    int64  `json:"saved_nanodollars"`
	Estimate bool   `json:"saved_is_estimate"`
}

// receipt asks the gateway for a receipt.
func (s *stand) receipt(ctx context.Context, id string) (receipt, error) {
	var sealed struct {
		Receipt receipt `json:"receipt"`
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.gateway+"/v1/receipts/"+id, nil)
	if err != nil {
		return receipt{}, err
	}
	req.Header.Set("Authorization", "Bearer "+s.keys["rich"])
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return receipt{}, err
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&sealed); err != nil || sealed.Receipt.ID != id {
		return receipt{}, fmt.Errorf("receipt %q: %s, %w", id, resp.Status, errors.Join(err, ctx.Err()))
	}
	return sealed.Receipt, nil
}

// ofTheSession checks that the agent's own question went to the premium model.
func (r receipt) ofTheSession() error {
	if r.Outcome != "answered" || r.Response.Model != premium || r.Response.Zone != "cloud" || !r.Response.Simulated || r.Plan.Skill != "" {
		return fmt.Errorf("a question of its own was %s by %q in zone %s, skill %q: %s", r.Outcome, r.Response.Model, r.Response.Zone, r.Plan.Skill, r.Why)
	}
	return nil
}

// ofTheJob checks that what was delegated went to the small model, under the skill
// and the terms that it was delegated with, and that it saved something.
func (r receipt) ofTheJob(j job) error {
	const cent = 1e7
	switch {
	case r.Outcome != "answered" || r.Response.Model != small || r.Response.Zone != "machine" || !r.Response.Simulated:
		return fmt.Errorf("the job was %s by %q in zone %s", r.Outcome, r.Response.Model, r.Response.Zone)
	case r.Plan.Skill != j.skill || r.Screen.Class != "internal" || !slices.Contains(r.Screen.From, "header internal"):
		return fmt.Errorf("the job has the skill %q and the class %s, from %q", r.Plan.Skill, r.Screen.Class, r.Screen.From)
	case r.Plan.Limit != cent:
		return fmt.Errorf("the job may cost %d nanodollars, not a cent", r.Plan.Limit)
	case r.Plan.Reference.Name != premium || r.Cost <= 0 || r.Saved <= 0 || !r.Estimate:
		return fmt.Errorf("the job cost %d nanodollars and saved %d against %q, estimate: %t", r.Cost, r.Saved, r.Plan.Reference.Name, r.Estimate)
	}
	return nil
}
