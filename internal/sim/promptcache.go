package sim

import (
	"sync"
	"time"

	"starling"
)

// A promptCache remembers which prefixes of prompts were seen, by hash. Real
// time decides what is still remembered, so here the order of requests matters:
// the first of two alike writes, the second reads.
type promptCache struct {
	mu       sync.Mutex
	new, old map[uint64]time.Time // until when
}

// An edge is a place where a prefix may end.
type edge struct {
	hash   uint64
	tokens int64 // of the prefix
	mark   time.Duration
}

const (
	cacheStep  = 128 // OpenAI counts cached tokens in steps
	cacheChunk = cacheStep * runesPerToken
)

// usage counts the whole prompt, and remembers it.
func (c *promptCache) usage(m *Model, a *ask) starling.Usage {
	total := a.input()
	if !m.PromptCache {
		return starling.Usage{Input: total}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if a.dialect == starling.Anthropic {
		return c.marked(m, markedEdges(a.pieces), total)
	}
	return c.automatic(m, automaticEdges(a.pieces), total)
}

// marked reads the longest remembered prefix that ends at or before the last
// mark, and writes the rest up to each mark.
func (c *promptCache) marked(m *Model, edges []edge, total int64) starling.Usage {
	last := -1
	for i, e := range edges {
		if e.mark > 0 && e.tokens >= m.CacheMin {
			last = i
		}
	}
	if last < 0 {
		return starling.Usage{Input: total}
	}
	now := time.Now()
	var u starling.Usage
	for _, e := range edges[:last+1] {
		if c.alive(e, now) && e.tokens >= m.CacheMin {
			u.CacheRead = e.tokens
		}
	}
	done := u.CacheRead
	for _, e := range edges[:last+1] {
		if e.mark == 0 || e.tokens < m.CacheMin {
			continue
		}
		ttl := m.CacheTTL
		if e.mark == time.Hour {
			ttl = e.mark
		}
		c.keep(e, now.Add(ttl))
		if fresh := e.tokens - done; fresh > 0 && e.mark == time.Hour {
			u.CacheWrite1h += fresh
		} else if fresh > 0 {
			u.CacheWrite += fresh
		}
		done = max(done, e.tokens)
	}
	u.Input = total - done
	return u
}

// automatic reads the longest remembered prefix in whole steps, and remembers
// every edge of the prompt.
func (c *promptCache) automatic(m *Model, edges []edge, total int64) starling.Usage {
	now := time.Now()
	var u starling.Usage
	var longest int64
	for _, e := range edges {
		if e.tokens < m.CacheMin {
			continue
		}
		longest = e.tokens / cacheStep * cacheStep
		if c.alive(e, now) {
			u.CacheRead = longest
		}
		c.keep(e, now.Add(m.CacheTTL))
	}
	u.CacheWrite = longest - u.CacheRead
	u.Input = total - longest
	return u
}

func (c *promptCache) alive(e edge, now time.Time) bool {
	until, ok := c.new[e.hash]
	if !ok {
		until = c.old[e.hash]
	}
	return now.Before(until)
}

func (c *promptCache) keep(e edge, until time.Time) {
	if c.new == nil || len(c.new) >= maxRemembered {
		c.old, c.new = c.new, map[uint64]time.Time{}
	}
	c.new[e.hash] = until
}

// markedEdges returns the ends of the blocks.
func markedEdges(pieces []piece) []edge {
	edges := make([]edge, 0, len(pieces))
	var e edge
	for _, p := range pieces {
		e = edge{hash: fold(fold(e.hash, p.kind), p.text), tokens: e.tokens + p.tokens, mark: p.mark}
		edges = append(edges, e)
	}
	return edges
}

// automaticEdges returns an edge about every 128 tokens, wherever that is. Edges
// depend on nothing behind them: prompts share the edges of what they share.
func automaticEdges(pieces []piece) []edge {
	var edges []edge
	var hash uint64
	var tokens int64
	for _, p := range pieces {
		hash = fold(hash, p.kind)
		rest := p.text
		var inside int64
		for len(rest) >= cacheChunk && p.kind != "image" {
			hash = fold(hash, rest[:cacheChunk])
			inside += leading(rest[:cacheChunk])
			rest = rest[cacheChunk:]
			edges = append(edges, edge{hash: hash, tokens: tokens + inside/runesPerToken})
		}
		hash = fold(hash, rest)
		tokens += p.tokens
		if len(edges) == 0 || tokens-edges[len(edges)-1].tokens >= cacheStep {
			edges = append(edges, edge{hash: hash, tokens: tokens})
		}
	}
	return edges
}

// leading counts the bytes that begin a rune.
func leading(s string) int64 {
	var n int64
	for i := range len(s) {
		if s[i]&0xC0 != 0x80 {
			n++
		}
	}
	return n
}
