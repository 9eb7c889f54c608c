package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"starling/internal/sim"
)

// root is the repository's.
const root = "../.."

// A reader does what the README says, line by line, on a fresh machine: one
// folder of its own, an environment with nothing in it but what was exported.
type reader struct {
	*testing.T
	dir     string
	env     []string
	receipt string // that the demo showed
	served  string // base URLs as serve said them
}

// practice is how the commands of the README are run and what they must say. One
// that is not here fails the test: it would be a promise that nobody holds.
var practice = map[string]func(r *reader, args []string){
	"rightsize":                (*reader).rightsize,
	"evidence import":          (*reader).evidence,
	"distill":                  says(`(?m)^support-intent: a student of \d+ texts$`),
	"warrant list":             says(`(?m)^war_\w+ +support-intent +student/support-intent .* in force$`),
	"ledger report --observed": says(`^Nothing was changed: `),
	"demo":                     (*reader).demo,
	"serve":                    (*reader).serve,
	"simulate":                 (*reader).simulate,
	"explain":                  (*reader).explain,
	"ledger report":            says(`(?m)^ +support-intent +84 `),
	"ledger verify":            says(`(?m)^ok: \d{3} receipts`),
	"key create":               says(`(?m)^sk-starling-`),
	"skill install":            (*reader).installSkill,
	"skill uninstall":          (*reader).uninstallSkill,
	"ask":                      (*reader).ask,
	"models":                   says(`(?m)^anthropic/claude-haiku-4-5 +cloud +\$`),
}

// TestEveryCommandOfTheReadmeDoesWhatItSays runs them in their order.
func TestEveryCommandOfTheReadmeDoesWhatItSays(t *testing.T) {
	learns(t)
	r := &reader{T: t, dir: t.TempDir()}
	r.env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + r.dir, "TMPDIR=" + t.TempDir(), "STARLING_DATA=" + filepath.Join(r.dir, "books")}
	done := map[string]bool{}
	for _, line := range commandLines(t, filepath.Join(root, "README.md")) {
		switch {
		case strings.HasPrefix(line, "export "):
			r.export(line)
		case strings.HasSuffix(line, " your-program"):
			r.point(line)
		case line == "go test ./...": // we are in it
		case strings.HasPrefix(line, "go install "):
			r.install(strings.Fields(line))
		default:
			done[r.command(line)] = true
		}
	}
	for name := range practice {
		if !done[name] {
			t.Errorf("the README does not tell of starling %s", name)
		}
	}
}

// commandLines returns the lines of a document's code blocks that are commands,
// without their comments.
func commandLines(t *testing.T, file string) []string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, block := range regexp.MustCompile("(?ms)^```\n(.*?)\n```").FindAllSubmatch(text, -1) {
		for line := range strings.Lines(string(block[1])) {
			line, _, _ = strings.Cut(line, "#")
			line = strings.TrimSpace(line)
			if regexp.MustCompile(`^(starling|go|export|\w+=\S+) `).MatchString(line) {
				lines = append(lines, line)
			}
		}
	}
	if len(lines) == 0 {
		t.Fatalf("%s tells of no command", file)
	}
	return lines
}

// command runs a line and returns the command's name.
func (r *reader) command(line string) string {
	args, ours := strings.CutPrefix(line, "starling ")
	if !ours {
		args, ours = strings.CutPrefix(line, "go run ./cmd/starling ")
	}
	if !ours {
		r.Fatalf("who runs %q?", line)
	}
	name := ""
	for known := range practice {
		if len(known) > len(name) && (args == known || strings.HasPrefix(args, known+" ")) {
			name = known
		}
	}
	if name == "" {
		r.Fatalf("the README says %q, and nothing here runs it", line)
	}
	practice[name](r, strings.Fields(args))
	return name
}

// starling is a command in the reader's place.
func (r *reader) starling(args []string) *exec.Cmd {
	cmd := exec.Command("starling", args...)
	cmd.Dir, cmd.Env = r.dir, r.env
	return cmd
}

// run returns what a command says that ends well.
func (r *reader) run(args []string) string {
	r.Helper()
	var stderr bytes.Buffer
	cmd := r.starling(args)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		r.Fatalf("starling %s: %v\n%s%s", strings.Join(args, " "), err, out, stderr.Bytes())
	}
	return string(out)
}

// expect finds each pattern in a text.
func (r *reader) expect(text string, patterns ...string) {
	r.Helper()
	for _, p := range patterns {
		if !regexp.MustCompile(p).MatchString(text) {
			r.Errorf("nothing matches %q in\n%s", p, text)
		}
	}
}

func says(pattern string) func(*reader, []string) {
	return func(r *reader, args []string) { r.expect(r.run(args), pattern) }
}

