package main

import "os"

// reloadSignals is empty: Windows has no signal to reload by, so a changed
// configuration takes a restart.
var reloadSignals []os.Signal
