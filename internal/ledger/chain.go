package ledger

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/secure-systems-lab/go-securesystemslib/dsse"

	"starling"
)

// What docs/spec/receipt.md fixes.
const (
	payloadType   = "application/vnd.in-toto+json"
	statementType = "https://in-toto.io/Statement/v1"
	predicateType = "urn:starling:ledger:checkpoint:v1"
)

// A digest is a SHA-256.
type digest [sha256.Size]byte

func (d digest) String() string { return hex.EncodeToString(d[:]) }

// link returns the hash of a chain after the payload with the given digest:
// SHA-256(prev || SHA-256(payload)).
func (d digest) link(payload digest) digest {
	var both [2 * sha256.Size]byte
	copy(both[:], d[:])
	copy(both[sha256.Size:], payload[:])
	return sha256.Sum256(both[:])
}

// A chain is where a gateway's next receipt or note goes.
type chain struct {
	number int64 // in the store
	id     string
	signer *signer
	seq    int64 // of the last link; 0 before the first
	head   digest
}

// genesis is the hash before the first link: the bytes of the chain's id.
func genesis(public ed25519.PublicKey) digest { return sha256.Sum256(public) }

// A statement is what a checkpoint signs: an in-toto Statement v1.
type statement struct {
	Type          string    `json:"_type"`
	Subject       []subject `json:"subject"`
	PredicateType string    `json:"predicateType"`
	Predicate     span      `json:"predicate"`
}

type subject struct {
	Name   string `json:"name"`
	Digest struct {
		SHA256 string `json:"sha256"`
	} `json:"digest"`
}

func subjectOf(id string, sum digest) subject {
	s := subject{Name: id}
	s.Digest.SHA256 = sum.String()
	return s
}

// A span says which links of which chain a checkpoint covers.
type span struct {
	Chain string    `json:"chain"`
	First int64     `json:"first"`
	Last  int64     `json:"last"`
	Prev  string    `json:"prev"` // the hash before First
	Head  string    `json:"head"` // the hash of Last
	Time  time.Time `json:"time"`
}

// A linked is what the chain knows of a receipt or a note.
type linked struct {
	id      string
	payload []byte
	time    int64 // nanoseconds since 1970
}

func (l *linked) link() *linked { return l }

// A sealed batch is a run of links and one signature.
type batch struct {
	first, last int64
	head        digest
	links       []digest
	envelope    []byte
}

// seal chains and signs receipts or notes. The chain itself moves only when the
// store has taken the batch.
func seal[T interface{ link() *linked }](c *chain, all []T, now time.Time) (*batch, error) {
	b := &batch{first: c.seq + 1, last: c.seq + int64(len(all)), head: c.head, links: make([]digest, len(all))}
	subjects := make([]subject, len(all))
	for i := range all {
		l := all[i].link()
		sum := digest(sha256.Sum256(l.payload))
		b.head = b.head.link(sum)
		b.links[i] = b.head
		subjects[i] = subjectOf(l.id, sum)
	}
	body, err := json.Marshal(statement{
		Type: statementType, Subject: subjects, PredicateType: predicateType,
		Predicate: span{Chain: c.id, First: b.first, Last: b.last, Prev: c.head.String(), Head: b.head.String(), Time: now.UTC()},
	})
	if err != nil {
		return nil, err
	}
	b.envelope, err = c.signer.envelope(body)
	return b, err
}

func (s *signer) envelope(body []byte) ([]byte, error) {
	es, err := dsse.NewEnvelopeSigner(s)
	if err != nil {
		return nil, err
	}
	envelope, err := es.SignPayload(context.Background(), payloadType, body)
	if err != nil {
		return nil, err
	}
	return json.Marshal(envelope)
}

func (c *chain) advance(b *batch) { c.seq, c.head = b.last, b.head }

