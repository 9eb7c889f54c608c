package catalog

import (
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"starling"
)

func TestEveryVendorIsReadableAndThereOnce(t *testing.T) {
	names, keys := map[string]bool{}, map[string]bool{}
	for _, v := range Vendors() {
		if !regexp.MustCompile(`^[a-z0-9][a-z0-9._-]*$`).MatchString(v.Name) || names[v.Name] {
			t.Errorf("vendor %q is unreadable or there twice", v.Name)
		}
		if v.KeyEnv != "" && keys[v.KeyEnv] {
			t.Errorf("%s shares %s with another vendor: one key would go to both", v.Name, v.KeyEnv)
		}
		names[v.Name], keys[v.KeyEnv] = true, true
		if !slices.Contains([]starling.Dialect{starling.OpenAI, starling.Anthropic, starling.Gemini, starling.Ollama}, v.Dialect) {
			t.Errorf("%s speaks %q", v.Name, v.Dialect)
		}
		u, err := url.Parse(v.URL)
		if err != nil || u.Host == "" || u.Path == "/" || strings.HasSuffix(v.URL, "/") || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
			t.Errorf("%s has the address %q", v.Name, v.URL)
			continue
		}
		switch v.Zone {
		case starling.Cloud:
			if u.Scheme != "https" || v.KeyEnv == "" || v.Catalog == "" {
				t.Errorf("%s is in the cloud: it needs https, a key and a name in the catalog", v.Name)
			}
		case starling.Machine:
			addr, err := netip.ParseAddr(u.Hostname())
			if err != nil || !addr.IsLoopback() || v.KeyEnv != "" || v.Catalog != "" {
				t.Errorf("%s is on this machine: it needs a loopback address, no key and no catalog", v.Name)
			}
		default:
			t.Errorf("%s is in zone %s", v.Name, v.Zone)
		}
	}
}

func TestEveryVendorOfTheCatalogHasRows(t *testing.T) {
	for _, v := range Vendors() {
		if v.Catalog == "" {
			continue
		}
		n := 0
		for range Embedded().Vendor(v.Catalog) {
			n++
		}
		if n == 0 {
			t.Errorf("%s is %q in the catalog, which has no rows", v.Name, v.Catalog)
		}
	}
}

func TestAVendorIsFoundByItsName(t *testing.T) {
	for _, v := range Vendors() {
		if got, ok := VendorNamed(v.Name); !ok || got != v {
			t.Errorf("%s finds %+v", v.Name, got)
		}
	}
	if v, ok := VendorNamed(""); ok {
		t.Errorf("no name finds %+v", v)
	}
}

func TestTheListOfVendorsIsTheCallersOwn(t *testing.T) {
	all := Vendors()
	all[0].URL = "https://elsewhere.example"
	if slices.Equal(all, Vendors()) {
		t.Error("a caller can change the table")
	}
}
