package machine

import "os"

// Here returns this machine.
func Here() *Host { return New(os.DirFS("/")) }
