package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"sync"
	"syscall"
	"time"
)

// patience is how long a test waits for what must come; nothing depends on how
// fast it does.
const patience = 3 * time.Minute

// poll asks until the answer is yes, and reports whether it ever was.
func poll(yes func() bool) bool {
	for end := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		if yes() {
			return true
		}
		if time.Now().After(end) {
			return false
		}
	}
}

// An output is what a process has said so far. Safe for concurrent use.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// A process is a starling beside the test, started as its user would: it is the
// test's own binary under the name that TestMain gave it.
type process struct {
	cmd  *exec.Cmd
	said output // both streams
	done chan struct{}
	err  error // of the process; after done
}

// launch starts a process and waits until it has said something that matches
// ready. It returns what matched.
func launch(cmd *exec.Cmd, ready string) (*process, [][]string, error) {
	p := &process{cmd: cmd, done: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = &p.said, &p.said
	if err := cmd.Start(); err != nil {
		return nil, nil, err
	}
	go func() {
		p.err = cmd.Wait()
		close(p.done)
	}()
	found, err := p.await(ready)
	if err != nil {
		return nil, nil, errors.Join(err, p.kill())
	}
	return p, found, nil
}

// await waits until the process has said something that matches, and returns
// all matches.
func (p *process) await(pattern string) ([][]string, error) {
	re := regexp.MustCompile(pattern)
	var found [][]string
	if poll(func() bool {
		ended := p.ended()
		found = re.FindAllStringSubmatch(p.said.String(), -1)
		return found != nil || ended
	}) && found != nil {
		return found, nil
	}
	return nil, fmt.Errorf("%v did not say %q, but:\n%s", p.cmd.Args, pattern, p.said.String())
}

func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// stop asks the process to end, as a service manager does, and returns its error.
func (p *process) stop() error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	select {
	case <-p.done:
		return p.err
	case <-ctx.Done():
		return errors.Join(fmt.Errorf("%v did not stop", p.cmd.Args), p.kill())
	}
}

// kill ends the process without a word, and waits.
func (p *process) kill() error {
	err := p.cmd.Process.Kill()
	<-p.done
	if errors.Is(err, os.ErrProcessDone) {
		return nil
	}
	return err
}
