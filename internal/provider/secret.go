package provider

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime"
	"strings"

	"starling"
)

// A Secret is a key that never prints: every way of turning it into text gives
// "[secret]". The zero value is no key. It points to its text, so that not even
// printing a struct around it with %+v shows it.
type Secret struct{ text *string }

const hidden = "[secret]"

// maxSecret is far beyond the longest key that a vendor hands out.
const maxSecret = 16 << 10

// FromEnv reads the key in the named environment variable. It is Invalid if the
// variable is unset or empty, or holds what no header can carry.
func FromEnv(name string) (Secret, error) {
	text, ok := os.LookupEnv(name)
	if !ok {
		return Secret{}, &starling.Error{Kind: starling.Invalid, Op: "environment variable " + name + " is not set", Hint: "export " + name + " with the provider's key"}
	}
	return secret("environment variable "+name, text)
}

// FromFile reads the key in a file that nobody but its owner may read. A
// trailing line break is not part of the key. Errors are Invalid.
func FromFile(path string) (Secret, error) {
	f, err := os.Open(path)
	if err != nil {
		return Secret{}, &starling.Error{Kind: starling.Invalid, Op: "key file", Hint: "name a file that holds the provider's key", Err: err}
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return Secret{}, &starling.Error{Kind: starling.Invalid, Op: "key file", Err: err}
	case !info.Mode().IsRegular():
		return Secret{}, &starling.Error{Kind: starling.Invalid, Op: "key file " + path + " is not a file"}
	case runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0:
		return Secret{}, &starling.Error{Kind: starling.Invalid, Op: fmt.Sprintf("key file %s has mode %#o: others can read it", path, info.Mode().Perm()), Hint: "run chmod 600 " + path}
	}
	text, err := io.ReadAll(io.LimitReader(f, maxSecret+1))
	if err != nil {
		return Secret{}, &starling.Error{Kind: starling.Invalid, Op: "key file", Err: err}
	}
	return secret("key file "+path, strings.TrimRight(string(text), "\r\n"))
}

// secret checks a key that came from the named place.
func secret(from, text string) (Secret, error) {
	unsafe := func(r rune) bool { return r < ' ' || r > '~' }
	switch {
	case text == "":
		return Secret{}, &starling.Error{Kind: starling.Invalid, Op: from + " is empty", Hint: "put the provider's key there"}
	case len(text) > maxSecret:
		return Secret{}, &starling.Error{Kind: starling.Invalid, Op: from + " is too long for a key"}
	case strings.ContainsFunc(text, unsafe):
		return Secret{}, &starling.Error{Kind: starling.Invalid, Op: from + " holds characters that no header can carry", Hint: "store the bare key: one line of printable ASCII"}
	}
	return Secret{text: &text}, nil
}

// reveal returns the key itself, "" for none. Its only callers put it in a
// header, and take it out of what an upstream echoes.
func (s Secret) reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// IsZero reports whether there is no key.
func (s Secret) IsZero() bool { return s.text == nil }

// String hides the key.
func (Secret) String() string { return hidden }

// Format hides the key under every verb.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, hidden) }

// MarshalText hides the key.
func (Secret) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// MarshalJSON hides the key.
func (Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + hidden + `"`), nil }

// LogValue hides the key.
func (Secret) LogValue() slog.Value { return slog.StringValue(hidden) }
