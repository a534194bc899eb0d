package store

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const (
	// patience is how long Open waits for the database before it goes on without.
	patience       = 3 * time.Second
	reconnectPause = time.Second
	readyTimeout   = 2 * time.Second
)

// connectFirst connects. If the database does not come, and need not, it leaves that
// to the background.
func (s *Store) connectFirst(ctx, background context.Context) error {
	if s.spool == nil {
		return s.connect(ctx)
	}
	first, left := make(chan error), make(chan struct{})
	s.work.Go(func() {
		err := s.connect(background)
		told := false
		select {
		case first <- err:
			told = true
		case <-left: // nobody waits for it any more
		}
		for err != nil && !lasting(err) {
			if !pause(background, reconnectPause) {
				return
			}
			told, err = false, s.connect(background)
		}
		switch {
		case err == nil:
			s.log.Info("connected to the database")
		case !told && background.Err() == nil:
			s.log.Error("the database cannot be used; deliveries stay in the spool until that is mended and this is started anew", "error", err)
		}
	})
	defer close(left)
	wait := time.NewTimer(patience)
	defer wait.Stop()
	select {
	case err := <-first:
		if lasting(err) {
			return err
		}
		if err != nil {
			s.log.Error("the database cannot be used; deliveries go to the spool until it can", "error", err)
		}
	case <-wait.C:
		s.log.Warn("the database is not there yet; deliveries go to the spool until it is")
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

// lasting reports whether connecting failed for a reason that an operator must see to.
func lasting(err error) bool { return err != nil && !errors.Is(err, ErrUnavailable) }

// connect makes the Store ready for all that needs the database.
func (s *Store) connect(ctx context.Context) error {
	url, err := s.database(ctx)
	if err != nil {
		return err
	}
	if err := CheckSchema(ctx, url); err != nil {
		return err
	}
	writes, err := recordConfig(url)
	if err != nil {
		return err
	}
	office, err := writeConfig(url, officeConnections, nil)
	if err != nil {
		return err
	}
	reads, err := readConfig(url)
	if err != nil {
		return err
	}
	if err := s.writes.open(ctx, writes); err != nil {
		return known(err)
	}
	if err := s.office.open(ctx, office); err != nil {
		return known(err)
	}
	if s.paging.neverMerges, err = distributed(ctx, s.writes); err != nil {
		return known(err)
	}
	if err := s.reads.open(ctx, reads); err != nil {
		return known(err)
	}
	if err := s.checkZone(ctx, s.zone.String()); err != nil {
		return err
	}
	err = s.EnsurePartitions(ctx, s.now().AddDate(0, -monthsBehind, 0), s.now().AddDate(0, monthsAhead, 0))
	if s.unmade = lockedOut(err); err != nil && !s.unmade {
		return err
	}
	if err := s.tokens.reload(ctx, s); err != nil {
		return err
	}
	s.health.connected()
	close(s.connected)
	return nil
}

// Connected is closed once the database has been reached, which Config.Local lets
// Open not wait for.
func (s *Store) Connected() <-chan struct{} { return s.connected }

// ReadyToRead is ErrUnavailable unless the database answers.
func (s *Store) ReadyToRead(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	if err := s.reads.Ping(ctx); err != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return nil
}

// ReadyToIngest is ErrUnavailable, ErrSpoolFull or ErrSpoolFails unless a delivery would
// be kept, in the database or in the spool.
func (s *Store) ReadyToIngest(ctx context.Context) error {
	switch {
	case s.spool == nil:
		return s.ReadyToRead(ctx)
	case s.health.away.Load():
		return s.health.spoolRefuses()
	}
	return nil
}
