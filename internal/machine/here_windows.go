package machine

import (
	"unsafe"

	"golang.org/x/sys/windows"
)

// Here returns this machine.
func Here() *Host {
	return &Host{sys: system{memory: memory, load: func() (float64, bool) { return 0, false }}}
}

var globalMemoryStatusEx = windows.NewLazySystemDLL("kernel32.dll").NewProc("GlobalMemoryStatusEx")

// status is MEMORYSTATUSEX.
type status struct {
	length, load     uint32
	total, available uint64
	_, _, _, _, _    uint64 // of page files and address spaces
}

func memory() (total, available int64, err error) {
	var s status
	s.length = uint32(unsafe.Sizeof(s))
	if ok, _, err := globalMemoryStatusEx.Call(uintptr(unsafe.Pointer(&s))); ok == 0 {
		return 0, 0, err
	}
	return int64(s.total), int64(s.available), nil
}
