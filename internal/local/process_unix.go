//go:build unix

package local

import (
	"errors"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// kill ends a child and whatever it started.
func kill(c *exec.Cmd) {
	if c.Process != nil {
		_ = signal(c.Process.Pid, unix.SIGKILL)
	}
}

// signal reaches a child's group: never our own, which 0 would be.
func signal(pid int, s syscall.Signal) error {
	if pid <= 1 {
		return unix.ESRCH
	}
	return unix.Kill(-pid, s)
}

// freeze stops a child where it is. It keeps its memory, which may be swapped out.
func freeze(pid int) error { return signal(pid, unix.SIGSTOP) }

// thaw lets it go on.
func thaw(pid int) error { return signal(pid, unix.SIGCONT) }

// killed reports whether signal 9 ended a child, itself or as a shell would say it.
func killed(err error) bool {
	left, ok := errors.AsType[*exec.ExitError](err)
	if !ok {
		return false
	}
	status, ok := left.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == syscall.SIGKILL || left.ExitCode() == 128+int(syscall.SIGKILL)
}
