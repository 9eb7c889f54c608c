package local

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"starling"
	"starling/internal/engine"
)

// The test binary is the child too: told so by childVar, it speaks the protocol as a
// script has it, and misbehaves where the script says so.
const (
	childVar  = "STARLING_TEST_CHILD"
	goOn      = ".go on"               // a file beside the diary
	parentVar = "STARLING_TEST_PARENT" // with it, it is a parent that is killed
)

func TestMain(m *testing.M) {
	if s := os.Getenv(parentVar); s != "" {
		abandon(s)
	}
	if os.Getenv(realVar) != "" {
		serveReally()
	}
	if s := os.Getenv(tenantVar); s != "" {
		moveIn(s)
	}
	if s := os.Getenv(childVar); s != "" {
		var f fake
		if err := json.Unmarshal([]byte(s), &f.script); err != nil {
			panic(err)
		}
		f.run()
		return
	}
	goleak.VerifyTestMain(m)
}

// A script says how a child behaves.
type script struct {
	Words   []string // in which # is the number of the choice
	Prompt  int
	Cached  int
	Output  int
	Finish  starling.Finish
	Window  bool
	Logprob float64
	Load    string // how it loads: "", "slow" (until goOn), "crash", "hang", "refuse", "deaf"
	Hello   int    // its version; 0: ours
	Does    string // with a question: "", or one of the faults below
	Times   int    // that it does so, over all children; 0: always
	Diary   string // file to which it writes what it is told
}

type fake struct {
	script
	mu   sync.Mutex
	left map[uint64]bool // cancelled
}

func (f *fake) note(format string, args ...any) {
	d, err := os.OpenFile(f.Diary, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		panic(err)
	}
	defer d.Close()
	fmt.Fprintf(d, format+"\n", args...)
}

func (f *fake) say(r engine.Report) {
	f.mu.Lock()
	defer f.mu.Unlock()
	_ = engine.WriteReport(os.Stdout, r)
}

func (f *fake) run() {
	f.left = map[uint64]bool{}
	f.note("pid %d", os.Getpid())
	fmt.Fprintln(os.Stderr, "the library says something")
	version := engine.Version
	if f.Hello != 0 {
		version = f.Hello
	}
	f.say(engine.Report{Hello: &engine.Hello{Version: version, Pid: os.Getpid()}})
	in := bufio.NewReader(os.Stdin)
	for {
		o, err := engine.ReadOrder(in)
		if err != nil {
			return
		}
		f.obey(o)
	}
}

func (f *fake) obey(o engine.Order) {
	switch {
	case o.Load != nil:
		f.note("load %s %d", filepath.Base(o.Load.Model), o.Load.Threads)
		f.load()
	case o.Generate != nil:
		f.note("generate %s", o.Generate.Prompt[0].Text)
		go f.answer(o)
	case o.Embed != nil:
		var all [][]float32
		for i := range o.Embed.Texts {
			all = append(all, []float32{float32(i), 1})
		}
		f.say(engine.Report{ID: o.ID, Vectors: all})
	case o.Count != nil:
		f.say(engine.Report{ID: o.ID, Counted: &engine.Counted{Tokens: make([]int32, 7)}})
	case o.Cancel:
		f.mu.Lock()
		f.left[o.ID] = true
		f.mu.Unlock()
		f.note("cancel")
	case o.Threads > 0:
		f.note("threads %d", o.Threads)
	}
}

func (f *fake) load() {
	switch f.Load {
	case "crash":
		if f.again() {
			os.Exit(3)
		}
	case "hang":
		return
	case "refuse":
		f.say(engine.Report{Fault: &engine.Fault{Kind: starling.Refused, Op: "load: the file is of another kind", Hint: "pull it again"}})
		return
	case "slow":
		for p := float32(0.1); p < 1; p += 0.3 {
			f.say(engine.Report{Progress: p})
		}
		for f.missing(goOn) {
			time.Sleep(time.Millisecond)
		}
	}
	if f.Load == "deaf" {
		defer time.Sleep(time.Hour)
	}
	f.say(engine.Report{Loaded: &engine.Loaded{Context: 512, Dimensions: 2}})
}

// missing reports whether the test has not yet given the sign.
func (f *fake) missing(sign string) bool {
	_, err := os.Stat(f.Diary + sign)
	return err != nil
}

// again reports whether the fault is to be done once more.
func (f *fake) again() bool {
	text, _ := os.ReadFile(f.Diary)
	if f.Times > 0 && strings.Count(string(text), "fault\n") >= f.Times {
		return false
	}
	f.note("fault")
	return true
}

func (f *fake) gone(id uint64) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.left[id]
}

func (f *fake) answer(o engine.Order) {
	does := f.Does
	if does != "" && !f.again() {
		does = ""
	}
	kind, isFault := strings.CutPrefix(does, "fault ")
	switch {
	case isFault:
		f.say(engine.Report{ID: o.ID, Fault: &engine.Fault{Kind: starling.Kind(kind), Op: "generate"}})
		return
	case does == "crash at once":
		os.Exit(3)
	case does == "hang at once":
		f.wait(o.ID)
		return
	}
	for i, word := range f.Words {
		if f.gone(o.ID) {
			f.say(engine.Report{ID: o.ID, Done: &engine.Done{Finish: starling.Stopped, Left: true, Prompt: f.Prompt}})
			return
		}
		for c := range o.Choices() {
			f.say(engine.Report{ID: o.ID, Choice: c, Token: &engine.Token{Text: strings.ReplaceAll(word, "#", fmt.Sprint(c)), Logprob: &f.Logprob}})
		}
		if i == 0 {
			f.misbehave(does, o.ID)
		}
		if does == "hang" {
			f.wait(o.ID)
			return
		}
	}
	if does == "cut" {
		os.Exit(4)
	}
	finish := f.Finish
	if finish == "" {
		finish = starling.Stopped
	}
	for c := o.Choices() - 1; c > 0; c-- { // the last one ends first, by the limit
		f.say(engine.Report{ID: o.ID, Choice: c, Done: &engine.Done{Finish: starling.Length, Prompt: f.Prompt, Cached: f.Prompt, Output: f.Output + c, More: true}})
	}
	f.say(engine.Report{ID: o.ID, Done: &engine.Done{Finish: finish, Window: f.Window, Prompt: f.Prompt, Cached: f.Cached, Output: f.Output, Reading: 0.5, Writing: 1}})
}

