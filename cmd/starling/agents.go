package main

import (
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/adrg/xdg"

	"starling"
)

// A codingAgent is a program that looks for skills in folders.
type codingAgent struct {
	name    string // as it is called here
	title   string
	program string
	home    func() string // of its settings
	project string        // folder of skills in a project, in slashes
	user    string        // and in the user's home
	moved   string        // variable that names another folder for its settings and the user's skills; "" if there is none
	try     string        // how a person has it use a skill; %s is the skill's name
}

// own is a folder in the user's home.
func own(dir string) func() string {
	return func() string { return filepath.Join(xdg.Home, dir) }
}

// codingAgents are those whose folders are known. All but Claude Code read the common
// folder .agents/skills, so one copy serves them; each has a folder of its own besides,
// where a second copy would only be a duplicate to whoever reads both.
//
// Source: code.claude.com/docs/en/skills, developers.openai.com/codex/skills,
// opencode.ai/docs/skills, geminicli.com/docs/cli/using-agent-skills, read in November 2026.
var codingAgents = []codingAgent{
	{"claude-code", "Claude Code", "claude", own(".claude"), ".claude/skills", ".claude/skills", "CLAUDE_CONFIG_DIR", `claude "/%s …"`},
	{"codex", "Codex", "codex", own(".codex"), common, common, "", `codex '$%s …'`},
	{"opencode", "opencode", "opencode", func() string {
		return filepath.Join(cmp.Or(os.Getenv("XDG_CONFIG_HOME"), filepath.Join(xdg.Home, ".config")), "opencode")
	}, common, common, "", `opencode run "Use the skill %s: …"`},
	{"gemini", "Gemini CLI", "gemini", own(".gemini"), common, common, "", `gemini -i "Use the skill %s: …"`},
}

const common = ".agents/skills"

// everyone stands for all agents.
const everyone = "all"

func agentNames() []string {
	var names []string
	for _, a := range codingAgents {
		names = append(names, a.name)
	}
	return names
}

// called returns the agents of some names, or all of them. Errors: Invalid.
func called(names []string) ([]codingAgent, error) {
	if slices.Contains(names, everyone) {
		return codingAgents, nil
	}
	var found []codingAgent
	for _, name := range names {
		i := slices.IndexFunc(codingAgents, func(a codingAgent) bool { return a.name == name })
		if i < 0 {
			return nil, &starling.Error{Kind: starling.Invalid, Op: fmt.Sprintf("there is no agent %q", name), Hint: meant(name, agentNames(), "it is one of "+strings.Join(agentNames(), ", ")+" or all; another reads skills from the folder that --dir names")}
		}
		found = append(found, codingAgents[i])
	}
	return found, nil
}

// missing says why an agent seems not to be on this machine, "" if it is.
func (a codingAgent) missing() string {
	if _, err := exec.LookPath(a.program); err == nil {
		return ""
	}
	home := a.settings()
	if info, err := os.Stat(home); err == nil && info.IsDir() {
		return ""
	}
	return fmt.Sprintf("no %s on the PATH, and no %s", a.program, tilde(home))
}

// settings is the folder of its settings.
func (a codingAgent) settings() string {
	if a.moved != "" && os.Getenv(a.moved) != "" {
		return os.Getenv(a.moved)
	}
	return a.home()
}

// shelf is where it looks for the user's skills: a folder, and the path below it.
func (a codingAgent) shelf() (root, at string) {
	if a.moved != "" && os.Getenv(a.moved) != "" {
		return a.settings(), "skills"
	}
	return xdg.Home, a.user
}

// tilde is a path with the user's home shortened, as people write it.
func tilde(path string) string {
	if rest, ok := strings.CutPrefix(path, xdg.Home+string(filepath.Separator)); ok && xdg.Home != "" {
		return filepath.Join("~", rest)
	}
	return path
}
