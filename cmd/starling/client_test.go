package main

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

// TestAClientHearsHowSureTheModelIs: what is no share of 1 is not heard.
func TestAClientHearsHowSureTheModelIs(t *testing.T) {
	said := ""
	gateway := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Starling-Receipt", "rcp_1")
		w.Header().Set("X-Starling-Cost", "$0.01")
		if said != "" {
			w.Header().Set("X-Starling-Confidence", said)
		}
		_, _ = w.Write([]byte(`{"choices":[{"message":{"content":"yes"}}]}`)) // the client says if it did not come
	}))
	defer gateway.Close()
	c := newClient(gateway.URL)
	defer c.close()
	for text, want := range map[string]float64{"": 0, "0.8125": 0.8125, "1": 1, "0": 0, "-1": 0, "1.5": 0, "NaN": 0, "high": 0} {
		said = text
		r, err := c.send(t.Context(), plainWay, []byte(`{}`), nil)
		if err != nil || r.text != "yes" || r.confidence != want {
			t.Errorf("%q: %+v, %v", text, r, err)
		}
	}
}
