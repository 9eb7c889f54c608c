package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// scriptTime is how long the script of one client may take, agentTime how long
// an agent may take for one task.
const (
	scriptTime = 3 * time.Minute
	agentTime  = 3 * time.Minute // some take a minute of a busy machine to begin
)

// A finding is what one check of a feature found.
type finding struct {
	Feature string
	Dialect string // of the upstream; "-" if it is about none
	State   state
	Why     string
	Account *account // of a task that was delegated, or that its agent did itself; nil else
}

// script runs a client's script and collects what it says.
func (s *stand) script(ctx context.Context, c client, skip []string) []finding {
	ctx, cancel := context.WithTimeout(ctx, scriptTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(cache, "golang", "clients"), c.Run...)
	switch c.Group {
	case "node":
		cmd = exec.CommandContext(ctx, filepath.Join("..", "runtime", "node_modules", ".bin", "node"), c.Run...)
		cmd.Dir = filepath.Join(cache, c.Group)
	case "python", "litellm":
		cmd = exec.CommandContext(ctx, filepath.Join("venv", "bin", "python"), c.Run...)
		cmd.Dir = filepath.Join(cache, c.Group)
	}
	cmd.Env = append(indoors(), "HOME="+os.Getenv("HOME"), "PATH="+os.Getenv("PATH"))
	cmd.Env = append(cmd.Env, s.environment(skip)...)
	cmd.Env = append(cmd.Env, "STARLING_OPENAPI="+openAPI(), "PYTHONPATH="+filepath.Join("..", "python"))
	together(cmd)
	var out, complaints bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaints
	err := cmd.Run()
	sweep(cmd)
	found := findings(&out)
	if err != nil {
		found = append(found, finding{Dialect: "-", State: failed, Why: oneLine(fmt.Sprintf("the script ended with %v: %s", err, last(complaints.String(), 300)))})
	}
	return found
}

// findings reads what a script says: "ok <feature> <dialect>", "not ok <feature>
// <dialect>: why" and "skip <feature> <dialect>: why", a line each. Clients' own
// chatter between them is passed over.
func findings(r io.Reader) []finding {
	var all []finding
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		for _, word := range []struct {
			prefix string
			state  state
		}{{"ok ", passed}, {"not ok ", failed}, {"skip ", skipped}} {
			rest, ok := strings.CutPrefix(lines.Text(), word.prefix)
			if !ok {
				continue
			}
			what, why, _ := strings.Cut(rest, ": ")
			feature, dialect, ok := strings.Cut(what, " ")
			if ok {
				all = append(all, finding{Feature: feature, Dialect: dialect, State: word.state, Why: oneLine(why)})
			}
		}
	}
	return all
}

// indoors is an environment in which clients talk to loopback alone: whatever
// goes elsewhere meets a proxy that is not there. Nothing of the caller's own is
// in it, neither keys nor settings.
func indoors() []string {
	return []string{
		"HTTPS_PROXY=http://127.0.0.1:9", "https_proxy=http://127.0.0.1:9", "NO_PROXY=127.0.0.1,localhost", "no_proxy=127.0.0.1,localhost",
		"LANG=C.UTF-8", "TERM=dumb", "NO_COLOR=1", "DO_NOT_TRACK=1",
		"OPENAI_AGENTS_DISABLE_TRACING=1", "LITELLM_LOCAL_MODEL_COST_MAP=True", "LANGCHAIN_TRACING_V2=false", "AI_SDK_LOG_WARNINGS=false",
	}
}

// openAPI is where OpenAI's own description of its API lies, which is no part of
// this repository: where the environment says, else beside it.
func openAPI() string {
	if file := os.Getenv("STARLING_OPENAPI"); file != "" {
		return file
	}
	file, err := filepath.Abs("../../shared/contracts/openapi/openai.json.gz")
	if err != nil {
		return ""
	}
	return file
}
