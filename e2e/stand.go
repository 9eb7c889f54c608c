package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// A stand is the built gateway between two taps, and simulated upstreams behind:
// one that answers at once, one that takes its time, both in every dialect.
type stand struct {
	gateway string // its own address
	binary  string // the program, for those who start one
	front   *tap   // the same gateway, counted
	back    *tap
	told    *httptest.Server // what the taps counted
	keys    map[string]string
	log     string // file with what the servers say

	stops []func()
}

// simulated are the models behind each upstream: the flags of starling simulate.
var simulated = map[string][]string{
	"bird": nil,
	"slow": {"--token", "25ms", "--words", "400"},

	"moderation": nil, // at one upstream alone
}

// newStand builds the program and starts everything. Whoever gets it closes it.
func newStand(ctx context.Context, dir string) (s *stand, err error) {
	s = &stand{keys: map[string]string{}, log: filepath.Join(dir, "log")}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	binary := filepath.Join(dir, "starling")
	s.binary = binary
	build := exec.CommandContext(ctx, "go", "build", "-o", binary, "./cmd/starling")
	build.Dir = ".."
	if out, err := build.CombinedOutput(); err != nil {
		return s, fmt.Errorf("build the gateway: %w\n%s", err, out)
	}
	behind := map[string]*url.URL{}
	for name, flags := range simulated {
		addr, err := free()
		if err != nil {
			return s, err
		}
		behind[name] = &url.URL{Scheme: "http", Host: addr}
		if err := s.start(addr, binary, append([]string{"simulate", "--listen", addr, "--model", name}, flags...)...); err != nil {
			return s, err
		}
	}
	s.back, err = newTap(func(r *http.Request) *url.URL { // /bird/v1/messages is the bird's /v1/messages
		name, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		r.URL.Path, r.URL.RawPath = "/"+rest, ""
		return behind[name]
	})
	if err != nil {
		return s, err
	}
	return s, s.serve(ctx, dir, binary)
}

// serve starts the gateway, and makes a key that may spend and one that may not.
func (s *stand) serve(ctx context.Context, dir, binary string) error {
	listen, err := free()
	if err != nil {
		return err
	}
	config, data := filepath.Join(dir, "starling.yaml"), filepath.Join(dir, "data")
	if err := os.WriteFile(config, configuration(listen, s.back.URL), 0o600); err != nil {
		return err
	}
	for name, budget := range map[string]string{"rich": "1000", "poor": "0.000000001"} {
		create := exec.CommandContext(ctx, binary, "key", "create", name, "--budget", budget, "--config", config, "--data", data)
		var said strings.Builder
		create.Stderr = &said
		out, err := create.Output()
		if err != nil {
			return fmt.Errorf("make a key: %w: %s", err, said.String())
		}
		s.keys[name] = strings.TrimSpace(string(out))
	}
	if err := s.start(listen, binary, "serve", "--config", config, "--data", data); err != nil {
		return err
	}
	s.gateway = "http://" + listen
	to := &url.URL{Scheme: "http", Host: listen}
	if s.front, err = newTap(func(*http.Request) *url.URL { return to }); err != nil {
		return err
	}
	s.told = httptest.NewServer(tell(s.front, s.back))
	return nil
}

// configuration offers each upstream's models, "openai-bird" and "openai-slow".
func configuration(listen, back string) []byte {
	var providers, aliases, prices strings.Builder
	for _, u := range upstreams {
		if u.Missing != "" {
			continue
		}
		for name := range simulated {
			if name == "moderation" && !u.Embeds {
				continue
			}
			provider := u.Dialect + "-" + name
			also := "also: []" // whatever a vendor's table says: everything is to be translated
			switch {
			case name == "moderation":
				also = "also: [moderations]"
			case u.Embeds && endpoints["embeddings"] == "":
				also = fmt.Sprintf("also: [embeddings], embeds: [%s]", name)
			}
			fmt.Fprintf(&providers, "  %s: {dialect: %s, %s, url: %s/%s%s, zone: machine, simulated: true, models: [%s]}\n",
				provider, u.Dialect, also, back, name, u.Path, name)
			fmt.Fprintf(&aliases, "  %s: %s/%s\n", provider, provider, name)
			fmt.Fprintf(&prices, "  - {model: %s/%s, input: \"1\", output: \"5\", context: 200000, max_output: 4096}\n", provider, name)
		}
	}
	return fmt.Appendf(nil, "listen: %s\nproviders:\n%smodels:\n%sprices:\n%s", listen, &providers, &aliases, &prices)
}

// start starts a server and waits until it listens.
func (s *stand) start(addr, binary string, args ...string) error {
	log, err := os.OpenFile(s.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(binary, args...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return err
	}
	s.stops = append(s.stops, func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
	})
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			return c.Close()
		}
		if time.Now().After(end) {
			return fmt.Errorf("%s does not listen on %s: %w\n%s", args[0], addr, err, s.said())
		}
	}
}

// said returns the end of what the servers said.
func (s *stand) said() string {
	f, err := os.Open(s.log)
	if err != nil {
		return ""
	}
	defer f.Close()
	const most = 4 << 10
	if info, err := f.Stat(); err == nil && info.Size() > most {
		_, _ = f.Seek(-most, io.SeekEnd)
	}
	text, _ := io.ReadAll(f)
	return string(text)
}

// close ends everything that was started, the newest first.
func (s *stand) close() {
	if s.told != nil {
		s.told.Close()
	}
	for _, t := range []*tap{s.front, s.back} {
		if t != nil {
			t.close()
		}
	}
	for _, stop := range slices.Backward(s.stops) {
		stop()
	}
}

// environment is what every client is told.
func (s *stand) environment(skip []string) []string {
	var ready []string
	for _, u := range upstreams {
		if u.Missing == "" {
			ready = append(ready, u.Dialect)
		}
	}
	return []string{
		"GATEWAY=" + s.gateway, "STARLING=" + s.binary, "COUNTED=" + s.front.URL, "COUNTS=" + s.told.URL,
		"KEY=" + s.keys["rich"], "POOR=" + s.keys["poor"],
		"DIALECTS=" + strings.Join(ready, " "), "SKIP=" + strings.Join(skip, " "),
	}
}

func free() (string, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return ln.Addr().String(), errors.Join(ln.Close())
}
