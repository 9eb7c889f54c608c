package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"time"

	"starling"
	"starling/bench/process"
	"starling/internal/wire"
)

// A cell is one translation that is measured.
type cell struct {
	do    func() error
	each  int // of what it does, for one of which the figure is
	times int // that it is done in a round

	took    []float64 // nanoseconds for each, by round
	bytes   float64   // allocated for each
	objects float64
	refused string // why it cannot be done; "" it can
}

// talking are the dialects in which a conversation is asked.
func talking() (all []starling.Dialect) {
	for _, d := range wire.Dialects() {
		if d != starling.Embeddings && d != starling.Moderations {
			all = append(all, d)
		}
	}
	return all
}

// chunks of text in the answer that is translated.
const chunks = 100

// translate measures every pair, everything in turn.
func translate(ctx context.Context, out io.Writer, p plan) error {
	kinds := []struct {
		title string
		make  func(from, to starling.Dialect) cell
	}{
		{"A question of 2 KB: parse, view, write for the upstream (µs)", questionCell(2 << 10)},
		{"A question of 50 KB (µs)", questionCell(50 << 10)},
		{fmt.Sprintf("A chunk of an answer, of a stream of %d: read from the upstream, write for the caller (µs)", chunks), chunkCell},
	}
	dialects := talking()
	cells := make([][][]cell, len(kinds))
	var all []*cell
	for i, kind := range kinds {
		cells[i] = make([][]cell, len(dialects))
		for j, from := range dialects {
			cells[i][j] = make([]cell, len(dialects))
			for k, to := range dialects {
				cells[i][j][k] = kind.make(from, to)
				all = append(all, &cells[i][j][k])
			}
		}
	}
	for range p.rounds + 1 {
		for _, c := range all {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if err := c.round(p.batch); err != nil {
				return err
			}
		}
	}
	for i, kind := range kinds {
		print(out, kind.title, dialects, cells[i])
	}
	return nil
}

