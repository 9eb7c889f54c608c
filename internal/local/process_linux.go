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
	policyBatch = 3
	policyIdle  = 5
)

// ease has a child run only where nobody else would, or as everybody again. Who may not
// take that back, as few users may, has it wait its turn instead of taking the core from
// whoever wakes it.
func ease(pid int, idle bool) error {
	if pid <= 1 {
		return unix.ESRCH
	}
	own := nice()
	attr := unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: policyOther, Nice: own}
	if idle {
		attr.Policy = yielding(own)
	}
	threads, err := os.ReadDir("/proc/" + strconv.Itoa(pid) + "/task")
	for _, t := range threads {
		if id, bad := strconv.Atoi(t.Name()); bad == nil {
			_ = unix.SchedSetAttr(id, &attr, 0) // one that has just ended
		}
	}
	return err
}

// nice is the gateway's own nice value, which its engines inherit.
func nice() int32 {
	raised, err := unix.Getpriority(unix.PRIO_PROCESS, 0) // 20 - nice
	if err != nil {
		return 0
	}
	return int32(20 - raised)
}

// yielding is the humblest policy that can be taken back: from idle to normal, for who
// has no privilege, only where the nice value could be lowered to own.
func yielding(own int32) uint32 {
	var limit unix.Rlimit
	if os.Geteuid() == 0 || unix.Getrlimit(unix.RLIMIT_NICE, &limit) == nil && int64(limit.Cur) >= int64(20-own) {
		return policyIdle
	}
	return policyBatch
}
