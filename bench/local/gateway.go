package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"starling/bench/process"
)

// A program is Starling, built from this tree, and its data folder, in which nothing else
// is.
type program struct{ binary, data, config string }

// build makes the program and installs the library in it, as a user does.
func build(ctx context.Context, dir, library string) (*program, error) {
	p := &program{filepath.Join(dir, "starling"), filepath.Join(dir, "data"), filepath.Join(dir, "starling.yaml")}
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags=-s -w", "-o", p.binary, "./cmd/starling")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	cmd.Stderr = os.Stderr
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("build the program (run this from the repository's root): %w", err)
	}
	if err := os.WriteFile(p.config, nil, 0o600); err != nil {
		return nil, err
	}
	return p, p.run(ctx, "engine", "install", library)
}

// run has the program do something and end.
func (p *program) run(ctx context.Context, args ...string) error {
	cmd := exec.CommandContext(ctx, p.binary, append([]string{"--config", p.config, "--data", p.data}, args...)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("starling %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return nil
}

// A gateway is the program, serving one model to whom asks over HTTP.
type gateway struct {
	cmd    *exec.Cmd
	url    string
	model  string // as requests call it
	ends   []int64
	client *http.Client
}

// serve starts a gateway whose engine is loaded when somebody asks.
func (p *program) serve(ctx context.Context, s *setting) (*gateway, error) {
	addr, err := process.FreeAddr()
	if err != nil {
		return nil, err
	}
	config := fmt.Sprintf("listen: %s\nlocal: {threads: %d, sequences: %d, context: %d}\n", addr, s.threads, s.width, s.window)
	if err := os.WriteFile(p.config, []byte(config), 0o600); err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, p.binary, "--config", p.config, "--data", p.data, "serve", "--quiet")
	cmd.Stderr = os.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	g := &gateway{cmd: cmd, url: "http://" + addr + "/v1", ends: s.weights.ends(), client: &http.Client{}}
	if g.model, err = g.find(ctx, s.weights.name()); err != nil {
		return nil, errors.Join(err, g.Close())
	}
	return g, nil
}

// find waits until the gateway lists a model, and returns how it calls it.
func (g *gateway) find(ctx context.Context, name string) (model string, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, errSilent)
	defer cancel()
	for ; ctx.Err() == nil; time.Sleep(5 * time.Millisecond) {
		var list struct{ Data []struct{ ID string } }
		if err = g.get(ctx, "/models", &list); err != nil {
			continue // it does not listen yet
		}
		for _, m := range list.Data {
			if m.ID == name || strings.HasSuffix(m.ID, "/"+name) {
				return m.ID, nil
			}
		}
		err = fmt.Errorf("it has no model %q", name)
	}
	return "", fmt.Errorf("the gateway does not serve: %w", errors.Join(err, ctx.Err()))
}

func (g *gateway) get(ctx context.Context, path string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, g.url+path, nil)
	if err != nil {
		return err
	}
	res, err := g.client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	return json.NewDecoder(res.Body).Decode(into)
}

func (g *gateway) Name() string { return "API" }

// Processes are the gateway and its engine.
func (g *gateway) Processes() []int {
	return append(children(g.cmd.Process.Pid), g.cmd.Process.Pid)
}

func (g *gateway) Close() error {
	g.client.CloseIdleConnections()
	_ = g.cmd.Process.Signal(syscall.SIGTERM) // Wait tells
	return g.cmd.Wait()
}

// Ask asks all prompts at once.
func (g *gateway) Ask(ctx context.Context, prompts []string, n int) (answer, error) {
	streams := make([]stream, len(prompts))
	group, ctx := errgroup.WithContext(ctx)
	began := time.Now()
	for i, prompt := range prompts {
		group.Go(func() error { return g.stream(ctx, prompt, n, began, &streams[i]) })
	}
	err := group.Wait()
	return together(streams), err
}

// A stream is one answer as it came in, its times since the question.
type stream struct {
	pieces         []time.Duration // of text, nearly always one a token
	end            time.Duration
	prompt, output int // tokens
}

// together is the answer over all sequences.
func together(all []stream) (a answer) {
	for _, s := range all {
		first := s.end // where all its bytes were none of a whole character
		if len(s.pieces) > 0 {
			first = s.pieces[0]
		}
		a.First, a.Total = max(a.First, first), max(a.Total, s.end)
		a.Prompt, a.Tokens = a.Prompt+s.prompt, a.Tokens+s.output
	}
	for _, s := range all {
		before, _ := slices.BinarySearch(s.pieces, a.First)
		a.Early += max(before-1, 0)
	}
	return a
}

// stream asks one prompt. Sampling is greedy, and what would end the answer is not said.
func (g *gateway) stream(ctx context.Context, prompt string, n int, began time.Time, s *stream) error {
	never := map[string]int{}
	for _, token := range g.ends {
		never[strconv.FormatInt(token, 10)] = -100
	}
	body, err := json.Marshal(map[string]any{
		"model": g.model, "prompt": prompt, "max_tokens": n, "temperature": 0, "logit_bias": never,
		"presence_penalty": 0, "frequency_penalty": 0,
		"stream": true, "stream_options": map[string]any{"include_usage": true},
	})
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, g.url+"/completions", bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := g.client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(res.Body, 1<<10))
		return fmt.Errorf("%s: %s", res.Status, text)
	}
	if err := s.listen(res.Body, began); err != nil {
		return err
	}
	if s.output != n {
		return fmt.Errorf("an answer of %d tokens instead of %d", s.output, n)
	}
	return nil
}

// A chunk is what of a stream's event is of interest.
type chunk struct {
	Choices []struct{ Text string }
	Usage   *struct {
		Prompt  int `json:"prompt_tokens"`
		Details struct {
			Cached int `json:"cached_tokens"`
		} `json:"prompt_tokens_details"`
		Completion int `json:"completion_tokens"`
	}
	Error *struct{ Message string }
}

// listen reads events until the stream says that it is done.
func (s *stream) listen(body io.Reader, began time.Time) error {
	lines := bufio.NewScanner(body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		at := time.Since(began)
		if data == "[DONE]" {
			s.end = at
			return nil
		}
		if !ok {
			continue
		}
		var c chunk
		if err := json.Unmarshal([]byte(data), &c); err != nil {
			return err
		}
		if c.Error != nil {
			return errors.New(c.Error.Message)
		}
		if len(c.Choices) > 0 && c.Choices[0].Text != "" {
			s.pieces = append(s.pieces, at)
		}
		if c.Usage != nil {
			s.prompt, s.output = c.Usage.Prompt-c.Usage.Details.Cached, c.Usage.Completion
		}
	}
	return errors.Join(lines.Err(), errors.New("the stream ended too early"))
}
