package machine

import (
	"math"
	"path"
	"slices"
	"strconv"
	"strings"
)

// A group is what one control group grants, of memory, of cores, or of both.
type group struct {
	limit int64   // bytes, 0: none
	used  int64   // bytes that could not be had back by dropping pages of files
	quota float64 // cores, 0: no limit

	spent     float64 // seconds of processor time so far
	throttled int64   // how often it was made to wait
}

// groups returns all that hold for this process: its own and those that they lie in, of
// both versions, since a machine may have one for memory and the other for cores.
//
// Sources: Linux, admin-guide/cgroup-v2 and cgroup-v1/memory; cgroups(7).
func (h *Host) groups() []group {
	var all []group
	for line := range strings.Lines(h.text("proc/self/cgroup")) {
		f := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(f) != 3 {
			continue
		}
		for _, dir := range h.chain(f[1], f[2]) {
			all = append(all, h.group(dir))
		}
	}
	return all
}

// chain returns the folders of a group and of those above it, as far as they can be seen
// from here. In a container the path may be that of the machine, whose beginning is not
// mounted.
func (h *Host) chain(controllers, own string) []string {
	root, mount := h.mount(controllers)
	if mount == "" {
		return nil
	}
	rest, inside := strings.CutPrefix(path.Clean(own), strings.TrimSuffix(root, "/"))
	if !inside || rest != "" && rest[0] != '/' {
		rest = ""
	}
	mount = strings.Trim(path.Clean(mount), "/")
	all := []string{mount}
	for dir := path.Join(mount, rest); len(dir) > len(mount)+1; dir = path.Dir(dir) { // mount, a slash and a name
		all = append(all, dir)
	}
	return all
}

// mount finds where groups of some controllers are mounted, and which group lies there;
// "" stands for those of version 2.
func (h *Host) mount(controllers string) (root, point string) {
	first, _, _ := strings.Cut(controllers, ",")
	for line := range strings.Lines(h.text("proc/self/mountinfo")) {
		before, after, _ := strings.Cut(line, " - ")
		b, a := strings.Fields(before), strings.Fields(after)
		if len(b) < 5 || len(a) < 3 {
			continue
		}
		if a[0] == "cgroup2" && controllers == "" || a[0] == "cgroup" && first != "" && slices.Contains(strings.Split(a[2], ","), first) {
			return b[3], b[4]
		}
	}
	return "", ""
}

// group reads one folder, of whichever version: the names of the files differ.
func (h *Host) group(dir string) group {
	at := func(name string) string { return path.Join(dir, name) }
	var g group
	for _, name := range []string{"memory.max", "memory.high", "memory.limit_in_bytes"} {
		if n, ok := h.number(at(name)); ok && n < 1<<60 && (g.limit == 0 || n < g.limit) {
			g.limit = max(n, 1) // a limit of nothing is one
		}
	}
	stat := h.fields(at("memory.stat"))
	for _, name := range []string{"memory.current", "memory.usage_in_bytes"} {
		if n, ok := h.number(at(name)); ok {
			files := stat["inactive_file"] + stat["active_file"]
			if _, sums := stat["total_inactive_file"]; sums {
				files = stat["total_inactive_file"] + stat["total_active_file"]
			}
			g.used = max(n-files, 0)
		}
	}
	cores := h.fields(at("cpu.stat"))
	g.spent, g.throttled = float64(cores["usage_usec"])/1e6, cores["nr_throttled"]
	if n, ok := h.number(at("cpuacct.usage")); ok {
		g.spent = float64(n) / 1e9
	}
	g.quota = h.quota(dir)
	return g
}

func (h *Host) quota(dir string) float64 {
	f := strings.Fields(h.text(path.Join(dir, "cpu.max")))
	if len(f) != 2 {
		f = []string{h.word(path.Join(dir, "cpu.cfs_quota_us")), h.word(path.Join(dir, "cpu.cfs_period_us"))}
	}
	quota, err := strconv.ParseFloat(f[0], 64)
	period, err2 := strconv.ParseFloat(f[1], 64)
	if err != nil || err2 != nil || quota <= 0 || period <= 0 || math.IsInf(quota/period, 0) {
		return 0
	}
	return quota / period
}
