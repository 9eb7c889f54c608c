package llamacpp

import (
	"os"

	"starling"
)

// Stdio returns the streams that a child speaks over. From then on what anybody prints
// to the standard output, the library too, goes to the standard error, so that nothing
// comes between the frames; on Windows that holds of what Go prints only. It is called
// once, before the library is loaded. The error is Internal.
func Stdio() (in, out *os.File, err error) {
	if out, err = privateStdout(); err != nil {
		return nil, nil, &starling.Error{Kind: starling.Internal, Op: "llamacpp: keep the standard output", Err: err}
	}
	os.Stdout = os.Stderr
	return os.Stdin, out, nil
}
