package privacy

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"starling"
)

func request(key, header starling.Class) *starling.Request {
	return &starling.Request{Class: header, Caller: starling.Caller{Class: key}}
}

func TestTheStrictestLabelDecides(t *testing.T) {
	own := &Policy{
		Reach:   map[starling.Class]starling.Zone{"patients": starling.Office, "finance": starling.Office, "open": starling.Cloud},
		Default: "patients",
	}
	for _, c := range []struct {
		name               string
		policy             *Policy
		key, header, skill starling.Class
		want               starling.Screen
	}{
		{"without a label, data is public", &Policy{}, "", "", "",
			starling.Screen{Class: Public, Furthest: starling.Cloud, From: []string{"default public"}}},
		{"a key's class holds against a laxer header", &Policy{}, Internal, Public, "",
			starling.Screen{Class: Internal, Furthest: starling.Tenant, From: []string{"key internal", "header public"}}},
		{"a caller may be stricter than its key", &Policy{}, Internal, Restricted, "",
			starling.Screen{Class: Restricted, Furthest: starling.Machine, From: []string{"header restricted", "key internal"}}},
		{"a skill's class counts like any other", &Policy{}, "", Public, Confidential,
			starling.Screen{Class: Confidential, Furthest: starling.Office, From: []string{"skill confidential", "header public"}}},
		{"who agrees is named too", &Policy{}, Internal, Internal, Internal,
			starling.Screen{Class: Internal, Furthest: starling.Tenant, From: []string{"key internal", "header internal", "skill internal"}}},
		{"the user's table replaces the usual one", own, "", "", "",
			starling.Screen{Class: "patients", Furthest: starling.Office, From: []string{"default patients"}}},
		{"of two with the same reach the first by name counts", own, "patients", "finance", "open",
			starling.Screen{Class: "finance", Furthest: starling.Office, From: []string{"header finance", "key patients", "skill open"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := c.policy.Screen(request(c.key, c.header), c.skill)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestALabelThatNobodyKnowsIsRefusedWithTheKnownOnes(t *testing.T) {
	own := &Policy{Reach: map[starling.Class]starling.Zone{"b": starling.Machine, "a": starling.Machine, "open": starling.Cloud}, Default: "open"}
	for _, c := range []struct {
		name               string
		policy             *Policy
		key, header, skill starling.Class
		says               []string
	}{
		{"from a key", &Policy{}, "secret", Public, "", []string{"key", `"secret"`, "public, internal, confidential, restricted"}},
		{"from a header", &Policy{}, Restricted, "Restricted", "", []string{"header", `"Restricted"`}},
		{"from a skill", &Policy{}, "", "", " public", []string{"skill", `" public"`}},
		{"of the usual table when there is another", own, "", Public, "", []string{`"public"`, "open, a, b"}},
		{"as the default", &Policy{Default: "nobody"}, "", "", "", []string{"default", `"nobody"`}},
		{"with a zone that does not exist", &Policy{Reach: map[starling.Class]starling.Zone{"moon": 9}}, "", "moon", "", []string{`"moon"`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := c.policy.Screen(request(c.key, c.header), c.skill)
			if starling.KindOf(err) != starling.Invalid {
				t.Fatalf("got %v, %v; want Invalid", got, err)
			}
			if got.Furthest != starling.Nowhere {
				t.Errorf("a refused request may travel to %s", got.Furthest)
			}
			for _, s := range c.says {
				if !strings.Contains(err.Error(), s) {
					t.Errorf("%q does not say %q", err, s)
				}
			}
		})
	}
}

func TestAnErrorRepeatsOnlyTheBeginningOfALabel(t *testing.T) {
	_, err := (&Policy{}).Screen(request("", starling.Class(strings.Repeat("x", 5000))), "")
	if err == nil || len(err.Error()) > 200 {
		t.Errorf("the error has %d bytes", len(err.Error()))
	}
}

func TestAPolicyThatCannotScreenEverythingIsInvalid(t *testing.T) {
	for _, c := range []struct {
		name   string
		policy Policy
		ok     bool
	}{
		{"the zero value is good", Policy{}, true},
		{"another default of the usual table is good", Policy{Default: Restricted}, true},
		{"a table of one's own is good", Policy{Reach: map[starling.Class]starling.Zone{"x": starling.Tenant}, Default: "x"}, true},
		{"an unknown default is not", Policy{Default: "nobody"}, false},
		{"a table without the usual default is not", Policy{Reach: map[starling.Class]starling.Zone{"x": starling.Tenant}}, false},
		{"an empty table is not", Policy{Reach: map[starling.Class]starling.Zone{}}, false},
		{"a class without a name is not", Policy{Reach: map[starling.Class]starling.Zone{"": starling.Cloud, Public: starling.Cloud}}, false},
		{"a class that may travel nowhere is not", Policy{Reach: map[starling.Class]starling.Zone{"x": starling.Nowhere, Public: starling.Cloud}}, false},
		{"a class beyond the cloud is not", Policy{Reach: map[starling.Class]starling.Zone{"x": starling.Cloud + 1, Public: starling.Cloud}}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := c.policy.Validate()
			if (err == nil) != c.ok || (err != nil && starling.KindOf(err) != starling.Invalid) {
				t.Errorf("Validate says %v", err)
			}
		})
	}
}

var zones = rapid.SampledFrom([]starling.Zone{starling.Machine, starling.Office, starling.Tenant, starling.Cloud})

// anyPolicy draws a valid policy, and its classes.
func anyPolicy(t *rapid.T) (*Policy, []starling.Class) {
	p := &Policy{Reach: rapid.MapOfN(rapid.Custom(func(t *rapid.T) starling.Class {
		return starling.Class(rapid.StringMatching(`[a-e]{1,2}`).Draw(t, "class"))
	}), zones, 1, 6).Draw(t, "reach")}
	var classes []starling.Class
	for c := range p.Reach {
		classes = append(classes, c)
	}
	p.Default = rapid.SampledFrom(classes).Draw(t, "default")
	return p, classes
}

func TestAddingALabelNeverWidensTheReach(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, classes := anyPolicy(t)
		label := rapid.SampledFrom(classes)
		one, more, third := label.Draw(t, "one"), label.Draw(t, "more"), label.Draw(t, "third")
		furthest := starling.Cloud
		for _, r := range []struct {
			key, header, skill starling.Class
		}{{one, "", ""}, {one, more, ""}, {one, more, third}} {
			got, err := p.Screen(request(r.key, r.header), r.skill)
			if err != nil {
				t.Fatal(err)
			}
			if got.Furthest > furthest {
				t.Fatalf("%v widened the reach from %s to %s", r, furthest, got.Furthest)
			}
			furthest = got.Furthest
		}
	})
}

func TestItDoesNotMatterWhoSaysIt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, classes := anyPolicy(t)
		label := rapid.SampledFrom(append(classes, ""))
		a, b, c := label.Draw(t, "a"), label.Draw(t, "b"), label.Draw(t, "c")
		first, err1 := p.Screen(request(a, b), c)
		second, err2 := p.Screen(request(c, a), b)
		if err1 != nil || err2 != nil {
			t.Fatal(err1, err2)
		}
		if first.Class != second.Class || first.Furthest != second.Furthest || len(first.From) != len(second.From) {
			t.Fatalf("%v and %v differ", first, second)
		}
		if first.Furthest != p.Reach[first.Class] {
			t.Fatalf("%s reaches %s, not %s", first.Class, p.Reach[first.Class], first.Furthest)
		}
	})
}

