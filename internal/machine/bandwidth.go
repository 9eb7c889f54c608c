package machine

import (
	"bytes"
	"context"
	"runtime/debug"
	"sync"
	"time"
)

// The blocks are read over and over, so all of them together must be far larger than
// caches are; and they must not be a burden.
const (
	blockBytes = 64 << 20 // of a thread, if there are few of them
	mostBlocks = 256 << 20
	piece      = 1 << 20 // after which a thread looks at the clock
)

// Bandwidth reads memory with so many threads for that long, or until ctx ends, and
// returns the bytes that were read in a second. It takes 64 MiB for each thread, 256 MiB
// at most, and some time more for filling them; afterwards it gives them back. The same threads can read weights no
// faster than this.
func Bandwidth(ctx context.Context, threads int, long time.Duration) float64 {
	threads = max(threads, 1)
	size := max(min(blockBytes, mostBlocks/threads)/piece, 1) * piece
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	read := make([]float64, threads)
	var filled, done sync.WaitGroup
	start := make(chan struct{})
	for i := range threads {
		filled.Add(1)
		done.Go(func() {
			block := bytes.Repeat([]byte{1}, size) // not zeros, which may all be one page
			filled.Done()
			<-start
			read[i] = scan(ctx, block)
		})
	}
	filled.Wait()
	begin := time.Now()
	timer := time.AfterFunc(long, cancel)
	defer timer.Stop()
	close(start)
	done.Wait()
	seconds := max(time.Since(begin).Seconds(), 1e-9)
	debug.FreeOSMemory() // who asks is about to fill the memory with a model
	sum := 0.0
	for _, n := range read {
		sum += n
	}
	return sum / seconds
}

// scan reads the block until ctx ends. It looks for a byte that is not there, since the
// standard library does that with the widest loads that the processor has.
func scan(ctx context.Context, block []byte) (read float64) {
	for at := 0; ctx.Err() == nil; at = (at + piece) % len(block) {
		if bytes.IndexByte(block[at:at+piece], 0) >= 0 {
			return read // never: all are 1
		}
		read += piece
	}
	return read
}
