//go:build unix && !linux

package local

import (
	"os/exec"
	"syscall"
)

// detach gives a child a group of its own. It ends when its input does, and so with
// the gateway.
func detach(c *exec.Cmd) { c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// ease does nothing here: there is no such policy.
func ease(int, bool) error { return nil }

// expose does nothing here: the system chooses by itself what it ends.
func expose(int) error { return nil }