func TestScreenAllocatesOnlyItsList(t *testing.T) {
	p, r := &Policy{}, request(Internal, Public)
	// One slice and two strings.
	if n := testing.AllocsPerRun(100, func() { _, _ = p.Screen(r, "") }); n > 3 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkScreen(b *testing.B) {
	p, r := &Policy{}, request(Internal, Public)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.Screen(r, Confidential); err != nil {
			b.Fatal(err)
		}
	}
}

func TestDataTogetherReachesAsFarAsTheStrictestOfIt(t *testing.T) {
	for _, c := range []struct {
		name    string
		skill   starling.Class
		classes []starling.Class
		want    starling.Zone
	}{
		{"nobody labelled it", "", nil, starling.Cloud},
		{"the skill did", Internal, nil, starling.Tenant},
		{"some of it is stricter", Internal, []starling.Class{Public, Restricted, Internal}, starling.Machine},
		{"none of it is wider", Internal, []starling.Class{Public}, starling.Tenant},
		{"what nobody labelled is there too", "", []starling.Class{Confidential, Public}, starling.Office},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := (&Policy{}).Strictest(c.skill, c.classes...)
			if err != nil || got.Furthest != c.want {
				t.Errorf("%+v, %v; want %s", got, err, c.want)
			}
		})
	}
	for _, classes := range [][]starling.Class{{"unheard"}, {Public, "unheard"}, {"unheard", Restricted}} {
		if got, err := (&Policy{}).Strictest("", classes...); starling.KindOf(err) != starling.Invalid || got.Furthest != starling.Nowhere {
			t.Errorf("%v: %+v, %v", classes, got, err)
		}
	}
}
