package main

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
	"time"

	"starling/internal/gguf"
	"starling/internal/hub"
	"starling/internal/machine"
)

const (
	// plannedContext is the window with which a model must fit, if it was trained with
	// as much: enough for a page or two and the answer.
	plannedContext = 4096

	// spared is what stays free for everything else on this machine.
	spared = 512 << 20

	bandwidthTime = 200 * time.Millisecond
)

// inspectWeights reads what a file of weights says of itself.
func inspectWeights(path string) (hub.Facts, error) {
	f, err := gguf.Open(path)
	if err != nil {
		return hub.Facts{}, err
	}
	return hub.Facts{
		Architecture: f.Architecture(), Name: f.Name(), Quant: f.Quantisation(), Licence: f.Licence(),
		Parameters: f.Parameters(), Context: int(f.Trained()),
	}, nil
}

// use is how a model would be used as it is configured.
func (l Local) use(f *gguf.File) gguf.Use {
	return gguf.Use{
		Context:   min(int64(cmp.Or(l.Context, plannedContext)), max(f.Trained(), 1)),
		Sequences: int64(cmp.Or(l.Sequences, usualSequences)), CacheType: l.Cache, Whole: true,
	}
}

// reserve is what stays free for everything else, in bytes.
func (l Local) reserve() int64 { return cmp.Or(l.Reserve<<20, spared) }

// fitsHere says whether a model that is not here yet fits a machine as it is now, and how
// fast it would be. One whose header cannot be read is weighed by its size alone.
func (l Local) fitsHere(host *machine.Host, bandwidth func() float64) func(hub.Candidate) (ok bool, advice string) {
	return func(c hub.Candidate) (bool, string) {
		here, err := host.Look()
		if err != nil {
			return true, "" // nothing is known that speaks against it
		}
		need, speed, window := c.Bytes, 0.0, int64(0)
		if f, err := gguf.Read(c.Header, c.Size); err == nil {
			use := l.use(f)
			m := f.Memory(use)
			need, window = need+m.Cache+m.Compute, use.Context
			if weights := f.Weights(); weights > 0 && bandwidth != nil {
				active := float64(f.Active()) * float64(c.Bytes) / float64(weights) // the header may be that of its larger sister
				speed = gguf.Speed(int64(active), cmp.Or(c.Quant, f.Quantisation()), bandwidth())
			}
		}
		if need <= here.Available-l.reserve() {
			return true, tokensASecond(speed)
		}
		return false, fmt.Sprintf("it takes about %s of memory with a window of %d tokens for each of %d answers, and %s can be had, %s of them spared for everything else",
			megabytes(need), cmp.Or(window, plannedContext), cmp.Or(l.Sequences, usualSequences), megabytes(max(here.Available, 0)), megabytes(l.reserve()))
	}
}

// tokensASecond says how fast a model should be; "" where nothing is known.
func tokensASecond(speed float64) string {
	if speed <= 0 {
		return ""
	}
	return fmt.Sprintf("estimated %s tokens/s", strconv.FormatFloat(speed, 'f', decimals(speed), 64))
}

// decimals are as many as a rough number deserves.
func decimals(x float64) int {
	if x < 10 {
		return 1
	}
	return 0
}

// An outlook is what a kept model is expected to take and to give.
type outlook struct {
	Memory int64   `json:"memory,omitempty"`                      // bytes, as it is configured
	Speed  float64 `json:"estimated_tokens_per_second,omitempty"` // of one answer
}

// outlook reads a kept model's header, and measures how fast this machine reads memory.
// What is not known is 0.
func (p *program) outlook(m hub.Stored) (o outlook) {
	f, err := gguf.Open(m.Path)
	if err != nil {
		return o
	}
	cfg, err := loadConfig(p.flags.Config)
	if err != nil {
		return o
	}
	o.Memory = f.Memory(cfg.Local.use(f)).Total()
	if bandwidth, err := memoryBandwidth(p.ctx); err == nil {
		o.Speed = f.Speed(bandwidth)
	}
	return o
}

// memoryBandwidth measures how fast this machine reads memory, in bytes a second.
func memoryBandwidth(ctx context.Context) (float64, error) {
	here, err := machine.Here().Look()
	if err != nil {
		return 0, err
	}
	return machine.Bandwidth(ctx, here.Threads(), bandwidthTime), nil
}
