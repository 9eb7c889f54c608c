package split

import (
	"fmt"
	"strings"

	"starling"
	"starling/internal/wire"
)

// mostBefore bounds what a planner is given of a conversation, in bytes.
const mostBefore = 8000

// before writes down what was said before the user's last message, turn by turn; "" if
// nothing was. Who answers sees it as it stands, but the question may refer to it ("and
// the second one?"), so who plans must have all of it. Errors are Invalid: it is too long
// for that, not in words, or not here; or the conversation goes on after the question.
func before(r *starling.Request) (string, error) {
	if field := wire.ReadingOf(r).Managed; field != "" {
		return "", refuse("what is read beside what was sent is not known: "+field+" is set", "")
	}
	own := *r
	chat, err := wire.View(&own)
	if err != nil {
		return "", err
	}
	asked := len(chat.Messages) - 1
	if asked < 0 || chat.Messages[asked].Role != starling.User || !worded(chat.Messages[asked].Parts) {
		return "", refuse("the conversation goes on after what the user said last", "")
	}
	if asked > 0 && (r.Opaque > 0 || r.Images+r.Documents > 0) {
		return "", errUnsaid
	}
	var b strings.Builder
	for _, m := range chat.Messages[:asked] {
		if !say(&b, &m) {
			return "", errUnsaid
		}
	}
	if b.Len() > mostBefore {
		return "", refuse(fmt.Sprintf("what was said before the question has %d bytes, and who plans is given %d at most", b.Len(), mostBefore), "ask in a conversation of its own, in words that need nothing before them")
	}
	return strings.TrimSpace(b.String()), nil
}

var errUnsaid = refuse("the conversation has more than words, such as pictures or calls of tools, and who plans is given words alone", "")

func worded(parts []starling.Part) bool {
	for i := range parts {
		if parts[i].Kind == starling.TextPart && parts[i].Text != "" {
			return true
		}
	}
	return false
}

// say writes down a turn, and reports whether it is one of words. Thoughts are not said.
func say(b *strings.Builder, m *starling.Message) bool {
	fmt.Fprintf(b, "%s:\n", m.Role)
	for i := range m.Parts {
		switch p := &m.Parts[i]; p.Kind {
		case starling.TextPart, starling.RefusalPart:
			b.WriteString(strings.TrimSpace(p.Text) + "\n")
		case starling.ReasoningPart:
		default:
			return false
		}
	}
	return true
}
