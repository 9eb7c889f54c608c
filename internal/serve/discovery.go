package serve

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"starling"
	"starling/internal/route"
)

// Claude Code offers its user the models that a gateway lists, but only those whose
// names begin with "claude" or "anthropic". So who asks in Anthropic's dialect is
// told of everything that converses under such a name too, its disguise:
//
//	starling/support-intent   claude-starling-support-intent
//	ollama/qwen3:0.6b         claude-ollama-qwen3-0.6b
//
// Where two names would have one disguise, or a model has that name for its own,
// the disguise ends in digits of the name's SHA-256. A request may name either.
//
// Source: code.claude.com/docs/en/llm-gateway-protocol, November 2026.

// A disguise is a name that begins as clients want it, and the one it stands for.
type disguise struct{ name, id string }

func presentable(id string) bool {
	return strings.HasPrefix(id, "claude") || strings.HasPrefix(id, "anthropic")
}

// disguises returns those of all skills, aliases and models that converse, in the
// order of the list.
func disguises(r *route.Router) []disguise {
	var all []disguise
	count := map[string]int{}
	for id := range names(r) {
		d := disguise{"claude-" + plain(id), id}
		if count[d.name]++; !presentable(id) {
			all = append(all, d)
		}
	}
	taken := map[string]bool{}
	for i := range all {
		d, base := &all[i], all[i].name
		for n := 4; d.name == base && count[base] > 1 || taken[d.name] || isKnown(r, d.name); n++ {
			sum := sha256.Sum256([]byte(d.id))
			d.name = base + "-" + hex.EncodeToString(sum[:min(n, len(sum))])
		}
		taken[d.name] = true
	}
	return all
}

func isKnown(r *route.Router, name string) bool {
	_, known := r.Directory.Find(name)
	return known
}

// names yields what a request for words may name.
func names(r *route.Router) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for _, name := range r.Skills.Names() {
			if !yield(route.Prefix + name) {
				return
			}
		}
		for _, name := range r.Directory.Aliases() {
			if m, ok := r.Directory.Find(name); ok && m.Takes == "" && !yield(name) {
				return
			}
		}
		for _, m := range r.Directory.Models() {
			if m.Takes == "" && !yield(m.ID()) {
				return
			}
		}
	}
}

// plain has a dash for whatever is no letter, digit, dot, dash or underscore.
func plain(id string) string {
	return strings.Map(func(c rune) rune {
		letter := (c|0x20) >= 'a' && (c|0x20) <= 'z' || c >= '0' && c <= '9'
		if letter || c == '.' || c == '-' || c == '_' {
			return c
		}
		return '-'
	}, id)
}

// undisguised returns what a name stands for: itself, unless it is a disguise. A
// model is then named unmistakably.
func undisguised(r *route.Router, name string) string {
	if !presentable(name) || isKnown(r, name) {
		return name
	}
	for _, d := range disguises(r) {
		if d.name != name {
			continue
		}
		if m, ok := r.Directory.Find(d.id); ok {
			return m.ID()
		}
		return d.id
	}
	return name
}

// window returns the model whose limits are those of a skill: the candidate that
// reads most, since what is too long for the others is for it to answer.
func window(r *route.Router, skill string) (widest starling.Model) {
	s, ok := r.Skills.Find(skill)
	if !ok {
		return widest
	}
	for _, c := range s.Rubric.Candidates {
		if m, ok := r.Directory.Find(route.Named(skill, c.Model)); ok && m.Context > widest.Context {
			widest = m
		}
	}
	return widest
}

// A claudeModel is a listed model as Anthropic's clients read one. What nobody
// knows of it is null.
//
// Source: ModelInfo of anthropic-sdk-go v1.84.0.
type claudeModel struct {
	listedModel
	MaxInput     *int64 `json:"max_input_tokens"`
	MaxTokens    *int64 `json:"max_tokens"`
	Lifecycle    string `json:"lifecycle"`
	Capabilities any    `json:"capabilities"`
	Line         any    `json:"line"`
	DeprecatedAt any    `json:"deprecated_at"`
	RetiresAt    any    `json:"retires_at"`
}

func claude(l listedModel, m starling.Model) claudeModel {
	c := claudeModel{listedModel: l, Lifecycle: "active"}
	if m.Context > 0 {
		c.MaxInput = &m.Context
	}
	if m.MaxOutput > 0 {
		c.MaxTokens = &m.MaxOutput
	}
	return c
}

// claudes is the list for who speaks Anthropic's dialect: the disguises first, since
// a client may read one page only.
func (s *Server) claudes() []claudeModel {
	r := s.current().Router
	plain := s.listed()
	byID := make(map[string]listedModel, len(plain))
	limits := func(id string) starling.Model {
		if skill, ok := strings.CutPrefix(id, route.Prefix); ok {
			return window(r, skill)
		}
		m, _ := r.Directory.Find(id)
		return m
	}
	for _, l := range plain {
		byID[l.ID] = l
	}
	var all []claudeModel
	for _, d := range disguises(r) {
		l := byID[d.id]
		l.ID, l.DisplayName = d.name, d.id
		all = append(all, claude(l, limits(d.id)))
	}
	for _, l := range plain {
		all = append(all, claude(l, limits(l.ID)))
	}
	return all
}

// mostListed is how many models a page has at most.
const mostListed = 1000

// page cuts a page out of the list, as limit, after_id and before_id ask; without a
// limit it is the whole. Errors are Invalid.
//
// Source: ModelListParams of anthropic-sdk-go v1.84.0.
func page(all []claudeModel, q url.Values) (out []claudeModel, more bool, err error) {
	limit := len(all)
	if text := q.Get("limit"); text != "" {
		if limit, err = strconv.Atoi(text); err != nil || limit < 1 || limit > mostListed {
			return nil, false, &starling.Error{Kind: starling.Invalid, Op: "request: limit", Err: fmt.Errorf("must be from 1 to %d", mostListed)}
		}
	}
	after, before := q.Get("after_id"), q.Get("before_id")
	if after != "" && before != "" {
		return nil, false, &starling.Error{Kind: starling.Invalid, Op: "request: after_id", Hint: "send after_id or before_id"}
	}
	if cursor := cmp.Or(after, before); cursor != "" {
		at := slices.IndexFunc(all, func(m claudeModel) bool { return m.ID == cursor })
		switch {
		case at < 0:
			return nil, false, &starling.Error{Kind: starling.Invalid, Op: "request: after_id or before_id", Hint: "it names no model of the list: begin again without it"}
		case before != "":
			from := max(0, at-limit)
			return all[from:at], from > 0, nil
		}
		all = all[at+1:]
	}
	n := min(limit, len(all))
	return all[:n], n < len(all), nil
}
