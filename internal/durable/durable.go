// Package durable writes files that are there whole or not at all, even after a
// power cut. It knows nothing of what is in them.
package durable

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
)

// Replace writes a file for this user alone and puts it in the place of the one
// before: who reads meanwhile finds the old or the new one. Errors are those of
// write and of the operating system; then the old one stays.
func Replace(path string, write func(io.Writer) error) error {
	next, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".new-*")
	if err != nil {
		return err
	}
	if err = write(next); err == nil {
		err = next.Sync() // else the name may reach the disk before the content
	}
	if err = errors.Join(err, next.Close()); err == nil {
		err = os.Rename(next.Name(), path)
	}
	if err != nil {
		_ = os.Remove(next.Name())
		return err
	}
	return SyncDir(filepath.Dir(path))
}

// SyncDir makes the names in a directory safe from a power cut, where the system
// can: Windows and some network file systems cannot.
func SyncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = d.Sync()
	if errors.Is(err, errors.ErrUnsupported) || errors.Is(err, syscall.EINVAL) {
		err = nil
	}
	return errors.Join(err, d.Close())
}
