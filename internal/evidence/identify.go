package evidence

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
)

// Identify returns a name for a unit of the given parts, 32 hex digits: change a
// part, or move a letter from one to the next, and it is another.
func Identify(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(p)))
		h.Write(n[:])
		h.Write([]byte(p))
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}
