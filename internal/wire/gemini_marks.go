package wire

import (
	"strings"
)

// Gemini's models sign what they thought (thoughtSignature, on a part), want the
// signatures of their own calls back, and refuse those of others. The rules:
//
//   - In this dialect signatures pass as they are.
//   - On the way to a caller of another dialect they are left out: a call there has
//     no place for one, and a client would hand it to whoever answers next.
//   - On the way from another dialect to Gemini the first call of each step has
//     Google's own placeholder for calls that no signature is known of. All steps
//     have it, also those of earlier turns where none is demanded, so that what a
//     prompt cache remembers stays the same.
//   - To a caller of this dialect another model's thoughts and calls are told under
//     our own mark. Back on the way to Gemini, thoughts under it are taken out, and
//     on calls the placeholder takes its place.
//
// Source: ai.google.dev/gemini-api/docs/thought-signatures, "FAQs".
const (
	anySignature = "skip_thought_signature_validator"
	geminiMark   = "c3RhcmxpbmctdW5zaWduZWQ=" // ourMark in base64: in this dialect a signature is bytes
)

// wantsSignatures reports whether a model refuses a call of its history without a
// signature. The generations up to 2.5 do not; a name that is not known is taken to
// be newer.
func wantsSignatures(model string) bool { return !isOldGemini(model) }

func isOldGemini(model string) bool {
	for _, old := range [...]string{"gemini-1", "gemini-2", "gemini-pro", "gemma", "learnlm"} {
		if strings.HasPrefix(model, old) {
			return true
		}
	}
	return false
}

// withoutOurMarks takes our marks out of a conversation, with the thoughts under
// them. A turn that has nothing else is taken out, too.
func withoutOurMarks(body []byte, o *outgoing) []byte {
	if !Mentions(body, `"`+geminiMark+`"`) {
		return body
	}
	at, end := locate(body, "contents")
	if at == end {
		return body
	}
	kept, cut := filtered(body[at:end], func(content []byte) []byte {
		from, to := locate(content, "parts")
		rest, cut := filtered(content[from:to], func(part []byte) []byte { return unmarked(part, o) })
		switch {
		case !cut:
			return content
		case isEmpty(rest):
			return nil
		}
		return edited(content, edit{from, to, string(rest)})
	})
	if !cut {
		return body
	}
	return edited(body, edit{at, end, string(kept)})
}

// unmarked returns a part without our mark, nil for a thought under it.
func unmarked(part []byte, o *outgoing) []byte {
	for m := enter(part); m.next(); {
		if snake(m.name()) != "thought_signature" || text(m.value) != geminiMark {
			continue
		}
		if kindOf(field(part, "thought")) == 't' {
			o.leave("thinking")
			return nil
		}
		with := `""` // as good as none
		if geminiField(part, "function_call") != nil && wantsSignatures(o.model.Name) {
			o.leave(leftSignatures)
			with = `"` + anySignature + `"`
		}
		return edited(part, edit{m.i - len(m.value), m.i, with})
	}
	return part
}

// leftSignatures is told of calls that go to a Gemini model without its signature.
const leftSignatures = "thought signatures: earlier calls go with Google's placeholder for calls without one"

// signatureOf reads a part's signature: our own mark has the form of all dialects.
func signatureOf(v []byte) string {
	if s := text(v); s != geminiMark {
		return s
	}
	return ourMark
}
