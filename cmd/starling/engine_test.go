package main

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"debug/elf"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"starling/internal/gguf"
)

// outside FOLDER [CUT]: stands in for Hugging Face and Ollama's registry, at $OUTSIDE.
// It offers the files of FOLDER/owner/repo as that repository, and FOLDER/ollama/name
// as an Ollama model. With CUT the first file that is asked for ends after so many bytes.
func outside(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 || len(args) > 2 {
		ts.Fatalf("usage: outside FOLDER [CUT]")
	}
	o := &offering{dir: ts.MkAbs(args[0])}
	if len(args) == 2 {
		cut, err := strconv.Atoi(args[1])
		ts.Check(err)
		o.cut.Store(int64(cut))
	}
	server := httptest.NewUnstartedServer(o)
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // of what is cut off
	server.Start()
	ts.Defer(server.Close)
	ts.Setenv("OUTSIDE", server.URL)
}

// weights FILE...: writes a small model with weights by chance into each file.
func weights(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: weights FILE...")
	}
	for i, name := range args {
		var file bytes.Buffer
		ts.Check(gguf.Write(&file, gguf.TinyQwen.Spec(gguf.F16, uint64(i))))
		ts.Check(os.MkdirAll(filepath.Dir(ts.MkAbs(name)), 0o700))
		ts.Check(os.WriteFile(ts.MkAbs(name), file.Bytes(), 0o600))
	}
}

// realEngine names the variable with the folder of llama.cpp's library, for tests that
// call it. In scripts that folder is $ENGINE.
const realEngine = "STARLING_TEST_ENGINE"

// condition knows "engine", which holds where there is that library, and "stories", where
// there is the tiny trained model.
func condition(name string) (bool, error) {
	switch name {
	case "engine":
		return os.Getenv(realEngine) != "", nil
	case "stories":
		return stories("") != "", nil
	}
	return false, fmt.Errorf("unknown condition %q", name)
}

// stories returns the file of the tiny trained model, "" or quantised: "-Q8_0", "-Q4_0".
// It is "" where there is none, in ../shared/weights nor where STARLING_TEST_WEIGHTS says.
func stories(kind string) string {
	file, err := filepath.Abs(filepath.Join(cmp.Or(os.Getenv("STARLING_TEST_WEIGHTS"), "../../../shared/weights"), "stories260K"+kind+".gguf"))
	if err == nil {
		_, err = os.Stat(file)
	}
	if err != nil {
		return ""
	}
	return file
}

// libraries FOLDER VERSION: writes what looks like llama.cpp's libraries of that version,
// and holds nothing that could be called.
func libraries(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: libraries FOLDER VERSION")
	}
	head := elf.Header64{Ident: [16]byte{0x7f, 'E', 'L', 'F', byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)},
		Type: uint16(elf.ET_DYN), Machine: uint16(elf.EM_X86_64), Version: uint32(elf.EV_CURRENT)}
	var file bytes.Buffer
	ts.Check(binary.Write(&file, binary.LittleEndian, head))
	ts.Check(os.MkdirAll(ts.MkAbs(args[0]), 0o700))
	for _, name := range []string{"libllama." + args[1] + ".so", "libggml." + args[1] + ".so", "libggml-cpu-x64.so"} {
		ts.Check(os.WriteFile(filepath.Join(ts.MkAbs(args[0]), name), file.Bytes(), 0o600))
	}
}

type offering struct {
	dir string
	cut atomic.Int64 // bytes after which the next file ends; 0: none
}

func (o *offering) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := strings.Trim(r.URL.Path, "/")
	switch parts := strings.Split(path, "/"); {
	case strings.HasPrefix(path, "api/models/") && len(parts) == 4:
		o.json(w, map[string]any{"tags": []string{"license:mit"}})
	case strings.HasPrefix(path, "api/models/") && len(parts) > 4:
		o.tree(w, filepath.Join(parts[2], parts[3]))
	case strings.HasPrefix(path, "v2/library/") && len(parts) == 5 && parts[3] == "manifests":
		o.json(w, map[string]any{"layers": []any{o.layer(filepath.Join("ollama", parts[2]))}})
	case strings.HasPrefix(path, "v2/library/") && len(parts) == 5:
		o.file(w, r, filepath.Join("ollama", parts[2]))
	case len(parts) == 5 && parts[2] == "resolve":
		o.file(w, r, filepath.Join(parts[0], parts[1], parts[4]))
	default:
		http.NotFound(w, r)
	}
}

func (o *offering) json(w http.ResponseWriter, v any) { _ = json.NewEncoder(w).Encode(v) }

func (o *offering) sum(name string) (digits string, size int) {
	data, _ := os.ReadFile(filepath.Join(o.dir, name))
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:]), len(data)
}

func (o *offering) layer(name string) any {
	sum, size := o.sum(name)
	return map[string]any{"mediaType": "application/vnd.ollama.image.model", "digest": "sha256:" + sum, "size": size}
}

func (o *offering) tree(w http.ResponseWriter, repo string) {
	list := []any{}
	entries, _ := os.ReadDir(filepath.Join(o.dir, repo))
	for _, e := range entries {
		sum, size := o.sum(filepath.Join(repo, e.Name()))
		list = append(list, map[string]any{"type": "file", "path": e.Name(), "lfs": map[string]any{"oid": sum, "size": size}})
	}
	o.json(w, list)
}

// file serves a file, or as much of it as is left before the cut.
func (o *offering) file(w http.ResponseWriter, r *http.Request, name string) {
	data, err := os.ReadFile(filepath.Join(o.dir, name))
	if err != nil {
		http.NotFound(w, r)
		return
	}
	sum, _ := o.sum(name)
	w.Header().Set("ETag", `"`+sum+`"`)
	w.Header().Set("Content-Type", "application/octet-stream")
	cut := o.cut.Swap(0)
	if cut == 0 {
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
		return
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(data)))
	_, _ = w.Write(data[:cut])
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

func TestSizesAreShownAsPeopleCompareThem(t *testing.T) {
	for bytes, want := range map[int64]string{0: "0.0 MB", 1_234_567: "1.2 MB", 4_680_000_000: "4.68 GB"} {
		if got := megabytes(bytes); got != want {
			t.Errorf("%d: %s, not %s", bytes, got, want)
		}
	}
}

// TestProgressIsForATerminalAlone: a log file is not filled with bars.
func TestProgressIsForATerminalAlone(t *testing.T) {
	file, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for _, w := range []io.Writer{io.Discard, file} {
		if (&program{stderr: w}).bytesProgress() != nil {
			t.Errorf("%T is drawn on", w)
		}
	}
}
