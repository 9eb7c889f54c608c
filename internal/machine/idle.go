package machine

import (
	"fmt"
	"math"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// A Sample is how much time the cores have spent so far. Two of them say what is idle.
type Sample struct {
	at     time.Time
	cores  map[int]ticks
	own    map[int]int64 // ticks of each own process
	groups []group
	load   float64 // where there is no more than an average, cores in use; else -1
}

// ticks are those of one core since the machine was started, in units of [hertz].
type ticks struct{ idle, all int64 }

// hertz is the unit of /proc/stat, whatever the kernel's own.
const hertz = 100

// Sample looks at the cores that this process may use. Own are the processes whose use
// does not count as somebody else's: the engine's children. Wait at least a fifth of a
// second between two samples, for the clock of a core ticks a hundred times a second.
func (h *Host) Sample(own ...int) Sample {
	s := Sample{at: time.Now(), cores: map[int]ticks{}, own: map[int]int64{}, load: -1}
	if h.root == nil {
		if busy, ok := h.sys.load(); ok {
			s.load = busy
		}
		return s
	}
	allowed := h.allowed()
	for line := range strings.Lines(h.text("proc/stat")) {
		if n, t, ok := core(line); ok && (len(allowed) == 0 || allowed[n]) {
			s.cores[n] = t
		}
	}
	for _, pid := range own {
		if n, ok := h.spent(pid); ok {
			s.own[pid] = n
		}
	}
	s.groups = h.groups()
	return s
}

// core reads a line of one core: user, nice, system, idle, iowait, irq, softirq, steal.
// Guests, which follow, are in user already. Time stolen by other machines is busy.
func core(line string) (n int, t ticks, ok bool) {
	f := strings.Fields(line)
	if len(f) < 6 {
		return 0, t, false
	}
	number, isCore := strings.CutPrefix(f[0], "cpu")
	n, err := strconv.Atoi(number)
	if !isCore || err != nil {
		return 0, t, false
	}
	for i, word := range f[1:min(len(f), 9)] {
		v, err := strconv.ParseInt(word, 10, 64)
		if err != nil {
			return 0, t, false
		}
		t.all += v
		if i == 3 || i == 4 {
			t.idle += v
		}
	}
	return n, t, true
}

// spent returns the ticks that a process has had, with all its threads.
//
// Source: proc_pid_stat(5): utime and stime follow the name in brackets, which may hold
// anything.
func (h *Host) spent(pid int) (int64, bool) {
	text := h.text(fmt.Sprintf("proc/%d/stat", pid))
	f := strings.Fields(text[strings.LastIndexByte(text, ')')+1:])
	if len(f) < 13 {
		return 0, false
	}
	user, err := strconv.ParseInt(f[11], 10, 64)
	kernel, err2 := strconv.ParseInt(f[12], 10, 64)
	return user + kernel, err == nil && err2 == nil
}

// Idle is what others left of the cores between two samples.
type Idle struct {
	Cores     float64 // how many, at least 0; what own processes used is among them
	Throttled bool    // a control group made somebody wait: fewer threads get more done
	Measured  bool    // else it is an average, or all cores, for want of better
}

// Idle compares a sample with one before it, of the same host and processes. A process
// that has ended, or began, between the two counts as somebody else's.
//
// On macOS it is from the load average of a minute, own use not taken off; on Windows,
// and where nothing can be read, it is all cores.
func (s Sample) Idle(before Sample) Idle {
	idle, elapsed := 0.0, 0.0
	for n, now := range s.cores {
		if was, ok := before.cores[n]; ok && now.all > was.all {
			idle += clamp01(float64(now.idle-was.idle) / float64(now.all-was.all))
			elapsed = max(elapsed, float64(now.all-was.all)/hertz)
		}
	}
	if elapsed == 0 {
		return s.average()
	}
	own := 0.0
	for pid, now := range s.own {
		if was, ok := before.own[pid]; ok {
			own += max(float64(now-was), 0) / hertz / elapsed
		}
	}
	i := Idle{Cores: min(idle+own, float64(len(s.cores))), Measured: true}
	for n := range min(len(s.groups), len(before.groups)) {
		g, was := s.groups[n], before.groups[n]
		i.Throttled = i.Throttled || g.throttled > was.throttled
		if g.quota > 0 {
			others := max((g.spent-was.spent)/elapsed-own, 0)
			i.Cores = min(i.Cores, max(g.quota-others, 0))
		}
	}
	return i
}

func (s Sample) average() Idle {
	all := float64(runtime.NumCPU())
	if s.load < 0 || len(s.cores) > 0 {
		return Idle{Cores: all}
	}
	return Idle{Cores: min(max(all-s.load, 0), all)}
}

func clamp01(x float64) float64 { return math.Min(math.Max(x, 0), 1) }
