package main

import (
	"context"
	"fmt"
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

// fitsHere says whether a model that is not here yet fits a machine as it is now. One
// whose header cannot be read is weighed by its size alone.
func fitsHere(host *machine.Host) func(hub.Candidate) (ok bool, advice string) {
	return func(c hub.Candidate) (bool, string) {
		here, err := host.Look()
		if err != nil {
			return true, "" // nothing is known that speaks against it
		}
		free := here.Available - spared
		need := c.Bytes
		if f, err := gguf.Read(c.Header, c.Size); err == nil {
			m := f.Memory(gguf.Use{Context: min(plannedContext, max(f.Trained(), 1)), Sequences: 1, Whole: true})
			need += m.Cache + m.Compute
		}
		if need <= free {
			return true, ""
		}
		return false, fmt.Sprintf("it takes about %s of memory with a window of %d tokens, and %s can be had, %s of them spared for everything else",
			megabytes(need), plannedContext, megabytes(max(here.Available, 0)), megabytes(spared))
	}
}

// memoryBandwidth measures how fast this machine reads memory, in bytes a second.
func memoryBandwidth(ctx context.Context) (float64, error) {
	here, err := machine.Here().Look()
	if err != nil {
		return 0, err
	}
	return machine.Bandwidth(ctx, here.Threads(), bandwidthTime), nil
}
