//go:build unix

package main

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"starling"
)

// TestWhoQuantisesEndsWithItsParent has the library wait for ever for a file that nobody
// writes, and then hangs up as a parent that was killed does.
func TestWhoQuantisesEndsWithItsParent(t *testing.T) {
	engine := os.Getenv(realEngine)
	if engine == "" {
		t.Skip(realEngine + " names no folder with llama.cpp's library")
	}
	from := filepath.Join(t.TempDir(), "from.gguf")
	if err := unix.Mkfifo(from, 0o600); err != nil {
		t.Fatal(err)
	}
	child := itself(t.Context(), "engine", "quantize", engine, from, filepath.Join(t.TempDir(), "to.gguf"), "Q8_0")
	in, err := child.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	if err := in.Close(); err != nil {
		t.Fatal(err)
	}
	if err := child.Wait(); err == nil || child.ProcessState.ExitCode() != exitCodes[starling.Cancelled] {
		t.Error(err)
	}
}
