package main

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"starling"
	"starling/internal/gguf"
	"starling/internal/hub"
)

type modelQuantizeCmd struct {
	Model string `arg:"" help:"Name of the model, whose weights have 16 bits or more."`
	Kind  string `arg:"" help:"Q4_K_M, Q4_0 or Q8_0."`
	Name  string `help:"Name of the new model; without one, the kind is its tag." placeholder:"NAME"`
	JSON  bool   `help:"Print JSON."`
}

// Run makes a smaller model of one, which stays.
func (c modelQuantizeCmd) Run(p *program) error {
	if err := needEngine(); err != nil {
		return err
	}
	kind := strings.ToUpper(c.Kind)
	if !slices.Contains([]string{"Q4_K_M", "Q4_0", "Q8_0"}, kind) {
		return &starling.Error{Kind: starling.Invalid, Op: fmt.Sprintf("quantise: %q is no kind that is made here", c.Kind), Hint: "say Q4_K_M, Q4_0 or Q8_0"}
	}
	s, err := p.hubStore(hub.Options{})
	if err != nil {
		return err
	}
	from, err := s.Find(c.Model)
	if err != nil {
		return err
	}
	weights, err := gguf.Open(from.Path)
	if err != nil {
		return err
	}
	if err := quantisable(weights, from.Name); err != nil {
		return err
	}
	library, err := s.Library()
	if err != nil {
		return err
	}
	expected := quantised(weights, kind)
	made := hub.Making{Name: c.Name, Of: from, Bytes: expected}
	if made.Name == "" {
		made.Name = quantisedName(from.Name, kind)
	}
	made.Write = func(ctx context.Context, file string) error {
		return p.quantizeInChild(ctx, itself(ctx, "engine", "quantize", library.Dir, from.Path, file, kind), file, expected)
	}
	m, err := s.Make(p.ctx, made)
	if err != nil {
		return err
	}
	return p.shrunk(weights, from, m, c.JSON)
}

// quantisable refuses weights that have been rounded: rounded again they would be worse
// than those that are made of the whole ones.
func quantisable(weights *gguf.File, name string) error {
	switch q := weights.Quantisation(); {
	case weights.Adapter():
		return &starling.Error{Kind: starling.Refused, Op: "quantise: " + name + " is an adapter", Hint: "quantise the model that it belongs to"}
	case !slices.Contains([]string{"F32", "F16", "BF16"}, q):
		return &starling.Error{Kind: starling.Refused, Op: "quantise: " + name + " is quantised already, to " + q, Hint: "pull or import it in F16, and quantise that"}
	}
	return nil
}

// quantisedName is a model's name with the kind for its tag, or after a tag that says
// something else than how the weights are stored.
func quantisedName(name, kind string) string {
	host := ""
	if rest, ok := strings.CutPrefix(name, "ollama:"); ok {
		host, name = "ollama:", rest
	}
	base, tag, told := strings.Cut(name, ":")
	if told && !slices.Contains([]string{"F32", "F16", "BF16"}, strings.ToUpper(tag)) {
		return host + base + ":" + tag + "-" + kind
	}
	return host + base + ":" + kind
}

// quantised estimates the bytes that weights will take: vectors stay as they are, and a
// recipe gives more bits to the matrices that need them most. It is within a few percent,
// for the disk and for progress.
//
// Source: llama_tensor_get_type in llama.cpp v0.5.0.
func quantised(weights *gguf.File, kind string) int64 {
	untied := slices.ContainsFunc(weights.Tensors, func(t gguf.Tensor) bool { return t.Name == "output.weight" })
	sum := weights.Size - weights.Weights() // what says what they are
	for i := range weights.Tensors {
		t := &weights.Tensors[i]
		if len(t.Dims) < 2 || strings.Contains(t.Name, "_norm") {
			sum += t.Bytes
			continue
		}
		last := t.Name == "output.weight" || t.Name == "token_embd.weight" && !untied
		sum += int64(float64(t.Numbers()) * bitsOf(t, kind, last) / 8)
	}
	return sum
}