// round does a batch. The first one finds out how many fill its time, and does not
// count.
func (c *cell) round(batch time.Duration) error {
	if c.refused != "" {
		return nil
	}
	if c.times == 0 {
		return c.warm(batch)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := process.Used()
	for range c.times {
		if err := c.do(); err != nil {
			return err
		}
	}
	took := process.Used() - start
	runtime.ReadMemStats(&after)
	n := float64(c.times * c.each)
	c.took = append(c.took, float64(took)/n)
	c.bytes, c.objects = float64(after.TotalAlloc-before.TotalAlloc)/n, float64(after.Mallocs-before.Mallocs)/n
	return nil
}

func (c *cell) warm(batch time.Duration) error {
	for start := time.Now(); time.Since(start) < batch || c.times < 3; c.times++ {
		err := c.do()
		if e, ok := errors.AsType[*starling.Error](err); ok && e.Kind == starling.Invalid {
			c.refused = strings.TrimPrefix(e.Op, "request: ")
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// questionCell translates a question of a size.
func questionCell(size int) func(from, to starling.Dialect) cell {
	return func(from, to starling.Dialect) cell {
		body, err := questionIn(from, size)
		if err != nil {
			return cell{refused: "cannot be asked: " + err.Error()}
		}
		model := starling.Model{Name: "some-model", Zone: starling.Cloud}
		return cell{each: 1, do: func() error {
			r, err := wire.Parse(from, body)
			if err != nil {
				return err
			}
			_, err = wire.Outgoing(&r, to, model, func(string) {})
			return err
		}}
	}
}

// questionIn is a conversation with tools in a dialect; without tools and turns where
// the dialect knows text alone.
func questionIn(d starling.Dialect, size int) ([]byte, error) {
	for _, body := range [][]byte{conversation(size), prompt(size)} {
		r, err := wire.Parse(starling.OpenAI, body)
		if err != nil {
			return nil, err
		}
		out, err := wire.Outgoing(&r, d, starling.Model{Name: "m-1", Zone: starling.Cloud}, func(string) {})
		if err == nil {
			return out, nil
		}
	}
	switch d { // nobody is asked in these, so nobody writes them
	case starling.Generate, starling.Completions:
		return fmt.Appendf(nil, `{"model":"m-1","prompt":%q,"stream":true}`, strings.Repeat("a word or two; ", size/15)), nil
	}
	return nil, fmt.Errorf("nobody writes questions of dialect %s", d)
}

// conversation is what a coding agent sends: tools, code, results.
func conversation(size int) []byte {
	var b bytes.Buffer
	b.WriteString(`{"model":"m-1","stream":true,"stream_options":{"include_usage":true},"max_tokens":256,"tools":[`)
	for i := range max(size/4000, 1) {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"type":"function","function":{"name":"tool_%d","description":"Reads a file from disk and returns its lines.","parameters":{"type":"object","properties":{"path":{"type":"string"},"limit":{"type":"integer"}},"required":["path"]}}}`, i)
	}
	b.WriteString(`],"messages":[{"role":"system","content":"You are helpful."},{"role":"user","content":"Look around."}`)
	for i := 0; b.Len() < size-700; i++ {
		fmt.Fprintf(&b, `,{"role":"assistant","content":"I read it.","tool_calls":[{"id":"call_%d","type":"function","function":{"name":"tool_0","arguments":"{\"path\":\"main.go\"}"}}]}`, i)
		fmt.Fprintf(&b, `,{"role":"tool","tool_call_id":"call_%d","content":"package main\n\nfunc main() {\n\tfmt.Println(\"hello, world\")\n}\n// and what else there is in a file of Go: <-ch && x > y, twice or three times over, so that it has some length"}`, i)
	}
	b.WriteString(`,{"role":"user","content":"Thanks. What does it do?"}]}`)
	return b.Bytes()
}

// prompt is a question of text alone.
func prompt(size int) []byte {
	return fmt.Appendf(nil, `{"model":"m-1","stream":true,"max_tokens":256,"messages":[{"role":"user","content":%q}]}`, strings.Repeat("a word or two; ", size/15))
}

// chunkCell translates a stream.
func chunkCell(to, from starling.Dialect) cell {
	var told bytes.Buffer
	w := wire.NewWriter(&told, wire.WriterOptions{Request: caller(from), ID: "id_1", Created: time.Unix(1_764_000_000, 0), Model: "m-1"})
	for range chunks {
		if err := w.Event(starling.Event{Deltas: []starling.Delta{{Kind: starling.TextPart, Text: " some words"}}}); err != nil {
			return cell{refused: err.Error()}
		}
	}
	if err := errors.Join(w.Event(starling.Event{Finish: starling.Stopped, Usage: &starling.Usage{Input: 100, Output: 200}}), w.Close()); err != nil {
		return cell{refused: err.Error()}
	}
	o := wire.ReadOptions{Dialect: from, Stream: true, Raw: from == to, Deltas: from != to}
	return cell{each: chunks, do: func() error {
		w := wire.NewWriter(io.Discard, wire.WriterOptions{Request: caller(to), ID: "id_1", Model: "m-1"})
		for ev, err := range wire.Read(bytes.NewReader(told.Bytes()), o) {
			if err == nil {
				err = w.Event(ev)
			}
			if err != nil {
				return err
			}
		}
		return w.Close()
	}}
}

func caller(d starling.Dialect) *starling.Request {
	return &starling.Request{Dialect: d, Stream: true, WantUsage: true, Model: "m-1", Body: []byte("{}")}
}

// print writes a table: rows are callers, columns are upstreams.
func print(out io.Writer, title string, dialects []starling.Dialect, cells [][]cell) {
	fmt.Fprintf(out, "\n## %s\n\n| caller ↓ upstream → |", title)
	line := "\n| --- |"
	for _, d := range dialects {
		fmt.Fprintf(out, " %s |", d)
		line += " --- |"
	}
	fmt.Fprintln(out, line)
	for i, from := range dialects {
		fmt.Fprintf(out, "| %s |", from)
		for j := range dialects {
			c := &cells[i][j]
			if c.refused != "" {
				fmt.Fprintf(out, " refused: %s |", c.refused)
				continue
			}
			fmt.Fprintf(out, " %s; %.0f B, %.1f allocations |", shown(c.took, 2), c.bytes, c.objects)
		}
		fmt.Fprintln(out)
	}
}
