package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// cache holds what is installed between runs. It is no part of the repository.
const cache = ".cache"

// installs is how long one group may take to install.
const installs = 5 * time.Minute

// An installer brings what groups need into the cache, each once. What stands in
// a group's folder (a lock, requirements, scripts) is copied there beside it, since
// programs find packages from where they stand.
type installer struct {
	done map[string]error
	say  func(format string, args ...any)
}

// group installs a group, and first what it runs on.
func (in *installer) group(ctx context.Context, name string) error {
	if err, known := in.done[name]; known {
		return err
	}
	var err error
	if needs := runsOn(name); needs != "" {
		err = in.group(ctx, needs)
	}
	if err == nil {
		began := time.Now()
		ctx, cancel := context.WithTimeout(ctx, installs)
		err = install(ctx, name)
		cancel()
		if took := time.Since(began); took > time.Second {
			in.say("installed %s in %.0f s", name, took.Seconds())
		}
	}
	in.done[name] = err
	return err
}

func runsOn(group string) string {
	switch {
	case group == "node", group == "npx", strings.HasPrefix(group, "agents/"):
		return "runtime"
	case group == "litellm":
		return "python" // for what its scripts have in common
	}
	return ""
}

func install(ctx context.Context, group string) error {
	to := filepath.Join(cache, group)
	if err := copied(group, to); err != nil {
		return err
	}
	switch group {
	case "golang":
		return command(ctx, group, "go", "build", "-o", filepath.Join("..", to, "clients"), ".")
	case "python", "litellm":
		return stamped(to, "requirements.txt", func() error {
			if err := command(ctx, to, "python3", "-m", "venv", "venv"); err != nil {
				return err
			}
			return command(ctx, to, filepath.Join("venv", "bin", "python"), "-m", "pip", "install", "--quiet", "--no-compile", "--disable-pip-version-check", "--only-binary=:all:", "-r", "requirements.txt")
		})
	}
	return stamped(to, "package-lock.json", func() error { // npm ci would refuse a lock that lacks the packages of other platforms
		return command(ctx, to, "npm", "install", "--no-audit", "--no-fund", "--foreground-scripts", "--loglevel=error")
	})
}

// stamped does what has not been done for what the lock says.
func stamped(dir, lock string, do func() error) error {
	text, err := os.ReadFile(filepath.Join(dir, lock))
	if err != nil {
		return err
	}
	sum := sha256.Sum256(text)
	want, stamp := hex.EncodeToString(sum[:]), filepath.Join(dir, ".installed")
	if have, err := os.ReadFile(stamp); err == nil && string(have) == want {
		return nil
	}
	if err := do(); err != nil {
		return err
	}
	return os.WriteFile(stamp, []byte(want), 0o600)
}

// copied copies a group's folder, over what is there.
func copied(from, to string) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		if d.IsDir() {
			if d.Name() == "node_modules" || d.Name() == "__pycache__" {
				return fs.SkipDir
			}
			return os.MkdirAll(filepath.Join(to, rel), 0o755)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, rel), text, 0o600)
	})
}

// command runs a step of an installation, with Node 24 where that is there. Its
// error ends with the last that the step said.
func command(ctx context.Context, dir, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "PATH="+path("runtime"))
	together(cmd)
	out, err := cmd.CombinedOutput()
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s %s: %w: %s", name, args[0], errors.Join(err, ctx.Err()), oneLine(last(string(out), 300)))
}

// path is PATH with the programs of groups first.
func path(groups ...string) string {
	var dirs []string
	for _, g := range groups {
		dir, err := filepath.Abs(filepath.Join(cache, g, "node_modules", ".bin"))
		if err == nil {
			dirs = append(dirs, dir)
		}
	}
	return strings.Join(append(dirs, os.Getenv("PATH")), string(os.PathListSeparator))
}

// version returns the installed version of a client's package, "" if unknown.
func version(ctx context.Context, c client) string {
	switch c.Group {
	case "golang":
		out, _ := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Version}}", c.Package).Output()
		return strings.TrimSpace(string(out))
	case "python", "litellm":
		out, _ := exec.CommandContext(ctx, filepath.Join(cache, c.Group, "venv", "bin", "python"), "-c", "import importlib.metadata as m, sys; print(m.version(sys.argv[1]))", c.Package).Output()
		return strings.TrimSpace(string(out))
	}
	var p struct{ Version string }
	text, err := os.ReadFile(filepath.Join(cache, c.Group, "node_modules", c.Package, "package.json"))
	if err != nil || json.Unmarshal(text, &p) != nil {
		return ""
	}
	return p.Version
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// last returns the end of s, at most n bytes.
func last(s string, n int) string { return s[max(0, len(s)-n):] }
