package local

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"starling"
	"starling/internal/engine"
	"starling/internal/gguf"
	"starling/internal/llamacpp"
)

// With realVar the test binary is a child that calls the real library, and does so from
// when the file that gateVar names is there.
const (
	realVar = "STARLING_TEST_REAL"
	gateVar = "STARLING_TEST_GATE"
)

func serveReally() {
	for gate := os.Getenv(gateVar); gate != ""; time.Sleep(time.Millisecond) {
		if _, err := os.Stat(gate); err == nil {
			break
		}
	}
	in, out, err := llamacpp.Stdio()
	if err == nil {
		err = llamacpp.Serve(context.Background(), in, out)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(3)
	}
	os.Exit(0)
}

// A troupe is a provider whose children call the real library.
type troupe struct {
	*theatre
	mu   sync.Mutex
	now  []int        // children that run
	ever map[int]bool // and those that did
}

// perform opens a provider of models "m", "n" and so on, in the given files, of which
// each takes all the room that there is.
func perform(t *testing.T, files []string, change ...func(*Options)) *troupe {
	t.Helper()
	s := &troupe{ever: map[int]bool{}}
	s.theatre = &theatre{}
	var started int
	s.started = func() int { s.mu.Lock(); defer s.mu.Unlock(); return started }
	o := Options{
		Name: "local", Library: realLibrary(t),
		Command: func() *exec.Cmd { s.mu.Lock(); defer s.mu.Unlock(); started++; return really() },
		Need:    func(Weights) (int64, error) { return 1, nil },
		Room:    func(engines []int) int64 { s.note(engines); return 1 },
		Idle:    func([]int) int { return 1 },
		Backoff: time.Millisecond, Measure: 5 * time.Millisecond, Lazy: true, Keep: time.Hour, Loading: 2 * time.Minute,
	}
	for i, file := range files {
		o.Weights = append(o.Weights, Weights{Name: name(i), File: file, Context: 512, Sequences: 4, Speaker: echo{}})
	}
	for _, f := range change {
		f(&o)
	}
	l, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	s.Local = l
	t.Cleanup(func() { l.Close(); s.nobodyIsLeft(t) })
	return s
}

// name is that of the model of a number.
func name(i int) string {
	if i < 10 {
		return string(rune('m' + i))
	}
	return "m" + strconv.Itoa(i)
}

func really() *exec.Cmd {
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), realVar+"=yes", "GORACE=atexit_sleep_ms=0")
	return c
}

func (s *troupe) note(engines []int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = slices.Clone(engines)
	for _, pid := range engines {
		s.ever[pid] = true
	}
}

// child waits until exactly one runs that the test has not seen before.
func (s *troupe) child(t *testing.T, before ...int) (pid int) {
	t.Helper()
	eventually(t, "one child runs", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		if len(s.now) != 1 || slices.Contains(before, s.now[0]) {
			return false
		}
		pid = s.now[0]
		return true
	})
	return pid
}

func (s *troupe) nobodyIsLeft(t *testing.T) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for pid := range s.ever {
		if alive(pid) {
			t.Errorf("process %d is left", pid)
		}
	}
}

// ask continues a prompt with the likeliest tokens, by the model of a number.
func (s *troupe) ask(ctx context.Context, t testing.TB, model int, prompt string, most int, more string) heard {
	return s.hear(ctx, s.question(t, model, prompt, most, more))
}

func (s *troupe) question(t testing.TB, model int, prompt string, most int, more string) starling.Call {
	t.Helper()
	c := s.call(asking1(t, starling.Completions, fmt.Sprintf(`{"model":"m","stream":true,"prompt":%q,"max_tokens":%d,"temperature":0,"top_k":0%s}`, prompt, most, more)))
	c.Model, c.Logprobs = s.Models()[model], true
	return c
}

// endless has an answer last for as long as its window: the token that ends a story is
// never said.
const endless = `,"logit_bias":{"2":-1000}`

// wide gives the first model a window that takes seconds to fill.
func wide(o *Options) { o.Weights[0].Context, o.Weights[0].Sequences = 16384, 1 }

// realLibrary returns the folder of the library for real tests, and skips without one.
func realLibrary(t testing.TB) string {
	t.Helper()
	dir := os.Getenv("STARLING_TEST_ENGINE")
	if dir == "" {
		t.Skip("STARLING_TEST_ENGINE names no folder with llama.cpp's library")
	}
	return dir
}

