package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"starling"
	"starling/internal/catalog"
)

// Records are models.dev's, as its providers and models are gathered in one
// file. Prices are kept as the digits that stand there.
type records struct {
	Source string   `json:"source"` // ends in the day of the copy
	Unit   string   `json:"unit"`
	Models []record `json:"models"`

	Providers json.RawMessage `json:"providers"`
}

type record struct {
	Provider   string     `json:"provider"`
	Model      string     `json:"model"`
	Cost       *cost      `json:"cost_usd_per_mtok"`
	Limit      limit      `json:"limit"`
	Modalities modalities `json:"modalities"`
	ToolCall   *bool      `json:"tool_call"`
	Released   string     `json:"released"`
	Updated    string     `json:"updated"`

	Name        json.RawMessage `json:"name"`
	Reasoning   json.RawMessage `json:"reasoning"`
	OpenWeights json.RawMessage `json:"open_weights"`
}

type cost struct {
	Input      json.Number `json:"input"`
	Output     json.Number `json:"output"`
	CacheRead  json.Number `json:"cache_read"`
	CacheWrite json.Number `json:"cache_write"`
	Tiers      []tier      `json:"tiers"`

	CachedRead  json.Number `json:"cached_input"` // older names of the cache's rates
	CachedWrite json.Number `json:"cached_write"`

	Reasoning json.Number `json:"reasoning"` // of output while reasoning is on
	Request   json.Number `json:"request"`   // fees that are not per token
	Citation  json.Number `json:"citation"`

	InputAudio  json.Number `json:"input_audio"` // not priced
	OutputAudio json.Number `json:"output_audio"`
}

type tier struct {
	Tier struct {
		Type string `json:"type"` // "context" or unsaid
		Size int64  `json:"size"` // holds for more input than this
	} `json:"tier"`
	Input      json.Number `json:"input"`
	Output     json.Number `json:"output"`
	CacheRead  json.Number `json:"cache_read"`
	CacheWrite json.Number `json:"cache_write"`
}

type limit struct {
	Context int64 `json:"context"`
	Input   int64 `json:"input"`
	Output  int64 `json:"output"`
}

type modalities struct {
	Input  []string `json:"input"`
	Output []string `json:"output"`
}

const unit = "USD per million tokens"

// read decodes data and returns the day of the copy with it.
func read(data []byte) (records, string, error) {
	var r records
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&r); err != nil {
		return r, "", err
	}
	if r.Unit != unit {
		return r, "", fmt.Errorf("prices are in %q, not in %q", r.Unit, unit)
	}
	date := regexp.MustCompile(`\d{4}-\d{2}-\d{2}$`).FindString(r.Source)
	if date == "" {
		return r, "", fmt.Errorf("source %q does not end in a day", r.Source)
	}
	return r, date, nil
}

// useful reports whether the model reads text and writes text at a price for
// both, or turns it into vectors. Where the record says nothing of modalities, the name has to.
func (r record) useful() bool {
	m := r.Modalities
	if len(m.Input) > 0 && !slices.Contains(m.Input, "text") || len(m.Output) > 0 && !slices.Contains(m.Output, "text") {
		return false
	}
	if catalog.Takes(r.Model) == starling.Embeddings {
		return true
	}
	for _, other := range []string{"rerank", "whisper", "-tts", "gpt-image"} {
		if strings.Contains(strings.ToLower(r.Model), other) {
			return false
		}
	}
	return r.Cost == nil || !positive(r.Cost.Input) || positive(r.Cost.Output)
}

func positive(n json.Number) bool { return strings.Trim(n.String(), "0.") != "" }
