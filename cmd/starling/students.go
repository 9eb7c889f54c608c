package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"starling"
	"starling/internal/durable"
	"starling/internal/provider"
	"starling/internal/student"
)

// Students lie in a folder of the data folder, each in a file named after its
// skill.
const (
	studentsFolder = "students"
	studentEnding  = ".student"
)

// A class is the students of a folder: those that can be read, and what is wrong
// with the others.
type class struct {
	students []*student.Taught
	damaged  []string
}

// readStudents reads all that there are, in the order of their names.
func readStudents(dir string) (c class) {
	entries, err := os.ReadDir(filepath.Join(dir, studentsFolder))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		c.damaged = append(c.damaged, fmt.Sprintf("the folder of students cannot be read: %v", err))
	}
	for _, e := range entries {
		if skill, ok := strings.CutSuffix(e.Name(), studentEnding); ok {
			c.read(filepath.Join(dir, studentsFolder, e.Name()), skill)
		}
	}
	return c
}

func (c *class) read(file, skill string) {
	t, err := readStudent(file)
	if err == nil && t.Lesson.Skill != skill {
		err = fmt.Errorf("it was taught the skill %q", t.Lesson.Skill)
	}
	if err != nil {
		c.damaged = append(c.damaged, fmt.Sprintf("the student in %s is left out: %v", file, err))
		return
	}
	c.students = append(c.students, t)
}

func readStudent(file string) (*student.Taught, error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() { // a pipe would block
		return nil, errors.New("it is no regular file")
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return student.ReadTaught(f)
}

// writeStudent puts a student in the place of the one before.
func writeStudent(dir string, t *student.Taught) error {
	folder := filepath.Join(dir, studentsFolder)
	err := os.MkdirAll(folder, 0o700)
	if err == nil {
		err = durable.Replace(filepath.Join(folder, t.Lesson.Skill+studentEnding), func(w io.Writer) error { _, err := t.WriteTo(w); return err })
	}
	if err != nil {
		return &starling.Error{Kind: starling.Internal, Op: "write the student of " + t.Lesson.Skill, Hint: "is the data folder writable, and the disk not full?", Err: err}
	}
	return nil
}

// rollCall tells whether the folder of the students has changed.
func rollCall(dir string) string { return listing(filepath.Join(dir, studentsFolder), studentEnding) }

// listing is the names, sizes and times of the files in a folder, for comparison.
func listing(folder, ending string) string {
	entries, _ := os.ReadDir(folder) // none is a state too
	var all bytes.Buffer
	for _, e := range entries {
		if info, err := e.Info(); err == nil && strings.HasSuffix(e.Name(), ending) {
			fmt.Fprintln(&all, e.Name(), info.Size(), info.ModTime().UnixNano())
		}
	}
	return all.String()
}

// teach puts students into the parts. A cascade that was made before keeps those
// that it has.
func (p *parts) teach(c class) error {
	students := provider.NewStudents(c.students, p.drawn, p.embedder)
	directory, err := p.upstreams.With(students.Models())
	if err != nil {
		return err
	}
	p.students, p.directory, p.damaged = students, directory, c.damaged
	return nil
}

// drawn is what a student costs: the electricity of this machine for as long as it
// takes, as for any model on it, unless there is a row of its own under prices.
func (p *parts) drawn(name string) starling.Price {
	if row, ok := p.catalog.Lookup(starling.StudentName, "", name); ok && row.Price.Known() {
		return row.Price
	}
	price, err := electricity(usualWatts, asUsual, 0)
	if err != nil {
		panic("the usual electricity has no price: " + err.Error())
	}
	return price
}

// watchStudents sends the students whenever their folder has changed, until ctx
// ends. Whoever writes one renames it into its place, so each is whole.
func (g *gateway) watchStudents(ctx context.Context, changed chan<- class) error {
	return g.watch(ctx, g.roll, rollCall, func() {
		if err := g.news.Catch(ctx); err != nil { // a student comes with its warrant; without it it only waits
			g.log.Error("the evidence is not up to date; what is known stays in force", "err", err)
		}
		select {
		case changed <- readStudents(g.dir):
		case <-ctx.Done():
		}
	})
}

// watch calls changed whenever a listing of the data folder is another than the last,
// until ctx ends.
func (g *gateway) watch(ctx context.Context, last string, listing func(dir string) string, changed func()) error {
	every := time.NewTicker(g.look)
	defer every.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-every.C:
		}
		if now := listing(g.dir); now != last {
			last = now
			changed()
		}
	}
}

// enrol puts other students in force.
func (g *gateway) enrol(c class) {
	for _, why := range c.damaged {
		g.log.Error(why)
	}
	if err := g.parts.teach(c); err != nil {
		g.log.Error("students not reloaded; the old ones stay in force", "err", err)
		return
	}
	g.swap("students", g.cfg, g.parts, g.set)
}
