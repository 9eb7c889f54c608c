package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"starling"
	"starling/internal/durable"
	"starling/internal/engine"
	"starling/internal/gguf"
	"starling/internal/hub"
	"starling/internal/machine"
)

// powerFile, in the data folder, is what engine doctor measured of this machine's power.
// It is read where prices are made, at a gateway's start and at each reload.
const powerFile = "power.json"

// A setting is what the power that an answer takes depends on.
type setting struct {
	CPU     string         `json:"cpu"`
	Threads int            `json:"threads"`
	Supply  machine.Supply `json:"supply,omitempty"`
}

// A measurement is what answering drew, where and when.
type measurement struct {
	machine.Draw
	setting
	Time time.Time `json:"time"`
}

// setting is how answers are written on a machine as it is now.
func (l Local) setting(host *machine.Host) setting {
	s := setting{Threads: 1, Supply: host.Power().Supply}
	if here, err := host.Look(); err == nil {
		s.CPU, s.Threads = here.CPU, here.Threads()
	}
	if l.Threads > 0 {
		s.Threads = min(s.Threads, l.Threads)
	}
	return s
}

// draws is the watts that an answer takes above idle, and where they are from: measured
// in this very setting, else modelled.
func (l Local) draws(host *machine.Host, dir string) (watts, basis string) {
	now, past := l.setting(host), measured(dir)
	if past.setting == now && past.Above() > 0 {
		return oneDecimal(past.Above()), fmt.Sprintf("measured on %s above idle while %d threads wrote (%s)", past.Time.Local().Format(time.DateOnly), now.Threads, past.Of)
	}
	modelled := machine.Modelled(float64(now.Threads), now.Supply)
	return strconv.FormatFloat(modelled, 'f', -1, 64), fmt.Sprintf("modelled for %d cores", now.Threads)
}

func oneDecimal(x float64) string { return strconv.FormatFloat(x, 'f', 1, 64) }

// measured is what was measured last. What cannot be read was not.
func measured(dir string) (m measurement) {
	text, err := os.ReadFile(filepath.Join(dir, powerFile))
	if err != nil || json.Unmarshal(text, &m) != nil {
		return measurement{}
	}
	return m
}

// measure compares the machine idle with one on which so many threads write, and keeps
// what it found. Errors are those of [machine.Meter.Compare], NotFound where there is no
// library, which is "", and Internal where the data folder cannot be written to.
func (l Local) measure(ctx context.Context, host *machine.Host, dir, library string) (m measurement, err error) {
	meter, err := host.Meter()
	switch {
	case err != nil:
		return m, err
	case library == "":
		return m, &starling.Error{Kind: starling.NotFound, Op: "power was not measured, as no engine works here"}
	}
	m.setting, m.Time = l.setting(host), time.Now()
	if m.Draw, err = meter.Compare(ctx, m.Threads, writing(library, m.Threads)); err != nil {
		return m, err
	}
	err = durable.Replace(filepath.Join(dir, powerFile), func(w io.Writer) error { return json.NewEncoder(w).Encode(m) })
	if err != nil {
		return m, &starling.Error{Kind: starling.Internal, Op: "keep what was measured", Hint: "is the data folder writable?", Err: err}
	}
	return m, nil
}

// power is what a doctor says of power: what was measured with the library of a folder, or
// why nothing was, and what answers are priced at.
func (l Local) power(ctx context.Context, host *machine.Host, dir, library string) hub.Finding {
	f := hub.Finding{Name: "power", State: hub.Well}
	m, err := l.measure(ctx, host, dir, library)
	if err == nil {
		f.Found = fmt.Sprintf("%s W idle, %s W while %d threads write", oneDecimal(m.Idle), oneDecimal(m.Working), m.Threads)
	} else {
		f.State, f.Found = hub.Note, err.Error()
	}
	if e, ok := errors.AsType[*starling.Error](err); ok {
		f.Found, f.Mend = e.Op, e.Hint
	}
	watts, basis := l.Watts, asConfigured
	if watts == "" {
		watts, basis = l.draws(host, dir)
	} else {
		f.Mend = "" // nobody needs what was not measured
	}
	f.Found += fmt.Sprintf("; answers are priced at %s W, %s", watts, basis)
	return f
}

// workload is what an engine writes with while power is measured: of the sizes of a
// layer of a small model, and more than most caches hold.
var workload = gguf.Shape{Name: "work", Architecture: "llama", Layers: 4, Embedding: 1024, FeedForward: 2816,
	Heads: 16, KVHeads: 4, HeadDim: 64, Vocabulary: 640, Context: 2048, Tokenizer: "llama", Rope: 1e4}

// writing starts an engine that writes without end, as [machine.Meter.Compare] wants it.
func writing(library string, threads int) func(context.Context) (stop func() error, err error) {
	return func(ctx context.Context) (func() error, error) {
		ctx, cancel := context.WithCancel(ctx)
		begun, ended := make(chan struct{}), make(chan error, 1)
		go func() {
			ended <- tryEngine(ctx, workload.Spec(gguf.F16, 1), func(c *engine.Conn, file string) error {
				load := engine.Load{Library: library, Model: file, Context: 512, Sequences: 1, Threads: threads}
				return writeOn(c, load, sync.OnceFunc(func() { close(begun) }))
			})
		}()
		select {
		case <-begun:
		case err := <-ended:
			cancel()
			return nil, err
		}
		return func() error {
			defer cancel()
			select {
			case err := <-ended:
				return err
			default:
				cancel()
				<-ended // it was ended, and says so
				return nil
			}
		}, nil
	}
}

// writeOn has an engine write one text after the other until that fails. It calls begun
// at each token.
func writeOn(c *engine.Conn, load engine.Load, begun func()) error {
	err := c.Send(engine.Order{Load: &load})
	for id := uint64(1); err == nil; {
		var r engine.Report
		switch r, err = c.Receive(); {
		case err != nil:
		case r.Fault != nil:
			err = &starling.Error{Kind: r.Fault.Kind, Op: r.Fault.Op, Hint: r.Fault.Hint}
		case r.Loaded != nil, r.Done != nil:
			err = c.Send(engine.Order{ID: id, Generate: &engine.Generate{Prompt: []engine.Text{{Text: "the"}}}})
			id++
		case r.Token != nil:
			begun()
		}
	}
	return err
}
