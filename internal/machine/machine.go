// Package machine says what this machine has and what of it is idle: memory and the
// limits that hold here, cores and what others leave of them, how fast memory is read,
// where the power comes from, and how much of it some work takes. It only looks; nothing is
// changed.
//
// On Linux all comes from files below one root, so that a [Host] of a test is a tree of
// files. On macOS and Windows memory and load are asked of the system, and what is not
// known there is said to be unknown.
//
// Start reading at [Host.Look].
package machine

import (
	"errors"
	"io/fs"
	"runtime"
	"strconv"
	"strings"

	"starling"

	"golang.org/x/sys/cpu"
)

// A Host is a machine to look at. It is immutable and safe for concurrent use.
type Host struct {
	root fs.FS  // of a Linux system; nil where the system is asked instead
	sys  system // where root is nil
}

// A system is what is asked where there are no files to read.
type system struct {
	memory func() (total, available int64, err error)
	load   func() (busy float64, ok bool) // cores in use, averaged over a minute
}

// New returns the host whose files lie below root, as those of Linux do below "/".
func New(root fs.FS) *Host { return &Host{root: root} }

// A Machine is what there is at a moment. Bytes are of main memory.
type Machine struct {
	CPU      string   // "AMD EPYC 7763 64-Core Processor", "" unknown
	ISA      []string // extensions that matter to an engine: "avx2", "avx512_vnni"
	Cores    int      // logical ones that this process may be scheduled on
	Physical int      // of these, those that are cores of their own; as Cores where unknown
	Quota    float64  // cores that its control groups grant it over time, 0: no limit

	Total     int64 // bytes of the machine
	Limit     int64 // bytes of the nearest limit of a control group, 0: none
	Available int64 // bytes that could be taken now: the least of what machine and groups have left
}

// Threads returns how many threads can run at once: no more than cores, nor than the
// quota feeds, and at least 1.
func (m Machine) Threads() int {
	n := m.Physical
	if m.Quota > 0 {
		n = min(n, int(m.Quota+0.05)) // a quota of 1.96 feeds two
	}
	return max(n, 1)
}

// Look says what there is now. Pages that the system holds of files count as available,
// since it drops them when somebody needs the room; those of models that are in use are
// among them, which the caller takes off.
//
// Errors: Internal if even the memory of the machine is not known.
func (h *Host) Look() (Machine, error) {
	m := Machine{Cores: runtime.NumCPU(), ISA: isa()}
	if h.root == nil {
		m.Physical = m.Cores
		var err error
		if m.Total, m.Available, err = h.sys.memory(); err != nil {
			return m, unseen(err)
		}
		return m, nil
	}
	info := h.fields("proc/meminfo")
	m.Total, m.Available = info["MemTotal"]<<10, info["MemAvailable"]<<10
	if m.Total <= 0 {
		return m, unseen(errors.New("/proc/meminfo does not say how much there is"))
	}
	if allowed := h.allowed(); len(allowed) > 0 {
		m.Cores = len(allowed)
	}
	m.CPU, m.Physical = h.processor(m.Cores)
	for _, g := range h.groups() {
		m.narrow(g)
	}
	m.Available = max(m.Available, 0)
	return m, nil
}

func unseen(err error) error {
	return &starling.Error{Kind: starling.Internal, Op: "machine: look at the memory", Err: err}
}

// narrow takes in what one control group grants.
func (m *Machine) narrow(g group) {
	if g.limit > 0 && g.limit < m.Total {
		if m.Limit == 0 || g.limit < m.Limit {
			m.Limit = g.limit
		}
		m.Available = min(m.Available, g.limit-g.used)
	}
	if g.quota > 0 && (m.Quota == 0 || g.quota < m.Quota) {
		m.Quota = g.quota
	}
}

// allowed returns the numbers of the cores that this process may use, nil if unknown.
func (h *Host) allowed() map[int]bool {
	for line := range strings.Lines(h.text("proc/self/status")) {
		if list, ok := strings.CutPrefix(line, "Cpus_allowed_list:"); ok {
			return numbers(list)
		}
	}
	return nil
}

// numbers reads a list such as "0-3,8".
func numbers(list string) map[int]bool {
	all := map[int]bool{}
	for part := range strings.SplitSeq(strings.TrimSpace(list), ",") {
		first, last, ranged := strings.Cut(part, "-")
		if !ranged {
			last = first
		}
		a, err := strconv.Atoi(first)
		b, err2 := strconv.Atoi(last)
		if err != nil || err2 != nil || a < 0 || b-a > 1<<16 {
			return nil
		}
		for ; a <= b; a++ {
			all[a] = true
		}
	}
	return all
}

// processor returns the name and how many cores of their own there are, at most cores.
func (h *Host) processor(cores int) (name string, physical int) {
	seen := map[string]bool{}
	socket, allowed, here := "", h.allowed(), true
	for line := range strings.Lines(h.text("proc/cpuinfo")) {
		key, value, _ := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		switch strings.TrimSpace(key) {
		case "processor":
			n, _ := strconv.Atoi(value)
			here = len(allowed) == 0 || allowed[n]
		case "model name", "Model":
			name = value
		case "physical id":
			socket = value
		case "core id":
			if here {
				seen[socket+" "+value] = true
			}
		}
	}
	if len(seen) == 0 {
		return name, cores
	}
	return name, min(len(seen), cores)
}

// isa lists what of the processor makes an engine faster.
func isa() []string {
	var all []string
	for _, x := range []struct {
		name string
		has  bool
	}{
		{"avx", cpu.X86.HasAVX}, {"avx2", cpu.X86.HasAVX2}, {"fma", cpu.X86.HasFMA}, {"f16c", cpu.X86.HasF16C}, {"bmi2", cpu.X86.HasBMI2},
		{"avx_vnni", cpu.X86.HasAVXVNNI}, {"avx512f", cpu.X86.HasAVX512F}, {"avx512_vnni", cpu.X86.HasAVX512VNNI},
		{"avx512_bf16", cpu.X86.HasAVX512BF16}, {"amx_int8", cpu.X86.HasAMXInt8},
		{"neon", cpu.ARM64.HasASIMD}, {"dotprod", cpu.ARM64.HasASIMDDP}, {"fp16", cpu.ARM64.HasASIMDHP}, {"i8mm", cpu.ARM64.HasI8MM}, {"sve", cpu.ARM64.HasSVE},
	} {
		if x.has {
			all = append(all, x.name)
		}
	}
	return all
}
