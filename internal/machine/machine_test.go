package machine

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"testing"
	"testing/fstest"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"starling"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// files makes a tree of files.
func files(all ...map[string]string) fstest.MapFS {
	tree := fstest.MapFS{}
	for _, some := range all {
		for name, text := range some {
			tree[name] = &fstest.MapFile{Data: []byte(text)}
		}
	}
	return tree
}

const gib = int64(1) << 30

// metal is a machine of 16 GiB, of which 12 are available, and four cores with two threads
// each.
var metal = map[string]string{
	"proc/meminfo":     "MemTotal:       16777216 kB\nMemFree:         1000000 kB\nMemAvailable:   12582912 kB\n",
	"proc/self/status": "Name:\tx\nCpus_allowed_list:\t0-7\n",
	"proc/cpuinfo":     cpuinfo(8),
}

func cpuinfo(threads int) (text string) {
	for i := range threads {
		text += fmt.Sprintf("processor\t: %d\nmodel name\t: Some CPU @ 2.00GHz\nphysical id\t: 0\ncore id\t\t: %d\n\n", i, i/2)
	}
	return text
}

const (
	mounts2 = "30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"
	mounts1 = "31 30 0:27 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n32 30 0:28 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
)

func look(t *testing.T, tree fstest.MapFS) Machine {
	t.Helper()
	m, err := New(tree).Look()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestTheNearestLimitOfAllGroupsHolds(t *testing.T) {
	none := map[string]string{}
	for _, x := range []struct {
		name                    string
		tree                    map[string]string
		limit, available, cores int64 // cores: what Threads says
	}{
		{"nothing is said of groups", none, 0, 12 * gib, 4},
		{"no limit", map[string]string{
			"proc/self/cgroup": "0::/user.slice\n", "proc/self/mountinfo": mounts2,
			"sys/fs/cgroup/user.slice/memory.max": "max\n", "sys/fs/cgroup/user.slice/memory.high": "max\n", "sys/fs/cgroup/user.slice/cpu.max": "max 100000\n",
		}, 0, 12 * gib, 4},
		{"a container that sees its own group as the root", map[string]string{
			"proc/self/cgroup": "0::/\n", "proc/self/mountinfo": mounts2,
			"sys/fs/cgroup/memory.max": "4294967296\n", "sys/fs/cgroup/memory.current": "1073741824\n",
			"sys/fs/cgroup/memory.stat": "anon 500000000\ninactive_file 268435456\nactive_file 268435456\n", "sys/fs/cgroup/cpu.max": "200000 100000\n",
		}, 4 * gib, 4*gib - gib/2, 2},
		{"a container that sees the machine's path", map[string]string{
			"proc/self/cgroup": "0::/docker/abc\n", "proc/self/mountinfo": "30 23 0:26 /docker/abc /sys/fs/cgroup ro - cgroup2 cgroup rw\n",
			"sys/fs/cgroup/memory.max": "2147483648\n", "sys/fs/cgroup/memory.current": "0\n",
		}, 2 * gib, 2 * gib, 4},
		{"a group whose path only begins alike", map[string]string{
			"proc/self/cgroup": "0::/docker/abcdef\n", "proc/self/mountinfo": "30 23 0:26 /docker/abc /sys/fs/cgroup ro - cgroup2 cgroup rw\n",
			"sys/fs/cgroup/memory.max": "2147483648\n", "sys/fs/cgroup/memory.current": "0\n", "sys/fs/cgroup/def/memory.max": "1\n",
		}, 2 * gib, 2 * gib, 4},
		{"the group above is the narrower", map[string]string{
			"proc/self/cgroup": "0::/a/b\n", "proc/self/mountinfo": mounts2,
			"sys/fs/cgroup/a/b/memory.max": "8589934592\n", "sys/fs/cgroup/a/b/memory.current": "0\n", "sys/fs/cgroup/a/b/cpu.max": "max 100000\n",
			"sys/fs/cgroup/a/memory.max": "3221225472\n", "sys/fs/cgroup/a/memory.current": "1073741824\n", "sys/fs/cgroup/a/cpu.max": "50000 100000\n",
		}, 3 * gib, 2 * gib, 1},
		{"what slows down is a limit too", map[string]string{
			"proc/self/cgroup": "0::/a\n", "proc/self/mountinfo": mounts2,
			"sys/fs/cgroup/a/memory.max": "8589934592\n", "sys/fs/cgroup/a/memory.high": "1073741824\n", "sys/fs/cgroup/a/memory.current": "0\n",
		}, gib, gib, 4},
		{"a group that is over its limit", map[string]string{
			"proc/self/cgroup": "0::/a\n", "proc/self/mountinfo": mounts2,
			"sys/fs/cgroup/a/memory.high": "1073741824\n", "sys/fs/cgroup/a/memory.current": "2147483648\n",
		}, gib, 0, 4},
		{"version 1", map[string]string{
			"proc/self/cgroup": "5:cpu,cpuacct:/x\n4:memory:/x\n1:name=systemd:/x\n0::/x\n", "proc/self/mountinfo": mounts1,
			"sys/fs/cgroup/memory/x/memory.limit_in_bytes": "5368709120\n", "sys/fs/cgroup/memory/x/memory.usage_in_bytes": "2147483648\n",
			"sys/fs/cgroup/memory/x/memory.stat":           "inactive_file 1\ntotal_inactive_file 1073741824\ntotal_active_file 0\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes":   "9223372036854771712\n",
			"sys/fs/cgroup/cpu,cpuacct/x/cpu.cfs_quota_us": "300000\n", "sys/fs/cgroup/cpu,cpuacct/x/cpu.cfs_period_us": "100000\n",
			"sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "-1\n", "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
		}, 5 * gib, 4 * gib, 3},
		{"a limit beyond the machine is none", map[string]string{
			"proc/self/cgroup": "0::/\n", "proc/self/mountinfo": mounts2, "sys/fs/cgroup/memory.max": "99999999999\n",
		}, 0, 12 * gib, 4},
		{"groups that are mounted at the root", map[string]string{"proc/self/cgroup": "0::/a/b\n", "proc/self/mountinfo": "30 23 0:26 / / rw - cgroup2 cgroup2 rw\n"}, 0, 12 * gib, 4},
		{"nonsense is not known", map[string]string{
			"proc/self/cgroup": "a\n0::\n:::::\n", "proc/self/mountinfo": "x - y\n\n - cgroup2 a b\n" + mounts2,
			"sys/fs/cgroup/memory.max": "much", "sys/fs/cgroup/cpu.max": "0 0", "sys/fs/cgroup/memory.stat": "inactive_file",
		}, 0, 12 * gib, 4},
	} {
		m := look(t, files(metal, x.tree))
		if m.Total != 16*gib || m.Limit != x.limit || m.Available != x.available || m.Threads() != int(x.cores) {
			t.Errorf("%s: limit %d, available %d, %d threads; want %d, %d, %d", x.name, m.Limit, m.Available, m.Threads(), x.limit, x.available, x.cores)
		}
	}
}

func TestEachLimitFromOneToEightGiBIsSeenInBothVersions(t *testing.T) {
	for n := int64(1); n <= 8; n++ {
		limit := fmt.Sprintln(n * gib)
		for version, tree := range map[string]map[string]string{
			"2": {"proc/self/cgroup": "0::/s\n", "proc/self/mountinfo": mounts2, "sys/fs/cgroup/s/memory.max": limit, "sys/fs/cgroup/s/memory.current": "536870912\n"},
			"1": {"proc/self/cgroup": "4:memory:/s\n", "proc/self/mountinfo": mounts1, "sys/fs/cgroup/memory/s/memory.limit_in_bytes": limit, "sys/fs/cgroup/memory/s/memory.usage_in_bytes": "536870912\n"},
		} {
			if m := look(t, files(metal, tree)); m.Limit != n*gib || m.Available != n*gib-gib/2 {
				t.Errorf("version %s, %d GiB: limit %d, available %d", version, n, m.Limit, m.Available)
			}
		}
	}
}

func TestOnlyCoresThatMayBeUsedAreCounted(t *testing.T) {
	for list, want := range map[string][2]int{"0-7": {8, 4}, "0,1": {2, 1}, "0,2,4-5": {4, 3}, "7": {1, 1}} {
		m := look(t, files(metal, map[string]string{"proc/self/status": "Cpus_allowed_list:\t" + list + "\n"}))
		if m.Cores != want[0] || m.Physical != want[1] {
			t.Errorf("%s: %d cores, %d of their own; want %v", list, m.Cores, m.Physical, want)
		}
	}
	if m := look(t, files(metal, map[string]string{"proc/self/status": "", "proc/cpuinfo": ""})); m.Cores != runtime.NumCPU() || m.Physical != m.Cores || m.CPU != "" {
		t.Errorf("where nothing is said: %+v", m)
	}
}

func TestAMachineWithoutAMemoryIsAnError(t *testing.T) {
	if _, err := New(files()).Look(); starling.KindOf(err) != starling.Internal {
		t.Errorf("got %v", err)
	}
}

func TestThisMachineIsSeen(t *testing.T) {
	m, err := Here().Look()
	if err != nil && slices.Contains([]string{"linux", "darwin", "windows"}, runtime.GOOS) {
		t.Fatal(err)
	}
	if err == nil && (m.Available <= 0 || m.Available > m.Total || m.Cores < 1 || m.Physical < 1 || m.Physical > m.Cores) {
		t.Errorf("%+v", m)
	}
	if i := Here().Sample().Idle(Here().Sample()); i.Cores < 0 || i.Cores > float64(runtime.NumCPU()) {
		t.Errorf("%+v", i)
	}
}

func TestMemoryIsReadAndTheThreadsEnd(t *testing.T) {
	b := 0.0
	for try := 0; b < 1e6 && try < 100; try++ { // a busy machine may let neither thread run in that time
		b = Bandwidth(t.Context(), 2, 10*time.Millisecond)
	}
	if b < 1e6 || b > 1e14 {
		t.Errorf("%g bytes a second", b)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if b := Bandwidth(ctx, 0, time.Hour); b != 0 {
		t.Errorf("%g bytes a second after the caller left", b)
	}
}

// stat makes /proc/stat of cores, each with busy and idle ticks.
func stat(cores ...[2]int64) string {
	text := "cpu  0 0 0 0 0 0 0 0 0 0\n"
	for i, c := range cores {
		text += fmt.Sprintf("cpu%d %d 0 0 %d 0 0 0 0 0 0\n", i, c[0], c[1])
	}
	return text + "intr 5\nctxt 1\n"
}

func TestIdleIsWhatOthersLeave(t *testing.T) {
	group := func(used, throttled int64) map[string]string {
		return map[string]string{
			"proc/self/cgroup": "0::/\n", "proc/self/mountinfo": mounts2, "sys/fs/cgroup/cpu.max": "200000 100000\n",
			"sys/fs/cgroup/cpu.stat": fmt.Sprintf("usage_usec %d\nnr_throttled %d\n", used, throttled),
		}
	}
	child := func(ticks int64) map[string]string {
		return map[string]string{"proc/77/stat": fmt.Sprintf("77 (a ) b) S 1 1 1 0 -1 0 0 0 0 0 %d 0 0 0 20 0", ticks)}
	}
	allowed := map[string]string{"proc/self/status": "Cpus_allowed_list:\t0-3\n"}
	four := func(busy, idle int64) map[string]string {
		c := [2]int64{busy, idle}
		return map[string]string{"proc/stat": stat(c, c, c, c)}
	}
	for _, x := range []struct {
		name          string
		before, after []map[string]string
		want          Idle
	}{
		{"nobody works", []map[string]string{four(0, 0)}, []map[string]string{four(0, 100)}, Idle{Cores: 4, Measured: true}},
		{"everybody works", []map[string]string{four(5, 5)}, []map[string]string{four(105, 5)}, Idle{Measured: true}},
		{"half", []map[string]string{four(0, 0)}, []map[string]string{four(100, 100)}, Idle{Cores: 2, Measured: true}},
		{"our own work does not count", []map[string]string{four(0, 0), child(10)}, []map[string]string{four(50, 50), child(160)}, Idle{Cores: 3.5, Measured: true}},
		{"but never more than there is", []map[string]string{four(0, 0), child(0)}, []map[string]string{four(0, 100), child(900)}, Idle{Cores: 4, Measured: true}},
		{"a child that began between the two is somebody else", []map[string]string{four(0, 0)}, []map[string]string{four(50, 50), child(100)}, Idle{Cores: 2, Measured: true}},
		{"a quota that others use up", []map[string]string{four(0, 0), group(0, 3)}, []map[string]string{four(25, 75), group(1500000, 3)}, Idle{Cores: 0.5, Measured: true}},
		{"a quota that we use up ourselves", []map[string]string{four(0, 0), group(0, 3), child(0)}, []map[string]string{four(50, 50), group(2000000, 9), child(200)}, Idle{Cores: 2, Throttled: true, Measured: true}},
		{"no time has passed", []map[string]string{four(1, 1)}, []map[string]string{four(1, 1)}, Idle{Cores: float64(runtime.NumCPU())}},
		{"nothing can be read", nil, nil, Idle{Cores: float64(runtime.NumCPU())}},
		{"nonsense", []map[string]string{{"proc/stat": "cpu0 1 2\ncpux 1 2 3 4 5 6\ncpu1 a b c d e f\n"}}, []map[string]string{{"proc/stat": ""}}, Idle{Cores: float64(runtime.NumCPU())}},
	} {
		before, after := New(files(append(x.before, allowed)...)), New(files(append(x.after, allowed)...))
		if got := after.Sample(77).Idle(before.Sample(77)); got != x.want {
			t.Errorf("%s: %+v, want %+v", x.name, got, x.want)
		}
	}
}

func TestOnlyWhatAProcessHasToItselfIsHeld(t *testing.T) {
	h := New(files(map[string]string{"proc/7/status": "VmRSS:\t  900 kB\nRssAnon:\t     300 kB\nRssFile:\t     600 kB\n", "proc/8/status": "RssAnon:\t 4 kB\n"}))
	if n := h.Held(7, 8, 9); n != 304<<10 {
		t.Errorf("%d", n)
	}
}

func TestOtherCoresThanOursAreNobodysBusiness(t *testing.T) {
	tree := func(busy, idle int64) fstest.MapFS {
		return files(map[string]string{"proc/self/status": "Cpus_allowed_list:\t1\n", "proc/stat": stat([2]int64{0, idle}, [2]int64{busy, 0})})
	}
	if got := New(tree(100, 100)).Sample().Idle(New(tree(0, 0)).Sample()); got.Cores != 0 {
		t.Errorf("%+v", got)
	}
}

func TestIdleIsNeverNegativeNorMoreThanTheCores(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		host := func() *Host {
			n := rapid.Int64Range(0, 1000)
			return New(files(map[string]string{
				"proc/stat":   stat([2]int64{n.Draw(t, "busy"), n.Draw(t, "idle")}, [2]int64{n.Draw(t, "busy"), n.Draw(t, "idle")}),
				"proc/9/stat": fmt.Sprintf("9 (x) S 1 1 1 0 -1 0 0 0 0 0 %d %d 0 0 20 0", n.Draw(t, "user"), n.Draw(t, "kernel")),
			}))
		}
		i := host().Sample(9).Idle(host().Sample(9))
		if most := float64(max(2, runtime.NumCPU())); !(i.Cores >= 0 && i.Cores <= most) {
			t.Fatalf("%+v", i)
		}
	})
}
