package llamacpp

import (
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"starling/internal/gguf"

	"starling/internal/engine"
)

// TestMain lets the test's own program be the child in which the library is called.
func TestMain(m *testing.M) {
	if to := os.Getenv("STARLING_TEST_QUANTIZE"); to != "" {
		leave(Quantize(os.Args[1], os.Args[2], to, os.Args[3]))
	}
	if os.Getenv("STARLING_TEST_SERVE") != "" {
		in, out, err := Stdio()
		if err == nil {
			err = Serve(context.Background(), in, out)
		}
		leave(err)
	}
	os.Exit(m.Run())
}

func leave(err error) {
	if err != nil {
		os.Stderr.WriteString(err.Error())
		os.Exit(3)
	}
	os.Exit(0)
}

// stories returns the file of the tiny trained model, "" or quantised: "-Q8_0", "-Q4_0".
func stories(t *testing.T, kind string) string {
	t.Helper()
	dir := os.Getenv("STARLING_TEST_WEIGHTS")
	if dir == "" {
		dir = "../../../shared/weights"
	}
	file, err := filepath.Abs(filepath.Join(dir, "stories260K"+kind+".gguf"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(file); err != nil {
		t.Skip("there is no tiny model in ../shared/weights, nor where STARLING_TEST_WEIGHTS says")
	}
	return file
}

// written returns a file of what a spec says.
func written(t *testing.T, s gguf.Spec) string {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "written.gguf"))
	if err != nil {
		t.Fatal(err)
	}
	if err := gguf.Write(f, s); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return f.Name()
}

// A talk is a child that runs, and its parent's end.
type talk struct {
	*engine.Conn
	t       *testing.T
	process *exec.Cmd
	loaded  *engine.Loaded
	last    uint64
}

type pipes struct {
	io.Reader
	io.WriteCloser
}

// raise starts a child that was told nothing yet.
func raise(t *testing.T) *talk {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	// The race detector would have each child sleep for a second at its end.
	cmd.Env = append(os.Environ(), "STARLING_TEST_SERVE=1", "GORACE=atexit_sleep_ms=0")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	c := &talk{Conn: engine.NewConn(pipes{out, in}), t: t, process: cmd}
	t.Cleanup(c.end)
	if r := c.next(); r.Hello == nil || r.Hello.Version != engine.Version || r.Hello.Pid != cmd.Process.Pid {
		t.Fatalf("no greeting: %+v", r)
	}
	return c
}

// end closes the talk, which ends the child.
func (c *talk) end() {
	_ = c.Close()
	_ = c.process.Wait()
}

func (c *talk) next() engine.Report {
	c.t.Helper()
	r, err := c.Receive()
	if err != nil {
		c.t.Fatal(err)
	}
	return r
}

// load returns what came of a load.
func (c *talk) load(l engine.Load) engine.Report {
	c.t.Helper()
	l.Library = realLibrary(c.t)
	c.send(engine.Order{Load: &l})
	for {
		if r := c.next(); r.Progress == 0 {
			return r
		}
	}
}

func (c *talk) send(o engine.Order) {
	c.t.Helper()
	if err := c.Send(o); err != nil {
		c.t.Fatal(err)
	}
}

// begin starts a child that has loaded.
func begin(t *testing.T, l engine.Load) *talk {
	t.Helper()
	realLibrary(t)
	if l.Context == 0 {
		l.Context = 512
	}
	l.Sequences, l.Threads = max(l.Sequences, 1), max(l.Threads, 1)
	c := raise(t)
	r := c.load(l)
	if r.Loaded == nil {
		t.Fatalf("not loaded: %+v", r.Fault)
	}
	c.loaded = r.Loaded
	return c
}

// An answer is all that was said to one order.
type answer struct {
	text          string
	tokens        []engine.Token
	engine.Report // the last
}

// order sends a piece of work and returns its ID.
func (c *talk) order(o engine.Order) uint64 {
	c.t.Helper()
	c.last++
	o.ID = c.last
	c.send(o)
	return o.ID
}

// ask has one answer written after another.
func (c *talk) ask(g engine.Generate) answer {
	c.t.Helper()
	return c.hear(c.order(engine.Order{Generate: &g}))[c.last]
}

// hear collects what is said to some orders until all have ended, of several choices what
// is said of the first.
func (c *talk) hear(ids ...uint64) map[uint64]answer {
	c.t.Helper()
	all := map[uint64]answer{}
	for id, choices := range c.hearAll(ids...) {
		all[id] = choices[0]
	}
	return all
}

// hearAll collects all choices.
func (c *talk) hearAll(ids ...uint64) map[uint64][]answer {
	c.t.Helper()
	all := map[uint64][]answer{}
	for left := len(ids); left > 0; {
		r := c.next()
		for len(all[r.ID]) <= r.Choice {
			all[r.ID] = append(all[r.ID], answer{})
		}
		a := &all[r.ID][r.Choice]
		if r.Token != nil {
			a.text += r.Token.Text
			a.tokens = append(a.tokens, *r.Token)
		} else {
			a.Report = r
		}
		if r.Last() {
			left--
		}
	}
	return all
}

// askAll has all choices of an order written.
func (c *talk) askAll(g engine.Generate) []answer {
	c.t.Helper()
	return c.hearAll(c.order(engine.Order{Generate: &g}))[c.last]
}

func plain(text string) []engine.Text { return []engine.Text{{Text: text}} }

func seed(n uint32) *uint32 { return &n }

func words(n int) string { return strings.Repeat("the cat ", n) }
