package verify

import (
	"crypto/sha256"
	"sync"

	"starling/internal/strict"
)

// Shapes hold the JSON Schemas that requests bring along, compiled: the same program
// sends the same ones again and again. They are bounded, and forget all at once. The
// zero value is ready; safe for concurrent use.
type Shapes struct {
	mu    sync.Mutex
	kept  map[[sha256.Size]byte]*strict.Schema
	bytes int
}

const (
	mostShapes     = 256
	mostShapeBytes = 2 << 20
)

// of returns the schema that the JSON text describes. It keeps no piece of it.
func (s *Shapes) of(text []byte) *strict.Schema {
	digest := sha256.Sum256(text)
	s.mu.Lock()
	defer s.mu.Unlock()
	if known := s.kept[digest]; known != nil {
		return known
	}
	if s.kept == nil || len(s.kept) >= mostShapes || s.bytes+len(text) > mostShapeBytes {
		s.kept, s.bytes = map[[sha256.Size]byte]*strict.Schema{}, 0
	}
	own := strict.NewSchema(append([]byte(nil), text...))
	s.kept[digest] = own
	s.bytes += len(text)
	return own
}
