package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"starling"
	"starling/internal/engine"
	"starling/internal/gguf"
)

// The commands of this file are for the program itself: llama.cpp may end the process
// that calls it, so it is called in one of its own.

// needEngine refuses what takes an engine in a program that was built without one.
func needEngine() error {
	if hasEngine {
		return nil
	}
	return &starling.Error{Kind: starling.Refused, Op: "this program was built without an engine",
		Hint: "build it without the tag static, or run a server such as Ollama, which is adopted"}
}

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
// configuration and learns no key, and where the library fails an assertion it starts no
// debugger. Where ctx ends it is killed.
func itself(ctx context.Context, args ...string) *exec.Cmd {
	path := "/proc/self/exe" // which stays this version's where the file is replaced
	if runtime.GOOS != "linux" {
		path, _ = os.Executable() // where there is none, starting it says so
	}
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Args[0] = "starling"
	cmd.Env = append(slices.DeleteFunc(os.Environ(), func(v string) bool {
		name, _, _ := strings.Cut(v, "=")
		return !slices.Contains(inherited, strings.ToUpper(name))
	}), "GGML_NO_BACKTRACE=1")
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

// lastWords says why a child ended as it did: what it said itself, Overloaded where
// something killed it, Refused where it crashed. It is nil where all went well.
func lastWords(op string, err error, said string) error {
	left, exited := errors.AsType[*exec.ExitError](err)
	switch {
	case err == nil:
		return nil
	case !exited:
		return &starling.Error{Kind: starling.Internal, Op: op + ": start this program once more", Err: err}
	case left.ExitCode() < 0:
		return &starling.Error{Kind: starling.Overloaded, Op: op + ": the process that did it was ended", Err: err,
			Hint: "if it was the system, for want of memory, end other programs, and ask again"}
	}
	said = strings.TrimSpace(said)
	for kind, code := range exitCodes {
		if own, ok := strings.CutPrefix(said, "starling: "); ok && code == left.ExitCode() {
			return &starling.Error{Kind: kind, Op: op, Err: errors.New(own)}
		}
	}
	first, _, _ := strings.Cut(said, "\n")
	return &starling.Error{Kind: starling.Refused, Op: op + ": llama.cpp crashed", Err: errors.New(first),
		Hint: "take the model from elsewhere: its weights are damaged, or of a kind that llama.cpp cannot use"}
}

// tryTime is the longest that an engine may take for what it is tried with.
const tryTime = time.Minute

// tryLibrary starts an engine on the library of a folder, with a model that is written
// for it, has it say a token, and returns what the library says that it is. Errors are
// the engine's own, and those of [lastWords].
func tryLibrary(ctx context.Context, dir string) (said string, err error) {
	err = tryEngine(ctx, gguf.TinyLlama.Spec(gguf.F32, 1), func(c *engine.Conn, file string) error {
		said, err = firstToken(c, dir, file)
		return err
	})
	return said, err
}

// tryEngine starts an engine, which is talked to about a model that is written into a
// file of its own, and ends it. Errors are those of the talk, and of [lastWords].
func tryEngine(ctx context.Context, spec gguf.Spec, talk func(c *engine.Conn, file string) error) error {
	ctx, cancel := context.WithTimeout(ctx, tryTime)
	defer cancel()
	file, err := writtenModel(spec)
	if err != nil {
		return &starling.Error{Kind: starling.Internal, Op: "engine: write a model", Err: err}
	}
	defer os.Remove(file)
	child := itself(ctx, "engine", "child")
	var words bytes.Buffer
	child.Stderr = &words
	stream, err := startLinked(child)
	if err != nil {
		return lastWords("engine", err, "")
	}
	c := engine.NewConn(stream)
	err = talk(c, file)
	_ = c.Close() // which ends it
	left := child.Wait()
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return &starling.Error{Kind: starling.Overloaded, Op: "engine: it did not answer", Err: context.Cause(ctx)}
	case left != nil:
		return lastWords("engine", left, words.String())
	}
	return err
}

// writtenModel writes a model into a file of its own.
func writtenModel(spec gguf.Spec) (file string, err error) {
	f, err := os.CreateTemp("", "starling-*.gguf")
	if err != nil {
		return "", err
	}
	if err := errors.Join(gguf.Write(f, spec), f.Close()); err != nil {
		return "", errors.Join(err, os.Remove(f.Name()))
	}
	return f.Name(), nil
}

// firstToken talks to an engine until it has said one, and returns what the library says
// that it is.
func firstToken(c *engine.Conn, library, file string) (said string, err error) {
	err = c.Send(engine.Order{Load: &engine.Load{Library: library, Model: file, Context: 256, Sequences: 1, Threads: 1}})
	for err == nil {
		var r engine.Report
		switch r, err = c.Receive(); {
		case err != nil:
		case r.Fault != nil:
			err = &starling.Error{Kind: r.Fault.Kind, Op: r.Fault.Op, Hint: r.Fault.Hint}
		case r.Loaded != nil:
			said = r.Loaded.Library
			err = c.Send(engine.Order{ID: 1, Generate: &engine.Generate{Prompt: []engine.Text{{Text: "the"}}, MaxTokens: 1}})
		case r.Done != nil:
			return said, nil
		}
	}
	return "", err
}
