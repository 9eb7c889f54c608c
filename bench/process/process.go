// Package process starts the servers that a benchmark measures, and reads from the
// kernel what they took: processor time and memory. It runs on Linux,
// but for [Used], which runs anywhere.
package process

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// A Process is a server that this run started.
type Process struct {
	Name string
	URL  string
	cmd  *exec.Cmd
	Born time.Time
}

// Start runs a command that will listen on addr.
func Start(ctx context.Context, name, addr string, env []string, argv ...string) (*Process, error) {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stderr = os.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	p := &Process{Name: name, URL: "http://" + addr, cmd: cmd, Born: time.Now()}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	return p, nil
}

// Ready waits until something listens.
func (p *Process) Ready(timeout time.Duration) error {
	addr := strings.TrimPrefix(p.URL, "http://")
	for end := time.Now().Add(timeout); time.Now().Before(end); time.Sleep(500 * time.Microsecond) {
		if c, err := net.Dial("tcp", addr); err == nil {
			return c.Close()
		}
	}
	return fmt.Errorf("%s does not listen on %s", p.Name, addr)
}

func (p *Process) Stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	_ = p.cmd.Wait()
}

// CPU returns the processor time that the process has used so far: that of its
// threads, by the nanosecond, and of those that have ended nothing, which programs of Go
// rarely have.
func (p *Process) CPU() (time.Duration, error) {
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", p.cmd.Process.Pid))
	if err != nil || len(threads) == 0 {
		return 0, fmt.Errorf("the kernel keeps no count of process %d", p.cmd.Process.Pid)
	}
	var sum time.Duration
	for _, path := range threads {
		text, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue // ended since
		}
		if err != nil {
			return 0, err
		}
		ran, _, _ := strings.Cut(string(text), " ")
		n, err := strconv.ParseInt(ran, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("unreadable %s: %w", path, err)
		}
		sum += time.Duration(n)
	}
	return sum, nil
}

// RSS returns the resident memory in bytes.
func (p *Process) RSS() (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	pages, err := strconv.ParseInt(strings.Fields(string(text))[1], 10, 64)
	return pages * int64(os.Getpagesize()), err
}

// FreeAddr returns a loopback address that nobody uses at the moment.
func FreeAddr() (string, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer ln.Close()
	return ln.Addr().String(), nil
}

// Machine says on what machine this runs, and how busy it was before.
func Machine() string {
	model := "unknown processor"
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(text)) {
			if name, ok := strings.CutPrefix(line, "model name\t: "); ok {
				model = strings.TrimSpace(name)
				break
			}
		}
	}
	load, _ := os.ReadFile("/proc/loadavg")
	return fmt.Sprintf("%s, %d cores, %s/%s, %s; load before the run: %s\n", model, runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, runtime.Version(), strings.Join(strings.Fields(string(load))[:3], " "))
}