// stories returns the files of the tiny trained model, as they are called: "" or
// quantised: "-Q8_0", "-Q4_0".
func stories(t testing.TB, kinds ...string) (files []string) {
	t.Helper()
	dir := os.Getenv("STARLING_TEST_WEIGHTS")
	if dir == "" {
		dir = "../../../shared/weights"
	}
	for _, kind := range kinds {
		file, err := filepath.Abs(filepath.Join(dir, "stories260K"+kind+".gguf"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(file); err != nil {
			t.Skip("there is no tiny model in ../shared/weights, nor where STARLING_TEST_WEIGHTS says")
		}
		files = append(files, file)
	}
	return files
}

func TestWhatIsAnsweredIsWhatTheLibrarySays(t *testing.T) {
	golden, err := os.ReadFile("../llamacpp/testdata/greedy.txt")
	if err != nil {
		t.Fatal(err)
	}
	kinds := []string{"", "-Q8_0", "-Q4_0"}
	s := perform(t, stories(t, kinds...))
	for i, line := range strings.Split(string(golden), "\n")[:len(kinds)] {
		h := s.ask(t.Context(), t, i, "Once upon a time", 48, "")
		if want := strings.TrimPrefix(line, kinds[i]); h.err != nil || h.text != want {
			t.Errorf("%s: %q, not %q: %v", kinds[i], h.text, want, h.err)
			continue
		}
		if *h.usage != (starling.Usage{Input: 5, Output: 48}) || h.last.Finish != starling.Length || h.last.Confidence <= 0 || h.last.Confidence > 1 {
			t.Errorf("%s: %+v, %+v", kinds[i], h.usage, h.last)
		}
	}
}

var prompts = []string{"Once upon a time", "The dog was very sad because", "Lily said", "One day a boy and his mom went to the park. There they saw a big tree", "Tim had a red ball", "The sun was"}

func TestConversationsAtOnceAreAnsweredAsEachAlone(t *testing.T) {
	s := perform(t, stories(t, ""))
	var alone []heard
	for _, p := range prompts {
		alone = append(alone, s.ask(t.Context(), t, 0, p, 60, ""))
	}
	together := make([]heard, 2*len(prompts)) // more than there are sequences
	var all sync.WaitGroup
	for i := range together {
		all.Go(func() { together[i] = s.ask(t.Context(), t, 0, prompts[i%len(prompts)], 60, "") })
	}
	all.Wait()
	for i, h := range together {
		if want := alone[i%len(prompts)]; h.err != nil || h.text == "" || h.text != want.text {
			t.Errorf("%q, not %q: %v, %v", h.text, want.text, h.err, want.err)
		}
	}
	if s.started() != 1 {
		t.Errorf("%d children", s.started())
	}
}

func TestTheTurnsOfAConversationAreReadOnce(t *testing.T) {
	s := perform(t, stories(t, ""))
	const first = "Once upon a time there was a dog and"
	one := s.ask(t.Context(), t, 0, first, 20, "")
	other := s.ask(t.Context(), t, 0, "Tim saw", 5, "") // somebody else's, in between
	two := s.ask(t.Context(), t, 0, first+one.text+" Then", 20, "")
	if one.err != nil || other.err != nil || two.err != nil {
		t.Fatal(one.err, other.err, two.err)
	}
	if one.usage.CacheRead != 0 || two.usage.CacheRead < one.usage.Input || two.usage.Input > 20 {
		t.Errorf("%+v, then %+v", one.usage, two.usage)
	}
}

// fall has the engine killed in the middle of an answer, and returns what came of that.
func (s *troupe) fall(t *testing.T, prompt string, before ...int) (pid int, err error) {
	t.Helper()
	for ev, e := range s.Generate(t.Context(), s.question(t, 0, prompt, 16000, endless)) {
		if err = e; err != nil || len(ev.Deltas) == 0 || pid != 0 {
			continue
		}
		pid = s.child(t, before...)
		p, e := os.FindProcess(pid)
		if e == nil {
			e = p.Kill()
		}
		if e != nil {
			t.Fatal(e)
		}
	}
	return pid, err
}

func TestAnEngineThatIsKilledWithinAnAnswerIsAnAttemptThatFailed(t *testing.T) {
	s := perform(t, stories(t, ""), wide)
	want := s.ask(t.Context(), t, 0, "Once upon a time", 20, "")
	pid, err := s.fall(t, "Lily said")
	e, _ := errors.AsType[*starling.Error](err)
	if e == nil || e.Kind != starling.Overloaded || !e.Billed || runtime.GOOS == "linux" && !strings.Contains(e.Error(), "the engine of m ended: signal 9") {
		t.Fatalf("got %v", err)
	}
	h := s.ask(t.Context(), t, 0, "Once upon a time", 20, "")
	if h.err != nil || h.text != want.text || s.started() != 2 || s.child(t) == pid {
		t.Errorf("%q, not %q: %v; %d children", h.text, want.text, h.err, s.started())
	}
}

func TestAPromptUnderWhichRealEnginesFellThreeTimesIsRefusedAlone(t *testing.T) {
	s := perform(t, stories(t, ""), wide)
	var fallen []int
	for range enough {
		pid, err := s.fall(t, "Lily said", fallen...)
		if starling.KindOf(err) != starling.Overloaded {
			t.Fatalf("got %v", err)
		}
		fallen = append(fallen, pid)
	}
	h := s.ask(t.Context(), t, 0, "Lily said", 5, "")
	if starling.KindOf(h.err) != starling.Refused || !strings.Contains(h.err.Error(), "3 times") {
		t.Errorf("got %v", h.err)
	}
	if h = s.ask(t.Context(), t, 0, "Once upon a time", 5, ""); h.err != nil || h.text == "" || s.started() != enough+1 {
		t.Errorf("another prompt: %q, %v, %d children", h.text, h.err, s.started())
	}
}

func TestWhoLeavesWithinAnAnswerLeavesTheirSeat(t *testing.T) {
	s := perform(t, stories(t, ""), wide) // which has one
	for range 3 {
		ctx, leave := context.WithCancel(t.Context())
		words := 0
		var last error
		for ev, err := range s.Generate(ctx, s.question(t, 0, "Once upon a time", 16000, endless)) {
			if last = err; err == nil && len(ev.Deltas) > 0 {
				words++
				leave()
			}
		}
		leave()
		if starling.KindOf(last) != starling.Cancelled || words != 1 {
			t.Errorf("%d words after leaving, and %v", words-1, last)
		}
		for ev, err := range s.Generate(t.Context(), s.question(t, 0, "Once upon a time", 16000, endless)) {
			if err != nil {
				t.Error(err)
			}
			if len(ev.Deltas) > 0 {
				break // without a word
			}
		}
	}
	if h := s.ask(t.Context(), t, 0, "Once upon a time", 5, ""); h.err != nil || h.usage.Output != 5 || s.started() != 1 {
		t.Errorf("%+v: %v; %d children", h.usage, h.err, s.started())
	}
}

func TestWhoLeavesWhileAModelLoadsDoesNotEndItsLoad(t *testing.T) {
	gate := filepath.Join(t.TempDir(), "gate")
	s := perform(t, stories(t, ""), func(o *Options) {
		start := o.Command
		o.Command = func() *exec.Cmd {
			c := start()
			c.Env = append(c.Env, gateVar+"="+gate)
			return c
		}
		o.Beat = time.Millisecond
	})
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	var last error
	for ev, err := range s.Generate(ctx, s.question(t, 0, "Once upon a time", 5, "")) {
		if last = err; ev.Idle {
			s.child(t)
			leave()
		}
	}
	if starling.KindOf(last) != starling.Cancelled || s.Standings()[0].Loaded {
		t.Errorf("got %v", last)
	}
	if err := os.WriteFile(gate, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the model has loaded", func() bool { return s.Standings()[0].Loaded })
	if h := s.ask(t.Context(), t, 0, "Once upon a time", 5, ""); h.err != nil || s.started() != 1 {
		t.Errorf("%v; %d children", h.err, s.started())
	}
}

func TestAnotherLibraryIsRefusedWithAHintAndNotTriedAgain(t *testing.T) {
	other := t.TempDir()
	files, err := filepath.Glob(filepath.Join(realLibrary(t), "*.so"))
	if err != nil || len(files) == 0 {
		t.Skip("the libraries are not those of Linux")
	}
	for _, f := range files {
		real, err := filepath.EvalSymlinks(f)
		if err == nil {
			err = os.Symlink(real, filepath.Join(other, filepath.Base(f)))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(other, "_nlcBuildMetadata.json"), []byte(`{"buildOptions":{"llamaCpp":{"release":"v0.6.1"}}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	s := perform(t, stories(t, ""), func(o *Options) { o.Library = other })
	for range 2 {
		h := s.ask(t.Context(), t, 0, "Once", 1, "")
		e, _ := errors.AsType[*starling.Error](h.err)
		if e == nil || e.Kind != starling.Refused || !strings.Contains(e.Error(), "v0.6.1") || !strings.Contains(e.Hint, llamacpp.LibraryVersion) {
			t.Errorf("got %v", h.err)
		}
	}
	if away := s.Models()[0].Away; s.started() != 1 || !strings.Contains(away, "v0.6.1") {
		t.Errorf("%d children, away: %q", s.started(), away)
	}
}

// TestAHundredLoadsAndEvictionsLeaveNothing: two models, each of which takes all the room,
// asked in turn. Of the parent's memory as much may stay as its allocator keeps for later.
func TestAHundredLoadsAndEvictionsLeaveNothing(t *testing.T) {
	const mayGrow = 8 << 20 // bytes
	s := perform(t, stories(t, "", "-Q8_0"))
	loads := 0
	turns := func(n int) {
		for range n {
			if h := s.ask(t.Context(), t, loads%2, "Once upon a time", 2, ""); h.err != nil {
				t.Fatal(h.err)
			}
			loads++
		}
	}
	turns(10)
	alone := func(most holding) (now holding) {
		eventually(t, "the children that were are gone", func() bool {
			now = holds(t)
			s.mu.Lock()
			defer s.mu.Unlock()
			return len(s.now) == 1 && now.goroutines <= most.goroutines && now.files <= most.files
		})
		return now
	}
	before := alone(holding{1 << 20, 1 << 20, 0})
	if testing.Short() {
		turns(10)
	} else {
		turns(100)
	}
	after := alone(before)
	if after.bytes > before.bytes+mayGrow {
		t.Errorf("%d bytes before, %d after", before.bytes, after.bytes)
	}
	if s.started() != loads {
		t.Errorf("%d children for %d loads", s.started(), loads)
	}
	t.Logf("before: %+v, after %d loads: %+v", before, loads, after)
	last := s.child(t)
	s.mu.Lock()
	defer s.mu.Unlock()
	for pid := range maps.Keys(s.ever) {
		if pid != last && alive(pid) {
			t.Errorf("process %d is left", pid)
		}
	}
}

// A holding is what this process has; 0 of what the system does not tell.
type holding struct {
	goroutines, files int
	bytes             int64 // of memory
}

func holds(t *testing.T) holding {
	t.Helper()
	debug.FreeOSMemory()
	h := holding{goroutines: runtime.NumGoroutine()}
	if list, err := os.ReadDir("/proc/self/fd"); err == nil {
		h.files = len(list)
	}
	status, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(status)) {
		if _, err := fmt.Sscanf(line, "VmRSS: %d kB", &h.bytes); err == nil {
			h.bytes <<= 10
		}
	}
	return h
}

func TestAnAdapterIsAModelOfItsOwnNameInTheSameEngine(t *testing.T) {
	dir, shape := t.TempDir(), gguf.TinyLlama
	file := put(t, filepath.Join(dir, "m.gguf"), writtenFile(t, shape.Spec(gguf.F16, 1)))
	adapter := func(name string, seed uint64, scale float32) Adapter {
		at := put(t, filepath.Join(dir, name), writtenFile(t, shape.Adapter(4, 64, seed)))
		return Adapter{Adapter: engine.Adapter{Name: name, File: at}, Digest: name, Scale: scale}
	}
	s := perform(t, []string{file}, func(o *Options) {
		o.Weights[0].Digest, o.Weights[0].Adapters = "d", []Adapter{adapter("one", 2, 0), adapter("two", 3, 0), adapter("weak", 2, 0.01)}
	})
	texts := map[string]string{}
	for i, name := range []string{"m", "one", "two", "weak"} {
		if m := s.Models()[i]; m.Name != name || i > 0 && m.Digest != "d+"+name {
			t.Fatalf("model %d is %s, %s", i, m.Name, m.Digest)
		}
		h := s.ask(t.Context(), t, i, "Hello", 24, "")
		if h.err != nil {
			t.Fatalf("%s: %v", name, h.err)
		}
		texts[h.text] += name
	}
	for _, apart := range []string{"m", "one", "two"} {
		for text, names := range texts {
			if strings.Contains(names, apart) && names != apart && names != "mweak" {
				t.Errorf("%s say the same: %q", names, text)
			}
		}
	}
	if s.started() != 1 || !s.Models()[2].Counts {
		t.Errorf("%d engines", s.started())
	}
	if n, err := s.Count(t.Context(), s.question(t, 1, "Hello", 1, "")); err != nil || n == 0 {
		t.Errorf("%d, %v", n, err)
	}
}

func TestNoTwoModelsHaveOneName(t *testing.T) {
	twice := []Weights{{Name: "m", Context: 1, Speaker: echo{}}, {Name: "n", Context: 1, Speaker: echo{}, Adapters: []Adapter{{Adapter: engine.Adapter{Name: "m"}}}}}
	_, err := New(Options{Name: "local", Weights: twice, Need: func(Weights) (int64, error) { return 1, nil }})
	if starling.KindOf(err) != starling.Invalid || !strings.Contains(err.Error(), `"m"`) {
		t.Errorf("%v", err)
	}
}
