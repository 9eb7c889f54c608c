package catalog

import "strings"

// lowerBound returns where the first line that is not below key begins, or
// len(rows). Lines are sorted by their bytes, each ended by a newline. It reads
// about log₂ of the number of lines and allocates nothing.
func lowerBound(rows, key string) int {
	lo, hi := 0, len(rows) // both at the beginning of a line, or at the end
	for lo < hi {
		begin := strings.LastIndexByte(rows[lo:lo+(hi-lo)/2], '\n') + 1 + lo
		end := begin + strings.IndexByte(rows[begin:], '\n') + 1
		if end == begin { // a last line without its newline
			end = len(rows)
		}
		if rows[begin:end] < key {
			lo = end
		} else {
			hi = begin
		}
	}
	return lo
}
