package machine

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// Here returns this machine.
func Here() *Host { return &Host{sys: system{memory: memory, load: load}} }

// memory takes what the kernel itself reckons as free, in hundredths of all: free pages,
// and those that it can have back at once.
func memory() (total, available int64, err error) {
	all, err := unix.SysctlUint64("hw.memsize")
	if err != nil {
		return 0, 0, err
	}
	level, err := unix.SysctlUint32("kern.memorystatus_level")
	if err != nil || level > 100 {
		level = 25 // not known: a careful guess
	}
	return int64(all), int64(all) / 100 * int64(level), nil
}

// load reads struct loadavg: three averages as whole numbers, and what they are multiples
// of, at the next place for a long.
func load() (busy float64, ok bool) {
	b, err := unix.SysctlRaw("vm.loadavg")
	if err != nil || len(b) < 24 {
		return 0, false
	}
	scale := binary.LittleEndian.Uint64(b[16:])
	if scale == 0 {
		return 0, false
	}
	return float64(binary.LittleEndian.Uint32(b)) / float64(scale), true
}
