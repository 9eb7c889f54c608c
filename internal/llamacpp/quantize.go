package llamacpp

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/hybridgroup/yzma/pkg/llama"

	"starling"
	"starling/internal/durable"
)

var kinds = map[string]llama.Ftype{
	"Q4_K_M": llama.FtypeMostlyQ4_K_M, "Q4_0": llama.FtypeMostlyQ4_0,
	"Q8_0": llama.FtypeMostlyQ8_0, "F16": llama.FtypeMostlyF16,
}

// Quantize makes a model's file smaller: kind is Q4_K_M, Q4_0, Q8_0 or F16. It calls the
// library in this process, which a failed assertion there ends, so a program calls it in
// a child. The new file is there whole or not at all. Errors: Invalid for another kind,
// those of [Check], Refused where the library would not do it.
func Quantize(library, from, to, kind string) error {
	ftype, ok := kinds[kind]
	if !ok || strings.ContainsRune(from+to, 0) {
		return &starling.Error{Kind: starling.Invalid, Op: "llamacpp: quantize", Hint: "choose Q4_K_M, Q4_0, Q8_0 or F16"}
	}
	if _, err := Check(library); err != nil {
		return err
	}
	if err := llama.Load(library); err != nil {
		return &starling.Error{Kind: starling.Refused, Op: "llamacpp: load the library", Err: err}
	}
	llama.LogSet(llama.LogSilent())
	llama.Init()
	if err := quantize(from, to, ftype); err != nil {
		return &starling.Error{Kind: starling.Refused, Op: "llamacpp: quantize to " + kind, Err: err}
	}
	return nil
}

func quantize(from, to string, ftype llama.Ftype) error {
	dir, err := os.MkdirTemp(filepath.Dir(to), ".quantize-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	next := filepath.Join(dir, "model.gguf")
	params := llama.ModelQuantizeDefaultParams()
	params.Ftype = ftype
	if code := llama.ModelQuantize(from, next, &params); code != 0 {
		return fmt.Errorf("the library answered %d", code)
	}
	f, err := os.OpenFile(next, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(next, to); err != nil {
		return err
	}
	return durable.SyncDir(filepath.Dir(to))
}
