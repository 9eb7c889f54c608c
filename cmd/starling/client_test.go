package main

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"starling"
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

// TestAHintIsHeardApartFromTheMessage: the gateway has it in both, for clients that show
// nothing but the message; here what can be done stands once, with where more is to be read.
func TestAHintIsHeardApartFromTheMessage(t *testing.T) {
	for name, c := range map[string]struct {
		status                int
		body                  string
		far                   bool
		message, hint, remote string
	}{
		"a hint":           {503, `{"error":{"message":"none is there (wait (a little)): more","code":"overloaded","hint":"wait (a little)"}}`, false, "none is there: more", "wait (a little); starling explain rcp_1", ""},
		"none":             {503, `{"error":{"message":"none is there","code":"overloaded"}}`, false, "none is there", "starling explain rcp_1", ""},
		"of an upstream":   {503, `{"error":{"message":"too many","hint":"check it"}}`, false, "too many", "check it; starling explain rcp_1", ""},
		"a key is wanted":  {401, `{"error":{"message":"no key (send one)","code":"unauthenticated","hint":"send one"}}`, false, "no key", "put one into STARLING_KEY; starling key create makes one", ""},
		"from far away":    {503, `{"error":{"message":"none (wait)","code":"overloaded","hint":"wait"}}`, true, "none", "wait; its receipt is at ", "/v1/receipts/rcp_1"},
		"a key from there": {401, `{"error":{"message":"no key (send one)","code":"unauthenticated","hint":"send one"}}`, true, "no key", "put one into STARLING_KEY", ""},
	} {
		gateway := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Starling-Receipt", "rcp_1")
			w.WriteHeader(c.status)
			_, _ = w.Write([]byte(c.body)) // the client says if it did not come
		}))
		client := newClient(gateway.URL)
		client.far = c.far
		_, err := client.talk(t.Context(), nil, nil, func(piece) {})
		if c.remote != "" {
			c.hint += gateway.URL + c.remote
		}
		e, ok := errors.AsType[*starling.Error](err)
		if !ok || e.Op != c.message || e.Hint != c.hint {
			t.Errorf("%s: %v", name, err)
		}
		client.close()
		gateway.Close()
	}
}
