//go:build !static

package main

import (
	"context"

	"starling/internal/llamacpp"
)

// hasEngine says whether this program can be an engine itself.
const hasEngine = true

// serveEngine is an engine's whole life: it obeys what comes in over the standard input
// until that ends. Errors are those of [llamacpp.Stdio] and [llamacpp.Serve].
func serveEngine(ctx context.Context) error {
	in, out, err := llamacpp.Stdio()
	if err != nil {
		return err
	}
	return llamacpp.Serve(ctx, in, out)
}

// quantize makes a file of weights smaller, in this process, which a failed assertion of
// the library ends. Errors are those of [llamacpp.Quantize].
func quantize(library, from, to, kind string) error {
	return llamacpp.Quantize(library, from, to, kind)
}

// checkLibrary tells the version of the libraries in a folder, none of which it calls.
// Errors are those of [llamacpp.Check].
func checkLibrary(dir string) (version string, err error) {
	l, err := llamacpp.Check(dir)
	return l.Version, err
}
