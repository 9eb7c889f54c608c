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
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// A server is a model behind an HTTP API in the OpenAI dialect.
type server struct {
	url, model, key string
	pid             int
	client          *http.Client
}

func newServer(o options, file string) *server {
	return &server{strings.TrimSuffix(o.url, "/"), strings.ReplaceAll(o.name, "%s", file), o.key, o.pid, &http.Client{}}
}

func (s *server) Name() string { return "API" }

func (s *server) Peak() int64 {
	if s.pid == 0 {
		return 0
	}
	return peak(s.pid)
}

func (s *server) Close() error {
	s.client.CloseIdleConnections()
	return nil
}

// Ask asks all prompts at once.
func (s *server) Ask(ctx context.Context, prompts []string, n int) (Answer, error) {
	var all Answer
	var mu sync.Mutex
	group, ctx := errgroup.WithContext(ctx)
	began := time.Now()
	for _, prompt := range prompts {
		group.Go(func() error {
			one, err := s.stream(ctx, prompt, n, began)
			mu.Lock()
			defer mu.Unlock()
			all.First, all.Total = max(all.First, one.First), max(all.Total, one.Total)
			all.Prompt, all.Tokens = all.Prompt+one.Prompt, all.Tokens+one.Tokens
			return err
		})
	}
	err := group.Wait()
	return all, err
}

// stream asks one prompt for a stream, and reads its usage. A server that knows of
// ignore_eos writes over an end of the text.
func (s *server) stream(ctx context.Context, prompt string, n int, began time.Time) (a Answer, err error) {
	body, err := json.Marshal(map[string]any{
		"model": s.model, "prompt": prompt, "max_tokens": n, "temperature": 0, "ignore_eos": true,
		"stream": true, "stream_options": map[string]any{"include_usage": true},
	})
	if err != nil {
		return a, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url+"/completions", bytes.NewReader(body))
	if err != nil {
		return a, err
	}
	req.Header.Set("Content-Type", "application/json")
	if s.key != "" {
		req.Header.Set("Authorization", "Bearer "+s.key)
	}
	res, err := s.client.Do(req)
	if err != nil {
		return a, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(res.Body, 1<<10))
		return a, fmt.Errorf("%s: %s", res.Status, text)
	}
	if err := a.listen(res.Body, began); err != nil {
		return a, err
	}
	a.Total = time.Since(began)
	return a, nil
}

// A chunk is what of a stream's event is of interest.
type chunk struct {
	Choices []struct{ Text string }
	Usage   *struct {
		Prompt     int `json:"prompt_tokens"`
		Completion int `json:"completion_tokens"`
	}
	Error *struct{ Message string }
}

// listen reads events until the stream says that it is done.
func (a *Answer) listen(body io.Reader, began time.Time) error {
	lines := bufio.NewScanner(body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		switch {
		case !ok:
			continue
		case data == "[DONE]":
			if a.First == 0 || a.Tokens == 0 {
				return errors.New("the stream had no text, or no usage")
			}
			return nil
		}
		var c chunk
		if err := json.Unmarshal([]byte(data), &c); err != nil {
			return err
		}
		if c.Error != nil {
			return errors.New(c.Error.Message)
		}
		if a.First == 0 && len(c.Choices) > 0 {
			a.First = time.Since(began)
		}
		if c.Usage != nil {
			a.Prompt, a.Tokens = c.Usage.Prompt, c.Usage.Completion
		}
	}
	return errors.Join(lines.Err(), errors.New("the stream ended too early"))
}
