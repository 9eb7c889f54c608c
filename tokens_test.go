package starling_test

import (
	"bytes"
	"testing"
	"time"

	"starling"
)

func TestAnEstimateErrsUpwardsAndSaysSo(t *testing.T) {
	limited := starling.Model{Context: 1000, MaxOutput: 50}
	for _, c := range []struct {
		name string
		req  starling.Request
		out  int
		mute time.Duration
		want starling.Usage
	}{
		{"of nothing there is a frame", starling.Request{}, 0, 0, starling.Usage{Input: 8, Output: 8}},
		{"a token for three bytes begun", starling.Request{Body: make([]byte, 4)}, 3, 0, starling.Usage{Input: 10, Output: 9}},
		{"a picture is not its base64", starling.Request{Body: make([]byte, 4000), Opaque: 3997, Images: 1}, 0, 0, starling.Usage{Input: 9 + 4800, Output: 8}},
		{"no more than the caller allowed", starling.Request{MaxTokens: 20}, 3000, 0, starling.Usage{Input: 8, Output: 20}},
		{"in each choice", starling.Request{MaxTokens: 20, Choices: 2}, 3000, 0, starling.Usage{Input: 8, Output: 40}},
		{"else than the model's limit", starling.Request{}, 3000, 0, starling.Usage{Input: 8, Output: 50}},
		{"what nobody saw is guessed by the time", starling.Request{MaxTokens: 5000}, 3, 5 * time.Second, starling.Usage{Input: 8, Output: 9 + 600}},
		{"a moment's silence says nothing", starling.Request{MaxTokens: 5000}, 3, 2 * time.Second, starling.Usage{Input: 8, Output: 9}},
		{"a document is no more than the window", starling.Request{Documents: 1}, 0, 0, starling.Usage{Input: 1064, Output: 8}},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.want.Estimated = true
			if got := limited.Estimate(&c.req, c.out, c.mute); got != c.want {
				t.Errorf("%+v, want %+v", got, c.want)
			}
		})
	}
}

func TestAnEstimateIsWithinWhatWasReserved(t *testing.T) {
	for _, m := range []starling.Model{{}, {Context: 100}, {MaxOutput: 10}, {Context: 100, MaxOutput: 10}} {
		for _, r := range []starling.Request{
			{}, {Body: bytes.Repeat([]byte("x"), 10_000)}, {Body: make([]byte, 5000), Opaque: 5000, Images: 3, Tools: 1},
			{MaxTokens: 5, Choices: 3}, {Documents: 2, MaxTokens: 1},
		} {
			input, output := m.Bounds(&r)
			got := m.Estimate(&r, 1_000_000, time.Hour)
			if input > 0 && got.Input > input || output > 0 && got.Output > output {
				t.Errorf("%+v of at most %d and %d", got, input, output)
			}
		}
	}
}
