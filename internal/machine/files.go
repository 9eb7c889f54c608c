package machine

import (
	"io/fs"
	"path"
	"strconv"
	"strings"
)

// text returns a file, "" if it cannot be read: what is not there is not known.
func (h *Host) text(name string) string {
	b, err := fs.ReadFile(h.root, name)
	if err != nil {
		return ""
	}
	return string(b)
}

// word returns a file of one word.
func (h *Host) word(name string) string { return strings.TrimSpace(h.text(name)) }

// number returns a file of one number.
func (h *Host) number(name string) (int64, bool) {
	n, err := strconv.ParseInt(h.word(name), 10, 64)
	return n, err == nil
}

// fields reads lines of a name and a number, be there a colon or a unit or none.
func (h *Host) fields(name string) map[string]int64 {
	all := map[string]int64{}
	for line := range strings.Lines(h.text(name)) {
		if f := strings.Fields(line); len(f) >= 2 {
			if n, err := strconv.ParseInt(f[1], 10, 64); err == nil {
				all[strings.TrimSuffix(f[0], ":")] = n
			}
		}
	}
	return all
}

// Held returns the bytes of memory that processes have to themselves, files that they
// look into not counted. One that is gone has none; elsewhere than on Linux none is known
// to have any.
func (h *Host) Held(processes ...int) (bytes int64) {
	for _, pid := range processes {
		bytes += h.fields(path.Join("proc", strconv.Itoa(pid), "status"))["RssAnon"] << 10
	}
	return bytes
}

// below lists the paths in a folder, sorted, none if it is not there.
func (h *Host) below(dir string) []string {
	entries, _ := fs.ReadDir(h.root, dir)
	var all []string
	for _, e := range entries {
		all = append(all, path.Join(dir, e.Name()))
	}
	return all
}
