package ledger

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"hash/crc32"
)

// A journal segment is a magic line and records. A record is
//
//	length  4 bytes, little endian, of kind and body
//	crc     4 bytes, little endian, CRC-32C of kind and body
//	kind    1 byte
//	body    JSON
//
// and is written with one write(2). A record that is cut off or does not match
// its CRC ends the segment: everything before it was written before it. Only the
// last segment of a killed process may end so; anything else is damage.
const (
	magic         = "starling journal 1\n"
	recordHead    = 8
	longestRecord = 64 << 20
)

type recordKind byte

const (
	heldRecord    recordKind = 'h' // a hold: what an open exchange may cost at worst
	settledRecord recordKind = 's' // a receipt, in its exact bytes
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func appendRecord(buf []byte, kind recordKind, body []byte) []byte {
	start := len(buf)
	return sealRecord(append(beginRecord(buf, kind), body...), start)
}

// beginRecord leaves room for the head of a record, whose body is appended next.
func beginRecord(buf []byte, kind recordKind) []byte {
	return append(buf, 0, 0, 0, 0, 0, 0, 0, 0, byte(kind))
}

// sealRecord writes the head of the record that goes from start to the end.
func sealRecord(buf []byte, start int) []byte {
	content := buf[start+recordHead:]
	binary.LittleEndian.PutUint32(buf[start:], uint32(len(content)))
	binary.LittleEndian.PutUint32(buf[start+4:], crc32.Checksum(content, castagnoli))
	return buf
}

// nextRecord splits the first record off data. ok is false at the end and at
// anything that is no whole record.
func nextRecord(data []byte) (kind recordKind, body, rest []byte, ok bool) {
	if len(data) < recordHead+1 {
		return 0, nil, data, false
	}
	n := uint64(binary.LittleEndian.Uint32(data))
	if n < 1 || n > longestRecord || n > uint64(len(data)-recordHead) {
		return 0, nil, data, false
	}
	content := data[recordHead : recordHead+n]
	if crc32.Checksum(content, castagnoli) != binary.LittleEndian.Uint32(data[4:]) {
		return 0, nil, data, false
	}
	return recordKind(content[0]), content[1:], data[recordHead+n:], true
}

// A recovery is what a dead process left in its journal.
type recovery struct {
	settled []*entry
	open    map[string]hold
	damaged []string // of files: more was unreadable than the last record
	files   []string
}

// read adds a segment. It reports whether the segment was read to its end, where
// of the last one alone a cut-off record is the natural end of a killed process.
func (r *recovery) read(data []byte, last bool) (whole bool) {
	rest, ok := bytes.CutPrefix(data, []byte(magic))
	if !ok {
		return last && len(data) < len(magic)
	}
	for {
		kind, body, after, ok := nextRecord(rest)
		if !ok {
			return len(rest) == 0 || last && torn(rest)
		}
		if !r.add(kind, body) {
			return false
		}
		rest = after
	}
}

// torn reports whether what is left can be one record that was being written
// when the process died: less than it announces. It is not if no record is as
// long as that, if what is there is whole, or if another record follows: then
// the length was changed.
func torn(rest []byte) bool {
	if len(rest) < recordHead {
		return true
	}
	n, content := uint64(binary.LittleEndian.Uint32(rest)), rest[recordHead:]
	switch {
	case n <= uint64(len(content)) || n > longestRecord:
		return false
	case crc32.Checksum(content, castagnoli) == binary.LittleEndian.Uint32(rest[4:]):
		return false
	}
	return !hidesRecord(content)
}

// hidesRecord reports whether a record begins anywhere in data. It is fast since
// four bytes of JSON are no length that a record can have.
func hidesRecord(data []byte) bool {
	for i := range data {
		if _, _, _, ok := nextRecord(data[i:]); ok {
			return true
		}
	}
	return false
}

func (r *recovery) add(kind recordKind, body []byte) bool {
	switch kind {
	case heldRecord:
		var h hold
		if json.Unmarshal(body, &h) != nil || h.ID == "" {
			return false
		}
		h.Held = max(0, bounded(h.Held))
		r.open[h.ID] = h
	case settledRecord:
		receipt, err := DecodeReceipt(body)
		if err != nil || receipt.ID == "" {
			return false
		}
		r.settled = append(r.settled, entryOf(receipt, bytes.Clone(body)))
		r.settled[len(r.settled)-1].held = true
		delete(r.open, receipt.ID)
		lessen(r.open, r.settled[len(r.settled)-1])
	default:
		return false
	}
	return true
}

// appendHold encodes by hand, as [encode] does: every call of a model waits for it.
func appendHold(buf []byte, h hold) []byte {
	start := len(buf)
	e := &encoder{b: beginRecord(buf, heldRecord)}
	e.open('{')
	str(e, "id", h.ID)
	num(e, "at", h.At)
	someStr(e, "key", h.Key)
	someStr(e, "team", h.Team)
	someStr(e, "skill", h.Skill)
	num(e, "held", h.Held)
	e.close('}')
	return sealRecord(e.b, start)
}
