//go:build unix

package local

import (
	"bytes"
	"os"
	"strconv"
	"syscall"
)

// alive reports whether a process runs. One that has ended and that nobody has asked
// about does not.
func alive(pid int) bool {
	stat, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	_, state, _ := bytes.Cut(stat, []byte(") "))
	return syscall.Kill(pid, 0) == nil && !bytes.HasPrefix(state, []byte("Z"))
}