// openEnvelope checks the signature of a checkpoint and returns what it says.
// Only the one encoding that we write is accepted, so that no byte of it can be
// changed unnoticed.
func openEnvelope(data []byte, public ed25519.PublicKey) (*statement, error) {
	var e dsse.Envelope
	if err := json.Unmarshal(data, &e); err != nil {
		return nil, fmt.Errorf("the envelope is not JSON: %w", err)
	}
	if same, err := json.Marshal(e); err != nil || !bytes.Equal(same, data) || len(e.Signatures) != 1 {
		return nil, errors.New("the envelope is not as it was written")
	}
	ev, err := dsse.NewEnvelopeVerifier(verifier(public))
	if err != nil {
		return nil, err
	}
	_, body, err := ev.VerifyAndDecode(context.Background(), &e)
	if err != nil {
		return nil, fmt.Errorf("the signature is not by this chain's key: %w", err)
	}
	if e.PayloadType != payloadType || e.Signatures[0].KeyID != chainID(public) || !strict64(e.Payload) || !strict64(e.Signatures[0].Sig) {
		return nil, errors.New("the envelope is not as it was written")
	}
	s := new(statement)
	if err := json.Unmarshal(body, s); err != nil {
		return nil, fmt.Errorf("the statement is not JSON: %w", err)
	}
	if s.Type != statementType || s.PredicateType != predicateType {
		return nil, errors.New("the statement is of another type")
	}
	return s, nil
}

// Sealed is a receipt with everything that proves it.
type Sealed struct {
	ID         string          `json:"id"`
	Payload    json.RawMessage `json:"receipt"` // the exact bytes that are hashed
	Chain      string          `json:"chain"`
	Seq        int64           `json:"seq"`
	Prev       string          `json:"prev"` // hex
	Hash       string          `json:"hash"` // hex
	Public     []byte          `json:"public_key"`
	Checkpoint json.RawMessage `json:"checkpoint"` // a DSSE envelope
}

// Receipt decodes the payload. Errors: Invalid.
func (s *Sealed) Receipt() (*starling.Receipt, error) { return DecodeReceipt(s.Payload) }

// Check proves the receipt offline: its link follows from its bytes, and the
// checkpoint signs its digest under the key that the chain is named after. That
// the key is the right gateway's is for the caller to know. Errors: Invalid.
func (s *Sealed) Check() error {
	if err := s.check(); err != nil {
		return &starling.Error{Kind: starling.Invalid, Op: "ledger: check receipt " + s.ID, Hint: "do not trust this receipt", Err: err}
	}
	return nil
}

func (s *Sealed) check() error {
	if len(s.Public) != ed25519.PublicKeySize || chainID(s.Public) != s.Chain {
		return errors.New("the key is not the chain's")
	}
	var prev digest
	if n, err := hex.Decode(prev[:], []byte(s.Prev)); err != nil || n != len(prev) {
		return errors.New("the previous hash is not one")
	}
	sum := digest(sha256.Sum256(s.Payload))
	if prev.link(sum).String() != s.Hash {
		return errors.New("the hash does not follow from the receipt")
	}
	st, err := openEnvelope(s.Checkpoint, s.Public)
	if err != nil {
		return err
	}
	return st.covers(s, sum)
}

func (st *statement) covers(s *Sealed, sum digest) error {
	p := st.Predicate
	i := s.Seq - p.First
	switch {
	case p.Chain != s.Chain || i < 0 || i >= int64(len(st.Subject)) || p.Last-p.First+1 != int64(len(st.Subject)):
		return errors.New("the checkpoint is about other receipts")
	case st.Subject[i].Name != s.ID || st.Subject[i].Digest.SHA256 != sum.String():
		return errors.New("the checkpoint signs another receipt at this place")
	case s.Seq == p.First && s.Prev != p.Prev, s.Seq == p.Last && s.Hash != p.Head:
		return errors.New("the checkpoint signs another link")
	}
	return nil
}

// strict64 reports whether text is base64 in its one canonical form.
func strict64(text string) bool {
	raw, err := base64.StdEncoding.DecodeString(text)
	return err == nil && base64.StdEncoding.EncodeToString(raw) == text
}
