package sim

import (
	"fmt"
	"strings"
)

// marker begins every text of an answer that no known case gives.
const marker = "[simulated] "

var words = strings.Fields(`about above after again air almost along always among animal answer autumn
back bank barn before begin below between bird both bottom branch bread bridge bright bring
call care carry cause centre change city clear cloud coast cold colour come corner country cover
day deep door down dream early earth east edge enough evening every eye fall far feather field
find fire flight flock floor flower follow forest found garden gather gentle glass gold grain
grass green ground half harbour high hill hold home hour house island keep land large leaf learn
left letter light line listen little long low meadow middle mile moon morning mountain move nest
never night noise north number often old open orchard order other over paper part pass path pattern
people place plain plant point quick quiet rain reach ready red rest river road roof room root
round sail sand season second seed shade shape shore short side silver simple sing sky slow small
snow song south spring star steep still stone story stream street summer sun table tall thread
tide time together top tower tree turn under valley village voice wait walk wall warm watch water
wave weather west white wide wind window wing winter wood word work world year yellow`)

// unknown returns the answer to an input that no case knows: it says what it is,
// how long it is, and nothing of the input.
func unknown(d die, n int) string {
	return fmt.Sprintf("%sNo model wrote this. It stands for an answer of %d words: %s.", marker, n, filler(d.about("filler"), n))
}

// filler returns n words.
func filler(d die, n int) string {
	var b strings.Builder
	b.Grow(min(n, 1000) * 7) // the words' mean length and a space
	for i := range n {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(words[d.nth(int64(i)).pick(len(words))])
	}
	return b.String()
}
