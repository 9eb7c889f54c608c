package wire

import "bytes"

// Of the parts of messages those are counted whose tokens are not bounded by
// their bytes: images, sound, files. A conversation can be long and every request
// passes here, so they are counted while the body is checked, and not looked for
// afterwards.

// A weight says what bounds the tokens of a part.
type weight byte

const (
	byBytes  weight = iota // its text
	byImage                // what the dearest image takes
	byWindow               // nothing but the model's window
)

// A step is a key on the way from a body to what a part is:
// messages[].content[].type, or .source.data; and one level further down for a
// tool's result. What one dialect calls messages and content, another calls input
// and output.
type step byte

const (
	elsewhere step = iota
	toMessages
	toContent
	toType
	toSource  // what holds a payload
	toPayload // base64
	toImages  // an array of base64, each an image
	toFile    // a payload in a part itself, or in what holds it

	toMedia  // what a payload is, where that tells the part
	toURI    // of a payload that stands elsewhere
	toResult // a tool's answer that is an object of its own
)

// A stepper is a dialect whose bodies have keys of their own for these steps.
type stepper interface{ step(key []byte) step }

// deepestPart is the depth of a part inside a result: body, messages, message,
// content, part, content, part, and where a result is an object of its own, one
// more. Its payload is one further down.
const deepestPart = 8

// pass notes the key that is being read of one of the outer objects.
func (s *scanner) pass(key []byte) {
	if s.own != nil {
		s.path[s.depth] = s.own.step(key)
		return
	}
	s.path[s.depth] = messageStep(key)
}

// messageStep is the step of a key where the turns are messages.
func messageStep(key []byte) step {
	to := elsewhere
	switch string(key) {
	case "messages", "input":
		to = toMessages
	case "content", "output":
		to = toContent
	case "type":
		to = toType
	case "image_url", "source", "input_audio", "file":
		to = toSource
	case "url", "data":
		to = toPayload
	case "file_data":
		to = toFile
	}
	return to
}

// spoken looks at a string of the outer objects: it may be the type of a part, or
// its payload.
func (s *scanner) spoken(v []byte) {
	if s.inImages() {
		s.images++
		if isBase64(v[1 : len(v)-1]) {
			s.opaque += len(v) - 2
		}
		return
	}
	switch s.path[s.depth] {
	case toType:
		if s.inPart(s.depth) {
			s.weigh(v[1 : len(v)-1])
		}
	case toMedia, toURI:
		if s.path[s.depth-1] == toSource && s.inPart(s.depth-1) {
			s.weigh(mediaOf(s.path[s.depth], v))
		}
	case toSource:
		s.payload(v, s.depth)
	case toFile:
		s.payload(v, s.depth)
		fallthrough
	case toPayload:
		if s.path[s.depth-1] == toSource {
			s.payload(v, s.depth-1)
		}
	}
}

// payload counts a string that stands for the part at a depth.
func (s *scanner) payload(v []byte, depth int) {
	if s.inObject() && s.inPart(depth) && isBase64(v[1:len(v)-1]) {
		s.opaque += len(v) - 2
	}
}

func (s *scanner) weigh(part []byte) {
	switch s.lang.weigh(part) {
	case byImage:
		s.images++
	case byWindow:
		s.documents++
	}
}

// mediaOf is what a payload is: as the part says it, or nothing where it only says
// where it stands.
func mediaOf(at step, v []byte) []byte {
	if at == toURI {
		return nil
	}
	return v[1 : len(v)-1]
}

// inPart reports whether the object at a depth is a part of a message's content,
// or of that of a result in it.
func (s *scanner) inPart(depth int) bool {
	if s.path[1] != toMessages || s.path[3] != toContent {
		return false
	}
	const message, result, wrapped = 0b10101, 0b1010101, 0b10110101 // objects in arrays in objects, from the body on
	switch outer := s.kinds[0] >> 1; depth {
	case 5:
		return outer&0b11111 == message
	case 7:
		return outer&0b1111111 == result && s.path[5] == toContent
	case deepestPart:
		return outer&0b11111111 == wrapped && s.path[5] == toResult && s.path[6] == toContent
	}
	return false
}

// inImages reports whether the string that is being read is one of a message's
// images, or of a body's that has a prompt alone.
func (s *scanner) inImages() bool {
	const body, message = 0b01, 0b0101 // an object's array, and that of an object in an array
	switch outer := s.kinds[0] >> 1; s.depth {
	case 2:
		return s.path[1] == toImages && outer&0b11 == body
	case 4:
		return s.path[1] == toMessages && s.path[3] == toImages && outer&0b1111 == message
	}
	return false
}

// isBase64 reports whether a payload is long enough to matter, and base64 or a
// data URL as far as its ends show: a document can also be plain text.
func isBase64(v []byte) bool {
	const end = 256
	if len(v) < 2*end {
		return false
	}
	if bytes.HasPrefix(v, []byte("data:")) {
		_, v, _ = bytes.Cut(v, []byte(","))
	}
	return len(v) > end && isAlphabet(v[:end]) && isAlphabet(v[len(v)-end:])
}

func isAlphabet(v []byte) bool {
	for _, c := range v {
		letter := (c|0x20)-'a' < 26
		if !letter && c-'0' > 9 && c != '+' && c != '/' && c != '=' && c != '-' && c != '_' && c != '\\' { // a slash may be escaped
			return false
		}
	}
	return true
}
