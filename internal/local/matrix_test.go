package local

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"
	"testing/fstest"

	"starling"
	"starling/internal/gguf"
	"starling/internal/machine"
)

// headerOf returns the header of a shape, without writing its gigabytes.
func headerOf(t *testing.T, shape gguf.Shape) *gguf.File {
	t.Helper()
	spec := shape.Spec(gguf.F16, 1)
	enough := errors.New("the header is written")
	spec.Tensors[0].Fill = func(w io.Writer) error {
		_, _ = w.Write(make([]byte, 2<<20)) // more than is held back
		return enough
	}
	var b bytes.Buffer
	if err := gguf.Write(&b, spec); !errors.Is(err, enough) {
		t.Fatal(err)
	}
	f, err := gguf.Read(bytes.NewReader(b.Bytes()), 1<<40)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// realNeeds are what models of real shapes take, with numbers of 16, 8.5 and 4.5 bits.
func realNeeds(t *testing.T) (all []gguf.Memory) {
	t.Helper()
	shapes := []gguf.Shape{gguf.Qwen06B, gguf.Llama1B}
	if testing.Short() {
		shapes = shapes[:1]
	}
	for _, shape := range shapes {
		f := headerOf(t, shape)
		for _, bits := range []float64{16, 8.5, 4.5} {
			for _, use := range []gguf.Use{{Context: 512, Batch: 64}, {Context: 4096, Sequences: 4}, {Context: 32768, CacheType: "q8_0"}} {
				m := f.Memory(use)
				m.Weights = int64(float64(m.Weights) * bits / 16)
				all = append(all, m)
			}
		}
	}
	return all
}

// group is a machine of 16 GiB with a group of a limit, in either version of groups, of
// which some bytes are used and some of these hold files.
func group(version int, limit, used, files int64) fstest.MapFS {
	text := map[string]string{"proc/meminfo": "MemTotal: 16777216 kB\nMemAvailable: 15728640 kB\n"}
	if version == 2 {
		text["proc/self/cgroup"] = "0::/s\n"
		text["proc/self/mountinfo"] = "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"
		text["sys/fs/cgroup/s/memory.max"] = fmt.Sprintln(limit)
		text["sys/fs/cgroup/s/memory.current"] = fmt.Sprintln(used)
		text["sys/fs/cgroup/s/memory.stat"] = fmt.Sprintf("anon %d\ninactive_file 0\nactive_file %d\n", used-files, files)
	} else {
		text["proc/self/cgroup"] = "4:memory:/s\n"
		text["proc/self/mountinfo"] = "32 30 0:28 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
		text["sys/fs/cgroup/memory/s/memory.limit_in_bytes"] = fmt.Sprintln(limit)
		text["sys/fs/cgroup/memory/s/memory.usage_in_bytes"] = fmt.Sprintln(used)
		text["sys/fs/cgroup/memory/s/memory.stat"] = fmt.Sprintf("total_inactive_file 0\ntotal_active_file %d\n", files)
	}
	tree := fstest.MapFS{}
	for name, content := range text {
		tree[name] = &fstest.MapFile{Data: []byte(content)}
	}
	return tree
}

// TestNothingIsPlannedBeyondALimitOfOneToEightGiB: models of real shapes, asked for at
// random, in groups of each limit, whose use is what the engines that run have taken.
func TestNothingIsPlannedBeyondALimitOfOneToEightGiB(t *testing.T) {
	const own, reserve = 200 << 20, 256 << 20 // the program itself, and what is to stay free
	needs := realNeeds(t)
	var totals []int64
	for _, m := range needs {
		totals = append(totals, m.Total())
	}
	for limit := int64(1) << 30; limit <= 8<<30; limit += 1 << 30 {
		for version := 1; version <= 2; version++ {
			t.Run(fmt.Sprintf("%d GiB, version %d", limit>>30, version), func(t *testing.T) {
				h := newHouse(0, usual(), t.Fatalf, totals...)
				look := func() {
					var weights, rest int64
					for _, model := range h.living {
						m := needs[model[0]-'a']
						weights, rest = weights+m.Weights, rest+m.Cache+m.Compute
					}
					seen, err := machine.New(group(version, limit, own+weights+rest, weights)).Look()
					if err != nil {
						t.Fatal(err)
					}
					if h.measure(seen.Available - reserve + rest); own+h.held()+reserve > limit {
						t.Fatalf("engines are to have %d of %d bytes", h.held(), limit)
					}
				}
				look()
				asks, chance := map[uint64]int64{}, rand.New(rand.NewPCG(uint64(limit), 1))
				for range 80 {
					i := chance.IntN(len(totals))
					asks[h.ask(string(rune('a'+i)))] = totals[i]
					if chance.IntN(3) == 0 {
						h.settle()
					}
					look()
				}
				h.settle()
				refused := 0
				for ask, need := range asks {
					if err := h.refused[ask]; (err != nil) != (need > limit-own-reserve) || err != nil && starling.KindOf(err) != starling.TooLarge {
						t.Errorf("one that needs %d: %v", need, err)
					} else if err != nil {
						refused++
					}
				}
				t.Logf("%d answered, %d refused", len(asks)-refused, refused)
			})
		}
	}
}
