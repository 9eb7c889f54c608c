//go:build unix

package llamacpp

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

// quietly runs f while nothing gets to the standard error.
func quietly(f func()) {
	kept, err := unix.FcntlInt(2, unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		f()
		return
	}
	defer unix.Close(kept)
	if nowhere, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0); err == nil {
		_ = redirect(int(nowhere.Fd()), 2)
		_ = nowhere.Close()
	}
	defer redirect(kept, 2)
	f()
}
