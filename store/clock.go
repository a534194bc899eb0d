package store

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"aifi-audit/store/internal/db"
)

const (
	// clockTolerance is how far the clocks of the database and of this server may be
	// apart. What is received is dated by this server's, what staff write by the
	// database's, and retention goes by both.
	clockTolerance = time.Minute
	// clockWitness is how far the database's clock may be from when AiFi says that it
	// sent the newest webhooks: as long as a policy has to wait until it counts.
	clockWitness = RetentionPause

	clockEvery   = time.Minute
	clockTimeout = 5 * time.Second
	clockToldFor = time.Hour // then it is told again
)

// ClockError says that nothing is removed, since a clock may be wrong: by one that is
// years ahead the time of everything is over.
type ClockError struct{ Doubt string }

// Error implements error.
func (e *ClockError) Error() string { return "nothing is removed: " + e.Doubt }

// clockOffset is how far the database's clock is ahead of this server's, as was seen last.
type clockOffset struct{ nanos atomic.Int64 }

func (o *clockOffset) set(d time.Duration) { o.nanos.Store(int64(d)) }
func (o *clockOffset) get() time.Duration  { return time.Duration(o.nanos.Load()) }

// keepClock compares the database's clock with this server's, and tells loudly if they
// disagree.
func (s *Store) keepClock(ctx context.Context) {
	select {
	case <-s.connected:
	case <-ctx.Done():
		return
	}
	tick := time.NewTicker(clockEvery)
	defer tick.Stop()
	var told time.Time // while they disagree
	for {
		if offset, err := s.compareClocks(ctx); err == nil {
			s.clock.set(offset)
			switch agree := offset.Abs() <= clockTolerance; {
			case agree && !told.IsZero():
				told = time.Time{}
				s.log.Info("the clocks of the database and of this server agree again")
			case !agree && time.Since(told) >= clockToldFor:
				told = time.Now()
				s.log.Error("THE CLOCKS OF THE DATABASE AND OF THIS SERVER DISAGREE: what is received is dated by this server's, what staff write by the database's, and retention removes nothing; set them right",
					"database_is_ahead_by", offset.Round(time.Millisecond))
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// compareClocks is how far the database's clock is ahead, to half the time that it takes to
// ask.
func (s *Store) compareClocks(ctx context.Context) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, clockTimeout)
	defer cancel()
	asked := s.now()
	shows, err := s.queries.DatabaseClock(ctx, s.office)
	if err != nil {
		return 0, err
	}
	return shows.Sub(asked.Add(s.now().Sub(asked) / 2)), nil
}

// clockDoubt says why the database's clock may be wrong, by which retention goes: it is
// empty if this server's shows the same, and so do the newest webhooks, by AiFi's clock. In
// their place can stand the word of whoever knows what day it is; the zero time is none.
func (s *Store) clockDoubt(ctx context.Context, conn db.DBTX, today time.Time) (string, error) {
	ours := s.now()
	c, err := s.queries.RetentionClock(ctx, conn)
	if err != nil {
		return "", err
	}
	const format = time.RFC3339
	shows := c.Shows.UTC().Format(format)
	switch {
	case c.Shows.Sub(ours).Abs() > clockTolerance:
		return fmt.Sprintf("the database's clock shows %s, and this server's %s: one of them is wrong, and must be set right", shows, ours.UTC().Format(format)), nil
	case !today.IsZero():
		if day := c.Shows.UTC().Truncate(fullDay); day.Sub(today).Abs() > fullDay {
			return fmt.Sprintf("the database's clock and this server's show %s, and not %s, which is said to be today", shows, today.Format(time.DateOnly)), nil
		}
		return "", nil
	case c.IssuedAt.IsZero():
		return fmt.Sprintf("the database's clock shows %s, and no webhook is there that says when AiFi sent it: if the clock is right, say what day it is", shows), nil
	case c.Shows.Sub(c.IssuedAt).Abs() > clockWitness:
		return fmt.Sprintf("the database's clock shows %s, but AiFi sent the newest webhooks at about %s: if the clock is right, say what day it is", shows, c.IssuedAt.UTC().Format(format)), nil
	}
	return "", nil
}
