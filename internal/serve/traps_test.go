package serve_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"starling"
)

// What real users of gateways ran into, each by its number and its sentence. The
// upstream is hostile and the way is the whole one: HTTP in, HTTP out, ledger on.
// Where it makes sense a row is tried for every caller and every upstream.

// A trap is one row; it holds if all its checks do.
type trap struct {
	sentence string
	checks   []func(*testing.T)
}

// traps are rows 1 to 25, and what else was met.
var traps = []trap{
	{"a text with a tool call ends with tool use", checks(trapATextWithAToolCallEndsWithToolUse, trapWhoeverSaysStopAfterACallIsNotBelieved)},
	{"tool arguments arrive wherever the upstream puts them", checks(trapToolArgumentsArriveWhereverTheUpstreamPutsThem, trapToolArgumentsArriveInEveryShape)},
	{"thinking stands in a block of its own after one message_start", checks(trapThinkingStandsInABlockOfItsOwnAfterOneMessageStart, trapThoughtsAreNeverText)},
	{"a broken answer is not bought a second time", checks(trapABrokenAnswerIsNotBoughtASecondTime, trapWhoeverBreaksOffIsAskedOnce)},
	{"usage at the start that is zero, or missing, harms nobody", checks(trapMessageStartCarriesUsage, trapUsageThatIsMissingIsEstimated)},
	{"usage is asked for upstream, so that no stream is free", checks(trapUsageIsAskedForUpstreamAndStrippedForClientsThatDidNotAsk, trapNoStreamIsFree)},
	{"a client that did not ask for usage sees no chunk without choices", checks(trapUsageIsAskedForUpstreamAndStrippedForClientsThatDidNotAsk, trapNoChunkIsWithoutChoices)},
	{"cached tokens are charged once, and at the cached rate", checks(trapCachedTokensAreChargedOnceAndAtTheCachedRate, trapEveryCountIsPricedAsItsDialectMeansIt)},
	{"usage is translated between the conventions, and never negative", checks(trapUsageIsTranslatedBetweenTheConventions, trapCallersAreToldTheCountInTheirConvention)},
	{"streamed usage is cumulative, and may come late", checks(trapStreamedAnthropicUsageIsCumulativeAndMayComeLate)},
	{"a client that leaves is booked what was used", checks(trapAClientThatLeavesCancelsTheUpstreamAndIsBookedWhatWasUsed, trapWhoeverLeavesIsBookedOnce)},
	{"a client that leaves cancels the upstream, before the first token too", checks(trapAClientThatLeavesCancelsTheUpstreamAndIsBookedWhatWasUsed, trapWhoeverLeavesIsBookedOnce)},
	{"a fragile upstream is drained rather than cut", checks(trapAFragileUpstreamIsDrainedRatherThanCut, trapEveryUpstreamCanBeDrained)},
	{"an upstream that dies mid-answer is never ended cleanly", checks(trapAnUpstreamThatDiesMidAnswerIsNeverEndedCleanly, heldBy("serve", "TestABrokenAnswerIsNeverTakenForWhole", "TestAnAnswerThatStallsIsBrokenOff"))},
	{"a character split over packets stays whole", checks(trapACharacterSplitOverPacketsStaysWhole, heldBy("serve", "TestWhatOnlyLooksOddArrivesByteForByte"))},
	{"a line of four megabytes is no end of stream", checks(trapALineOfFourMegabytesIsNoEndOfStream, heldBy("serve", "TestALineOfFourMegabytesIsNoEnd"))},
	{"tool calls without a number, or whole at once, are told apart", checks(trapToolCallChunksForOpenAIClientsAlwaysCarryAnIndex, trapCallsWithoutANumberAreToldApart)},
	{"the body goes upstream byte for byte, but for the model", checks(trapTheBodyGoesUpstreamByteForByteButForTheModel, trapCacheMarksAndVendorHeadersReachTheUpstream, trapInItsOwnDialectNothingIsRewritten)},
	{"thinking signatures stay with their model", checks(trapThinkingSignaturesStayWithTheirModel, trapNoSignatureReachesAnotherDialect)},
	{"nobody gets an answer that was made for somebody else", checks(trapEqualQuestionsOfTwoTenantsBothReachTheUpstream, heldBy("route", "TestEqualBeginningsOfTwoCallersAreTwoSessions"))},
	{"a budget holds under concurrency, and over a crash", checks(trapADollarHoldsUnderAThousandParallelRequests, heldBy("ledger", "TestAThousandAtOnceSpendNoMoreThanTheCap", "TestInAnyOrderSumsAreReceiptsAndCapsHold", "TestKilledAtAnyMomentNothingPromisedIsLostAndTheCapHolds"))},
	{"a price is per million, and a slip is pointed out", checks(trapAPriceIsPerMillion, heldBy("catalog", "TestNoPriceIsPerTokenOrBeyondBelief", "TestASlipOfPerTokenAndPerMillionIsPointedOut"))},
	{"a question whose outcome is unknown is not bought twice", checks(trapWhoeverHangsUpOnAQuestionIsAskedOnce, heldBy("provider", "TestOnlyWhatSurelyBoughtNothingIsTriedAgainAndOnlyWithPatience", "TestWhatMayHaveBeenBoughtIsNotBoughtAgain"))},
	{"memory is bounded", checks(trapMemoryStaysWhereItIs, heldBy("ledger", "TestRefusalsDoNotFillMemoryAndDiskWhileTheStoreIsAway"), heldBy("route", "TestOnlySoManySessionsAreRemembered"), heldBy("provider", "TestAnAnswerOverTheLimitIsCutOff"), heldBy("wire", "TestAnAnswerWithoutEndOfBlocksIsBounded"))},
	{"a private request never falls back to the cloud", checks(trapAPrivateRequestNeverFallsBackToTheCloud, trapWhateverIsPrivateStaysNear)},

	{"thoughts are passed on", checks(trapThoughtsArriveWhereThereIsAPlaceForThem)},
	{"an answer that the limit cut says so", checks(trapAnAnswerThatTheLimitCutSaysSo)},
	{"a conversation with tools reaches every upstream", checks(trapAConversationWithToolsReachesEveryUpstream)},
	{"Retry-After reaches the client", checks(trapRetryAfterReachesTheClient)},
	{"an error is in the envelope of the caller's dialect", checks(trapAnErrorIsInTheEnvelopeOfTheCallersDialect, trapEveryUpstreamsRefusalIsUnderstood)},
}

