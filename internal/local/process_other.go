//go:build !unix

package local

import "os/exec"

// detach does nothing here: a child ends when its input does, and so with the gateway.
func detach(*exec.Cmd) {}

func kill(c *exec.Cmd) {
	if c.Process != nil {
		_ = c.Process.Kill()
	}
}

// What cannot be done here is left undone: a paused child stands still all the same,
// as nobody asks it anything.
func expose(int) error     { return nil }
func ease(int, bool) error { return nil }
func freeze(int) error     { return nil }
func thaw(int) error       { return nil }
func killed(error) bool    { return false }
