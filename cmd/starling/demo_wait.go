package main

import (
	"context"
	"fmt"
	"time"

	"starling"
	"starling/internal/evidence"
)

// standing is what is known of the latest student's warrant.
func (l *loop) standing() evidence.Standing {
	for _, s := range l.news.Board.Warrants() {
		if s.Warrant.ID == l.warrants[len(l.warrants)-1].ID {
			return s
		}
	}
	return evidence.Standing{}
}

// current is the gateway's school as it is now.
func (s *scene) current(ctx context.Context) (school, error) {
	select {
	case now := <-s.schools:
		return now, nil
	case <-ctx.Done():
		return school{}, ctx.Err()
	case <-time.After(patient):
		return school{}, &starling.Error{Kind: starling.Internal, Op: "demo: the gateway does not say which students it has"}
	}
}

// patient is how long the story waits for what the gateway does in the background.
const patient = 20 * time.Second

// wait asks until the answer is yes; for what never comes the story does not wait.
func wait(ctx context.Context, yes func() (bool, error)) error {
	for end := time.Now().Add(patient); time.Now().Before(end); {
		done, err := yes()
		if done || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(25 * time.Millisecond):
		}
	}
	return nil
}

// inForce waits until the gateway has noticed a student, and what was shown of it.
func (l *loop) inForce(ctx context.Context, digest string) error {
	if err := l.news.Catch(ctx); err != nil {
		return err
	}
	return wait(ctx, func() (bool, error) {
		s, err := l.current(ctx)
		t, ok := s.students.Find(loopSkill)
		return ok && t.Digest() == digest, err
	})
}

// kept waits until all is kept that should be, or no more is coming, and counts it.
// Where a disk is slow and much is answered some is missed, which is said.
func (l *loop) kept(ctx context.Context) (n int, missed string, err error) {
	s, err := l.current(ctx)
	if err != nil {
		return 0, "", err
	}
	should, idle := 0, 0
	for _, c := range l.chapters {
		should += c.taught()
	}
	err = wait(ctx, func() (bool, error) {
		before := n
		counts, err := s.counts(ctx)
		if n = counts[loopSkill]; n > before {
			idle = 0
		}
		idle++
		return n >= should || idle > 40, err
	})
	if n < should {
		missed = fmt.Sprintf("; %d came faster than this disk writes", should-n)
	}
	return n, missed, err
}
