package skill

import (
	"context"
	"fmt"
	"hash/fnv"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"
)

// Watch keeps up with the folder of skills until ctx ends, and then returns nil.
// It runs in the caller's goroutine, and calls changed in it: with a new set when
// the skills that are in force differ from the last ones (at first: from now),
// and with an error when there are problems that were not there before. Both may
// be set. A skill that has become invalid stays in force as it was; one that is
// gone is gone; if the folder itself cannot be read everything stays.
//
// Changes are taken once they have settled for a moment. Where the operating
// system reports none (network disks, exhausted limits) they are found by looking
// every few seconds.
func Watch(ctx context.Context, dir string, now *Set, changed func(*Set, error)) error {
	w := watcher{
		loader:  newLoader(os.DirFS(dir), filepath.ToSlash(dir)),
		set:     now,
		changed: changed,
		settle:  200 * time.Millisecond,
		every:   3 * time.Second,
		subscribe: func(string) {
		},
	}
	if events, err := fsnotify.NewWatcher(); err == nil {
		defer events.Close()
		w.events, w.errors = events.Events, events.Errors
		w.subscribe = func(name string) {
			// A folder that cannot be watched is still looked at.
			_ = events.Add(filepath.Join(dir, filepath.FromSlash(name)))
		}
	}
	w.run(ctx)
	return nil
}

// A watcher owns all of its state; only run's goroutine touches it.
type watcher struct {
	loader    *loader
	set       *Set // in force
	changed   func(*Set, error)
	subscribe func(folder string) // asks for events of a folder; repeating is harmless

	events <-chan fsnotify.Event
	errors <-chan error
	settle time.Duration // how long nothing may happen before a change is taken
	every  time.Duration // how often to look without being told

	since    time.Time // of the first change that was not looked at; zero if none
	looked   uint64    // the fingerprint when the files were last read
	problems string    // as they were last reported
}

func (w *watcher) run(ctx context.Context) {
	w.look()
	poll := time.NewTicker(w.every)
	defer poll.Stop()
	settled := time.NewTimer(w.settle)
	settled.Stop()
	defer settled.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.events:
			w.await(settled)
		case <-w.errors: // events were lost
			w.await(settled)
		case <-settled.C:
			w.look()
		case <-poll.C:
			if w.fingerprint() != w.looked {
				w.await(settled)
			}
		}
	}
}

// await puts off the next look until nothing has happened for a moment, but not
// for ever: a file that is written all the time must not hide another.
func (w *watcher) await(settled *time.Timer) {
	if w.since.IsZero() {
		w.since = time.Now()
	}
	settled.Reset(min(w.settle, w.every-time.Since(w.since)))
}

// look reads the folder and reports what is new.
func (w *watcher) look() {
	w.since = time.Time{}
	w.looked = w.fingerprint()
	fresh, err := w.loader.all()
	var said error
	if text := fmt.Sprint(err); text != w.problems {
		w.problems = text
		said = err
	}
	next := w.merge(fresh)
	if same(next, w.set) {
		if said != nil {
			w.changed(nil, said)
		}
		return
	}
	w.set = next
	w.changed(next, said)
}

// merge keeps the old version of what is broken now.
func (w *watcher) merge(fresh *Set) *Set {
	if fresh == nil {
		return w.set
	}
	for name := range fresh.broken {
		if old, ok := w.set.Find(name); ok {
			fresh.skills[name] = old
		}
	}
	return fresh
}

func same(a, b *Set) bool {
	names := a.Names()
	if len(names) != len(b.Names()) {
		return false
	}
	for _, name := range names {
		x, _ := a.Find(name)
		y, ok := b.Find(name)
		if !ok || x.Hash != y.Hash || x.Cases != y.Cases {
			return false
		}
	}
	return true
}

// fingerprint sums up names, sizes and times of all that is read, and asks for
// events of every folder on the way. A folder that cannot be listed counts as
// empty: when it comes back the sum is another.
func (w *watcher) fingerprint() uint64 {
	sum := fnv.New64a()
	w.subscribe(".")
	entries, _ := fs.ReadDir(w.loader.fsys, ".")
	for _, entry := range entries {
		if folder(entry) {
			w.note(sum, entry.Name())
		}
	}
	return sum.Sum64()
}

func (w *watcher) note(sum io.Writer, dir string) {
	w.subscribe(dir)
	if !w.loader.has(dir, manifestFile) && !w.loader.has(dir, rubricFile) {
		return
	}
	assets, _ := w.loader.assets(dir)
	for _, name := range append([]string{manifestFile, rubricFile, casesFile}, assets...) {
		name = path.Join(dir, name)
		w.subscribe(path.Dir(name))
		if info, err := fs.Stat(w.loader.fsys, name); err == nil {
			fmt.Fprintf(sum, "%s %d %d %s\n", name, info.Size(), info.ModTime().UnixNano(), info.Mode())
		}
	}
}
