package wire

import "strings"

// heedless are parts of the User-Agent of clients that try a 429 again whatever
// x-should-retry says, and lose the reason or take long to show it. A 402 they ask
// once, and show what it says. Vendors' own SDKs heed the header and know a spent quota
// by its 429, so they keep that.
//
// Source: measured in November 2026 with e2e/run, requests at a 429 that is final: ai
// 7.0.173 three (it is also what the packages of its providers say), opencode 1.18.33
// nine, continue 1.5.47 ten, without the reason. pi 0.73.1 asks four times, and calls
// itself what the SDK beneath it does, so it cannot be told from that.
var heedless = [...]string{
	"ai-sdk-provider-utils/", // ai 7
	"ai-sdk/provider-utils/", // ai 5 and 6, and what is built of them
	"opencode/",
	"ls/JS ", // continue, as its bundle shortens the name of OpenAI's SDK
}

// heeded is the status by which a final refusal stops a client.
func heeded(status int, agent string) int {
	if status != 429 {
		return status
	}
	for _, name := range heedless {
		if strings.Contains(agent, name) {
			return 402
		}
	}
	return status
}
