package skill

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fsnotify/fsnotify"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A garden is a folder of skills on disk.
type garden struct {
	*testing.T
	dir string
}

func newGarden(t *testing.T) garden {
	g := garden{t, t.TempDir()}
	g.plant("one", minimal)
	g.plant("two", minimal)
	return g
}

func (g garden) plant(name, rubric string) {
	g.Helper()
	g.write(filepath.Join(name, manifestFile), manifestOf(name))
	g.write(filepath.Join(name, rubricFile), rubric)
}

func (g garden) write(name, text string) {
	g.Helper()
	file := filepath.Join(g.dir, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		g.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		g.Fatal(err)
	}
}

func (g garden) load() *Set {
	g.Helper()
	set, err := LoadAll(os.DirFS(g.dir))
	if err != nil {
		g.Fatal(err)
	}
	return set
}

// A report is what a watcher called back with.
type report struct {
	set *Set
	err error
}

// candidates says who may try in a skill of the set; "" if there is no such.
func (r report) candidates(name string) string {
	s, ok := r.set.Find(name)
	if !ok {
		return ""
	}
	var models []string
	for _, c := range s.Rubric.Candidates {
		models = append(models, c.Model)
	}
	return strings.Join(models, " ")
}

// looking runs a watcher that no operating system tells anything, in a bubble
// where time is free, and returns what it reports after each change.
func looking(g garden, changes ...func()) [][]report {
	var all [][]report
	set := g.load()
	synctest.Test(g.T, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		reports := make(chan report, 100)
		w := watcher{
			loader: newLoader(os.DirFS(g.dir), "skills"), set: set,
			changed:   func(s *Set, err error) { reports <- report{s, err} },
			subscribe: func(string) {},
			settle:    200 * time.Millisecond, every: 3 * time.Second,
		}
		done := make(chan struct{})
		go func() { w.run(ctx); close(done) }()
		for _, change := range changes {
			synctest.Wait()
			change()
			time.Sleep(10 * time.Second)
			synctest.Wait()
			var got []report
			for len(reports) > 0 {
				got = append(got, <-reports)
			}
			all = append(all, got)
		}
		cancel()
		<-done
	})
	return all
}

const other = "version: 1\ncandidates: [other]\n"

func TestAChangeIsFoundByLooking(t *testing.T) {
	g := newGarden(t)
	got := looking(g,
		func() {},
		func() { g.plant("one", other) },
		func() { g.plant("three", minimal) },
		func() { g.write("two/assets/x.json", "{}") },
		func() { g.write("two/cases.jsonl", "{}") },
	)
	if len(got[0]) != 0 {
		t.Errorf("nothing happened, and it reported %v", got[0])
	}
	if len(got[1]) != 1 || got[1][0].err != nil || got[1][0].candidates("one") != "other" || got[1][0].candidates("two") != "small premium" {
		t.Errorf("an edit: %+v", got[1])
	}
	if len(got[2]) != 1 || got[2][0].candidates("three") != "small premium" {
		t.Errorf("a new skill: %+v", got[2])
	}
	if len(got[3]) != 1 {
		t.Errorf("an asset: %+v", got[3])
	}
	if len(got[4]) != 1 {
		t.Errorf("cases, on which warrants rest: %+v", got[4])
	}
}

func TestASkillThatBecomesInvalidStaysAsItWas(t *testing.T) {
	g := newGarden(t)
	got := looking(g,
		func() { g.plant("one", "version: 1\n") },
		func() { g.plant("two", other) },
		func() { g.plant("one", other) },
	)
	want := `skills/one/rubric.yaml:1:1: missing key "candidates"`
	if len(got[0]) != 1 || got[0][0].set != nil || got[0][0].err == nil || got[0][0].err.Error() != want {
		t.Errorf("it broke: %+v", got[0])
	}
	if len(got[1]) != 1 || got[1][0].err != nil || got[1][0].candidates("one") != "small premium" || got[1][0].candidates("two") != "other" {
		t.Errorf("another changed: %+v", got[1])
	}
	if len(got[2]) != 1 || got[2][0].candidates("one") != "other" {
		t.Errorf("it was mended: %+v", got[2])
	}
}

