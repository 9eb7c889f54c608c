// Package e2e holds tests that run the vendors' own clients through a built
// gateway to simulated upstreams, mostly of the other dialect. It is a module of
// its own, so that the product does not depend on the SDKs.
package e2e

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// gateway is the address under test; TestMain starts it.
var gateway string

func TestMain(m *testing.M) { os.Exit(stand(m)) }

// stand builds the program, starts two simulated upstreams and a gateway in
// front of them, and runs the tests.
func stand(m *testing.M) int {
	dir, err := os.MkdirTemp("", "starling-e2e-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	binary := filepath.Join(dir, "starling")
	build := exec.Command("go", "build", "-o", binary, "./cmd/starling")
	build.Dir, build.Stderr = "..", os.Stderr
	if err := build.Run(); err != nil {
		panic(err)
	}

	upstream, listen := free(), free()
	config := filepath.Join(dir, "starling.yaml")
	must(os.WriteFile(config, fmt.Appendf(nil, `
listen: %[1]s
providers:
  chat:
    dialect: openai
    url: http://%[2]s/v1
    zone: machine
    simulated: true
    models: [bird]
  messages:
    dialect: anthropic
    url: http://%[2]s
    zone: machine
    simulated: true
    models: [bird]
models:
  openai-bird: chat/bird
  anthropic-bird: messages/bird
prices:
  - {model: chat/bird, input: "1", output: "5", context: 200000, max_output: 8192}
  - {model: messages/bird, input: "1", output: "5", context: 200000, max_output: 8192}
`, listen, upstream), 0o600))

	stop1 := run(upstream, binary, "simulate", "--listen", upstream, "--model", "bird")
	defer stop1()
	stop2 := run(listen, binary, "serve", "--config", config, "--data", filepath.Join(dir, "data"))
	defer stop2()
	gateway = "http://" + listen
	return m.Run()
}

// run starts a server and waits until it listens.
func run(addr, binary string, args ...string) (stop func()) {
	cmd := exec.Command(binary, args...)
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	must(cmd.Start())
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			c.Close()
			break
		}
		if time.Now().After(end) {
			panic(err)
		}
	}
	return func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
	}
}

func free() string {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(err)
	defer ln.Close()
	return ln.Addr().String()
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// node runs the JavaScript clients with the Node that package.json names, and
// returns what they say, line by line: "ok <sentence>" or "not ok <sentence>".
func node(t *testing.T, script string) {
	t.Helper()
	exe := filepath.Join("node", "node_modules", ".bin", "node")
	if _, err := os.Stat(exe); err != nil {
		t.Skip("the npm packages are not installed; ./run installs them")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, exe, script)
	cmd.Env = append(os.Environ(), "GATEWAY="+gateway)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	must(err)
	must(cmd.Start())
	said := 0
	for lines := bufio.NewScanner(out); lines.Scan(); {
		line := lines.Text()
		switch {
		case strings.HasPrefix(line, "ok "):
			said++
			t.Log(line)
		case strings.HasPrefix(line, "not ok "):
			said++
			t.Error(line)
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	if said == 0 {
		t.Fatal("the script checked nothing")
	}
}

// receipted is an HTTP transport that fails the test when a response says
// nothing of who answered.
type receipted struct{ t *testing.T }

func (r receipted) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	for _, name := range []string{"Receipt", "Model", "Provider", "Zone", "Reason"} {
		if req.Method == http.MethodPost && resp.Header.Get("X-Starling-"+name) == "" {
			r.t.Errorf("%s %s: no X-Starling-%s", req.Method, req.URL.Path, name)
		}
	}
	return resp, nil
}

func httpClient(t *testing.T) *http.Client { return &http.Client{Transport: receipted{t}} }
