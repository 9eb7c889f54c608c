package skill

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"

	"starling"
)

// Unit names what answers when the model is asked in this skill, 32 hex digits:
// evidence is of a unit, and of no other. The provider's and the model's names,
// the dialect in which it is asked, the digest of what answers, where it is known,
// and the skill's prompt make it; change one of them, or move a letter from one to the next, and it is another. How long an
// answer may be and how freely it is drawn is the caller's to say each time, and
// no part of it.
func (s *Skill) Unit(m starling.Model) string {
	h := sha256.New()
	for _, part := range []string{m.Provider, m.Name, string(m.Dialect), m.Digest, s.Rubric.Prompt} {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(part)))
		h.Write(n[:])
		h.Write([]byte(part))
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}
