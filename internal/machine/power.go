package machine

import (
	"path"
	"strings"
)

// A Supply is where the power comes from.
type Supply string

// The supplies; "" is unknown, as on most servers and desktops.
const (
	Mains   Supply = "mains"
	Battery Supply = "battery"
)

// Power is how the machine is fed and how hot it is. What is unknown is zero.
type Power struct {
	Supply    Supply
	Charge    float64 // of all batteries, in (0, 1]; 0 unknown
	Celsius   float64 // of the hottest part of the processor; 0 unknown
	Throttled bool    // it is so hot that the system slows it down
}

// Power looks at batteries and temperatures. On macOS and Windows all is unknown.
//
// Sources: Linux, ABI/testing/sysfs-class-power, driver-api/thermal/sysfs-api,
// hwmon/sysfs-interface.
func (h *Host) Power() Power {
	var p Power
	if h.root == nil {
		return p
	}
	p.Supply, p.Charge = h.supply()
	for _, t := range append(h.zones(), h.sensors()...) {
		p.Celsius = max(p.Celsius, t.celsius)
		p.Throttled = p.Throttled || t.passive > 0 && t.celsius >= t.passive
	}
	return p
}

// supply reads all supplies of the machine itself; mice have batteries too.
func (h *Host) supply() (Supply, float64) {
	var plugged, unplugged, draining, resting bool
	charge, batteries := 0.0, 0.0
	for _, dir := range h.below("sys/class/power_supply") {
		at := func(name string) string { return path.Join(dir, name) }
		switch kind := h.word(at("type")); {
		case h.word(at("scope")) == "Device":
		case kind == "Battery":
			status := h.word(at("status"))
			draining = draining || status == "Discharging"
			resting = resting || status == "Charging" || status == "Full" || status == "Not charging"
			if n, ok := h.number(at("capacity")); ok {
				charge, batteries = charge+float64(n)/100, batteries+1
			}
		case kind == "Mains" || strings.HasPrefix(kind, "USB"):
			n, ok := h.number(at("online"))
			plugged, unplugged = plugged || ok && n > 0, unplugged || ok && n == 0 && kind == "Mains"
		}
	}
	if batteries > 0 {
		charge = clamp01(charge / batteries)
	}
	switch {
	case plugged:
		return Mains, charge
	case draining, unplugged && batteries > 0:
		return Battery, charge
	case resting:
		return Mains, charge
	}
	return "", charge
}

// A heat is one place's.
type heat struct {
	celsius float64
	passive float64 // from which on the system slows the processor down; 0 unknown
}

// zones reads the thermal zones of processors, or of everything if none says that it is
// one: the hottest part of a machine may be its network card.
func (h *Host) zones() []heat {
	var processors, all []heat
	for _, dir := range h.below("sys/class/thermal") {
		t, ok := h.heat(path.Join(dir, "temp"))
		if !ok || !strings.HasPrefix(path.Base(dir), "thermal_zone") {
			continue
		}
		for _, file := range h.below(dir) {
			trip, isTrip := strings.CutSuffix(file, "_type")
			if !isTrip || h.word(file) != "passive" {
				continue
			}
			if limit, ok := h.heat(trip + "_temp"); ok && (t.passive == 0 || limit.celsius < t.passive) {
				t.passive = limit.celsius
			}
		}
		all = append(all, t)
		kind := strings.ToLower(h.word(path.Join(dir, "type")))
		if strings.Contains(kind, "cpu") || strings.Contains(kind, "pkg") || strings.Contains(kind, "soc") {
			processors = append(processors, t)
		}
	}
	if len(processors) > 0 {
		return processors
	}
	return all
}

// processorSensors are the drivers of the sensors inside processors.
var processorSensors = map[string]bool{"coretemp": true, "k10temp": true, "zenpower": true, "cpu_thermal": true}

func (h *Host) sensors() []heat {
	var all []heat
	for _, dir := range h.below("sys/class/hwmon") {
		if !processorSensors[h.word(path.Join(dir, "name"))] {
			continue
		}
		for _, file := range h.below(dir) {
			if base := path.Base(file); strings.HasPrefix(base, "temp") && strings.HasSuffix(base, "_input") {
				if t, ok := h.heat(file); ok {
					all = append(all, t)
				}
			}
		}
	}
	return all
}

// heat reads thousandths of a degree. Sensors that are not there say 0, or nonsense.
func (h *Host) heat(name string) (heat, bool) {
	n, ok := h.number(name)
	t := heat{celsius: float64(n) / 1000}
	return t, ok && t.celsius > 0 && t.celsius < 150
}
