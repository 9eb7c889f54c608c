package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// shipped is where the skills are that come with Starling.
const shipped = "../skills"

// looked has, for each agent that the skill is installed for, where it looks in a project.
var looked = map[string]string{"claude-code": ".claude/skills", "codex": ".agents/skills"}

// agentSkills checks with programs of others that the shipped skills are Agent Skills, and
// that one of them, installed from here, is where agents look. It returns what was found.
func agentSkills(ctx context.Context, in *installer) (string, error) {
	if err := in.group(ctx, "npx"); err != nil {
		return "", fmt.Errorf("not installed: %w", err)
	}
	all, err := filepath.Glob(filepath.Join(shipped, "*", "SKILL.md"))
	if err != nil || len(all) == 0 {
		return "", fmt.Errorf("there are none in %s: %w", shipped, err)
	}
	for _, file := range all {
		if err := valid(ctx, filepath.Dir(file)); err != nil {
			return "", err
		}
	}
	if err := installed(ctx, "delegate"); err != nil {
		return "", err
	}
	return fmt.Sprintf("skills-ref %s calls all %d valid; skills %s puts delegate where Claude Code and Codex look",
		version(ctx, client{Group: "npx", Package: "skills-ref"}), len(all), version(ctx, client{Group: "npx", Package: "skills"})), nil
}

// valid asks the validator about one skill.
func valid(ctx context.Context, dir string) error {
	whole, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	return quietly(ctx, ".", "", "skills-ref", "validate", whole)
}

// installed has the installer put a skill into a throw-away project, with a throw-away home.
func installed(ctx context.Context, name string) error {
	dir, err := os.MkdirTemp("", "starling-skills-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	from, err := filepath.Abs(filepath.Join(shipped, name))
	if err != nil {
		return err
	}
	args := []string{"add", from, "-y"}
	for agent := range looked {
		args = append(args, "-a", agent)
	}
	if err := quietly(ctx, dir, dir, "skills", args...); err != nil {
		return err
	}
	want, err := os.ReadFile(filepath.Join(from, "SKILL.md"))
	if err != nil {
		return err
	}
	for agent, folder := range looked {
		if has, err := os.ReadFile(filepath.Join(dir, folder, name, "SKILL.md")); err != nil || !bytes.Equal(has, want) {
			return fmt.Errorf("%s does not find it: %w", agent, err)
		}
	}
	return nil
}

// quietly runs a program of the group that tells nobody of it. Its error ends with what
// it said.
func quietly(ctx context.Context, dir, home, name string, args ...string) error {
	program, err := filepath.Abs(filepath.Join(cache, "npx", "node_modules", ".bin", name))
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "PATH="+path("runtime"), "DISABLE_TELEMETRY=1", "DO_NOT_TRACK=1", "CI=1")
	if home != "" {
		cmd.Env = append(cmd.Env, "HOME="+home)
	}
	together(cmd)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, oneLine(last(string(out), 300)))
	}
	return nil
}
