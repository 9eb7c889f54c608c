package local

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"starling"
	"starling/internal/wire"
)

// abandon is the life of a parent that is killed while its child listens to nobody.
func abandon(diary string) {
	text, _ := json.Marshal(script{Load: "deaf", Diary: diary})
	l, err := New(Options{
		Name: "local", Command: func() *exec.Cmd { return acting(string(text)) }, Weights: []Weights{{Name: "m", Context: 1, Speaker: echo{}}},
		Need: func(Weights) (int64, error) { return 1, nil }, Room: func([]int) int64 { return 1 }, Idle: func([]int) int { return 1 },
	})
	if err != nil {
		panic(err)
	}
	r, _ := wire.Parse(starling.OpenAI, []byte(`{"model":"m","messages":[{"role":"user","content":"x"}]}`))
	c := starling.Call{Model: l.Models()[0], Request: &r, Furthest: starling.Machine, Left: func(string) {}}
	go l.Generate(context.Background(), c)(func(starling.Event, error) bool { return true })
	for !l.Standings()[0].Loaded {
		time.Sleep(time.Millisecond)
	}
	fmt.Println("ready")
	time.Sleep(time.Hour)
}

func TestNoChildOutlivesAParentThatIsKilled(t *testing.T) {
	th := &theatre{diary: filepath.Join(t.TempDir(), "diary")}
	parent := exec.Command(os.Args[0])
	parent.Env = append(os.Environ(), parentVar+"="+th.diary)
	out, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	ready := make([]byte, 5)
	if _, err := out.Read(ready); err != nil || string(ready) != "ready" {
		t.Errorf("the parent says %q, %v", ready, err)
	}
	_ = parent.Process.Kill()
	_ = parent.Wait()
	var pid int
	fmt.Sscanf(th.entries("pid ")[0], "pid %d", &pid)
	eventually(t, "the child ends", func() bool { return !alive(pid) })
}
