//go:build unix

package hub

import "golang.org/x/sys/unix"

// free returns the bytes that this user may still write to the disk of a folder.
func free(dir string) (int64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, err
	}
	return int64(st.Bavail) * int64(st.Bsize), nil // whose types differ between systems
}
