package ledger

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"starling"
)

const secretPrefix = "sk-starling-"

// A Key is what is known of a caller's key. The key itself is known to its
// holder alone.
type Key struct {
	ID      string         `json:"id"` // "key_…"; names the key in receipts and budgets
	Name    string         `json:"name"`
	Team    string         `json:"team,omitempty"`
	Class   starling.Class `json:"class,omitempty"`
	Skill   string         `json:"skill,omitempty"`
	Budgets []Budget       `json:"budgets,omitempty"`
	Created time.Time      `json:"created"`
	Expires time.Time      `json:"expires,omitzero"` // zero never
	Revoked time.Time      `json:"revoked,omitzero"` // zero not

	hash  digest
	fault error // why it cannot be read; nobody may use it then
}

// A KeySpec says what a new key is for. Scope and Name of its budgets are filled
// in.
type KeySpec struct {
	Name    string
	Team    string
	Class   starling.Class
	Skill   string
	Budgets []Budget
	Expires time.Time // zero never
}

// CreateKey makes a key and returns its secret, which is nowhere else. A gateway
// beside us knows the key when it is first used, at the latest after a second.
// Errors: Invalid, Internal.
func (r *Records) CreateKey(ctx context.Context, spec KeySpec) (secret string, k Key, err error) {
	if k, err = spec.key(time.Now()); err != nil {
		return "", Key{}, err
	}
	var random [32]byte
	rand.Read(random[:])
	secret = secretPrefix + base64.RawURLEncoding.EncodeToString(random[:])
	k.hash = sha256.Sum256([]byte(secret))
	if err := r.store.insertKey(ctx, k); err != nil {
		return "", Key{}, err
	}
	return secret, k, nil
}

func (s KeySpec) key(now time.Time) (Key, error) {
	k := Key{ID: newKeyID(), Name: s.Name, Team: s.Team, Class: s.Class, Skill: s.Skill, Created: now.UTC().Truncate(time.Second)}
	for _, text := range []string{s.Name, s.Team, string(s.Class), s.Skill} {
		if text != column(text) {
			return Key{}, &starling.Error{Kind: starling.Invalid, Op: "ledger: make a key", Hint: fmt.Sprintf("use names of at most %d bytes of UTF-8", longestName)}
		}
	}
	if !s.Expires.IsZero() {
		k.Expires = s.Expires.UTC().Truncate(time.Second)
		if !k.Expires.After(now) {
			return Key{}, &starling.Error{Kind: starling.Invalid, Op: "ledger: make a key that has expired", Hint: "choose a time to come"}
		}
	}
	for _, b := range s.Budgets {
		b.Scope, b.Name = ForKey, k.ID
		if err := b.check(); err != nil {
			return Key{}, err
		}
		k.Budgets = append(k.Budgets, b)
	}
	return k, nil
}

// Keys returns all keys in the order in which they were made. Those that cannot
// be read are left out, and the error says which: Internal.
func (r *Records) Keys(ctx context.Context) ([]Key, error) {
	all, err := r.store.keys(ctx)
	if err != nil {
		return nil, err
	}
	readable := slices.DeleteFunc(slices.Clone(all), func(k Key) bool { return k.fault != nil })
	return readable, faults(all)
}

// faults says which keys cannot be read.
func faults(keys []Key) error {
	var all error
	for _, k := range keys {
		all = errors.Join(all, k.fault)
	}
	return all
}

// RevokeKey ends a key for good. A gateway beside us refuses it after a second
// at most. Errors: NotFound for a key that is not there or not valid any more.
func (r *Records) RevokeKey(ctx context.Context, id string) error {
	return r.store.revokeKey(ctx, id, time.Now())
}

func (s *store) insertKey(ctx context.Context, k Key) error {
	budgets, err := json.Marshal(orEmpty(k.Budgets))
	if err != nil {
		return &starling.Error{Kind: starling.Internal, Op: "ledger: make a key", Err: err}
	}
	return s.changeKeys(ctx, "make a key", func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "INSERT INTO api_keys (id, hash, name, team, class, skill, budgets, created, expires, revoked) VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,0)",
			k.ID, k.hash[:], k.Name, k.Team, string(k.Class), k.Skill, string(budgets), k.Created.Unix(), seconds(k.Expires))
		return err
	})
}

