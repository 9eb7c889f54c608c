//go:build static

package main

import "context"

// hasEngine says whether this program can be an engine itself.
const hasEngine = false

func serveEngine(context.Context) error                   { return needEngine() }
func quantize(library, from, to, kind string) error       { return needEngine() }
func checkLibrary(dir string) (version string, err error) { return "", needEngine() }
