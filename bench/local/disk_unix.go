//go:build unix

package main

import "golang.org/x/sys/unix"

// free is how many bytes the disk of a folder has room for.
func free(dir string) int64 {
	var fs unix.Statfs_t
	if unix.Statfs(dir, &fs) != nil {
		return unknown
	}
	return int64(fs.Bavail) * int64(fs.Bsize)
}
