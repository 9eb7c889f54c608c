//go:build static

package main

import (
	"context"

	"starling"
)

// hasEngine says whether this program can be an engine itself.
const hasEngine = false

func serveEngine(context.Context) error                   { return errNoEngine() }
func quantize(library, from, to, kind string) error       { return errNoEngine() }
func checkLibrary(dir string) (version string, err error) { return "", errNoEngine() }

func errNoEngine() error {
	return &starling.Error{Kind: starling.Refused, Op: "this program was built without an engine",
		Hint: "build it without the tag static, or run a server such as Ollama, which is adopted"}
}
