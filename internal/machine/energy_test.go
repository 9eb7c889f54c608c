package machine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"strings"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"starling"
)

// A plant is a tree of files, some of which count energy while time passes.
type plant struct {
	fstest.MapFS
	counts  map[string]*tank
	working bool
	last    time.Time
	shut    string  // file that only the administrator may read
	load    float64 // of three cores, what others use; the work takes one
	busy    float64 // seconds of all that
	idle    float64
}

// A tank is what one counter counts, in watts and millionths of a joule.
type tank struct{ idle, working, taken, most float64 }

func (p *plant) pass() {
	now := time.Now()
	seconds, busy := now.Sub(p.last).Seconds(), p.load
	if p.working {
		busy++
	}
	p.busy, p.idle = p.busy+busy*seconds, p.idle+(3-busy)*seconds
	for _, t := range p.counts {
		watts := t.idle
		if p.working {
			watts = t.working
		}
		t.taken += watts * 1e6 * seconds
	}
	p.last = now
}

func (p *plant) ReadFile(name string) (text []byte, err error) {
	switch t := p.counts[name]; {
	case name == p.shut:
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
	case name == "proc/stat":
		p.pass()
		for n := range 3 {
			text = fmt.Appendf(text, "cpu%d %.0f 0 0 %.0f 0 0 0 0\n", n, p.busy/3*hertz, p.idle/3*hertz)
		}
		return text, nil
	case t != nil:
		p.pass()
		return fmt.Appendf(nil, "%.0f\n", math.Mod(t.taken, t.most)), nil
	}
	return fs.ReadFile(p.MapFS, name)
}

// start and stop are work that is done while the plant runs.
func (p *plant) start(context.Context) (stop func() error, err error) {
	p.pass()
	p.working = true
	return func() error { p.pass(); p.working = false; return nil }, nil
}

const capped = "sys/class/powercap/"

// zone adds one of RAPL's to the plant, whose counter stands near its end.
func (p *plant) zone(dir, name string, idle, working float64) {
	const most = 262143e6
	p.MapFS[capped+dir+"/name"] = &fstest.MapFile{Data: []byte(name + "\n")}
	p.MapFS[capped+dir+"/max_energy_range_uj"] = &fstest.MapFile{Data: fmt.Appendf(nil, "%.0f\n", most)}
	p.MapFS[capped+dir+"/energy_uj"] = &fstest.MapFile{}
	p.counts[capped+dir+"/energy_uj"] = &tank{idle, working, most - 15e6, most}
}

// server is two packages, and all that is in them, or holds them, or shows them again.
func server() *plant {
	p := &plant{MapFS: fstest.MapFS{}, counts: map[string]*tank{}, last: time.Now()}
	for n := range 2 {
		dir := fmt.Sprintf("intel-rapl:%d", n)
		p.zone(dir, fmt.Sprintf("package-%d", n), 10, 40)
		p.zone(dir+":0", "core", 5, 33)
		p.zone(dir+":1", "dram", 2, 4.5)
	}
	p.zone("intel-rapl:2", "psys", 60, 140)
	p.zone("intel-rapl-mmio:0", "package-0", 10, 40)
	p.MapFS[capped+"intel-rapl/enabled"] = &fstest.MapFile{Data: []byte("1\n")}
	return p
}

func near(a, b float64) bool { return math.Abs(a-b) < 1e-3 }

func TestWhatWorkDrawsIsMeasuredOnceAndPastTheEndOfACounter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := server()
		m, err := New(p).Meter()
		if err != nil {
			t.Fatal(err)
		}
		p.load = 0.3 // which is always somebody's
		d, err := m.Compare(t.Context(), 1, p.start)
		if err != nil || !near(d.Idle, 24) || !near(d.Working, 89) || !near(d.Above(), 65) || d.Of != "RAPL dram, package-0, package-1" || d.Seconds != 2 {
			t.Errorf("%+v, %v", d, err)
		}
	})
}