// misbehave does what ends a child after its first word.
func (f *fake) misbehave(does string, id uint64) {
	switch does {
	case "crash":
		os.Exit(3)
	case "137":
		os.Exit(137)
	case "kill":
		p, _ := os.FindProcess(os.Getpid())
		_ = p.Kill()
		time.Sleep(time.Minute)
	case "garbage":
		_, _ = os.Stdout.WriteString("\x05\x00\x00\x00ggml:")
		time.Sleep(time.Minute)
	case "empty":
		f.say(engine.Report{ID: id})
		time.Sleep(time.Minute)
	case "another choice":
		f.say(engine.Report{ID: id, Choice: 9, Token: &engine.Token{Text: "x"}})
		time.Sleep(time.Minute)
	case "more":
		f.say(engine.Report{ID: id, Done: &engine.Done{More: true}})
		time.Sleep(time.Minute)
	case "giant":
		_, _ = os.Stdout.WriteString("\xff\xff\xff\xff")
		time.Sleep(time.Minute)
	case "wrong id":
		f.say(engine.Report{ID: id + 100, Token: &engine.Token{Text: "x"}})
		time.Sleep(time.Minute)
	case "silence":
		time.Sleep(time.Minute)
	}
}

// wait says nothing until the work is cancelled.
func (f *fake) wait(id uint64) {
	for !f.gone(id) {
		time.Sleep(time.Millisecond)
	}
	f.say(engine.Report{ID: id, Done: &engine.Done{Finish: starling.Stopped, Left: true}})
}

// A theatre is a provider with a fake child, and what that has written down.
type theatre struct {
	*Local
	diary   string
	started func() int
}

// play opens a provider of one model "m" whose child follows s.
func play(t *testing.T, s script, change ...func(*Options)) *theatre {
	t.Helper()
	s.Diary = filepath.Join(t.TempDir(), "diary")
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	started := 0
	o := Options{
		Name: "local",
		Command: func() *exec.Cmd {
			mu.Lock()
			defer mu.Unlock()
			started++
			return acting(string(text))
		},
		Weights: []Weights{{Name: "m", File: "m.gguf", Digest: "d", Context: 512, Sequences: 4, Speaker: echo{}}},
		Price:   starling.Price{Milliwatts: 30_000, PerKWh: 300_000_000, Source: "test"},
		Need:    func(Weights) (int64, error) { return 1 << 30, nil },
		Room:    func([]int) int64 { return 2 << 30 },
		Idle:    func([]int) int { return 2 },
		Backoff: 10 * time.Millisecond, Measure: 5 * time.Millisecond, Lazy: true,
	}
	for _, f := range change {
		f(&o)
	}
	l, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	th := &theatre{Local: l, diary: s.Diary, started: func() int {
		mu.Lock()
		defer mu.Unlock()
		return started
	}}
	t.Cleanup(func() {
		l.Close()
		th.nobodyIsLeft(t)
	})
	return th
}

// acting is this program as a child that follows a script.
func acting(script string) *exec.Cmd {
	c := exec.Command(os.Args[0])
	c.Env = append(slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, parentVar) }), childVar+"="+script)
	return c
}

// goOn lets a child that loads slowly have loaded.
func (th *theatre) goOn() { _ = os.WriteFile(th.diary+goOn, nil, 0o600) }

// entries are what the children wrote down that begins so.
func (th *theatre) entries(start string) (all []string) {
	text, _ := os.ReadFile(th.diary)
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, start) {
			all = append(all, strings.TrimSpace(line))
		}
	}
	return all
}

// nobodyIsLeft fails the test if a child still runs.
func (th *theatre) nobodyIsLeft(t *testing.T) {
	for _, e := range th.entries("pid ") {
		var pid int
		fmt.Sscanf(e, "pid %d", &pid)
		if alive(pid) {
			t.Errorf("process %d is left", pid)
		}
	}
}

// eventually waits until ok, or fails the test.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(3 * time.Minute); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("never happened: " + what)
		}
	}
}

// echo is a family without a template: the texts of a chat, each after its role.
type echo struct{}

func (echo) Prompt(chat *starling.Chat) (all []engine.Text, err error) {
	for _, m := range chat.Messages {
		all = append(all, engine.Text{Text: string(m.Role) + ":" + m.Parts[0].Text})
	}
	return all, nil
}

func (echo) Reader([]starling.Tool, []engine.Text) Reader { return &plainReader{} }
func (echo) Force(*starling.Chat, []engine.Text) (string, []string, error) {
	return "", nil, &starling.Error{Kind: starling.Invalid, Op: "force"}
}
func (echo) Defaults(string) engine.Sampling { return engine.Sampling{Temperature: 0.7, TopK: 20} }
func (echo) Stops() []string                 { return []string{"<end>"} }
func (echo) CallsTools() bool                { return false }