// export takes over NAME=… with a key that opens nothing.
func (r *reader) export(line string) {
	for _, word := range strings.Fields(line)[1:] {
		name, _, _ := strings.Cut(word, "=")
		r.env = append(r.env, name+"=not-a-real-key")
	}
}

// install does it in the repository, and asks what was installed for its version.
func (r *reader) install(args []string) {
	bin := r.TempDir()
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir, cmd.Env = root, append(os.Environ(), "GOBIN="+bin)
	if out, err := cmd.CombinedOutput(); err != nil {
		r.Fatalf("%v: %v\n%s", args, err, out)
	}
	if out, err := exec.Command(filepath.Join(bin, "starling"), "version").Output(); err != nil || !strings.HasPrefix(string(out), "starling ") {
		r.Errorf("installed, it says %q (%v)", out, err)
	}
}

// point compares the base URLs with what serve said.
func (r *reader) point(line string) {
	if want := strings.TrimSuffix(line, "  your-program"); want != r.served {
		r.Errorf("the README says %q, serve says %q", want, r.served)
	}
}

// demo is the whole thing: all six packs, every case, an account of it; and the loop,
// which a test of its own holds to what it says.
func (r *reader) demo(args []string) {
	said := r.run(args)
	total := 0
	for _, name := range []string{"email-reply", "invoice-fields", "kb-answer", "marketing-draft", "research-arithmetic", "support-intent"} {
		cases, err := os.ReadFile(filepath.Join(root, "skills", name, "cases.jsonl"))
		if err != nil {
			r.Fatal(err)
		}
		n := bytes.Count(cases, []byte("\n"))
		total += n
		r.expect(said, fmt.Sprintf(`(?m)^%s +%d +\S`, name, n))
	}
	r.expect(said,
		fmt.Sprintf(`(?m)^%d requests in `, total), fmt.Sprintf(`(?m)^all +%d +`, total),
		`(?m)^Simulated: the models`, `(?m)^Estimate: +savings`, `(?m)^Real: `,
		`The upstreams counted \d+ calls and \$\S+ themselves; the ledger says \$`)
	r.expect(said, `(?m)^1  Evidence\. `, `(?m)^   student +\d+ kB .*; warrant war_`, `(?m)^   revoked +after \d+ messages`, `(?m)^   next +premium answered the next request, rcp_`, `(?m)^   premium +█`)
	m := regexp.MustCompile(`(?m)^  starling --data (\S+) explain (rcp_\S+)$`).FindStringSubmatch(said)
	if m == nil || m[1] != filepath.Join(r.dir, "books") {
		r.Fatalf("the demo does not say how to look at its ledger:\n%s", said)
	}
	r.receipt = m[2]
}

func (r *reader) explain(args []string) {
	if args[len(args)-1] != "<receipt>" {
		r.Fatalf("explain %v", args)
	}
	args[len(args)-1] = r.receipt
	r.expect(r.run(args), `(?m)^receipt +`+r.receipt, `(?m)^outcome `, `(?m)^plan `, `(?m)^attempts `, `(?m)^cost `, `(?m)^saved `)
}

// serve runs it on a free port, and ends it as a service manager would.
func (r *reader) serve(args []string) {
	p, found, err := launch(r.starling(append(args, "--listen", "127.0.0.1:0")), `on http://(\S+)\n.* (OPENAI_BASE_URL=\S+  ANTHROPIC_BASE_URL=\S+)\n`)
	if err != nil {
		r.Fatal(err)
	}
	r.served = strings.ReplaceAll(found[0][2], found[0][1], defaultListen)
	if err := p.stop(); err != nil {
		r.Error(err)
	}
}

func (r *reader) simulate(args []string) {
	p, found, err := launch(r.starling(append(args, "--listen", "127.0.0.1:0")), `(?m)^  http://127\.0\.0\.1:\d+ .* %$`)
	if err != nil {
		r.Fatal(err)
	}
	if len(found) != 4 {
		r.Errorf("%d upstreams:\n%s", len(found), p.said.String())
	}
	if err := p.stop(); err != nil {
		r.Error(err)
	}
}

// rightsize has simulated models in the place of the reader's own.
func (r *reader) rightsize(args []string) {
	r.simulated(func() {
		r.expect(r.run(append([]string{"--config", "mine.yaml"}, args...)), `(?m)^support-intent: at least 90 % of answers are to pass`, `(?m)^small +near/small \[simulated\] `)
	})
}

