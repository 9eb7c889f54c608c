//go:build unix

package process

import (
	"syscall"
	"time"
)

// Used returns the processor time that this process has had.
func Used() time.Duration { return usedBy(syscall.RUSAGE_SELF) }

// UsedByChildren returns that of the processes which it has waited for; 0 where the system
// does not count it.
func UsedByChildren() time.Duration { return usedBy(syscall.RUSAGE_CHILDREN) }

func usedBy(who int) time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(who, &r); err != nil {
		panic(err) // there is no other answer to these two
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
