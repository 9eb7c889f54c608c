package route

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"starling"
	"starling/internal/strict"
)

// A Directory knows every model that can be called, by each of its names: the
// unmistakable "provider/name", the bare name, and the configuration's aliases.
// It is immutable.
type Directory struct {
	models []starling.Model
	byName map[string]int // "provider/name" and bare names; the first provider configured wins a bare name
	alias  map[string]string
	silent []string // providers that are configured and offer nothing now
}

// NewDirectory indexes models in the order of the configuration. An alias
// stands for a model or for another alias that was given its own target. Errors
// are Invalid: a model that is there twice, and the first alias that makes no
// sense ([Directory.CheckAlias]); with the latter the directory is returned too.
// Silent are the providers that are configured and offer nothing now.
func NewDirectory(models []starling.Model, aliases map[string]string, silent ...string) (*Directory, error) {
	d := &Directory{models: models, byName: make(map[string]int, 2*len(models)), alias: aliases, silent: silent}
	for i, m := range models {
		if _, taken := d.byName[m.ID()]; taken {
			return nil, &starling.Error{Kind: starling.Invalid, Op: fmt.Sprintf("models: %s is there twice", m.ID()), Hint: "name each model of a provider once"}
		}
		d.byName[m.ID()] = i
	}
	for i, m := range models { // after all the ids: a bare name may look like one
		if _, taken := d.byName[m.Name]; !taken {
			d.byName[m.Name] = i
		}
	}
	for _, name := range d.Aliases() {
		if err := d.CheckAlias(name); err != nil {
			return d, err
		}
	}
	return d, nil
}

// With returns a directory that has these models too, behind its own. Errors are
// Invalid, for a model that is there twice.
func (d *Directory) With(models []starling.Model) (*Directory, error) {
	wider, err := NewDirectory(append(slices.Clip(d.models), models...), d.alias, d.silent...)
	if wider == nil {
		return nil, err
	}
	return wider, nil // what is wrong with an alias was said of the narrower one
}

// Named returns what a name means in a rubric of the skill, "" none: the reserved
// one is that of the skill's own student.
func Named(skill, name string) string {
	if name == starling.StudentName && skill != "" {
		return name + "/" + skill
	}
	return name
}

// CheckAlias returns an Invalid error for an alias that leads nowhere or in a
// circle, and for one that no request could reach because it is written like a
// skill or like a student. One that leads to a silent provider is good: it waits ([Directory.Awaits]).
func (d *Directory) CheckAlias(name string) error {
	if strings.HasPrefix(name, Prefix) {
		return &starling.Error{Kind: starling.Invalid, Op: fmt.Sprintf("alias %q is written like a skill", name), Hint: "choose a name that does not begin with " + Prefix}
	}
	if name == starling.StudentName {
		return &starling.Error{Kind: starling.Invalid, Op: fmt.Sprintf("alias %q is what rubrics call their own student", name), Hint: "choose another name"}
	}
	target, straight := d.follow(name)
	if !straight {
		return &starling.Error{Kind: starling.Invalid, Op: fmt.Sprintf("alias %q leads in a circle", name), Hint: "give it a model"}
	}
	if _, ok := d.byName[target]; !ok && len(d.Awaits(name)) == 0 {
		return &starling.Error{Kind: starling.Invalid, Op: fmt.Sprintf("alias %q: no model %q", name, target), Hint: cmp.Or(d.near(target, name), "starling models lists what there is")}
	}
	return nil
}

// Awaits returns the silent providers that a name which leads to no model may be
// waiting for: the one that it names, and for an alias of a bare name all of
// them, since nobody can tell.
func (d *Directory) Awaits(name string) []string {
	target, _ := d.follow(name)
	if _, ok := d.byName[target]; ok {
		return nil
	}
	provider, _, id := strings.Cut(target, "/")
	if _, alias := d.alias[name]; alias && !id {
		return d.silent
	}
	if slices.Contains(d.silent, provider) && id {
		return []string{provider}
	}
	return nil
}

// follow goes from alias to alias. An alias that stands for its own name means
// the model of that name. It reports false for a circle.
func (d *Directory) follow(name string) (target string, straight bool) {
	for range len(d.alias) + 1 {
		next, ok := d.alias[name]
		if !ok || next == name {
			return name, true
		}
		name = next
	}
	return name, false
}

// Find returns the model of that name. Aliases come first, so that a user can
// say what a name means.
func (d *Directory) Find(name string) (starling.Model, bool) {
	target, _ := d.follow(name)
	i, ok := d.byName[target]
	if !ok {
		return starling.Model{}, false
	}
	return d.models[i], true
}

// Models returns all models in the order of the configuration.
func (d *Directory) Models() []starling.Model { return d.models }

// Aliases returns the configured names, sorted.
func (d *Directory) Aliases() []string {
	names := make([]string, 0, len(d.alias))
	for name := range d.alias {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// hint says what a request can do that names what does not exist.
func (d *Directory) hint(name string) string {
	if skill, ok := strings.CutPrefix(name, starling.StudentName+"/"); ok {
		return "there is no student yet: starling distill " + clip(skill) + " makes one"
	}
	if who := d.Awaits(name); len(who) > 0 {
		target, _ := d.follow(name)
		return fmt.Sprintf("it is %s, and provider %s offers no models now: start it, then send the gateway SIGHUP", target, strings.Join(who, " or "))
	}
	return cmp.Or(d.near(name, ""), "GET /v1/models lists what there is")
}

// near says which names come near to one that does not exist, "" if none does but
// the alias that is to blame.
func (d *Directory) near(name, alias string) string {
	if len(d.models)+len(d.silent) == 0 {
		return "no provider is configured; set a provider's key in the environment, or write a configuration"
	}
	known := slices.DeleteFunc(d.Aliases(), func(own string) bool { return own == alias })
	for _, m := range d.models {
		known = append(known, m.Name)
	}
	for _, m := range d.models {
		known = append(known, m.ID())
	}
	if near := strict.Nearest(name, known); len(near) > 0 {
		return "did you mean " + strings.Join(near, " or ") + "?"
	}
	return ""
}
