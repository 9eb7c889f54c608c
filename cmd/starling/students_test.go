package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"starling"
	"starling/internal/corpus"
	"starling/internal/evidence"
	"starling/internal/provider"
	"starling/internal/student"
)

// A classroom is a gateway whose one skill, "colour", has a student and nobody
// else.
type classroom struct {
	*gateway
	t    *testing.T
	said *output
	stop func()
}

const colourRubric = `version: 1
candidates: [student]
bar: {pass: 0.9, confidence: 0.95}
grade: label
`

func opened(t *testing.T, teach ...*student.Taught) *classroom {
	t.Helper()
	return openedWith(t, Config{Providers: map[string]*Upstream{}}, teach...)
}

// openedWith is opened with what a configuration says beside.
func openedWith(t *testing.T, cfg Config, teach ...*student.Taught) *classroom {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"SKILL.md": "---\nname: colour\ndescription: Says which colour.\n---\n", "rubric.yaml": colourRubric} {
		file := filepath.Join(dir, "skills", "colour", name)
		if err := errorsOf(os.MkdirAll(filepath.Dir(file), 0o700), os.WriteFile(file, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	for _, s := range teach {
		if err := writeStudent(dir, s); err != nil {
			t.Fatal(err)
		}
	}
	c := &classroom{t: t, said: &output{}}
	cfg.Listen, cfg.Skills = "127.0.0.1:0", filepath.Join(dir, "skills")
	var err error
	if c.gateway, err = open(t.Context(), cfg, dir, slog.New(slog.NewTextHandler(c.said, nil))); err != nil {
		t.Fatal(err)
	}
	return c
}

func errorsOf(all ...error) error {
	for _, err := range all {
		if err != nil {
			return err
		}
	}
	return nil
}

// serve runs the gateway until the test ends, looking every few milliseconds.
func (c *classroom) serve() {
	c.look, c.lessons = 5*time.Millisecond, 10*time.Millisecond
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- c.run(ctx, nil, nil) }()
	c.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			c.t.Error(err)
		}
		c.close()
	})
	c.t.Cleanup(c.stop)
}

// warrant lets a student answer everything, in the first skill of the gateway.
func (c *classroom) warrant(t *student.Taught) {
	c.t.Helper()
	s, _ := c.set.Find("colour")
	m := provider.StudentModel(t)
	w := &evidence.Warrant{
		Time: time.Now(), Skill: s.Name, Rubric: s.Hash, Candidate: s.Unit(m), Model: m.ID(), Pass: 0.9, Confidence: 0.95,
		Threshold: 0.01, Asked: 60, Covered: 60, Passed: 60, Bound: 0.95, Expires: time.Now().Add(time.Hour),
	}
	if err := c.ledger.AddNotes(c.t.Context(), evidence.Note{Warrant: w}); err != nil {
		c.t.Fatal(err)
	}
}

// ask returns the answer to a text, and its receipt's id.
func (c *classroom) ask(text string) (label, receipt string, status int) {
	body, _ := json.Marshal(map[string]any{"model": "starling/colour", "messages": []map[string]string{{"role": "user", "content": text}}})
	resp, err := http.Post("http://"+c.ln.Addr().String()+"/v1/chat/completions", "application/json", bytes.NewReader(body))
	if err != nil {
		c.t.Error(err)
		return "", "", 0
	}
	defer resp.Body.Close()
	data, _ := io.ReadAll(resp.Body)
	var answer struct {
		Choices []struct{ Message struct{ Content string } }
	}
	_ = json.Unmarshal(data, &answer)
	if len(answer.Choices) > 0 {
		label = answer.Choices[0].Message.Content
	}
	return label, resp.Header.Get("X-Starling-Receipt"), resp.StatusCode
}

