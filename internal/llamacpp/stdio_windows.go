package llamacpp

import "os"

func privateStdout() (*os.File, error) { return os.Stdout, nil }

// quietly runs f. What the library prints cannot be kept back here.
func quietly(f func()) { f() }
