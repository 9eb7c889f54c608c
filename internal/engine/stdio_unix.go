//go:build unix

package engine

import (
	"os"

	"golang.org/x/sys/unix"
)

// privateStdout keeps a copy that no program started from here inherits, and points
// descriptor 1 at the standard error.
func privateStdout() (*os.File, error) {
	kept, err := unix.FcntlInt(1, unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return nil, err
	}
	if err := redirect(2, 1); err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(kept), "frames"), nil
}
