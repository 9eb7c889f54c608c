package machine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"starling"
)

// A Meter is the counters of the energy that a machine's processors take, and its memory
// where that has counters of its own. It is immutable and safe for concurrent use.
type Meter struct {
	host     *Host
	of       string
	counters []counter
}

// A counter is a file that says how much was taken since some moment.
type counter struct {
	file string
	most int64 // millionths of a joule, after which it begins again; 0 never
}

// Meter returns what this machine's power can be measured with. Those of RAPL are counted
// that hold nothing of each other: packages, and the memory, which is in none of them.
// Cores and graphics are in their package, and psys holds packages. Where an old kernel
// has no RAPL for AMD's processors, its driver for their sockets is asked. What batteries and
// power supplies tell is not used: an average of seconds that nobody states.
//
// Errors: NotFound where there is no such counter that is known of, as on macOS and
// Windows and in virtual machines; Forbidden where there is one that this user may not read,
// since watching it tells of other people's secrets (CVE-2020-8694, CVE-2020-12912).
//
// Sources: Linux, power/powercap/powercap and hwmon/amd_energy; what holds what: Intel,
// Software Developer's Manual 3B, Platform Specific Power Management Support, RAPL
// domains.
func (h *Host) Meter() (*Meter, error) {
	m := &Meter{host: h}
	if h.root == nil || !(m.rapl() || m.sockets()) {
		return nil, &starling.Error{Kind: starling.NotFound, Op: "no counter of energy is known here", Hint: "state what answers draw, as watts under local"}
	}
	if _, err := m.read(); err != nil {
		return nil, err
	}
	return m, nil
}

// rapl finds the counters of RAPL. The same packages stand in a second tree beside it,
// intel-rapl-mmio.
func (m *Meter) rapl() bool {
	var names []string
	for _, dir := range m.host.below("sys/class/powercap") {
		name := m.host.word(path.Join(dir, "name"))
		if !strings.HasPrefix(path.Base(dir), "intel-rapl:") || !strings.HasPrefix(name, "package") && name != "dram" {
			continue
		}
		most, _ := m.host.number(path.Join(dir, "max_energy_range_uj"))
		m.counters = append(m.counters, counter{path.Join(dir, "energy_uj"), most})
		names = append(names, name)
	}
	slices.Sort(names)
	m.of = "RAPL " + strings.Join(slices.Compact(names), ", ")
	return len(names) > 0
}

// sockets finds the counters of AMD's driver, which counts each core beside its socket.
func (m *Meter) sockets() bool {
	for _, dir := range m.host.below("sys/class/hwmon") {
		if m.host.word(path.Join(dir, "name")) != "amd_energy" {
			continue
		}
		for _, file := range m.host.below(dir) {
			stem, is := strings.CutSuffix(file, "_label")
			if is && strings.HasPrefix(m.host.word(file), "Esocket") {
				m.counters = append(m.counters, counter{file: stem + "_input"})
			}
		}
	}
	m.of = "amd_energy sockets"
	return len(m.counters) > 0
}

// unlock is what lets everybody read the counters, until the machine is started again.
const unlock = "sudo chmod a+r /sys/class/powercap/intel-rapl:*/energy_uj (or, of an old AMD driver, /sys/class/hwmon/hwmon*/energy*_input) and ask again; " +
	"then sudo chmod go-r the same, since programs that watch them can guess at secrets of others"

// read reads all counters, in millionths of a joule.
func (m *Meter) read() ([]int64, error) {
	all := make([]int64, len(m.counters))
	for i, c := range m.counters {
		text, err := fs.ReadFile(m.host.root, c.file)
		switch {
		case errors.Is(err, fs.ErrPermission):
			return nil, &starling.Error{Kind: starling.Forbidden, Op: "only the administrator may read /" + c.file, Hint: unlock}
		case err == nil:
			all[i], err = strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
		}
		if err != nil {
			return nil, &starling.Error{Kind: starling.NotFound, Op: "a counter of energy says nothing: /" + c.file, Err: err}
		}
	}
	return all, nil
}

// A Draw is what a machine draws with and without some work. Watts are averages of as
// many seconds each.
type Draw struct {
	Of      string  `json:"of"` // what was measured: "RAPL dram, package-0"
	Idle    float64 `json:"idle_watts"`
	Working float64 `json:"working_watts"`
	Seconds float64 `json:"seconds"`
}