// simulated does something while there are simulated models, and mine.yaml names them.
func (r *reader) simulated(do func()) {
	r.Helper()
	p, found, err := launch(r.starling([]string{"simulate", "--listen", "127.0.0.1:0"}), `(?m)^  (http://127\.0\.0\.1:\d+) .* %$`)
	if err != nil {
		r.Fatal(err)
	}
	defer func() {
		if err := p.stop(); err != nil {
			r.Error(err)
		}
	}()
	text := fmt.Sprintf(`providers:
  near: {dialect: openai, url: %q, zone: machine, models: [small], simulated: true, watts: 15}
  mid: {dialect: openai, url: %q, zone: office, models: [open], simulated: true, watts: 90}
  far: {dialect: anthropic, url: %q, zone: cloud, models: [premium], simulated: true}
models: {small: near/small, open: mid/open, premium: far/premium}
prices: [{model: far/premium, input: "5", output: "25", max_output: 4096}]
`, found[0][1]+"/v1", found[1][1]+"/v1", found[3][1]+"/v1")
	if err := os.WriteFile(filepath.Join(r.dir, "mine.yaml"), []byte(text), 0o600); err != nil {
		r.Fatal(err)
	}
	do()
}

// ask has simulated models, too.
func (r *reader) ask(args []string) {
	words := strings.SplitN(strings.Join(args, " "), `"`, 3)
	r.simulated(func() {
		said := r.run(append(append([]string{"--config", "mine.yaml"}, strings.Fields(words[0])...), words[1]))
		r.expect(said, `^(other|[a-z]+_[a-z]+)\n$`)
	})
}

func (r *reader) installSkill(args []string) {
	r.expect(r.run(args), `(?m)^Claude Code: \S+/\.claude/skills/delegate: written: SKILL\.md$`)
	if _, err := os.Stat(filepath.Join(r.dir, ".claude", "skills", "delegate", "SKILL.md")); err != nil {
		r.Error(err)
	}
}

func (r *reader) uninstallSkill(args []string) {
	r.expect(r.run(args), `(?m)^Claude Code: \S+/\.claude/skills/delegate: removed: SKILL\.md$`)
	if _, err := os.Stat(filepath.Join(r.dir, ".claude")); err == nil {
		r.Error("it leaves a folder that it made")
	}
}

// evidence has a trace of a made-up shop.
func (r *reader) evidence(args []string) {
	var trace bytes.Buffer
	open := sim.NewShop(1)
	for range 1500 {
		m := open.Next()
		if err := json.NewEncoder(&trace).Encode(map[string]string{"input": m.Input, "label": m.Answer}); err != nil {
			r.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(r.dir, "traces.jsonl"), trace.Bytes(), 0o600); err != nil {
		r.Fatal(err)
	}
	r.expect(r.run(args), `1\d{3}`)
}

// TestTheConfigurationInTheDocsIsAGoodOne checks it as a user would, with Ollama
// running and without.
func TestTheConfigurationInTheDocsIsAGoodOne(t *testing.T) {
	r := &reader{T: t, dir: t.TempDir()}
	r.env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + r.dir, "ANTHROPIC_API_KEY=not-a-real-key"}
	if err := os.CopyFS(filepath.Join(r.dir, "skills"), os.DirFS(filepath.Join(root, "skills"))); err != nil {
		t.Fatal(err)
	}
	documented(t, r.dir, anOllama(t, "qwen3:0.6b"))
	r.expect(r.run([]string{"--config", "starling.yaml", "check"}), `^ok: 3 providers, \d+ models, 6 skills, \d+ budgets`)
	r.expect(r.run([]string{"--config", "starling.yaml", "models"}), `(?m)^small = ollama/qwen3:0\.6b$`, `(?m)^open = office-vllm/qwen3-30b$`, `(?m)^premium = anthropic/claude-opus-4-8$`)
	documented(t, r.dir, nobody)
	r.expect(r.run([]string{"--config", "starling.yaml", "check"}), `^ok: 3 providers, \d+ models, 6 skills, \d+ budgets`)
	r.expect(r.run([]string{"--config", "starling.yaml", "models"}), `(?m)^open = office-vllm/qwen3-30b$`, `(?m)^premium = anthropic/claude-opus-4-8$`)
}

// TestTheRunbookListsTheExitCodes compares its line with the table.
func TestTheRunbookListsTheExitCodes(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "docs", "runbook.md"))
	if err != nil {
		t.Fatal(err)
	}
	line := regexp.MustCompile(`(?m)^Exit codes: .*$`).FindString(string(text))
	codes := map[string]int{"done": 0, "usage": exitUsage}
	for kind, code := range exitCodes {
		codes[strings.ReplaceAll(string(kind), "_", " ")] = code
	}
	for name, code := range codes {
		if !strings.Contains(line+" ", fmt.Sprintf(" %d %s", code, name)) {
			t.Errorf("the runbook does not say %d %s: %s", code, name, line)
		}
	}
	if n := strings.Count(line, " · ") + 1; n != len(codes) {
		t.Errorf("the runbook lists %d codes, the program has %d", n, len(codes))
	}
}
