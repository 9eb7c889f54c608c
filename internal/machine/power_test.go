package machine

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"starling"
)

func TestWhereThePowerComesFromAndHowHotItIs(t *testing.T) {
	supply := func(name, kind string, more ...string) map[string]string {
		tree := map[string]string{"sys/class/power_supply/" + name + "/type": kind + "\n"}
		for i := 0; i < len(more); i += 2 {
			tree["sys/class/power_supply/"+name+"/"+more[i]] = more[i+1] + "\n"
		}
		return tree
	}
	zone := func(n int, kind, temp, passive string) map[string]string {
		dir := fmt.Sprintf("sys/class/thermal/thermal_zone%d/", n)
		tree := map[string]string{dir + "type": kind + "\n", dir + "temp": temp + "\n"}
		if passive != "" {
			tree[dir+"trip_point_0_type"], tree[dir+"trip_point_0_temp"] = "critical\n", "105000\n"
			tree[dir+"trip_point_1_type"], tree[dir+"trip_point_1_temp"] = "passive\n", passive+"\n"
		}
		return tree
	}
	for _, x := range []struct {
		name string
		tree []map[string]string
		want Power
	}{
		{"a server", nil, Power{}},
		{"a laptop on its battery", []map[string]string{supply("AC", "Mains", "online", "0"), supply("BAT0", "Battery", "status", "Discharging", "capacity", "42")}, Power{Supply: Battery, Charge: 0.42}},
		{"a laptop at the wall", []map[string]string{supply("AC", "Mains", "online", "1"), supply("BAT0", "Battery", "status", "Charging", "capacity", "80")}, Power{Supply: Mains, Charge: 0.8}},
		{"a battery that is not told to be drained, without mains", []map[string]string{supply("AC", "Mains", "online", "0"), supply("BAT0", "Battery", "status", "Unknown", "capacity", "50")}, Power{Supply: Battery, Charge: 0.5}},
		{"two batteries and no word of mains", []map[string]string{supply("BAT0", "Battery", "status", "Full", "capacity", "100"), supply("BAT1", "Battery", "status", "Discharging", "capacity", "50")}, Power{Supply: Battery, Charge: 0.75}},
		{"a full battery and no word of mains", []map[string]string{supply("BAT0", "Battery", "status", "Full", "capacity", "100")}, Power{Supply: Mains, Charge: 1}},
		{"fed through USB", []map[string]string{supply("ucsi0", "USB", "online", "0"), supply("ucsi1", "USB", "online", "1"), supply("BAT0", "Battery", "status", "Discharging", "capacity", "90")}, Power{Supply: Mains, Charge: 0.9}},
		{"a desktop with a mouse", []map[string]string{supply("hidpp", "Battery", "scope", "Device", "status", "Discharging", "capacity", "10")}, Power{}},
		{"a hot processor", []map[string]string{zone(0, "acpitz", "27800", ""), zone(1, "x86_pkg_temp", "97000", "95000")}, Power{Celsius: 97, Throttled: true}},
		{"a hot network card", []map[string]string{zone(0, "iwlwifi_1", "99000", ""), zone(1, "x86_pkg_temp", "50000", "95000")}, Power{Celsius: 50}},
		{"zones that do not say what they are of", []map[string]string{zone(0, "acpitz", "61000", ""), zone(1, "acpitz", "-273200", "")}, Power{Celsius: 61}},
		{"a sensor inside the processor", []map[string]string{{"sys/class/hwmon/hwmon0/name": "nvme\n", "sys/class/hwmon/hwmon0/temp1_input": "90000\n", "sys/class/hwmon/hwmon1/name": "k10temp\n", "sys/class/hwmon/hwmon1/temp1_input": "71500\n"}}, Power{Celsius: 71.5}},
	} {
		if got := New(files(x.tree...)).Power(); got != x.want {
			t.Errorf("%s: %+v, want %+v", x.name, got, x.want)
		}
	}
}

func TestRulesAllowWorkOrSayWhyNot(t *testing.T) {
	noon := "12:00"
	for _, x := range []struct {
		rules Rules
		power Power
		at    string
		why   string // a part of it; "" it is allowed
	}{
		{Rules{}, Power{}, noon, ""},
		{Rules{}, Power{Supply: Mains, Celsius: 99}, noon, ""},
		{Rules{}, Power{Supply: Battery}, noon, "on battery"},
		{Rules{OnBattery: true}, Power{Supply: Battery}, noon, ""},
		{Rules{}, Power{Throttled: true}, noon, "too hot"},
		{Rules{MaxCelsius: 85}, Power{Celsius: 85}, noon, ""},
		{Rules{MaxCelsius: 85}, Power{Celsius: 86}, noon, "86 °C, and 85"},
		{Rules{MaxCelsius: 85}, Power{}, noon, ""},
		{Rules{Hours: "22:00-06:00"}, Power{}, noon, "outside of 22:00-06:00"},
		{Rules{Hours: "22:00-06:00"}, Power{}, "22:00", ""},
		{Rules{Hours: "22:00-06:00"}, Power{}, "00:00", ""},
		{Rules{Hours: "22:00-06:00"}, Power{}, "05:59", ""},
		{Rules{Hours: "22:00-06:00"}, Power{}, "06:00", "outside"},
		{Rules{Hours: "09:00-12:00, 13:00-17:00"}, Power{}, noon, "outside"},
		{Rules{Hours: "09:00-12:00, 13:00-17:00"}, Power{}, "13:30", ""},
		{Rules{Hours: "18:00-24:00"}, Power{}, "23:59", ""},
		{Rules{Hours: "08:00-08:00"}, Power{}, noon, ""},
		{Rules{Hours: "at night"}, Power{}, noon, "not understood"},
	} {
		now, err := time.Parse("15:04", x.at)
		if err != nil {
			t.Fatal(err)
		}
		ok, why := x.rules.Allows(x.power, now)
		if ok != (x.why == "") || !strings.Contains(why, x.why) || ok && why != "" {
			t.Errorf("%+v, %+v at %s: %v, %q", x.rules, x.power, x.at, ok, why)
		}
	}
}

func TestRulesThatAreNotUnderstoodAreInvalid(t *testing.T) {
	for _, hours := range []string{"", " ", "22:00-06:00", "00:00-24:00", "1:00-2:00,03:00-04:00"} {
		if err := (Rules{Hours: hours}).Check(); err != nil {
			t.Errorf("%q: %v", hours, err)
		}
	}
	for _, r := range []Rules{{Hours: "22:00"}, {Hours: "22-06"}, {Hours: "25:00-06:00"}, {Hours: "22:00-06:00,"}, {MaxCelsius: -1}} {
		if err := r.Check(); starling.KindOf(err) != starling.Invalid {
			t.Errorf("%+v: %v", r, err)
		}
	}
}