// Above is what the work takes beyond an idle machine, in watts.
func (d Draw) Above() float64 { return d.Working - d.Idle }

const (
	span      = 2 * time.Second        // over which power is averaged
	settling  = 500 * time.Millisecond // until clocks and voltages are what they stay
	leastDraw = 0.5                    // watts below which a difference shows no work
	others    = 0.5                    // cores that others may use of those that the work needs
)

// Compare measures the machine idle, then while so many threads work, then idle again,
// in about eight seconds. Start begins the work, which is under way when it returns; the
// stop that it returns ends it, and says what went wrong until then.
//
// Errors: Overloaded where the figures would be somebody else's too: others used the
// cores, or the machine was not as idle afterwards as before, by a fifth of what the work
// took; those of [Host.Meter], of start and of stop; and ctx.Err().
func (m *Meter) Compare(ctx context.Context, threads int, start func(context.Context) (stop func() error, err error)) (Draw, error) {
	before, err := m.glance(ctx)
	if err == nil {
		err = before.leaves(float64(threads))
	}
	if err != nil {
		return Draw{}, err
	}
	stop, err := start(ctx)
	if err != nil {
		return Draw{}, err
	}
	working, err := m.glance(ctx)
	if failed := stop(); err == nil {
		err = failed
	}
	if err == nil {
		err = working.leaves(before.left.Cores - float64(threads))
	}
	if err != nil {
		return Draw{}, err
	}
	after, err := m.glance(ctx)
	if err == nil {
		err = after.leaves(float64(threads))
	}
	if err != nil {
		return Draw{}, err
	}
	d := Draw{Of: m.of, Idle: (before.watts + after.watts) / 2, Working: working.watts, Seconds: span.Seconds()}
	if d.Above() < leastDraw || math.Abs(after.watts-before.watts) > d.Above()/5 {
		return Draw{}, busy(fmt.Sprintf("it drew %.1f W before the work, %.1f W with it and %.1f W after", before.watts, working.watts, after.watts))
	}
	return d, nil
}

// A glance is what was drawn over a span, and what was left of the cores.
type glance struct {
	watts float64
	left  Idle
}

// leaves returns an error unless so many cores were left, or nobody knows.
func (g glance) leaves(cores float64) error {
	if g.left.Measured && g.left.Cores < cores-others {
		return busy(fmt.Sprintf("%.1f cores were idle, where it takes %.1f", g.left.Cores, cores))
	}
	return nil
}

func (m *Meter) glance(ctx context.Context) (glance, error) {
	before := m.host.Sample()
	watts, err := m.watts(ctx)
	if err != nil {
		return glance{}, err
	}
	return glance{watts, m.host.Sample().Idle(before)}, nil
}

func busy(why string) error {
	return &starling.Error{Kind: starling.Overloaded, Op: "power was not measured, as the machine was busy with something else: " + why, Hint: "ask again when nothing else is going on"}
}

// watts returns what is drawn, once that has settled.
func (m *Meter) watts(ctx context.Context) (float64, error) {
	if err := pause(ctx, settling); err != nil {
		return 0, err
	}
	before, err := m.read()
	if err != nil {
		return 0, err
	}
	begin := time.Now()
	if err := pause(ctx, span); err != nil {
		return 0, err
	}
	after, err := m.read()
	if err != nil {
		return 0, err
	}
	seconds, joules := time.Since(begin).Seconds(), 0.0
	for i, c := range m.counters {
		spent := after[i] - before[i]
		if spent < 0 {
			spent += c.most
		}
		if spent < 0 {
			return 0, busy("/" + c.file + " was set back")
		}
		joules += float64(spent) / 1e6
	}
	return joules / seconds, nil
}

func pause(ctx context.Context, long time.Duration) error {
	t := time.NewTimer(long)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Watts for a core that is busy.
const (
	coreOnMains   = 8.0
	coreOnBattery = 4.0
)

// Modelled estimates the watts of so many busy cores, beyond those of an idle machine: 8
// for each, and 4 on battery. Makers' figures for processors with all cores busy lie
// between 4 (servers of 64 cores with 280 W) and 13 (desktops of 8 with 105 W), and
// between 2 and 4 for laptops (8 with 15 to 28 W).
func Modelled(cores float64, on Supply) float64 {
	if on == Battery {
		return coreOnBattery * max(cores, 0)
	}
	return coreOnMains * max(cores, 0)
}
