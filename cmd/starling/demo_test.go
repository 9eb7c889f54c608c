package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"starling"
	"starling/internal/evidence"
	"starling/internal/hub"
	"starling/internal/sim"
	"starling/internal/skill"
)

func TestADemoWritesWhereNothingIsOrADemoWas(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	for _, c := range []struct {
		name  string
		first func() error
		want  starling.Kind
	}{
		{"a folder that is not there", func() error { return nil }, ""},
		{"a former demo's", func() error { return os.WriteFile(filepath.Join(dir, ledgerFile), nil, 0o600) }, ""},
		{"one that somebody else wrote to", func() error { return unmarkDemo(dir) }, starling.Invalid},
		{"and again", func() error { return unmarkDemo(dir) }, starling.Invalid},
		{"an empty one", func() error { return os.Remove(filepath.Join(dir, ledgerFile)) }, ""},
		{"no folder", func() error { return os.RemoveAll(dir) }, ""},
	} {
		if err := c.first(); err != nil {
			t.Fatal(err)
		}
		if got, err := demoDir(dir); starling.KindOf(err) != c.want || err == nil && got != dir {
			t.Errorf("%s: %q, %v", c.name, got, err)
		}
	}
}

func TestTheDemoSaysWhatIsMissingForARealModel(t *testing.T) {
	if !hasEngine {
		t.Skip("this program was built without an engine")
	}
	nowhere := filepath.Join(t.TempDir(), "nowhere")
	const both = "starling engine install && starling model pull " + suggested
	if r, missing := (demoCmd{Models: nowhere}).real(""); r != nil || missing != both {
		t.Errorf("%v, %q", r, missing)
	}
	if _, err := os.Stat(nowhere); err == nil {
		t.Error("it made a folder for models")
	}
	if r, missing := (demoCmd{Models: nowhere, Simulated: true}).real(""); r != nil || missing != "" {
		t.Errorf("%v, %q", r, missing)
	}
	if _, err := hub.ParseReference(suggested); err != nil {
		t.Error(err)
	}
}

// TestTheModelsOfBothPartsStandInOneTable: columns begin where those above them do.
func TestTheModelsOfBothPartsStandInOneTable(t *testing.T) {
	var b strings.Builder
	price := starling.Price{Free: true}
	printHonesty(&b, &ending{models: []sim.Model{{Name: "small", Zone: starling.Machine, Quality: 0.5, Price: price}}}, &ending{models: []sim.Model{{Name: "teacher", Zone: starling.Cloud, Quality: 1, Price: price}}})
	column := -1
	for line := range strings.Lines(b.String()) {
		at := strings.Index(line, "  right ")
		if at < 0 {
			continue
		}
		if column >= 0 && at+len("  ") != column {
			t.Errorf("%q stands %d to the side", line, at+len("  ")-column)
		}
		column = at + len("  ")
	}
	if column < 0 {
		t.Error(b.String())
	}
}

func TestARealModelIsAskedSomeOfEachPack(t *testing.T) {
	packs := []*pack{{cases: make([]skill.Case, 5)}, {cases: make([]skill.Case, 4)}}
	var got []string
	for _, e := range inTurn(exercises(packs)) {
		got = append(got, fmt.Sprint(slices.Index(packs, e.pack), e.at))
	}
	if want := "0 0,0 1,0 2,1 0,1 1,1 2,0 3,0 4,1 3"; strings.Join(got, ",") != want {
		t.Errorf("%v, want %s", got, want)
	}
}

func TestARealModelIsNotAskedForever(t *testing.T) {
	r, began := &real{}, time.Now()
	for range realMost {
		if !r.asks(began) {
			t.Fatal("no more after ", r.asked)
		}
	}
	if r.asks(began) {
		t.Error("one too many")
	}
	if r := (&real{}); r.asks(began.Add(-realTime)) || r.asked != 0 {
		t.Error("its time is over")
	}
}

