package starling

import "testing"

func TestZonesAreOrderedFromTheMachineOutwards(t *testing.T) {
	if !(Nowhere < Machine && Machine < Office && Office < Tenant && Tenant < Cloud) {
		t.Fatal("the order of the zones is the privacy policy; it must be nowhere < machine < office < tenant < cloud")
	}
	for _, z := range []Zone{Nowhere, Machine, Office, Tenant, Cloud} {
		var back Zone
		text, _ := z.MarshalText()
		if err := back.UnmarshalText(text); err != nil || back != z {
			t.Errorf("%s reads back as %s, %v", z, back, err)
		}
	}
	for _, bad := range []string{"", "Cloud", "nowhere", "moon"} {
		if _, err := ParseZone(bad); KindOf(err) != Invalid {
			t.Errorf("ParseZone(%q) is not refused", bad)
		}
	}
}