// inLanguage is a student that says red and blue in some words.
func inLanguage(t *testing.T, red, blue string) *student.Taught {
	t.Helper()
	var all []student.Example
	for i := range 40 {
		all = append(all, student.Example{Text: fmt.Sprintf("is the tomato %d ripe", i), Label: red}, student.Example{Text: fmt.Sprintf("how deep is the sea %d", i), Label: blue})
	}
	s, err := student.Train(t.Context(), all, student.Options{})
	if err != nil {
		t.Fatal(err)
	}
	made, err := student.Teach(s, student.Lesson{Skill: "colour"})
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// TestStudentsAreSwappedWhole: while callers ask, one student takes another's
// place again and again. Every answer is of the student that its plan was made
// for, and there is always one.
func TestStudentsAreSwappedWhole(t *testing.T) {
	english, german := inLanguage(t, "red", "blue"), inLanguage(t, "rot", "blau")
	words := map[string]string{english.Digest(): "red", german.Digest(): "rot"}
	c := opened(t, english)
	c.warrant(english)
	c.warrant(german)
	if err := c.news.Catch(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.serve()
	ctx, cancel := context.WithCancel(t.Context())
	said := make([]map[string]string, 4) // by receipt
	var all sync.WaitGroup
	for i := range said {
		said[i] = map[string]string{}
		all.Go(func() {
			for ctx.Err() == nil {
				label, receipt, status := c.ask("is the tomato 3 ripe")
				if said[i][receipt] = label; status != http.StatusOK {
					t.Errorf("status %d", status)
					return
				}
			}
		})
	}
	for range 6 {
		for _, next := range []*student.Taught{german, english} {
			if err := writeStudent(c.dir, next); err != nil {
				t.Fatal(err)
			}
			if !poll(func() bool { label, _, _ := c.ask("is the tomato 3 ripe"); return label == words[next.Digest()] }) {
				t.Fatal("the new student never answers")
			}
		}
	}
	cancel()
	all.Wait()
	c.whole(said, words)
}

// whole checks every answer against the plan on its receipt.
func (c *classroom) whole(said []map[string]string, words map[string]string) {
	c.t.Helper()
	n := map[string]int{}
	for _, mine := range said {
		for id, label := range mine {
			var r *starling.Receipt
			if !poll(func() bool {
				sealed, err := c.ledger.Receipt(context.Background(), id)
				if err == nil {
					r, err = sealed.Receipt()
				}
				return err == nil
			}) {
				c.t.Fatalf("no receipt %s", id)
			}
			digest := r.Plan.Candidates[0].Model.Digest
			if n[digest]++; words[digest] != label || r.Plan.Candidates[0].Warrant == "" {
				c.t.Errorf("%q is the answer of the student that says %q", label, words[digest])
			}
		}
	}
	if len(n) != 2 {
		c.t.Errorf("answers: %v, want some of both", n)
	}
}

// colours are texts of a corpus; a share of them has a wrong answer.
func colours(from, to int, wrong bool) (all []corpus.Text) {
	for i := from; i < to; i++ {
		red, blue := "red", "blue"
		if wrong && i%2 == 0 {
			red, blue = blue, red
		}
		all = append(all, corpus.Text{Skill: "colour", Input: fmt.Sprintf("is the tomato %d ripe", i), Answer: red, Time: time.Now()},
			corpus.Text{Skill: "colour", Input: fmt.Sprintf("how deep is the sea %d", i), Answer: blue, Time: time.Now()})
	}
	return all
}

func (c *classroom) keepTexts(texts []corpus.Text) {
	c.t.Helper()
	kept, err := corpus.Open(c.t.Context(), c.dir)
	if err != nil {
		c.t.Fatal(err)
	}
	defer kept.Close()
	if _, err := kept.Add(c.t.Context(), texts); err != nil {
		c.t.Fatal(err)
	}
}

// taughtOf is how many texts were kept when the student on the disk was made.
func (c *classroom) taughtOf() int {
	s, err := readStudent(filepath.Join(c.dir, studentsFolder, "colour"+studentEnding))
	if err != nil {
		return 0
	}
	return s.Lesson.Texts
}

// TestAStudentIsTaughtAgainWhenThereIsMoreToLearn: and put in force if that was
// shown to do no harm, and not otherwise.
func TestAStudentIsTaughtAgainWhenThereIsMoreToLearn(t *testing.T) {
	c := opened(t)
	c.keepTexts(colours(0, 150, false))
	course, err := c.school().course(t.Context(), "colour")
	if err != nil {
		t.Fatal(err)
	}
	first, err := course.Run(t.Context())
	if err != nil || first.Warrant == nil {
		t.Fatal(first, err)
	}
	if kept, err := c.school().keep(t.Context(), first); err != nil || !kept || c.taughtOf() != 300 {
		t.Fatal(kept, err)
	}
	c.serve()
	if !poll(func() bool { label, _, _ := c.ask("is the tomato 3 ripe"); return label == "red" }) {
		t.Fatal("the first never answers")
	}
	c.keepTexts(colours(150, 170, false)) // too few
	time.Sleep(100 * time.Millisecond)
	if c.taughtOf() != 300 {
		t.Error("it was taught again for few texts")
	}
	c.keepTexts(colours(170, 200, false))
	if !poll(func() bool { return c.taughtOf() == 400 && strings.Contains(c.said.String(), "student taught again: ") }) {
		t.Fatalf("it was not taught again:\n%s", c.said)
	}
	if !poll(func() bool { return strings.Count(c.said.String(), "students reloaded") >= 2 }) {
		t.Fatalf("the gateway did not notice:\n%s", c.said)
	}
	if label, _, status := c.ask("how deep is the sea 3"); label != "blue" {
		t.Errorf("%q, status %d", label, status)
	}
	c.keepTexts(colours(200, 700, true)) // from which nobody could learn
	if !poll(func() bool {
		return strings.Contains(c.said.String(), "student taught again, and not shown to be good enough; the old one stays")
	}) {
		t.Fatalf("nothing is said of the one that was not:\n%s", c.said)
	}
	if label, _, status := c.ask("how deep is the sea 3"); label != "blue" || c.taughtOf() != 400 {
		t.Errorf("%q, status %d, %d texts", label, status, c.taughtOf())
	}
	if n := strings.Count(c.said.String(), "not shown to be good enough"); n != 1 {
		t.Errorf("it was tried %d times", n)
	}
}

// TestATrainingEndsWithTheGateway: nobody waits for it.
func TestATrainingEndsWithTheGateway(t *testing.T) {
	c := opened(t, inLanguage(t, "red", "blue"))
	c.keepTexts(colours(0, 10_000, true))
	c.serve()
	time.Sleep(300 * time.Millisecond) // into the training, or not yet
	began := time.Now()
	c.stop()
	if took := time.Since(began); took > 30*time.Second { // what the race detector makes of the training takes longer
		t.Errorf("it took %v to stop", took)
	}
	if c.taughtOf() != 0 {
		t.Error("it was taught all the same")
	}
}

func TestAStudentsFileIsItsOwnersAlone(t *testing.T) {
	dir := t.TempDir()
	if err := writeStudent(dir, inLanguage(t, "red", "blue")); err != nil {
		t.Fatal(err)
	}
	err := filepath.WalkDir(filepath.Join(dir, studentsFolder), func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if want := map[bool]fs.FileMode{true: 0o700, false: 0o600}[d.IsDir()]; err == nil && info.Mode().Perm() != want && runtime.GOOS != "windows" {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func TestWhatIsNoStudentIsNamedAndLeftOut(t *testing.T) {
	dir := t.TempDir()
	good := inLanguage(t, "red", "blue")
	if err := writeStudent(dir, good); err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(dir, studentsFolder)
	var file bytes.Buffer
	_, _ = good.WriteTo(&file)
	for name, content := range map[string][]byte{"half.student": file.Bytes()[:file.Len()/2], "other.student": file.Bytes(), "next-123": {1}, "empty.student": nil} {
		if err := os.WriteFile(filepath.Join(folder, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(folder, "folder.student"), 0o700); err != nil {
		t.Fatal(err)
	}
	c := readStudents(dir)
	said := strings.Join(c.damaged, "\n")
	if len(c.students) != 1 || len(c.damaged) != 4 {
		t.Errorf("%d students; %s", len(c.students), said)
	}
	for _, s := range []string{"half.student is left out", `it was taught the skill "colour"`, "empty.student is left out", "it is no regular file"} {
		if !strings.Contains(said, s) {
			t.Errorf("%q does not say %q", said, s)
		}
	}
	if none := readStudents(t.TempDir()); len(none.students)+len(none.damaged) != 0 {
		t.Errorf("in no folder there is %+v", none)
	}
}