func (s *store) revokeKey(ctx context.Context, id string, now time.Time) error {
	return s.changeKeys(ctx, "revoke a key", func(tx *sql.Tx) error {
		done, err := tx.ExecContext(ctx, "UPDATE api_keys SET revoked = $2 WHERE id = $1 AND revoked = 0", id, now.Unix())
		if err != nil {
			return err
		}
		if n, err := done.RowsAffected(); err != nil || n == 0 {
			return &starling.Error{Kind: starling.NotFound, Op: fmt.Sprintf("ledger: no valid key %q", id), Hint: "see 'starling key list'"}
		}
		return nil
	})
}

// changeKeys changes the table of keys and its version, which gateways watch.
func (s *store) changeKeys(ctx context.Context, op string, change func(*sql.Tx) error) error {
	err := s.inTx(ctx, nil, func(tx *sql.Tx) error {
		if err := change(tx); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, "UPDATE meta SET value = value + 1 WHERE name = 'keys'")
		return err
	})
	if err != nil {
		return s.engine.explain(op, err)
	}
	return nil
}

func (s *store) keysVersion(ctx context.Context) (version int64, err error) {
	err = s.db.QueryRowContext(ctx, "SELECT value FROM meta WHERE name = 'keys'").Scan(&version)
	return version, err
}

// keys returns every row. One that cannot be read hides no other.
func (s *store) keys(ctx context.Context) ([]Key, error) {
	rows, err := s.db.QueryContext(ctx, "SELECT id, hash, name, team, class, skill, budgets, created, expires, revoked FROM api_keys ORDER BY created, id")
	if err != nil {
		return nil, s.engine.explain("read the keys", err)
	}
	var all []Key
	err = each(rows, func() error {
		all = append(all, scanKey(rows))
		return nil
	})
	if err != nil {
		return nil, s.engine.explain("read the keys", err)
	}
	return all, nil
}

func scanKey(rows *sql.Rows) (k Key) {
	var hash []byte
	var budgets, class string
	var created, expires, revoked int64
	err := rows.Scan(&k.ID, &hash, &k.Name, &k.Team, &class, &k.Skill, &budgets, &created, &expires, &revoked)
	copy(k.hash[:], hash)
	k.Class, k.Created, k.Expires, k.Revoked = starling.Class(class), moment(created), moment(expires), moment(revoked)
	if err == nil {
		k.Budgets, err = readBudgets(budgets)
	}
	if err != nil && revoked == 0 {
		k.fault = &starling.Error{Kind: starling.Internal, Op: fmt.Sprintf("ledger: read the key %q", cut(k.ID, 64)), Hint: "revoke it and make another", Err: err}
	}
	return k
}

// readBudgets returns all or none.
func readBudgets(text string) (budgets []Budget, err error) {
	if err := json.Unmarshal([]byte(text), &budgets); err != nil {
		return nil, err
	}
	if err := checkAll(budgets); err != nil {
		return nil, err
	}
	return budgets, nil
}

func seconds(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}

func moment(s int64) time.Time {
	if s == 0 {
		return time.Time{}
	}
	return time.Unix(s, 0).UTC()
}

// A keyring is the keys in memory.
type keyring struct {
	store   *store
	now     func() time.Time
	unknown *rate.Limiter // of looks into the store for keys that we don't know

	loading sync.Mutex // held while they are read and put in force
	known   atomic.Pointer[keySet]
}

// A keySet is the table of keys in one of its versions. It is never changed.
type keySet struct {
	version int64
	byHash  map[digest]Key
}

func newKeyring(s *store) *keyring {
	r := &keyring{store: s, now: time.Now, unknown: rate.NewLimiter(10, 10)}
	r.known.Store(&keySet{version: -1})
	return r
}

