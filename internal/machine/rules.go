package machine

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"starling"
)

// Rules say when this machine may work for others than its user. The zero Rules allow
// it always, except on battery.
type Rules struct {
	OnBattery  bool    // it may on battery too
	MaxCelsius float64 // not when it is hotter; 0: no limit of ours
	Hours      string  // only then, local time: "22:00-06:00", or several with commas; "" always
}

// Check returns an Invalid error if the rules cannot be understood.
func (r Rules) Check() error {
	if _, err := r.windows(); err != nil {
		return &starling.Error{Kind: starling.Invalid, Op: "rules of this machine", Hint: `write hours like "22:00-06:00"`, Err: err}
	}
	if r.MaxCelsius < 0 || r.MaxCelsius != r.MaxCelsius {
		return &starling.Error{Kind: starling.Invalid, Op: "rules of this machine", Hint: "write a temperature like 85, or 0 for none", Err: errors.New("the temperature is below 0")}
	}
	return nil
}

// Allows says whether work may be done, and if not, why not, in words for a person. What
// is unknown forbids nothing; hours that are not understood forbid all.
func (r Rules) Allows(p Power, now time.Time) (ok bool, why string) {
	switch {
	case p.Supply == Battery && !r.OnBattery:
		return false, "on battery"
	case p.Throttled:
		return false, "the processor is too hot and slows down"
	case r.MaxCelsius > 0 && p.Celsius > r.MaxCelsius:
		return false, fmt.Sprintf("%.0f °C, and %.0f are allowed", p.Celsius, r.MaxCelsius)
	}
	windows, err := r.windows()
	if err != nil {
		return false, "the hours are not understood"
	}
	minute := now.Hour()*60 + now.Minute()
	for _, w := range windows {
		if w.holds(minute) {
			return true, ""
		}
	}
	if len(windows) == 0 {
		return true, ""
	}
	return false, "outside of " + r.Hours
}

// A window is from a minute of the day to another, which it does not hold. One that ends
// where it begins is the whole day, and one that ends earlier goes over midnight.
type window struct{ from, to int }

func (w window) holds(minute int) bool {
	if w.from < w.to {
		return w.from <= minute && minute < w.to
	}
	return w.from <= minute || minute < w.to
}

func (r Rules) windows() ([]window, error) {
	if strings.TrimSpace(r.Hours) == "" {
		return nil, nil
	}
	var all []window
	for part := range strings.SplitSeq(r.Hours, ",") {
		from, to, _ := strings.Cut(strings.TrimSpace(part), "-")
		a, err := minuteOf(from)
		b, err2 := minuteOf(to)
		if err := errors.Join(err, err2); err != nil {
			return nil, fmt.Errorf("hours %q", r.Hours)
		}
		all = append(all, window{a, b})
	}
	return all, nil
}

// minuteOf reads a time of day; 24:00 is the end of it.
func minuteOf(s string) (int, error) {
	if s == "24:00" {
		return 24 * 60, nil
	}
	t, err := time.Parse("15:04", s)
	return t.Hour()*60 + t.Minute(), err
}