func TestASkillThatIsRemovedIsGone(t *testing.T) {
	g := newGarden(t)
	got := looking(g, func() {
		if err := os.RemoveAll(filepath.Join(g.dir, "one")); err != nil {
			t.Fatal(err)
		}
	})
	if len(got[0]) != 1 || !slices.Equal(got[0][0].set.Names(), []string{"two"}) {
		t.Errorf("%+v", got[0])
	}
}

func TestAFolderThatVanishesChangesNothing(t *testing.T) {
	g := newGarden(t)
	away := g.dir + "-away"
	move := func(from, to string) func() {
		return func() {
			if err := os.Rename(from, to); err != nil {
				t.Fatal(err)
			}
		}
	}
	got := looking(g, move(g.dir, away), move(away, g.dir), func() { g.plant("one", other) })
	if len(got[0]) != 1 || got[0][0].set != nil || got[0][0].err == nil {
		t.Errorf("it vanished: %+v", got[0])
	}
	if len(got[1]) != 0 {
		t.Errorf("it came back: %+v", got[1])
	}
	if len(got[2]) != 1 || got[2][0].candidates("one") != "other" {
		t.Errorf("it changed: %+v", got[2])
	}
}

func TestManyEventsAreOneReport(t *testing.T) {
	g := newGarden(t)
	set := g.load()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		events := make(chan fsnotify.Event)
		var reports atomic.Int32
		w := watcher{
			loader: newLoader(os.DirFS(g.dir), ""), set: set,
			changed: func(*Set, error) { reports.Add(1) }, subscribe: func(string) {},
			events: events, settle: 200 * time.Millisecond, every: time.Hour,
		}
		done := make(chan struct{})
		go func() { w.run(ctx); close(done) }()
		synctest.Wait()
		for i := range 20 {
			g.plant("one", minimal+"# "+strings.Repeat("x", i)+"\n")
			events <- fsnotify.Event{}
			time.Sleep(100 * time.Millisecond)
		}
		if n := reports.Load(); n != 0 {
			t.Errorf("%d reports before it settled", n)
		}
		time.Sleep(time.Second)
		cancel()
		<-done
		if n := reports.Load(); n != 1 {
			t.Errorf("%d reports", n)
		}
	})
}

func TestAFileThatIsAlwaysWrittenHidesNoOther(t *testing.T) {
	g := newGarden(t)
	set := g.load()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		events := make(chan fsnotify.Event)
		var reports atomic.Int32
		w := watcher{
			loader: newLoader(os.DirFS(g.dir), ""), set: set,
			changed: func(*Set, error) { reports.Add(1) }, subscribe: func(string) {},
			events: events, settle: 200 * time.Millisecond, every: 3 * time.Second,
		}
		done := make(chan struct{})
		go func() { w.run(ctx); close(done) }()
		synctest.Wait()
		g.plant("one", other)
		for range 50 {
			events <- fsnotify.Event{}
			time.Sleep(100 * time.Millisecond)
		}
		if n := reports.Load(); n != 1 {
			t.Errorf("%d reports", n)
		}
		cancel()
		<-done
	})
}

func TestAChangeOnDiskIsReported(t *testing.T) {
	g := newGarden(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var mu sync.Mutex
	var last report
	changed := make(chan struct{}, 100)
	done := make(chan error, 1)
	now := g.load()
	go func() {
		done <- Watch(ctx, g.dir, now, func(s *Set, err error) {
			mu.Lock()
			last = report{s, err}
			mu.Unlock()
			changed <- struct{}{}
		})
	}()
	g.plant("three", other)
	for {
		select {
		case <-changed:
		case <-ctx.Done():
			t.Fatal("no report")
		}
		mu.Lock()
		found := last.candidates("three") == "other"
		mu.Unlock()
		if found {
			break
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