// load reads the keys if they have changed, else it returns nil.
func (r *keyring) load(ctx context.Context) (*keySet, error) {
	version, err := r.store.keysVersion(ctx)
	if err != nil {
		return nil, r.store.engine.explain("read the keys", err)
	}
	if version == r.known.Load().version {
		return nil, nil
	}
	keys, err := r.store.keys(ctx)
	if err != nil {
		return nil, err
	}
	s := &keySet{version: version, byHash: make(map[digest]Key, len(keys))}
	for _, k := range keys {
		s.byHash[k.hash] = k
	}
	return s, nil
}

func (r *keyring) find(hash digest) (Key, bool) {
	k, ok := r.known.Load().byHash[hash]
	return k, ok
}

func (s *keySet) all() []Key {
	return slices.SortedFunc(maps.Values(s.byHash), func(a, b Key) int { return strings.Compare(a.ID, b.ID) })
}

// Keyless reports whether no key was ever made: a revoked key keeps the door
// shut, as an expired one does. It answers from memory, which is at most a second
// behind what other processes do, and up to date after a Lookup of an unknown key.
func (l *Ledger) Keyless() bool { return len(l.keys.known.Load().byHash) == 0 }

// refreshKeys brings keys and their caps up to date. A key is known only when its
// caps are in force. What cannot be read is logged, once for each change.
func (l *Ledger) refreshKeys(ctx context.Context) error {
	l.keys.loading.Lock()
	defer l.keys.loading.Unlock()
	fresh, err := l.keys.load(ctx)
	if err != nil || fresh == nil {
		return err
	}
	l.capping.Lock()
	defer l.capping.Unlock()
	l.caps.Store(newCaps(l.config, fresh.all()))
	l.keys.known.Store(fresh)
	if err := faults(fresh.all()); err != nil {
		l.log.Error("a key that cannot be read is refused", "error", err)
	}
	return nil
}

// LooksLikeKey reports whether a secret is written like a key of ours. Whether it
// is one is for [Ledger.Lookup] to say.
func LooksLikeKey(secret string) bool {
	return len(secret) == len(secretPrefix)+43 && strings.HasPrefix(secret, secretPrefix)
}

// Lookup returns the caller that shows the secret. It answers from memory; for
// a secret that is not there it looks into the store, but not more than ten
// times a second whoever asks. Errors: Unauthenticated.
func (l *Ledger) Lookup(ctx context.Context, secret string) (starling.Caller, error) {
	if !LooksLikeKey(secret) {
		return starling.Caller{}, unknownKey()
	}
	hash := digest(sha256.Sum256([]byte(secret)))
	k, ok := l.keys.find(hash)
	if !ok && l.keys.unknown.Allow() {
		if err := l.refreshKeys(ctx); err == nil { // else the keeper will report it
			k, ok = l.keys.find(hash)
		}
	}
	switch {
	case !ok || k.fault != nil || !k.Revoked.IsZero():
		return starling.Caller{}, unknownKey()
	case !k.Expires.IsZero() && !l.keys.now().Before(k.Expires):
		return starling.Caller{}, &starling.Error{Kind: starling.Unauthenticated, Op: "expired key: it was good until " + k.Expires.Format(time.DateOnly), Hint: "ask for a new key"}
	}
	return starling.Caller{Key: k.ID, Name: k.Name, Team: k.Team, Class: k.Class, Skill: k.Skill}, nil
}

func unknownKey() error {
	return &starling.Error{Kind: starling.Unauthenticated, Op: "unknown key", Hint: "show a key that 'starling key create' made"}
}

// CreateKey is [Records.CreateKey]; the key is known here when it returns.
func (l *Ledger) CreateKey(ctx context.Context, spec KeySpec) (secret string, k Key, err error) {
	secret, k, err = l.Records.CreateKey(ctx, spec)
	if err == nil {
		err = l.refreshKeys(ctx)
	}
	return secret, k, err
}

// RevokeKey is [Records.RevokeKey]; the key is refused here when it returns.
func (l *Ledger) RevokeKey(ctx context.Context, id string) error {
	if err := l.Records.RevokeKey(ctx, id); err != nil {
		return err
	}
	return l.refreshKeys(ctx)
}
