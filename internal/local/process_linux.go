package local

import (
	"os"
	"os/exec"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// detach gives a child a group of its own, so that what ends the gateway's group does
// not reach it first, and has it die with the thread that starts it: that thread must
// be kept until the child has ended.
func detach(c *exec.Cmd) {
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// expose has the system end a child before anything else where memory runs out: it is
// started again, and a gateway, or its user's editor, is not.
func expose(pid int) error {
	return os.WriteFile("/proc/"+strconv.Itoa(pid)+"/oom_score_adj", []byte("1000"), 0)
}

// The scheduling policies of sched(7).
const (
	policyOther = 0
	policyIdle  = 5
)

// ease has a child run only where nobody else would, or as everybody again. It does
// nothing where the latter would be forbidden: that is so for who may not lower nice
// values to 0.
func ease(pid int, idle bool) error {
	if pid <= 1 {
		return unix.ESRCH
	}
	var limit unix.Rlimit
	if os.Geteuid() != 0 && (unix.Getrlimit(unix.RLIMIT_NICE, &limit) != nil || limit.Cur < 20-courtesy) {
		return nil
	}
	attr := unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: policyOther, Nice: courtesy}
	if idle {
		attr.Policy = policyIdle
	}
	threads, err := os.ReadDir("/proc/" + strconv.Itoa(pid) + "/task")
	for _, t := range threads {
		if id, bad := strconv.Atoi(t.Name()); bad == nil {
			_ = unix.SchedSetAttr(id, &attr, 0) // one that has just ended
		}
	}
	return err
}
