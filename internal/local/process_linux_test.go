package local

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// TestAnEngineForNobodyGivesWayAndTakesItsPlaceBack reads what the system itself says
// of a child that is told nothing.
func TestAnEngineForNobodyGivesWayAndTakesItsPlaceBack(t *testing.T) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childVar+fmt.Sprintf("={\"Diary\":%q}", filepath.Join(t.TempDir(), "diary")))
	if _, err := cmd.StdinPipe(); err != nil { // it waits for what it is told
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	pid := cmd.Process.Pid
	before := scheduled(t, pid)
	if err := ease(pid, true); err != nil {
		t.Fatal(err)
	}
	if now := scheduled(t, pid); now.policy != int(yielding(nice())) || now.nice != before.nice {
		t.Errorf("an engine that nobody waits for runs as %+v", now)
	}
	if err := ease(pid, false); err != nil {
		t.Fatal(err)
	}
	if now := scheduled(t, pid); now != before {
		t.Errorf("an engine that somebody waits for again runs as %+v, before as %+v", now, before)
	}
}

type schedule struct{ nice, policy int }

// scheduled reads a process' nice value and policy: fields 19 and 41 of proc(5)'s stat.
func scheduled(t *testing.T, pid int) (s schedule) {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(stat), ") ") // the name may hold anything
	fields := strings.Fields(rest)                // from the third on
	s.nice, _ = strconv.Atoi(fields[19-3])
	s.policy, _ = strconv.Atoi(fields[41-3])
	return s
}
