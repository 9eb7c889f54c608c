package serve

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"starling"
)

// written is an answer as the gateway writes it, of about so many bytes.
func written(id string, size int) []byte {
	return fmt.Appendf(nil, `{"id":"resp_%s","output":[{"type":"message","id":"msg_%s","content":[{"type":"output_text","text":%q}]}]}`, id, id, strings.Repeat("x", size))
}

func TestWhatIsRecalledIsBounded(t *testing.T) {
	if testing.Short() {
		t.Skip("one goroutine reads much text, at which the race detector has nothing to see")
	}
	synctest.Test(t, func(t *testing.T) {
		r := newRecall(time.Hour)
		req := &starling.Request{Dialect: starling.Responses, Body: []byte(`{"model":"m","input":"x"}`)}
		const size = mostRecalled / 8
		for i := range 20 {
			r.keep(req, fmt.Sprint(i), written(fmt.Sprint(i), size))
			time.Sleep(time.Minute)
		}
		if r.bytes > mostRecalled || r.bytes < mostRecalled/2 || r.byAge.Len() != 7 || len(r.found) != 14 {
			t.Errorf("%d bytes of %d answers under %d ids", r.bytes, r.byAge.Len(), len(r.found))
		}
		if _, ok := r.find("", "resp_19"); !ok {
			t.Error("the newest is forgotten")
		}
		if _, ok := r.find("", "msg_0"); ok {
			t.Error("the oldest is not")
		}
		r.keep(req, "big", written("big", mostRecalled/2))
		if _, ok := r.find("", "resp_big"); ok {
			t.Error("one answer takes the place of all others")
		}
		time.Sleep(time.Hour)
		if _, ok := r.find("", "resp_19"); ok || r.bytes != 0 || len(r.found) != 0 {
			t.Errorf("after its time there are %d bytes under %d ids", r.bytes, len(r.found))
		}
	})
}
