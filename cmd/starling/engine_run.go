package main

import (
	"context"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"syscall"

	"starling"
)

// The commands of this file are for the program itself: llama.cpp may end the process
// that calls it, so it is called in one of its own.

type engineChildCmd struct{}

// Run obeys a parent until that hangs up. What ends or reloads the parent, and reaches
// the child too where both have one terminal or one name, is the parent's alone to act on.
func (engineChildCmd) Run(p *program) error {
	signal.Ignore(syscall.SIGHUP)
	return serveEngine(context.WithoutCancel(p.ctx))
}

type engineQuantizeCmd struct {
	Library string `arg:"" help:"Folder of the libraries."`
	From    string `arg:"" help:"GGUF file that is read."`
	To      string `arg:"" help:"GGUF file that is written."`
	Kind    string `arg:"" help:"Q4_K_M, Q4_0, Q8_0 or F16."`
}

// Run writes a smaller file, unless its parent is gone before it is done.
func (c engineQuantizeCmd) Run(p *program) error {
	signal.Ignore(syscall.SIGHUP)
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // nothing is said: it ends with the parent
		os.Exit(exitCodes[starling.Cancelled])
	}()
	return quantize(c.Library, c.From, c.To, c.Kind)
}

// inherited are the variables that a child needs of the environment, in which a parent
// may have keys.
var inherited = []string{"PATH", "HOME", "TMPDIR", "TEMP", "TMP", "SYSTEMROOT", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"}

// itself is this program, to be started once more with other arguments. It reads no
// configuration and learns no key. Where ctx ends it is killed.
func itself(ctx context.Context, args ...string) *exec.Cmd {
	path := "/proc/self/exe" // which stays this version's where the file is replaced
	if runtime.GOOS != "linux" {
		path, _ = os.Executable() // where there is none, starting it says so
	}
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Args[0] = "starling"
	cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool {
		name, _, _ := strings.Cut(v, "=")
		return !slices.Contains(inherited, strings.ToUpper(name))
	})
	return cmd
}

// engineCommand is this program as an engine.
func engineCommand() *exec.Cmd { return itself(context.Background(), "engine", "child") }

// A link is the streams of a child that runs, as its parent has them.
type link struct {
	io.Reader
	io.WriteCloser
}

// startLinked starts a child that is spoken to over its standard streams. It ends, or
// should, when the link is closed.
func startLinked(cmd *exec.Cmd) (io.ReadWriteCloser, error) {
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	return link{out, in}, cmd.Start()
}