func TestWhatARealModelDidIsReadFromReceipts(t *testing.T) {
	r := &real{name: "m"}
	own := func(end starling.Outcome, why string) starling.Attempt {
		return starling.Attempt{Model: r.id(), Outcome: end, Why: why, Cost: 2}
	}
	other := starling.Attempt{Model: "sim-open/open", Outcome: starling.Answered, Cost: 9}
	for _, c := range []struct {
		res result
		*starling.Receipt
	}{
		{result{right: true}, &starling.Receipt{Attempts: []starling.Attempt{own(starling.Answered, "")}}}, // not real
		{result{real: true, right: true}, &starling.Receipt{Attempts: []starling.Attempt{own(starling.Answered, "")}}},
		{result{real: true}, &starling.Receipt{Attempts: []starling.Attempt{own(starling.Rejected, ""), own(starling.Answered, "")}}}, // repaired
		{result{real: true, right: true}, &starling.Receipt{Attempts: []starling.Attempt{own(starling.Rejected, ""), other}}},
		{result{real: true, right: true}, &starling.Receipt{Attempts: []starling.Attempt{own(starling.Failed, "too slow"), other}}},
		{result{real: true, right: true}, &starling.Receipt{Plan: starling.Plan{Left: []starling.Left{{Model: r.id(), Why: "no room"}}}, Attempts: []starling.Attempt{other}}},
	} {
		r.add(c.res, c.Receipt)
	}
	var said bytes.Buffer
	r.asked = 5
	r.print(&said, 433)
	for _, want := range []string{"5 of the 433", "It answered 2, 1 of them right by gold; verifiers rejected 1, and 2 it did not answer (the first: too slow)", "$0.00000001 of electricity", "read - tokens"} {
		if !strings.Contains(said.String(), want) {
			t.Errorf("no %q in\n%s", want, &said)
		}
	}
}

func TestNobodyThinksBeforeARealAnswer(t *testing.T) {
	for d, want := range map[starling.Dialect]string{
		starling.OpenAI:    `{"model":"m","reasoning_effort":"none"}`,
		starling.Anthropic: `{"model":"m","thinking":{"type":"disabled"}}`,
	} {
		if got := unthinking([]byte(`{"model":"m"}`), d); string(got) != want {
			t.Errorf("%s: %s", d, got)
		}
	}
}

func TestALaterLoopLeavesAnEarlierOneAlone(t *testing.T) {
	dir := t.TempDir()
	for _, want := range []string{"loop", "loop-2", "loop-3"} {
		if got, err := freeFolder(dir, "loop"); err != nil || got != filepath.Join(dir, want) {
			t.Errorf("%s, %v, want %s", got, err, want)
		}
	}
	if _, err := freeFolder(filepath.Join(dir, "nowhere"), "loop"); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}

// played is the loop of a seed, told to the end; its gateway and its upstream are gone.
func played(t *testing.T) (l *loop, said string) {
	t.Helper()
	var told bytes.Buffer
	l = openedLoop(t, &told)
	err := errors.Join(l.tell(t.Context()), l.end())
	if err != nil {
		t.Fatalf("%v\n%s", err, &told)
	}
	return l, told.String()
}

func openedLoop(t *testing.T, told io.Writer) *loop {
	t.Helper()
	dir := t.TempDir()
	l, err := demoCmd{Seed: 1, Workers: 8}.openLoop(&program{t.Context(), told, told, &commands{Data: dir}}, dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.client.close)
	return l
}

// of returns the chapters of a step.
func (l *loop) of(step int) (all []*chapter) {
	for _, c := range l.chapters {
		if c.number == step {
			all = append(all, c)
		}
	}
	return all
}

// TestTheLoopIsWhatTheDemoSays holds every step of the story to what it claims. Which
// answers are audited follows from the receipts' ids, which are others each time, so
// what depends on them has room; and a warrant that was revoked by sheer chance before
// its time says nothing of how many the student answers.
func TestTheLoopIsWhatTheDemoSays(t *testing.T) {
	learns(t)
	t.Parallel()
	l, said := played(t)
	bar := l.pack.Rubric.Bar
	t.Run("nobody but premium answers before there is a student", func(t *testing.T) {
		if c := l.of(1)[0]; c.own > 0 || c.answered != loopEvidence || c.right != loopEvidence {
			t.Errorf("%d answered, %d of them by a student, %d right", c.answered, c.own, c.right)
		}
	})
	t.Run("the student answers most of what is fresh, well and for little", func(t *testing.T) {
		c := l.of(3)[0]
		if strings.Contains(said, byChance) {
			t.Skip("its warrant was revoked by chance")
		}
		if _, best := evidence.ClopperPearson(c.right, c.asked, 0.99); best < bar.Pass {
			t.Errorf("%d of %d right, with a bar of %g", c.right, c.asked, bar.Pass)
		}
		if c.own < c.asked*6/10 || c.cost > c.reference/2 {
			t.Errorf("it answers %d of %d, for %s in place of %s", c.own, c.asked, c.cost, c.reference)
		}
	})
	t.Run("its warrant is revoked soon after the world has changed", func(t *testing.T) {
		c := l.of(4)[0]
		if n := len(c.results); n == loopDrift || len(c.audits) == 0 || c.mis == 0 {
			t.Errorf("%d messages, %d audits, %d mistakes", n, len(c.audits), c.mis)
		}
	})
	t.Run("the next request goes to premium", func(t *testing.T) {
		if c := l.of(4)[1]; c.student(&c.results[0]) || !l.next.right || l.next.who != "premium" {
			t.Errorf("%+v", l.next)
		}
	})
	t.Run("it is taught again, and shown to be good enough", func(t *testing.T) {
		c := l.of(5)
		if len(l.warrants) < 2 || c[0].own > 0 || c[1].own == 0 {
			t.Errorf("%d warrants; it answered %d of %d before and %d of %d after", len(l.warrants), c[0].own, c[0].asked, c[1].own, c[1].asked)
		}
	})
	t.Run("the upstream's own invoice is the ledger's", func(t *testing.T) {
		if !strings.Contains(said, "the same to the nanodollar") {
			t.Error("it is not")
		}
	})
	t.Run("the picture has a column for every fifty requests", l.pictured(said))
	t.Run("all that there is to look at can be looked at", l.lookedAt)
	if t.Failed() {
		t.Log(said)
	}
}

