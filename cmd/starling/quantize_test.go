package main

import (
	"bytes"
	"context"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"starling"
	"starling/internal/gguf"
)

func TestANameSaysHowWeightsAreStored(t *testing.T) {
	for name, want := range map[string]string{
		"mine": "mine:Q4_0", "mine:F16": "mine:Q4_0", "owner/repo:bf16": "owner/repo:Q4_0", "mine:v2": "mine:v2-Q4_0",
		"ollama:tiny:latest": "ollama:tiny:latest-Q4_0", "ollama:tiny:f16": "ollama:tiny:Q4_0", "ollama:tiny": "ollama:tiny:Q4_0",
	} {
		if got := quantisedName(name, "Q4_0"); got != want {
			t.Errorf("%s: %s, not %s", name, got, want)
		}
	}
}

// shaped is the header of a model of a real shape, without its weights.
func shaped(s gguf.Shape) *gguf.File {
	f := &gguf.File{}
	for _, from := range s.Spec(gguf.F16, 1).Tensors {
		t := gguf.Tensor{Name: from.Name, Dims: from.Dims, Type: from.Type}
		t.Bytes = t.Numbers() * map[gguf.Type]int64{gguf.F32: 4, gguf.F16: 2}[from.Type]
		f.Tensors, f.Size = append(f.Tensors, t), f.Size+t.Bytes
	}
	return f
}

// TestASizeIsKnownBefore compares with files that llama.cpp v0.5.0 made of these shapes.
func TestASizeIsKnownBefore(t *testing.T) {
	f := shaped(gguf.Qwen06B)
	for kind, want := range map[string]int64{"Q4_0": 375, "Q8_0": 633} {
		if got := quantised(f, kind) / 1e6; math.Abs(float64(got-want)) > 0.03*float64(want) {
			t.Errorf("%s: %d MB, not %d", kind, got, want)
		}
	}
	if engine := os.Getenv(realEngine); engine != "" {
		knownBefore(t, engine)
	}
}

// knownBefore compares with what the library makes.
func knownBefore(t *testing.T, engine string) {
	for _, shape := range []gguf.Shape{gguf.TinyQwen, gguf.TinyLlama} {
		from := filepath.Join(t.TempDir(), "from.gguf")
		var file bytes.Buffer
		if err := gguf.Write(&file, shape.Spec(gguf.F16, 1)); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(from, file.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		weights, err := gguf.Open(from)
		if err != nil {
			t.Fatal(err)
		}
		for _, kind := range []string{"Q4_K_M", "Q4_0", "Q8_0"} {
			to := filepath.Join(t.TempDir(), "to.gguf")
			p := &program{ctx: t.Context(), stderr: io.Discard}
			if err := p.quantizeInChild(t.Context(), itself(t.Context(), "engine", "quantize", engine, from, to, kind), to, 1); err != nil {
				t.Fatal(err)
			}
			want, got := written(filepath.Dir(to)), quantised(weights, kind)
			if math.Abs(float64(got-want)) > 0.03*float64(want) {
				t.Errorf("%s in %s: %d bytes, not %d", shape.Name, kind, got, want)
			}
		}
	}
}

func TestHowAChildEndedIsSaid(t *testing.T) {
	if _, err := exec.LookPath("sh"); err != nil {
		t.Skip("there is no sh to end as a child may")
	}
	sh := func(script string) *exec.Cmd { return exec.Command("sh", "-c", script) }
	for _, c := range []struct {
		name  string
		child *exec.Cmd
		kind  starling.Kind
		text  string
	}{
		{"well", sh("true"), "", ""},
		{"by its own word", itself(t.Context(), "engine", "quantize", t.TempDir(), "from", "to", "Q8_0"), starling.NotFound, "is missing (install llama.cpp"},
		{"killed", sh("kill -9 $$"), starling.Overloaded, "the process that did it was ended"},
		{"crashed", sh("echo 'x.c:1: GGML_ASSERT(a) failed' >&2; echo more >&2; exit 2"), starling.Refused, "llama.cpp crashed: x.c:1: GGML_ASSERT(a) failed ("},
		{"not there", exec.Command(filepath.Join(t.TempDir(), "none")), starling.Internal, "start this program once more"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := &program{ctx: t.Context(), stderr: io.Discard}
			err := p.quantizeInChild(t.Context(), c.child, filepath.Join(t.TempDir(), "to"), 1)
			if starling.KindOf(err) != c.kind || err != nil && !strings.Contains(err.Error(), c.text) {
				t.Error(err)
			}
		})
	}
}

func TestWhoIsInterruptedWhileQuantisingKillsTheChild(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	child := itself(ctx, "engine", "child") // which waits for ever
	time.AfterFunc(10*time.Millisecond, cancel)
	p := &program{ctx: ctx, stderr: io.Discard}
	if err := p.quantizeInChild(ctx, child, filepath.Join(t.TempDir(), "to"), 1); starling.KindOf(err) != starling.Cancelled {
		t.Error(err)
	}
	if child.Process != nil && child.ProcessState == nil { // it may not even have begun
		t.Error("it lives on")
	}
}
