// Package durable writes files and folders that are there whole or not at all, even
// after a power cut. It knows nothing of what is in them.
package durable

import (
	"errors"
	"io"
	"io/fs"
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

// Folder makes a folder out of what write puts into an empty one, which is called as
// the new one will be, and stands in a hidden folder beside it until it is whole.
// Errors are those of write, [fs.ErrExist] where there is something of that name
// already, and those of the operating system; then nothing is left behind.
func Folder(path string, write func(dir string) error) error {
	parent := filepath.Dir(path)
	if _, err := os.Lstat(path); err == nil {
		return &fs.PathError{Op: "make", Path: path, Err: fs.ErrExist}
	}
	aside, err := os.MkdirTemp(parent, ".new-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(aside) }()
	dir := filepath.Join(aside, filepath.Base(path))
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	if err := write(dir); err != nil {
		return err
	}
	if err := syncAll(dir); err != nil {
		return err
	}
	if err := os.Rename(dir, path); err != nil { // it does not replace a folder that holds anything
		return err
	}
	return SyncDir(parent)
}

// syncAll makes what is in a folder safe from a power cut.
func syncAll(dir string) error {
	return filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return errors.Join(err, SyncDir(path))
		}
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			return err
		}
		return errors.Join(f.Sync(), f.Close())
	})
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
