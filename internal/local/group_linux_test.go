package local

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"starling"
	"starling/internal/gguf"
	"starling/internal/machine"
	"starling/internal/wire"
)

// tenantVar has the test binary be a program in a control group that asks models.
const tenantVar = "STARLING_TEST_TENANT"

// A tenant says where it lives, and which models it asks: all in turn, twice.
type tenant struct {
	Group, Library string
	Files          []string
}

// An outcome is what a tenant says.
type outcome struct {
	Room, Need int64         // need: of the largest
	Kind       starling.Kind // "": it was answered
	Why        string
}

const (
	tenantReserve = 16 << 20
	tenantContext = 1024
)

// moveIn is a tenant's life.
func moveIn(text string) {
	var t tenant
	var o outcome
	err := json.Unmarshal([]byte(text), &t)
	if err == nil {
		err = os.WriteFile(filepath.Join(t.Group, "cgroup.procs"), []byte(strconv.Itoa(os.Getpid())), 0)
	}
	if err == nil {
		err = t.ask(&o)
	}
	if err != nil {
		o.Kind, o.Why = starling.KindOf(err), err.Error()
	}
	_ = json.NewEncoder(os.Stdout).Encode(o)
	os.Exit(0)
}

func (t tenant) ask(o *outcome) error {
	opts := Options{
		Name: "local", Library: t.Library, Command: really,
		Need: func(w Weights) (int64, error) {
			header, err := gguf.Open(w.File)
			if err != nil {
				return 0, err
			}
			need := header.Memory(gguf.Use{Context: tenantContext}).Total()
			o.Need = max(o.Need, need)
			return need, nil
		},
		Room: roomHere,
		Idle: func([]int) int { return 1 }, Measure: 20 * time.Millisecond, Lazy: true,
	}
	for i, file := range t.Files {
		opts.Weights = append(opts.Weights, Weights{Name: name(i), File: file, Context: tenantContext, Speaker: echo{}})
	}
	l, err := New(opts)
	if err != nil {
		return err
	}
	defer l.Close()
	o.Room = roomHere(nil)
	r, err := wire.Parse(starling.Completions, fmt.Appendf(nil, `{"model":"m","prompt":%q,"max_tokens":8,"temperature":0}`, strings.Repeat("Hello, world. ", 40)))
	if err != nil {
		return err
	}
	for range 2 {
		for _, m := range l.Models() {
			for _, e := range l.Generate(context.Background(), starling.Call{Model: m, Request: &r, Furthest: starling.Machine, Left: func(string) {}}) {
				err = errors.Join(err, e)
			}
		}
	}
	return err
}

// roomHere is what is available, and what these engines have that nobody else would.
func roomHere(engines []int) int64 {
	m, err := machine.Here().Look()
	if err != nil {
		return 0
	}
	room := m.Available - tenantReserve
	for _, pid := range engines {
		status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		for line := range strings.Lines(string(status)) {
			var kib int64
			if _, err := fmt.Sscanf(line, "RssAnon: %d kB", &kib); err == nil {
				room += kib << 10
			}
		}
	}
	return room
}

// limitedGroup makes a control group with a limit of memory below the one of this process, or
// at the top, and skips where there can be none. It is gone at the end of the test.
func limitedGroup(t *testing.T, limit int64) (dir string) {
	t.Helper()
	own, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		t.Skip("this system has no control groups")
	}
	var places []string
	for line := range strings.Lines(string(own)) {
		f := strings.SplitN(strings.TrimSpace(line), ":", 3)
		switch {
		case len(f) == 3 && f[1] == "memory":
			places = append(places, "/sys/fs/cgroup/memory"+f[2], "/sys/fs/cgroup/memory")
		case len(f) == 3 && f[1] == "":
			places = append(places, "/sys/fs/cgroup"+f[2], "/sys/fs/cgroup")
		}
	}
	for _, place := range places {
		dir, err = os.MkdirTemp(place, "starling-test-")
		if err != nil {
			continue
		}
		t.Cleanup(func() {
			eventually(t, "the control group is gone", func() bool {
				err := os.Remove(dir)
				return err == nil || errors.Is(err, fs.ErrNotExist)
			})
		})
		for _, file := range []string{"memory.limit_in_bytes", "memory.max"} {
			f, err := os.OpenFile(filepath.Join(dir, file), os.O_WRONLY, 0) // it may not be made
			if err != nil {
				continue
			}
			_, err = f.WriteString(strconv.FormatInt(limit, 10))
			if errors.Join(err, f.Close()) == nil {
				return dir
			}
		}
	}
	t.Skip("no control group with a limit of memory can be made here")
	return ""
}

