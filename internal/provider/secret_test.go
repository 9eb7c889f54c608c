package provider

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"starling"
)

func TestASecretNeverPrints(t *testing.T) {
	key, err := secret("test", canary)
	if err != nil {
		t.Fatal(err)
	}
	type holder struct {
		Open   Secret
		hidden Secret
		list   []Secret
	}
	var out bytes.Buffer
	for _, v := range []any{key, &key, holder{key, key, []Secret{key}}, map[string]Secret{"k": key}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%T"} {
			fmt.Fprintf(&out, verb, v)
		}
		if err := json.NewEncoder(&out).Encode(v); err != nil {
			t.Error(err)
		}
		slog.New(slog.NewTextHandler(&out, nil)).Info("log", "v", v)
		slog.New(slog.NewJSONHandler(&out, nil)).Info("log", "v", v)
	}
	out.WriteString(key.String())
	if s := out.String(); strings.Contains(s, canary) || strings.Contains(s, fmt.Sprintf("%x", canary)) || strings.Contains(s, fmt.Sprintf("%X", canary)) {
		t.Errorf("the key is in %s", s)
	}
	if !strings.Contains(out.String(), hidden) {
		t.Error("nothing says that there is a secret")
	}
}

func TestAKeyIsReadFromTheEnvironment(t *testing.T) {
	for _, c := range []struct {
		name, value string
		valid       bool
	}{
		{"a plain key", canary, true},
		{"an empty one", "", false},
		{"one with a line break, which would end the header", canary + "\r\nX-Evil: 1", false},
		{"one with a tab", "sk\tkey", false},
		{"one that is not ASCII", "schlüssel", false},
		{"one as long as a book", strings.Repeat("k", maxSecret+1), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv("STARLING_TEST_KEY", c.value)
			key, err := FromEnv("STARLING_TEST_KEY")
			if (err == nil) != c.valid || c.valid && key.reveal() != c.value {
				t.Errorf("revealed %q, error %v", key.reveal(), err)
			}
			if err != nil && starling.KindOf(err) != starling.Invalid {
				t.Errorf("kind %s, want invalid", starling.KindOf(err))
			}
			if err != nil && c.value != "" && strings.Contains(err.Error(), c.value) {
				t.Errorf("the error holds the key: %v", err)
			}
		})
	}
	if _, err := FromEnv("STARLING_TEST_KEY_THAT_NOBODY_SET"); starling.KindOf(err) != starling.Invalid {
		t.Errorf("an unset variable gives %v, want Invalid", err)
	}
}

func TestAKeyFileIsItsOwnersAlone(t *testing.T) {
	for _, c := range []struct {
		name  string
		text  string
		mode  os.FileMode
		valid bool
	}{
		{"read and written by its owner", canary, 0o600, true},
		{"with the editor's line break", canary + "\n", 0o400, true},
		{"with a line break of Windows", canary + "\r\n", 0o600, true},
		{"read by its group", canary, 0o640, false},
		{"read by everybody", canary, 0o604, false},
		{"with two lines", canary + "\nmore\n", 0o600, false},
		{"with nothing in it", "\n", 0o600, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "key")
			if err := os.WriteFile(path, []byte(c.text), c.mode); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(path, c.mode); err != nil { // whatever the umask
				t.Fatal(err)
			}
			key, err := FromFile(path)
			if (err == nil) != c.valid || c.valid && key.reveal() != canary {
				t.Errorf("revealed %q, error %v", key.reveal(), err)
			}
			if err != nil && strings.Contains(err.Error(), canary) {
				t.Errorf("the error holds the key: %v", err)
			}
		})
	}
	for name, path := range map[string]string{"a folder": t.TempDir(), "nothing": filepath.Join(t.TempDir(), "none")} {
		if _, err := FromFile(path); starling.KindOf(err) != starling.Invalid {
			t.Errorf("%s gives %v, want Invalid", name, err)
		}
	}
}
