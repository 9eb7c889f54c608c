package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// A recipe is how one command-line agent is run: agents/<name>/agent.json. Files
// under agents/<name>/home are its throw-away home. In both, ${GATEWAY}, ${KEY},
// ${MODEL}, ${PROMPT} and ${HOME} stand for what they name.
type recipe struct {
	Run  []string          `json:"run"`
	Env  map[string]string `json:"env"`
	Asks int               `json:"asks"` // questions that a task takes when it is refused; 1 if unsaid

	Models string `json:"models"` // file of its home in which it keeps the models it was told of

	Skills struct {
		Of   string            `json:"of"`   // what the agent is called where one is installed
		Read turn              `json:"read"` // the call by which its model reads the skill delegate: opencode's own tool for it would fetch another program
		Env  map[string]string `json:"env"`  // beside the other, where it has such a job
	} `json:"skills"`
}

// An errand is one run of an agent: what its user asks of it, and what it is given.
type errand struct {
	model, key, prompt string
	at                 *tap // where it finds the gateway
	env                []string
	furnish            func(home, work string) error // what else it finds; nil nothing
}

func (s *stand) errand(model, key string) errand {
	return errand{model: model, key: key, prompt: task, at: s.front}
}

// task is what agents are asked. The simulated model has them echo a word,
// whatever they are asked.
const task = "Run the shell command 'echo starling' once and tell me what it printed."

// echoed is how a simulated model ends after it was told what the tool printed.
var echoed = regexp.MustCompile(`(?s)\[simulated\] The tool answered:.*starling`)

// agent has an agent do its task with each upstream, then with a model that does
// not exist, then with a key that has nothing to spend.
func (s *stand) agent(ctx context.Context, c client, quick bool) []finding {
	var found []finding
	note := func(feature, dialect string, err error) {
		f := finding{Feature: feature, Dialect: dialect, State: passed}
		if err != nil {
			f.State, f.Why = failed, oneLine(err.Error())
		}
		found = append(found, f)
	}
	for _, u := range upstreams {
		if u.Missing == "" {
			note("tools", u.Dialect, s.loop(ctx, c, u.Dialect+"-bird"))
		}
	}
	known := upstreams[0].Dialect + "-bird"
	unknown := upstreams[0].Dialect + "-brid"
	out, _ := s.perform(ctx, c, s.errand(unknown, s.keys["rich"]))
	if !strings.Contains(out, known) {
		note("error", "-", fmt.Errorf("it does not show which model was meant: %s", last(out, 300)))
	} else {
		note("error", "-", nil)
	}
	note("refused", "-", s.refusal(ctx, c, known))
	if slices.Contains(c.Features, "models") {
		note("models", "-", s.discovery(ctx, c))
	}
	return append(found, s.delegations(ctx, c, quick)...)
}

