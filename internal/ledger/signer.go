package ledger

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"sync"

	"starling"
	"starling/internal/durable"
)

const keyFile = "ledger.key"

// A signer is the gateway's own key. It signs checkpoints, names the chain, and
// is what the secret of the MACs is derived from. Safe for concurrent use.
type signer struct {
	public  ed25519.PublicKey
	private ed25519.PrivateKey
	secret  []byte
	macs    sync.Pool
}

// openSigner reads the key file, or makes it. A key that others can read is
// refused rather than repaired: somebody may have it already.
func openSigner(path string) (*signer, error) {
	private, err := readPrivate(path)
	if errors.Is(err, fs.ErrNotExist) {
		private, err = makeFirst(path)
	}
	if err != nil {
		return nil, err
	}
	secret, err := hkdf.Key(sha256.New, private.Seed(), nil, "starling receipt mac 1", sha256.Size)
	if err != nil {
		return nil, &starling.Error{Kind: starling.Internal, Op: "ledger: derive the secret of the MACs", Err: err}
	}
	return &signer{public: private.Public().(ed25519.PublicKey), private: private, secret: secret}, nil
}

func readPrivate(path string) (ed25519.PrivateKey, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, badKey(path, "make the key readable for this user", err)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return nil, badKey(path, "others can read this key; 'chmod 600' it, or remove it to begin a new chain", nil)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, badKey(path, "make the key readable for this user", err)
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, badKey(path, "restore the key from a copy, or remove it to begin a new chain", errors.New("not a PEM file"))
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	private, ok := parsed.(ed25519.PrivateKey)
	if !ok {
		return nil, badKey(path, "restore the key from a copy, or remove it to begin a new chain", errors.Join(err, errors.New("not an ed25519 key")))
	}
	return private, nil
}

func badKey(path, hint string, err error) error {
	return &starling.Error{Kind: starling.Internal, Op: "ledger: key " + path, Hint: hint, Err: err}
}

// makeFirst makes the key, unless another process was quicker.
func makeFirst(path string) (ed25519.PrivateKey, error) {
	turn, err := takeTurn(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	defer turn.Close()
	private, err := readPrivate(path)
	if errors.Is(err, fs.ErrNotExist) {
		return makePrivate(path)
	}
	return private, err
}

// makePrivate writes a new key.
func makePrivate(path string) (ed25519.PrivateKey, error) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, badKey(path, "", err)
	}
	if err := writeWhole(path, encodePrivate(private)); err != nil {
		return nil, err
	}
	return private, nil
}

func encodePrivate(private ed25519.PrivateKey) []byte {
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		panic("ledger: an ed25519 key must encode: " + err.Error())
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

// writeWhole replaces a file: an empty key, after a power cut, would keep the
// gateway from starting.
func writeWhole(path string, content []byte) error {
	err := durable.Replace(path, func(w io.Writer) error { _, err := w.Write(content); return err })
	if err != nil {
		return unwritable(path, err)
	}
	return nil
}

func syncDir(dir string) error {
	if err := durable.SyncDir(dir); err != nil {
		return unwritable(dir, err)
	}
	return nil
}

// mac returns a fresh HMAC-SHA-256 under the ledger's own secret. Give it back
// with sum: a used one starts afresh in half the time of a new one.
func (s *signer) mac() hash.Hash {
	if m, ok := s.macs.Get().(hash.Hash); ok {
		m.Reset()
		return m
	}
	return hmac.New(sha256.New, s.secret)
}

// sum ends a mac, which must not be used again, and returns it in hex.
func (s *signer) sum(m hash.Hash) string {
	var room [sha256.Size]byte
	text := hex.EncodeToString(m.Sum(room[:0]))
	s.macs.Put(m)
	return text
}

// chainID is the lowercase hex SHA-256 of the raw public key. It names the
// chain, is the key id in envelopes, and its bytes precede the first link.
func chainID(public ed25519.PublicKey) string {
	sum := sha256.Sum256(public)
	return hex.EncodeToString(sum[:])
}

// Sign and KeyID are what dsse asks of a signer.
func (s *signer) Sign(_ context.Context, data []byte) ([]byte, error) {
	return ed25519.Sign(s.private, data), nil
}

func (s *signer) KeyID() (string, error) { return chainID(s.public), nil }

// A verifier is what dsse asks of a public key.
type verifier ed25519.PublicKey

func (v verifier) Verify(_ context.Context, data, sig []byte) error {
	if len(v) != ed25519.PublicKeySize || !ed25519.Verify(ed25519.PublicKey(v), data, sig) {
		return errors.New("the signature does not match")
	}
	return nil
}

func (v verifier) KeyID() (string, error)   { return chainID(ed25519.PublicKey(v)), nil }
func (v verifier) Public() crypto.PublicKey { return ed25519.PublicKey(v) }
