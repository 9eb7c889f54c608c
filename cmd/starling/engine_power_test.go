package main

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"starling"
	"starling/internal/hub"
	"starling/internal/machine"
)

// shut is a tree of files whose counters of energy only the administrator may read.
type shut struct{ fstest.MapFS }

func (s shut) ReadFile(name string) ([]byte, error) {
	if strings.HasSuffix(name, "energy_uj") {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
	}
	return fs.ReadFile(s.MapFS, name)
}

// fourCores is a machine of four cores with a counter of energy.
func fourCores(cpu string, more ...string) fstest.MapFS {
	const capped = "sys/class/powercap/intel-rapl:0/"
	tree := fstest.MapFS{
		"proc/meminfo": {Data: []byte("MemTotal: 16777216 kB\nMemAvailable: 12582912 kB\n")}, "proc/self/status": {Data: []byte("Cpus_allowed_list:\t0-3\n")},
		"proc/cpuinfo": {Data: []byte("model name\t: " + cpu + "\n")}, capped + "name": {Data: []byte("package-0\n")}, capped + "energy_uj": {Data: []byte("1\n")},
	}
	for i := 0; i < len(more); i += 2 {
		tree[more[i]] = &fstest.MapFile{Data: []byte(more[i+1])}
	}
	return tree
}

// TestAPriceSaysWhetherItsWattsWereMeasured, which holds for the setting alone in which
// they were.
func TestAPriceSaysWhetherItsWattsWereMeasured(t *testing.T) {
	past := measurement{Draw: machine.Draw{Of: "RAPL package-0", Idle: 9.5, Working: 41.25, Seconds: 2}, setting: setting{CPU: "A", Threads: 4}, Time: time.Date(2026, 5, 4, 12, 0, 0, 0, time.Local)}
	kept, err := json.Marshal(past)
	if err != nil {
		t.Fatal(err)
	}
	here := fourCores("A")
	battery := fourCores("A", "sys/class/power_supply/BAT0/type", "Battery\n", "sys/class/power_supply/BAT0/status", "Discharging\n")
	const measured, modelled = "measured on 2026-05-04 above idle while 4 threads wrote (RAPL package-0), at an assumed $0.15 a kWh", "modelled for 4 cores, at an assumed $0.15 a kWh"
	for _, x := range []struct {
		name       string
		tree       fstest.MapFS
		kept       string
		local      Local
		milliwatts int64
		source     string
	}{
		{"as it was", here, string(kept), Local{}, 31800, "31.8 W " + measured},
		{"as it was, and stated", here, string(kept), Local{Watts: "7.5", PerKWh: starling.Dollar / 2}, 7500, "7.5 W as configured, at $0.50 a kWh"},
		{"threads that are as many", here, string(kept), Local{Threads: 9}, 31800, "31.8 W " + measured},
		{"fewer threads", here, string(kept), Local{Threads: 2, PerKWh: starling.Dollar / 2}, 16000, "16 W modelled for 2 cores, at $0.50 a kWh"},
		{"another processor", fourCores("B"), string(kept), Local{}, 32000, "32 W " + modelled},
		{"on battery", battery, string(kept), Local{}, 16000, "16 W " + modelled},
		{"nothing measured", here, "", Local{}, 32000, "32 W " + modelled},
		{"nothing that can be read", here, "{", Local{}, 32000, "32 W " + modelled},
		{"nothing above idle", here, strings.Replace(string(kept), "41.25", "9.5", 1), Local{}, 32000, "32 W " + modelled},
	} {
		dir := t.TempDir()
		if x.kept != "" {
			if err := os.WriteFile(filepath.Join(dir, powerFile), []byte(x.kept), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		price, err := Config{Local: x.local}.powered(machine.New(x.tree), dir)
		if err != nil || price.Source != "electricity: "+x.source || price.Milliwatts != x.milliwatts {
			t.Errorf("%s: %+v, %v", x.name, price, err)
		}
	}
}

// TestADoctorSaysWhyPowerWasNotMeasured, and what answers are priced at then.
func TestADoctorSaysWhyPowerWasNotMeasured(t *testing.T) {
	const modelled = "; answers are priced at 32 W, modelled for 4 cores"
	broken := t.TempDir() // a library that holds nothing
	for _, x := range []struct {
		host        *machine.Host
		local       Local
		library     string
		found, mend string
	}{
		{machine.New(fourCores("A")), Local{}, "", "power was not measured, as no engine works here" + modelled, ""},
		{machine.New(shut{fourCores("A")}), Local{}, broken, "only the administrator may read /sys/class/powercap/intel-rapl:0/energy_uj" + modelled, "sudo chmod a+r /sys/class/powercap/intel-rapl:*/energy_uj"},
		{machine.New(shut{fourCores("A")}), Local{Watts: "9"}, "", "only the administrator may read /sys/class/powercap/intel-rapl:0/energy_uj; answers are priced at 9 W, as configured", ""},
		{machine.New(fstest.MapFS{}), Local{}, broken, "no counter of energy is known here; answers are priced at 8 W, modelled for 1 cores", "state what answers draw"},
		{machine.New(fstest.MapFS{}), Local{Threads: 4, Watts: "9"}, broken, "no counter of energy is known here; answers are priced at 9 W, as configured", ""},
	} {
		dir := t.TempDir()
		f := x.local.power(t.Context(), x.host, dir, x.library)
		if f.Name != "power" || f.State != hub.Note || f.Found != x.found || !strings.HasPrefix(f.Mend, x.mend) || x.mend == "" && f.Mend != "" || f.Kind != "" {
			t.Errorf("%+v, want %s", f, x.found)
		}
		if _, err := os.Stat(filepath.Join(dir, powerFile)); err == nil {
			t.Errorf("%s: something was kept", x.found)
		}
	}
}

func TestAnEngineWritesUntilItIsStoppedOrSaysWhyNot(t *testing.T) {
	if !hasEngine || testing.Short() {
		t.Skip("it starts engines")
	}
	if _, err := writing(t.TempDir(), 1)(t.Context()); starling.KindOf(err) != starling.NotFound {
		t.Errorf("no library: %v", err)
	}
	if os.Getenv(realEngine) == "" {
		t.Skip(realEngine + " names no folder with the library")
	}
	stop, err := writing(os.Getenv(realEngine), 1)(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}