// oomKills is how often the system ended a process of a group, and peak the most that it
// had; -1 if that is not told.
func oomKills(t *testing.T, dir string) (kills, peak int64) {
	t.Helper()
	kills, peak = -1, -1
	for _, file := range []string{"memory.oom_control", "memory.events"} {
		text, _ := os.ReadFile(filepath.Join(dir, file))
		for line := range strings.Lines(string(text)) {
			_, _ = fmt.Sscanf(line, "oom_kill %d", &kills)
		}
	}
	for _, file := range []string{"memory.max_usage_in_bytes", "memory.peak"} {
		if text, err := os.ReadFile(filepath.Join(dir, file)); err == nil {
			_, _ = fmt.Sscan(string(text), &peak)
		}
	}
	if kills < 0 {
		t.Skip("this system does not tell how often it ended a process for want of memory")
	}
	return kills, peak
}

// weighing writes a model of so many layers of 6 MB.
func weighing(t *testing.T, layers int64) (file string) {
	t.Helper()
	shape := gguf.TinyQwen
	shape.Layers, shape.Embedding, shape.FeedForward, shape.Heads, shape.KVHeads, shape.HeadDim = layers, 512, 1536, 8, 4, 64
	return put(t, filepath.Join(t.TempDir(), "weighing.gguf"), writtenFile(t, shape.Spec(gguf.F16, 1)))
}

// drop has the system hold nothing of a file, so that its pages count for who reads it.
func drop(t *testing.T, file string) {
	t.Helper()
	f, err := os.OpenFile(file, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := errors.Join(f.Sync(), unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED)); err != nil {
		t.Fatal(err)
	}
}

// TestNobodyIsEndedForWantOfMemoryInARealGroup: a program in a group, which sees the limit
// by itself, answers with a model or says that it is too large. The system ends nobody.
func TestNobodyIsEndedForWantOfMemoryInARealGroup(t *testing.T) {
	realLibrary(t)
	limits, sizes := []int64{96, 256}, []int64{2, 5}
	if testing.Short() {
		sizes = sizes[:1]
	}
	came := map[starling.Kind]int{}
	var file string
	for _, layers := range sizes {
		file = weighing(t, layers)
		for _, limit := range limits {
			drop(t, file)
			came[rent(t, limit<<20, file)]++
		}
	}
	if testing.Short() {
		return
	}
	other := weighing(t, 5)
	drop(t, file)
	drop(t, other)
	if kind := rent(t, 128<<20, file, other); kind != "" {
		t.Errorf("two that have room alone and not both: %s", kind)
	}
	if came[""] == 0 || came[starling.TooLarge] == 0 {
		t.Errorf("by kind of error: %v", came)
	}
}

// rent has a program ask models in a group of a limit, and returns the kind of the error.
func rent(t *testing.T, limit int64, files ...string) starling.Kind {
	t.Helper()
	const mib = 1 << 20
	dir := limitedGroup(t, limit)
	text, err := json.Marshal(tenant{dir, realLibrary(t), files})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), tenantVar+"="+string(text), "GORACE=atexit_sleep_ms=0")
	said, err := cmd.Output()
	var o outcome
	if err != nil || json.Unmarshal(said, &o) != nil {
		t.Errorf("%d MiB: the program ended with %v: %q", limit/mib, err, said)
	}
	kills, peak := oomKills(t, dir)
	t.Logf("%d MiB: a model that needs %d of %d MiB: %q, at most %d MiB were taken", limit/mib, o.Need/mib, o.Room/mib, o.Kind, peak/mib)
	if kills != 0 || o.Kind != "" && o.Kind != starling.TooLarge || (o.Kind == "") != (o.Need <= o.Room) {
		t.Errorf("%d MiB: %d were ended: %+v", limit/mib, kills, o)
	}
	return o.Kind
}