func checks(all ...func(*testing.T)) []func(*testing.T) { return all }

func TestTraps(t *testing.T) {
	if len(traps) < 25 {
		t.Fatalf("there are %d traps", len(traps))
	}
	for i, tr := range traps {
		t.Run(fmt.Sprintf("%02d %s", i+1, tr.sentence), func(t *testing.T) {
			if len(tr.checks) == 0 {
				t.Error("nothing is checked")
			}
			for _, check := range tr.checks {
				check(t)
			}
		})
	}
}

// heldBy is for what is shown where it is done: those tests must be there.
func heldBy(pkg string, tests ...string) func(*testing.T) {
	return func(t *testing.T) {
		files := must(filepath.Glob(filepath.Join("..", pkg, "*_test.go")))
		var all []string
		for _, file := range files {
			for _, found := range regexp.MustCompile(`(?m)^func (Test\w+)\(`).FindAllSubmatch(must(os.ReadFile(file)), -1) {
				all = append(all, string(found[1]))
			}
		}
		for _, name := range tests {
			if !slices.Contains(all, name) {
				t.Errorf("%s has no %s", pkg, name)
			}
		}
	}
}

// A hostile is an upstream's answer, as it is or as one that was met.
type hostile struct {
	name   string
	from   starling.Dialect
	stream bool
	body   string
}

// tryOn has an upstream give each of the answers to a caller of every dialect.
func tryOn(t *testing.T, all []hostile, check func(t *testing.T, sc scene)) {
	th := newTheatre(t, standOptions{})
	for _, h := range all {
		for _, c := range callerDialects() {
			if !slices.Contains(upstreamDialects(), h.from) {
				continue
			}
			p := duo{c, h.from, h.stream}
			t.Run(h.name+" for "+p.String(), func(t *testing.T) { check(t, th.play(p, inPieces(p, h.body))) })
		}
	}
}

func oai(data string) string { return "data: " + data + "\n\n" }

func ant(kind, data string) string { return "event: " + kind + "\ndata: " + data + "\n\n" }

// pieces of an OpenAI stream
const (
	oaiRole  = `{"id":"c1","object":"chat.completion.chunk","created":1,"model":"m-1","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}`
	oaiText  = `{"id":"c1","object":"chat.completion.chunk","created":1,"model":"m-1","choices":[{"index":0,"delta":{"content":"Hello"},"finish_reason":null}]}`
	oaiStop  = `{"id":"c1","object":"chat.completion.chunk","created":1,"model":"m-1","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}`
	oaiUsage = `{"id":"c1","object":"chat.completion.chunk","created":1,"model":"m-1","choices":[],"usage":{"prompt_tokens":100,"completion_tokens":20,"total_tokens":120}}`
	oaiDone  = `[DONE]`
)

func oaiCall(fields string) string {
	return `{"id":"c1","object":"chat.completion.chunk","created":1,"model":"m-1","choices":[{"index":0,"delta":{"tool_calls":[{` + fields + `}]},"finish_reason":null}]}`
}

// pieces of an Anthropic stream
var (
	antStart = ant("message_start", `{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"m-1","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":100,"cache_read_input_tokens":80,"output_tokens":1}}}`)
	antText  = ant("content_block_start", `{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}`) +
		ant("content_block_delta", `{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hello"}}`) +
		ant("content_block_stop", `{"type":"content_block_stop","index":0}`)
	antEnd = ant("message_delta", `{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":20}}`) +
		ant("message_stop", `{"type":"message_stop"}`)
)

// datas returns the data of the server-sent events in a body.
func datas(body string) []string {
	var out []string
	for line := range strings.Lines(body) {
		if data, ok := strings.CutPrefix(strings.TrimRight(line, "\r\n"), "data: "); ok {
			out = append(out, data)
		}
	}
	return out
}

// field returns the last value that a path has in the events of a body.
func field(body, path string) gjson.Result {
	var last gjson.Result
	for _, d := range datas(body) {
		if v := gjson.Get(d, path); v.Exists() && v.Type != gjson.Null {
			last = v
		}
	}
	return last
}

func openAIUp(h http.HandlerFunc) upstreamAt {
	return upstreamAt{name: "up", dialect: starling.OpenAI, handler: h}
}

func anthropicUp(h http.HandlerFunc) upstreamAt {
	return upstreamAt{name: "up", dialect: starling.Anthropic, handler: h}
}

// said returns the last value that a path has in an answer, streamed or not.
func (sc scene) said(path string) string {
	if sc.stream {
		return field(sc.body, path).String()
	}
	return gjson.Get(sc.body, path).String()
}
