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

// A stand is the built gateway between taps, and simulated upstreams behind.
type stand struct {
	dir     string           // of what is only for this run
	binary  string           // the program, for those who start one
	gateway string           // its own address
	front   *tap             // the same gateway, counted
	back    *tap             // upstreams of this machine
	far     *tap             // those that are told to be a vendor's
	told    *httptest.Server // what the taps counted
	keys    map[string]string
	log     string // file with what the servers say

	stops []func()
}

// A simulated is a model behind upstreams: the flags of starling simulate, and what
// the gateway is told of it.
type simulated struct {
	Name     string
	Flags    []string
	Zone     string
	Price    string   // as a price of the configuration has it
	Dialects []string // of the upstreams that have it; nil all
}

// simulations are one model that answers at once, one that takes its time, and those
// that agents and skills speak of. What they cost is stated, and nobody is paid.
var simulations = []simulated{
	{Name: "bird", Zone: "machine", Price: `input: "1", output: "5"`},
	{Name: "slow", Flags: []string{"--token", "25ms", "--words", "400"}, Zone: "machine", Price: `input: "1", output: "5"`},
	{Name: "moderation", Zone: "machine", Price: `input: "1", output: "5"`, Dialects: []string{"openai"}},
	{Name: small, Zone: "machine", Price: `input: "0.05", output: "0.2"`, Dialects: []string{"openai"}},
	{Name: premium, Flags: []string{"--cache"}, Zone: "cloud", Price: `input: "5", output: "25", cache_read: "0.5", cache_write: "6.25", cache_write_1h: "10"`},
}

func (m simulated) behind(u upstream) bool {
	return u.Missing == "" && (m.Dialects == nil || slices.Contains(m.Dialects, u.Dialect))
}

// newStand builds the program and starts everything. Whoever gets it closes it.
func newStand(ctx context.Context, dir string) (s *stand, err error) {
	s = &stand{dir: dir, keys: map[string]string{}, log: filepath.Join(dir, "log")}
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
	if err := playbills(dir); err != nil {
		return s, err
	}
	for _, m := range simulations {
		addr, err := free()
		if err != nil {
			return s, err
		}
		behind[m.Name] = &url.URL{Scheme: "http", Host: addr}
		args := append([]string{"simulate", "--listen", addr, "--model", m.Name}, m.Flags...)
		if file := filepath.Join(dir, m.Name+".json"); exists(file) {
			args = append(args, "--play", file)
		}
		if err := s.start(addr, binary, args...); err != nil {
			return s, err
		}
	}
	to := func(r *http.Request) *url.URL { // /bird/v1/messages is the bird's /v1/messages
		name, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		r.URL.Path, r.URL.RawPath = "/"+rest, ""
		return behind[name]
	}
	if s.back, err = newTap(to); err != nil {
		return s, err
	}
	if s.far, err = newTap(to); err != nil { // the gateway knows zones by address
		return s, err
	}
	return s, s.serve(ctx, dir, binary)
}

func (s *stand) toGateway(*http.Request) *url.URL {
	return &url.URL{Scheme: "http", Host: strings.TrimPrefix(s.gateway, "http://")}
}

// serve starts the gateway, and makes a key that may spend and one that may not.
func (s *stand) serve(ctx context.Context, dir, binary string) error {
	listen, err := free()
	if err != nil {
		return err
	}
	config, data := filepath.Join(dir, "starling.yaml"), filepath.Join(dir, "data")
	if err := os.WriteFile(config, s.configuration(listen), 0o600); err != nil {
		return err
	}
	for _, skill := range []string{filepath.Join("..", "skills", sorting), filepath.Join("skills", reading)} {
		if err := copied(skill, filepath.Join(dir, "skills", filepath.Base(skill))); err != nil {
			return err
		}
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
	if s.front, err = newTap(s.toGateway); err != nil {
		return err
	}
	s.told = httptest.NewServer(tell(s.front, s.back))
	return nil
}

// configuration offers each upstream's models, "openai-bird" and "openai-slow", and
// under their bare names those that the skills speak of.
func (s *stand) configuration(listen string) []byte {
	var providers, aliases, prices strings.Builder
	for _, u := range upstreams {
		for _, m := range simulations {
			if !m.behind(u) {
				continue
			}
			provider, at := u.Dialect+"-"+m.Name, s.back
			if m.Zone == "cloud" {
				at = s.far
			}
			also := "also: []" // whatever a vendor's table says: everything is to be translated
			switch {
			case m.Name == "moderation":
				also = "also: [moderations]"
			case u.Embeds && endpoints["embeddings"] == "":
				also = fmt.Sprintf("also: [embeddings], embeds: [%s]", m.Name)
			}
			fmt.Fprintf(&providers, "  %s: {dialect: %s, %s, url: %s/%s%s, zone: %s, simulated: true, models: [%s]}\n",
				provider, u.Dialect, also, at.URL, m.Name, u.Path, m.Zone, m.Name)
			fmt.Fprintf(&aliases, "  %s: %s/%s\n", provider, provider, m.Name)
			fmt.Fprintf(&prices, "  - {model: %s/%s, %s, context: 200000, max_output: 4096}\n", provider, m.Name, m.Price)
		}
	}
	fmt.Fprintf(&aliases, "  %[1]s: openai-%[1]s/%[1]s\n  %[2]s: anthropic-%[2]s/%[2]s\n  open: openai-%[1]s/%[1]s\n", small, premium)
	return fmt.Appendf(nil, "listen: %s\nskills: %s\nproviders:\n%smodels:\n%sprices:\n%s", listen, filepath.Join(s.dir, "skills"), &providers, &aliases, &prices)
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
	for _, t := range []*tap{s.front, s.back, s.far} {
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

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

func free() (string, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return ln.Addr().String(), errors.Join(ln.Close())
}
