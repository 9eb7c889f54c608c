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
// and the skill's prompt make it; change one of them, or move a letter from one to
// the next, and it is another. How long an answer may be and how freely it is
// drawn is the caller's to say each time, and no part of it.
func (s *Skill) Unit(m starling.Model) string {
	prompt := s.prompt
	if prompt == "" { // it was made by hand
		prompt = promptHash(s.Rubric.Prompt)
	}
	b := make([]byte, 0, 256)
	for _, part := range []string{m.Provider, m.Name, string(m.Dialect), m.Digest, prompt} {
		b = binary.BigEndian.AppendUint64(b, uint64(len(part)))
		b = append(b, part...)
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:16])
}

// promptHash stands for a prompt, which may be long while every request asks for
// units.
func promptHash(prompt string) string {
	sum := sha256.Sum256([]byte(prompt))
	return string(sum[:])
}
