package main

import (
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"starling/internal/engine"
)

// A talk is an engine that the test is the parent of.
type talk struct {
	*engine.Conn
	cmd *exec.Cmd
}

func startEngine(t *testing.T) *talk {
	t.Helper()
	cmd := engineCommand()
	cmd.Stderr = os.Stderr
	link, err := startLinked(cmd)
	if err != nil {
		t.Fatal(err)
	}
	c := &talk{engine.NewConn(link), cmd}
	t.Cleanup(func() { _ = cmd.Process.Kill() }) // it has ended if all went well
	r, err := c.Receive()
	if err != nil || r.Hello == nil || r.Hello.Version != engine.Version || r.Hello.Pid != cmd.Process.Pid {
		t.Fatalf("no greeting: %+v, %v", r, err)
	}
	return c
}

func TestAnEngineEndsWellWhenItsParentHangsUp(t *testing.T) {
	c := startEngine(t)
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if err := c.cmd.Wait(); err != nil {
		t.Error(err)
	}
}

func TestASignalOfTheTerminalDoesNotEndAnEngine(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows sends no signals to one process")
	}
	c := startEngine(t)
	for _, s := range []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP} {
		if err := c.cmd.Process.Signal(s); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Send(engine.Order{ID: 1, Count: &engine.Count{}}); err != nil {
		t.Fatal(err)
	}
	if r, err := c.Receive(); err != nil || r.Fault == nil {
		t.Fatalf("it does not answer: %+v, %v", r, err)
	}
	_ = c.Close()
	if err := c.cmd.Wait(); err != nil {
		t.Error(err)
	}
}

func TestAChildLearnsNoKey(t *testing.T) {
	t.Setenv("OPENAI_API_KEY", "sk-secret")
	t.Setenv("STARLING_CONFIG", "starling.yaml")
	env := engineCommand().Env
	if slices.ContainsFunc(env, func(v string) bool { return strings.Contains(v, "secret") || strings.Contains(v, "STARLING") }) {
		t.Error(env)
	}
	if !slices.ContainsFunc(env, func(v string) bool { return strings.HasPrefix(v, "PATH=") }) {
		t.Error("it cannot find anything")
	}
}

// TestAStaticBuildNeedsNoLibraryOfTheSystem builds the program as who has no libffi does.
func TestAStaticBuildNeedsNoLibraryOfTheSystem(t *testing.T) {
	if testing.Short() || runtime.GOOS != "linux" {
		t.Skip("it builds the program, and looks at a file of Linux")
	}
	path := filepath.Join(t.TempDir(), "starling")
	build := exec.Command("go", "build", "-tags", "static", "-o", path, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	f, err := elf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			t.Error("it needs the system's loader")
		}
	}
	if needs, err := f.ImportedLibraries(); err != nil || len(needs) > 0 {
		t.Errorf("it needs %v, %v", needs, err)
	}
	for _, c := range []struct {
		args []string
		want string
		ok   bool
	}{
		{[]string{"version"}, "starling ", true},
		{[]string{"engine", "child"}, "built without an engine (build it without the tag static", false},
	} {
		cmd := exec.Command(path, append([]string{"--data", t.TempDir()}, c.args...)...)
		out, err := cmd.CombinedOutput()
		if (err == nil) != c.ok || !strings.Contains(string(out), c.want) {
			t.Errorf("%v: %v\n%s", c.args, err, out)
		}
	}
}
