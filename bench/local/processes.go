package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"starling/bench/process"
)

// peak is the high water mark of the resident memory of processes together, in bytes.
// One that is not there any more counts for nothing.
func peak(pids []int) (bytes int64) {
	for _, pid := range pids {
		text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		for line := range strings.Lines(string(text)) {
			if value, ok := strings.CutPrefix(line, "VmHWM:"); ok {
				kib, _ := strconv.ParseInt(strings.Fields(value)[0], 10, 64)
				bytes += kib << 10
			}
		}
	}
	return bytes
}

// tick is the unit in which the kernel tells processor time.
const tick = 10 * time.Millisecond

// stat returns the fields of a process that follow its name, which may hold anything.
//
// Source: proc_pid_stat(5).
func stat(path string) []string {
	text, _ := os.ReadFile(path)
	return strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
}

// spent is the processor time that processes have had, that of their ended threads too,
// of which the engine has many.
func spent(pids []int) (sum time.Duration) {
	for _, pid := range pids {
		if f := stat(fmt.Sprintf("/proc/%d/stat", pid)); len(f) > 12 {
			user, _ := strconv.Atoi(f[11])
			kernel, _ := strconv.Atoi(f[12])
			sum += time.Duration(user+kernel) * tick
		}
	}
	return sum
}

// children are the processes that a process has started.
func children(pid int) (pids []int) {
	paths, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range paths {
		if f := stat(path); len(f) > 1 && f[1] == strconv.Itoa(pid) {
			child, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
			pids = append(pids, child)
		}
	}
	return pids
}

// lived is the processor time of this process and of those that it has waited for.
func lived() time.Duration { return process.Used() + process.UsedByChildren() }

// Clocks are what all cores have done since the machine was started.
type clocks struct {
	at                time.Time
	all, idle, stolen time.Duration
}

// readClocks leaves out what cannot be read.
//
// Source: proc_stat(5).
func readClocks() (c clocks) {
	c.at = time.Now()
	text, _ := os.ReadFile("/proc/stat")
	line, _, _ := strings.Cut(string(text), "\n")
	for i, word := range strings.Fields(line) {
		n, err := strconv.Atoi(word)
		if err != nil || i > 8 { // guests, which follow, are in user already
			continue
		}
		c.all += time.Duration(n) * tick
		switch i {
		case 4, 5:
			c.idle += time.Duration(n) * tick
		case 8:
			c.stolen += time.Duration(n) * tick
		}
	}
	return c
}