// bitsOf is how many bits a number of a matrix takes, the scales of its block included.
func bitsOf(t *gguf.Tensor, kind string, last bool) float64 {
	q4, q6, q8 := 4.5, 6.5625, 8.5
	if kind == "Q8_0" {
		return q8
	}
	if t.Dims[0]%256 != 0 { // no whole block of the finer types, which others stand in for
		q6 = q8
		if kind == "Q4_K_M" {
			q4 = 5.5
		}
	}
	switch {
	case last:
		return q6
	case kind == "Q4_K_M" && (strings.HasSuffix(t.Name, "attn_v.weight") || strings.Contains(t.Name, "ffn_down")):
		return (q4 + q6) / 2 // about half of them have the one, half the other
	}
	return q4
}

// progressTime is how often it is looked how far a file is.
const progressTime = 200 * time.Millisecond

// quantizeInChild has a child write a file, and tells how far it is. The child ends with
// this process, also where that is killed. Errors: what the child says, Overloaded where
// something killed it, Refused where it crashed, Cancelled.
func (p *program) quantizeInChild(ctx context.Context, child *exec.Cmd, file string, expected int64) error {
	var said bytes.Buffer
	child.Stdout, child.Stderr = &said, &said
	if _, err := child.StdinPipe(); err != nil { // which it sees end
		return &starling.Error{Kind: starling.Internal, Op: "quantise", Err: err}
	}
	ended := make(chan error, 1)
	if err := child.Start(); err != nil {
		ended <- err
	} else {
		go func() { ended <- child.Wait() }()
	}
	tell := p.bytesProgress()
	look := time.NewTicker(progressTime)
	defer look.Stop()
	for {
		select {
		case err := <-ended:
			if err != nil && ctx.Err() != nil {
				return &starling.Error{Kind: starling.Cancelled, Op: "quantise: stopped, and nothing of it is kept", Err: context.Cause(ctx)}
			}
			return lastWords("quantise", err, said.String())
		case <-look.C:
			if tell != nil {
				tell(filepath.Base(file), min(written(filepath.Dir(file)), expected), expected)
			}
		}
	}
}

// written is what the files of a folder have so far, in bytes.
func written(dir string) (sum int64) {
	_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			if info, err := d.Info(); err == nil { // else it got its name just now
				sum += info.Size()
			}
		}
		return nil
	})
	return sum
}

// A shrunkLine says what a smaller model is expected to gain. Speeds are estimates, in
// tokens a second of one answer; 0 where memory could not be measured.
type shrunkLine struct {
	modelLine
	Of     string  `json:"of"`
	Before int64   `json:"bytes_before"`
	Slow   float64 `json:"estimated_tokens_per_second_before,omitempty"`
	Fast   float64 `json:"estimated_tokens_per_second,omitempty"`
}

// shrunk tells what was gained.
func (p *program) shrunk(weights *gguf.File, from, m hub.Stored, asJSON bool) error {
	l := shrunkLine{modelLine: listedModel(m), Of: from.Name, Before: from.Bytes()}
	smaller, err := gguf.Open(m.Path)
	if err != nil {
		return err
	}
	if bandwidth, err := memoryBandwidth(p.ctx); err == nil { // else nothing is known of speed
		l.Slow, l.Fast = weights.Speed(bandwidth), smaller.Speed(bandwidth)
	}
	if asJSON {
		return p.encode(l)
	}
	printf(p.stdout, "%s: %s, made of %s\n", m.Name, megabytes(l.Bytes), from.Name)
	t := newTable(p.stdout)
	t.row("  size", fmt.Sprintf("%s in %s, %s in %s: %.0f %% of it", megabytes(l.Before), weights.Quantisation(), megabytes(l.Bytes), smaller.Quantisation(), 100*float64(l.Bytes)/float64(max(l.Before, 1))))
	if l.Slow > 0 && l.Fast > 0 {
		t.row("  speed", fmt.Sprintf("estimated, from how fast memory is read here: %.0f tokens/s before, %.0f now, %.1f times", l.Slow, l.Fast, l.Fast/l.Slow))
	}
	return t.Flush()
}
