package wire

// Of the parts of messages those are counted whose tokens are not bounded by
// their bytes: images, sound, files. A conversation can be long and every request
// passes here, so they are counted while the body is checked, and not looked for
// afterwards.

// A step is a key on the way from a body to the type of a part:
// messages[].content[].type, and one level further down for a tool's result.
type step byte

const (
	elsewhere step = iota
	toMessages
	toContent
	toType
)

// deepestPart is the depth of a part inside a result: body, messages, message,
// content, part, content, part.
const deepestPart = 7

// pass notes the key that is being read of one of the outer objects.
func (s *scanner) pass(key []byte) {
	to := elsewhere
	switch string(key) {
	case "messages":
		to = toMessages
	case "content":
		to = toContent
	case "type":
		to = toType
	}
	s.path[s.depth] = to
}

// typed counts the part that a string is the type of, if it is one and of a kind
// to be counted.
func (s *scanner) typed(v []byte) {
	if s.path[s.depth] != toType || s.path[1] != toMessages || s.path[3] != toContent {
		return
	}
	const message, result = 0b10101, 0b1010101 // objects in arrays in objects
	switch outer := s.kinds[0] >> 1; {
	case s.depth == deepestPart-2 && outer&0b11111 == message:
	case s.depth == deepestPart && outer&0b1111111 == result && s.path[5] == toContent:
	default:
		return
	}
	if !s.lang.bounded(v[1 : len(v)-1]) {
		s.unbounded++
	}
}
