package hub

import "golang.org/x/sys/windows"

// free returns the bytes that this user may still write to the disk of a folder.
func free(dir string) (int64, error) {
	path, err := windows.UTF16PtrFromString(dir)
	if err != nil {
		return 0, err
	}
	var mine uint64
	err = windows.GetDiskFreeSpaceEx(path, &mine, nil, nil)
	return int64(mine), err
}
