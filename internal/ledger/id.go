package ledger

import (
	"crypto/rand"
	"encoding/base32"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
	"time"
)

const idPrefix = "rcp_"

// newID returns an id: a prefix, "rcp_" for a receipt, and the 32 hex digits of a
// UUIDv7 (RFC 9562) whose twelve bits after the millisecond are its fraction. Ids
// sort by time.
func newID(prefix string, t time.Time) string {
	var u [16]byte
	rand.Read(u[8:])
	ms, fraction := uint64(t.UnixMilli()), uint64(t.Nanosecond()%1e6)*4096/1e6
	binary.BigEndian.PutUint64(u[:8], ms<<16|7<<12|fraction)
	u[8] = u[8]&0x3f | 0x80
	text := make([]byte, len(prefix)+32)
	copy(text, prefix)
	hex.Encode(text[len(prefix):], u[:])
	return string(text)
}

// firstID returns the lowest id that a receipt of time t or later can have.
func firstID(t time.Time) string {
	if t.UnixMilli() <= 0 {
		return ""
	}
	return fmt.Sprintf("%s%012x", idPrefix, t.UnixMilli())
}

// newKeyID returns a key's public id, "key_" and 16 letters and digits.
func newKeyID() string {
	var b [10]byte
	rand.Read(b[:])
	return "key_" + strings.ToLower(base32.StdEncoding.EncodeToString(b[:]))
}
