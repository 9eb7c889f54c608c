package local

import (
	"testing"

	"starling/internal/engine"
	"starling/internal/hub"
)

func TestTheLibraryThatIsInstalledIsTheOneThatCanBeCalled(t *testing.T) {
	if hub.Pinned != engine.LibraryVersion {
		t.Errorf("%s is installed, and %s can be called", hub.Pinned, engine.LibraryVersion)
	}
}
