package e2e

import "testing"

func TestTheOpenAINodeSDK(t *testing.T) { node(t, "node/openai.mjs") }

func TestTheAnthropicNodeSDK(t *testing.T) { node(t, "node/anthropic.mjs") }
