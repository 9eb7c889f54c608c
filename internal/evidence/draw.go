package evidence

import (
	"crypto/sha256"
	"encoding/binary"
)

// Drawn reports whether the exchange with this receipt is one of the share, from 0
// to 1, that is audited. It follows from the receipt's id alone, which nobody
// chooses, so it is known before anybody answers, and anybody can check afterwards
// that the draw was fair (docs/spec/receipt.md).
func Drawn(receipt string, share float64) bool {
	var room [64]byte
	sum := sha256.Sum256(append(room[:0], receipt...))
	return float64(binary.BigEndian.Uint64(sum[:])>>11)/(1<<53) < share
}