// discovery checks that the agent has found every model by itself, under a name that
// it would offer a person, and does its task with one by that name.
func (s *stand) discovery(ctx context.Context, c client) error {
	r, err := c.recipe()
	if err != nil {
		return err
	}
	home, err := os.MkdirTemp("", "starling-agent-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(home)
	out, err := s.performIn(ctx, c, s.errand("claude-"+upstreams[0].Dialect+"-bird", s.keys["rich"]), home)
	if err != nil || !echoed.MatchString(out) {
		return fmt.Errorf("it cannot use a name that was made for it: %w: %s", err, last(out, 300))
	}
	kept, err := os.ReadFile(filepath.Join(home, r.Models))
	if err != nil {
		return fmt.Errorf("it was told of no models: %w", err)
	}
	for _, u := range upstreams {
		name := u.Dialect + "-bird"
		if !strings.HasPrefix(name, "anthropic") { // which it offers as it is
			name = "claude-" + name
		}
		if u.Missing == "" && !bytes.Contains(kept, []byte(`"`+name+`"`)) {
			return fmt.Errorf("it was not told of %s: %s", name, last(string(kept), 300))
		}
	}
	return nil
}

// loop checks that the agent ran the tool, told the model what came of it, and
// showed the model's last words.
func (s *stand) loop(ctx context.Context, c client, model string) error {
	out, err := s.perform(ctx, c, s.errand(model, s.keys["rich"]))
	switch {
	case err != nil:
		return fmt.Errorf("%w: %s", err, last(out, 300))
	case !echoed.MatchString(out):
		return fmt.Errorf("it does not end with what the tool printed: %s", last(out, 300))
	}
	return nil
}

// refusal checks that a spent budget is asked of once, and that a person reads why.
func (s *stand) refusal(ctx context.Context, c client, model string) error {
	r, err := c.recipe()
	if err != nil {
		return err
	}
	before := s.front.read().Asked
	out, _ := s.perform(ctx, c, s.errand(model, s.keys["poor"]))
	asked := s.front.read().Asked - before
	switch {
	case !strings.Contains(strings.ToLower(out), "budget"):
		return fmt.Errorf("nobody reads why, after %d requests: %s", asked, last(out, 300))
	case asked != max(1, r.Asks):
		return fmt.Errorf("it is asked %d times, not %d; why is shown", asked, max(1, r.Asks))
	}
	return nil
}

func (c client) recipe() (recipe, error) {
	var r recipe
	text, err := os.ReadFile(filepath.Join(c.Group, "agent.json"))
	if err == nil {
		err = json.Unmarshal(text, &r)
	}
	return r, err
}

// perform runs the agent once, in a home and a folder of its own, and returns
// everything it printed.
func (s *stand) perform(ctx context.Context, c client, e errand) (string, error) {
	home, err := os.MkdirTemp("", "starling-agent-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(home)
	return s.performIn(ctx, c, e, home)
}

func (s *stand) performIn(ctx context.Context, c client, e errand, home string) (string, error) {
	r, err := c.recipe()
	if err != nil {
		return "", err
	}
	fill := func(text string) string {
		return os.Expand(text, func(name string) string {
			return map[string]string{"GATEWAY": e.at.URL, "KEY": e.key, "MODEL": e.model, "PROMPT": e.prompt, "HOME": home}[name]
		})
	}
	if err := furnish(filepath.Join(c.Group, "home"), home, fill); err != nil {
		return "", err
	}
	work := filepath.Join(home, "work")
	if err := os.Mkdir(work, 0o755); err != nil {
		return "", err
	}
	if e.furnish != nil {
		if err := e.furnish(home, work); err != nil {
			return "", err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, agentTime)
	defer cancel()
	args := make([]string, len(r.Run))
	for i, arg := range r.Run {
		args[i] = fill(arg)
	}
	bin, err := filepath.Abs(filepath.Join(cache, c.Group, "node_modules", ".bin", args[0]))
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, bin, args[1:]...)
	cmd.Dir = work
	cmd.Env = append(indoors(), "HOME="+home, "PATH="+path("runtime", c.Group), "TMPDIR="+home, "SHELL=/bin/bash")
	for name, value := range r.Env {
		cmd.Env = append(cmd.Env, name+"="+fill(value))
	}
	cmd.Env = append(cmd.Env, e.env...) // the last of a name counts
	together(cmd)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err = cmd.Run()
	sweep(cmd)
	if ctx.Err() != nil {
		err = fmt.Errorf("it had not ended after %s", agentTime)
	}
	return out.String(), err
}

// furnish copies a home, filled in. An agent without one gets an empty one.
func furnish(from, to string, fill func(string) string) error {
	if _, err := os.Stat(from); os.IsNotExist(err) {
		return nil
	}
	if err := copied(from, to); err != nil {
		return err
	}
	return filepath.Walk(to, func(path string, info os.FileInfo, err error) error {
		if err != nil || info.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(path, []byte(fill(string(text))), 0o600)
	})
}