func (l *loop) pictured(said string) func(*testing.T) {
	return func(t *testing.T) {
		wide := 0
		for _, c := range l.chapters {
			wide += len(c.columns())
		}
		for _, name := range []string{"premium", "student", "cost"} {
			m := regexp.MustCompile(`(?m)^   `+name+` +([ ▁▂▃▄▅▆▇█]*)`).FindAllStringSubmatch(said, -1)
			if n := len(m); n == 0 || utf8.RuneCountInString(strings.TrimRight(m[n-1][1], " ")) > wide {
				t.Errorf("%s is not drawn in %d columns", name, wide)
			}
		}
	}
}

// lookedAt runs the commands of the farewell, as they are written there.
func (l *loop) lookedAt(t *testing.T) {
	want := []string{`(?m)^war_\S+ .*revoked: `, `(?m)^state +revoked on `, `(?m)^it answers: |^the request climbs: `, `its warrant was revoked: `, `(?m)^ok: \d+ receipts and \d+ notes`}
	look := l.ending().look
	if len(look) != len(want) {
		t.Fatalf("%d commands: %q", len(look), look)
	}
	for i, command := range look {
		args := regexp.MustCompile(`'[^']*'|\S+`).FindAllString(command, -1)
		for j := range args {
			args[j] = strings.Trim(args[j], "'")
		}
		var out, errs bytes.Buffer
		if code := run(t.Context(), args, &out, &errs); code != 0 || !regexp.MustCompile(want[i]).Match(out.Bytes()) {
			t.Errorf("%s: %d, %s, nothing matches %q in\n%s", command, code, &errs, want[i], &out)
		}
	}
}

// TestAStudentThatLostItsWarrantByChanceIsTaughtAgain: the story goes on where audits
// spoke against it before anything had changed.
func TestAStudentThatLostItsWarrantByChanceIsTaughtAgain(t *testing.T) {
	learns(t)
	t.Parallel()
	var told bytes.Buffer
	l, ctx := openedLoop(t, &told), t.Context()
	defer func() {
		if err := l.end(); err != nil {
			t.Error(err)
		}
	}()
	w := func() *evidence.Warrant { return l.warrants[len(l.warrants)-1] }
	revoke := func() error {
		r := &evidence.Revocation{Time: time.Now(), Warrant: w().ID, Skill: w().Skill, Candidate: w().Candidate, Model: w().Model, End: evidence.Dropped, Why: "bad luck"}
		return errors.Join(l.ledger.AddNotes(ctx, evidence.Note{Revocation: r}), l.news.Catch(ctx))
	}
	learn := func() error {
		_, err1 := l.chapter(ctx, 1, 800)
		_, _, err2 := l.kept(ctx)
		err3 := l.lesson(ctx)
		if l.over {
			err3 = errors.New("there is no warrant to lose")
		}
		return errors.Join(err1, err2, err3)
	}
	for _, do := range []func() error{learn, revoke} {
		if err := do(); err != nil {
			t.Fatalf("%v\n%s", err, &told)
		}
	}
	if l.standing().Revoked == nil {
		t.Fatal("it is not revoked")
	}
	if err := l.bySheerChance(ctx); err != nil || l.over || len(l.warrants) != 2 || l.standing().Revoked != nil {
		t.Fatalf("%v, %d warrants\n%s", err, len(l.warrants), &told)
	}
	c, err := l.chapter(ctx, 3, 20)
	if err != nil || c.own == 0 {
		t.Errorf("it answers none of 20 (%v)\n%s", err, &told)
	}
}
