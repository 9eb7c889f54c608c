package process

import (
	"syscall"
	"time"
)

// Used returns the processor time that this process has had.
func Used() time.Duration {
	var began, ended, kernel, user syscall.Filetime
	self, err := syscall.GetCurrentProcess()
	if err == nil {
		err = syscall.GetProcessTimes(self, &began, &ended, &kernel, &user)
	}
	if err != nil {
		panic(err) // a process may always ask for its own
	}
	return span(kernel) + span(user)
}

// UsedByChildren returns that of the processes which it has waited for; 0 where the system
// does not count it.
func UsedByChildren() time.Duration { return 0 }

// span is a file time that is no date: a number of 100 ns.
func span(f syscall.Filetime) time.Duration {
	return time.Duration(int64(f.HighDateTime)<<32|int64(f.LowDateTime)) * 100
}
