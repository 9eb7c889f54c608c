package local

import (
	"cmp"
	"slices"
	"time"
)

// held is what the children need together, those included that are about to end.
func (k *keeper) held() (bytes int64) {
	for _, m := range k.models {
		if m.stage != cold {
			bytes += m.need
		}
	}
	return bytes
}

// coming is what of that will be free without anything more being done.
func (k *keeper) coming() (bytes int64) {
	for _, m := range k.models {
		if m.stage == ending || m.drain {
			bytes += m.need
		}
	}
	return bytes
}

// makeRoom ends what has no room any more, and starts what is wanted and has room. One
// that has none is made room for, and who came later waits until it has: else small
// models that come and go would keep a large one out for ever.
func (k *keeper) makeRoom(now time.Time) {
	k.spare(now)
	k.shrink()
	for _, m := range k.wanted(now) {
		if m.wrong != nil {
			k.refuseAll(m, m.wrong)
			continue
		}
		if m.need > k.room && k.murky {
			break // the next measurement tells
		}
		if m.need > k.room {
			k.refuseAll(m, k.tooLarge(m))
			continue
		}
		if k.held()+m.need <= k.room {
			k.start(m)
			continue
		}
		if over := k.held() - k.coming() + m.need - k.room; over > 0 {
			k.free(over, m)
		}
		break
	}
	k.shrink()
}

// shrink gives back what the machine needs for others, and what nobody works in any
// more that is to be given back.
func (k *keeper) shrink() {
	if over := k.held() - k.coming() - k.room; over > 0 && !k.murky {
		k.free(over, nil)
	}
	for _, name := range k.names {
		if m := k.models[name]; m.drain && len(m.working) == 0 {
			k.end(m)
		}
	}
}

// spare lets those go on whose memory nobody wants any more.
func (k *keeper) spare(now time.Time) {
	if k.held() > k.room || slices.ContainsFunc(k.wanted(now), func(m *resident) bool { return m.need <= k.room }) {
		return
	}
	for _, m := range k.models {
		m.drain = false
	}
}

// wanted are the models without a child that somebody waits for and that do not rest,
// in the order in which somebody came; what runs beside comes last.
func (k *keeper) wanted(now time.Time) (all []*resident) {
	for _, name := range k.names {
		m := k.models[name]
		if m.stage == cold && len(m.waiting) > 0 && (m.wrong != nil || !now.Before(m.rest)) {
			all = append(all, m)
		}
	}
	slices.SortStableFunc(all, func(a, b *resident) int {
		if a.patient() != b.patient() {
			return later(a.patient())
		}
		return cmp.Compare(a.waiting[0].id, b.waiting[0].id)
	})
	return all
}

// later is how who is later compares with who is not.
func later(yes bool) int {
	if yes {
		return 1
	}
	return -1
}

func (k *keeper) start(m *resident) {
	k.made++
	m.stage, m.child = loading, k.made
	m.governor = governor{}.next(share(k.idle, 1), k.rules.cores)
	k.out = append(k.out, startIt{m.name, m.child, m.threads})
}

// free gives back so many bytes: first those of models that nobody works with, the
// longest unused first, then those of models at work, which answer to the end and take
// nothing new. For the sake of another model none is given back that is loading, or at
// which somebody waits who came earlier; and for the sake of what runs beside, none that
// is at work.
func (k *keeper) free(bytes int64, sake *resident) {
	victims := make([]*resident, 0, len(k.names))
	for _, name := range k.names {
		m := k.models[name]
		if !m.drain && !m.precedes(sake) && (m.stage == ready || m.stage == loading) {
			victims = append(victims, m)
		}
	}
	slices.SortStableFunc(victims, func(a, b *resident) int {
		if busyA, busyB := len(a.working) > 0, len(b.working) > 0; busyA != busyB {
			return later(busyA)
		}
		return a.used.Compare(b.used)
	})
	for _, m := range victims {
		if bytes <= 0 {
			return
		}
		bytes -= m.need
		if len(m.working) > 0 {
			m.drain = true
		} else {
			k.end(m)
		}
	}
}

// precedes reports whether a model is left in peace though another one needs its room;
// nil is the machine, which comes first.
func (m *resident) precedes(sake *resident) bool {
	switch {
	case sake == nil:
		return false
	case m.stage == loading:
		return true
	case sake.patient():
		return len(m.working)+len(m.waiting) > 0
	}
	return len(m.waiting) > 0 && m.waiting[0].id < sake.waiting[0].id
}

// dismiss ends models that nobody has asked for long, unless this is their hour.
func (k *keeper) dismiss(now time.Time) {
	for _, name := range k.names {
		m := k.models[name]
		if m.stage == ready && len(m.working)+len(m.waiting) == 0 && now.Sub(m.used) > k.rules.keep && m.habit.due(now) < expected {
			k.end(m)
		}
	}
}

// preload starts the model that is likeliest to be asked for at this hour, if there is
// room beside what is loaded, and nobody waits for anything.
func (k *keeper) preload(now time.Time) {
	var best *resident
	for _, name := range k.names {
		m := k.models[name]
		if m.stage == loading || m.stage == ending || len(m.waiting) > 0 {
			return
		}
		if m.stage != cold || m.wrong != nil || now.Before(m.rest) || m.habit.due(now) < expected || k.held()+m.need > k.room {
			continue
		}
		if best == nil || m.habit.due(now) > best.habit.due(now) {
			best = m
		}
	}
	if best != nil {
		k.start(best)
	}
}