// TestSocketsOfAMDAreCountedWhereThereIsNoRAPL without the cores, which are in them.
func TestSocketsOfAMDAreCountedWhereThereIsNoRAPL(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const dir = "sys/class/hwmon/hwmon1/"
		p := &plant{MapFS: files(map[string]string{dir + "name": "amd_energy\n", dir + "energy1_label": "Ecore000\n", dir + "energy2_label": "Esocket0\n"}),
			counts: map[string]*tank{dir + "energy1_input": {5, 9, 0, 1e18}, dir + "energy2_input": {50, 80, 0, 1e18}}, last: time.Now()}
		m, err := New(p).Meter()
		if err != nil {
			t.Fatal(err)
		}
		if d, err := m.Compare(t.Context(), 1, p.start); err != nil || !near(d.Above(), 30) || d.Of != "amd_energy sockets" {
			t.Errorf("%+v, %v", d, err)
		}
	})
}

func TestWithoutACounterThatMayBeReadNothingIsMeasured(t *testing.T) {
	for name, host := range map[string]*Host{
		"a virtual machine": New(files()), "another system": {},
		"the graphics alone": New(files(map[string]string{"sys/class/hwmon/hwmon0/name": "xe\n", "sys/class/hwmon/hwmon0/energy1_input": "7\n"})),
	} {
		if m, err := host.Meter(); starling.KindOf(err) != starling.NotFound {
			t.Errorf("%s: %+v, %v", name, m, err)
		}
	}
	p := server()
	p.shut = capped + "intel-rapl:0/energy_uj"
	if m, err := New(p).Meter(); starling.KindOf(err) != starling.Forbidden || !strings.Contains(err.Error(), "/"+p.shut) {
		t.Errorf("for its administrator: %+v, %v", m, err)
	}
	delete(p.counts, capped+"intel-rapl:1/energy_uj")
	p.shut = ""
	if m, err := New(p).Meter(); starling.KindOf(err) != starling.NotFound {
		t.Errorf("one counter of two says nothing: %+v, %v", m, err)
	}
}

// TestWhatOthersDrawIsNobodysPrice takes changes that are none of the work's.
func TestWhatOthersDrawIsNobodysPrice(t *testing.T) {
	type start = func(context.Context) (stop func() error, err error)
	for name, change := range map[string]func(p *plant) start{
		"somebody began with it": func(p *plant) start {
			return func(ctx context.Context) (func() error, error) {
				p.pass()
				p.counts[capped+"intel-rapl:0/energy_uj"].idle += 14 // which is more than a fifth of what is above
				return p.start(ctx)
			}
		},
		"it is no work": func(*plant) start {
			return func(context.Context) (func() error, error) { return func() error { return nil }, nil }
		},
		"a counter is set back": func(p *plant) start {
			delete(p.MapFS, capped+"intel-rapl:0/max_energy_range_uj")
			return p.start
		},
		"others use the cores": func(p *plant) start {
			p.load = 2.6
			return p.start
		},
		"others use cores as long as it works": func(p *plant) start {
			return func(ctx context.Context) (func() error, error) {
				stop, err := p.start(ctx)
				p.load = 1
				return func() error { p.pass(); p.load = 0; return stop() }, err
			}
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			p := server()
			work := change(p)
			m, err := New(p).Meter()
			if err != nil {
				t.Fatal(err)
			}
			if d, err := m.Compare(t.Context(), 1, work); starling.KindOf(err) != starling.Overloaded || d != (Draw{}) {
				t.Errorf("%s: %+v, %v", name, d, err)
			}
		})
	}
}

func TestMeasuringEndsWithTheWorkOrWithWhoAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, failed := server(), errors.New("it failed")
		m, err := New(p).Meter()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := m.Compare(t.Context(), 1, func(context.Context) (func() error, error) { return nil, failed }); err != failed {
			t.Errorf("it does not begin: %v", err)
		}
		if _, err := m.Compare(t.Context(), 1, func(context.Context) (func() error, error) { return func() error { return failed }, nil }); err != failed {
			t.Errorf("it broke off: %v", err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		stopped := false
		_, err = m.Compare(ctx, 1, func(context.Context) (func() error, error) { return func() error { stopped = true; return nil }, nil })
		if !errors.Is(err, context.DeadlineExceeded) || !stopped {
			t.Errorf("nobody waits any more: %v, stopped %v", err, stopped)
		}
	})
}

func TestModelledWattsAreThoseOfBusyCores(t *testing.T) {
	if m, b, none := Modelled(2, Mains), Modelled(2, Battery), Modelled(-1, ""); m != 16 || b != 8 || none != 0 {
		t.Error(m, b, none)
	}
}
