package local

import (
	"testing"

	"starling/internal/hub"
	"starling/internal/llamacpp"
)

func TestTheLibraryThatIsInstalledIsTheOneThatCanBeCalled(t *testing.T) {
	if hub.Pinned != llamacpp.LibraryVersion {
		t.Errorf("%s is installed, and %s can be called", hub.Pinned, llamacpp.LibraryVersion)
	}
}
