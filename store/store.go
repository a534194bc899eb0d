// Package store keeps AiFi's webhooks and finds them again.
//
// Its invariants:
//
//   - [Store.Record] is the only way into deliveries and events. It returns after
//     the commit, or after the fsync of a local spool that is drained through the
//     same queues, or says that nothing was kept.
//   - A delivery keeps the id and the time of its receipt, however often it is
//     recorded; recording it twice changes nothing.
//   - A delivery that cannot be stored as it should is quarantined, and its
//     neighbours in the batch do not notice.
//   - Every read takes a [Scope], and sees no row outside of it.
//   - No type of the database driver appears in the API.
package store

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"aifi-audit/store/internal/db"
	"aifi-audit/store/spool"
	"aifi-audit/store/translog"
)

// Config of a Store.
type Config struct {
	DatabaseURL string // of a PostgreSQL >= 15 whose schema is current
	// Database gives the URL of a database that has to be started first, and may take
	// its time; nil means DatabaseURL.
	Database   func(context.Context) (url string, err error)
	ReadURL    string        // of a streaming replica of it, for the reads of staff; "" is none
	ReadMaxLag time.Duration // how far behind it may be and still be read from; 0 is 30 s

	Local    *Local           // nil: nothing is kept while the database is away
	Refusals Refusals         // what is kept of webhooks without a good token
	Nightly  Nightly          // what is done each night
	Logger   *slog.Logger     // nil discards
	Metrics  *Metrics         // nil counts into nothing
	Now      func() time.Time // nil is time.Now
	TimeZone *time.Location   // of stores without one of their own: UTC, or one of the IANA database; nil is UTC
	Random   io.Reader        // of secrets; nil is crypto/rand's
	Log      LogConfig        // of the transparency log
}

// Local is what lies on local disk so that nothing is lost while the database is away.
// Beside the spool, webhooks whose token is not known take a 16th of its limit, and at
// most 64 MiB.
type Local struct {
	Dir            string        // made if it is missing; of this process alone
	SpoolBytes     int64         // the most that the spool may take; 0 is 10 GiB
	CommitDeadline time.Duration // how long a delivery waits for its commit before it is spooled; 0 is 1 s
	TokenGrace     time.Duration // how long the tokens known are good without the database; 0 is 7 days
	Optional       bool          // a spool that cannot be opened is told of, and done without
}

const (
	defaultCommitDeadline = time.Second
	defaultTokenGrace     = 7 * 24 * time.Hour
)

// Store is safe for concurrent use.
type Store struct {
	writes         *pool
	office         *pool    // for what staff write
	reads          *pool    // of the same database; for what may not be late, and all if there is no replica
	replica        *replica // nil if there is none
	queries        *db.Queries
	log            *slog.Logger
	metrics        *Metrics
	now            func() time.Time
	zone           *time.Location // of stores without one of their own
	loadedZones    sync.Map       // *time.Location by IANA name
	random         io.Reader
	database       func(context.Context) (string, error)
	commitDeadline time.Duration
	tokens         tokenCache
	health         health
	refusals       refusals
	arrivals       arrivals
	clock          clockOffset
	paging         paging

	connected chan struct{} // closed when the database was reached first
	unmade    bool          // then: partitions could not all be made, as somebody read there
	recorder  recorder
	sequencer sequencer
	tiles     translog.Tiles
	spool     *spool.Spool // nil if there is none
	spoolless error        // why there is none, if there should be one
	undecided undecided
	stop      context.CancelFunc // of the background work
	work      sync.WaitGroup
	stopDrain context.CancelFunc
	drained   sync.WaitGroup
}

// Open connects, checks the schema, and starts the background work. Close it.
//
// With Config.Local it does not need the database: if that is not there within a few
// seconds, deliveries are spooled, reads fail with ErrUnavailable, and the Store
// goes on connecting. A schema that does not fit is an error all the same, and so is
// a spool that another process has open (ErrSpoolInUse), or that cannot be opened unless
// it is optional. Without a spool, the Store needs the database.
func Open(ctx context.Context, c Config) (*Store, error) {
	s := newStore(c)
	if c.ReadURL != "" {
		var err error
		if s.replica, err = newReplica(c.ReadURL, c.ReadMaxLag, s.reads, s.queries, s.log); err != nil {
			return nil, err
		}
	}
	if c.Local != nil {
		if err := s.openLocal(*c.Local); err != nil {
			s.replica.close()
			return nil, err
		}
	}
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.stop = stop
	err := s.connectFirst(ctx, background)
	if err != nil && s.spoolless != nil {
		err = errors.Join(err, s.spoolless)
	}
	if err == nil && s.replica != nil {
		// One that is away may come; one that is another database never will.
		err = s.replica.look(ctx)
	}
	if err != nil {
		stop()
		s.work.Wait()
		s.closeAll()
		return nil, err
	}
	s.work.Go(func() { s.keepTokens(background) })
	if s.replica != nil {
		s.work.Go(func() { s.replica.watch(background) })
	}
	s.work.Go(func() { s.keepPartitions(background) })
	s.work.Go(func() { s.keepClock(background) })
	s.work.Go(func() { s.keepRefusals(background) })
	s.work.Go(func() { s.keepErasures(background) })
	s.work.Go(func() { s.sequencer.run(background) })
	if c.Nightly != (Nightly{}) {
		s.work.Go(func() { s.keepNights(background, c.Nightly) })
	}
	s.recorder.start(s)
	if s.spool != nil {
		draining, stopDrain := context.WithCancel(context.WithoutCancel(ctx))
		s.stopDrain = stopDrain
		s.drained.Go(func() { s.drain(draining, s.spool) })
		if s.undecided.spool != nil {
			s.drained.Go(func() { s.drain(draining, s.undecided.spool) })
		}
	}
	if r := s.metrics.registerer; r != nil { // else nobody watches
		r.MustRegister(newGauges(s))
		s.work.Go(func() { s.keepTraffic(background) })
	}
	return s, nil
}

func newStore(c Config) *Store {
	s := &Store{
		writes: new(pool), office: new(pool), reads: new(pool), queries: db.New(), log: c.Logger, metrics: c.Metrics, now: c.Now,
		zone: c.TimeZone, random: c.Random, database: c.Database, connected: make(chan struct{}), paging: defaultPaging,
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.metrics == nil {
		s.metrics = NewMetrics(nil)
	}
	if s.now == nil {
		s.now = time.Now
	}
	if s.random == nil {
		s.random = rand.Reader
	}
	if s.zone == nil {
		s.zone = time.UTC
	}
	if s.database == nil {
		s.database = func(context.Context) (string, error) { return c.DatabaseURL, nil }
	}
	s.refusals.limits = c.Refusals
	s.arrivals.now = s.now
	s.undecided.begin()
	s.sequencer = sequencer{store: s, config: c.Log, memory: checkpointFile{c.Log.Memory}}
	s.health.begin(s.log)
	return s
}

func (s *Store) openLocal(l Local) (err error) {
	s.commitDeadline = cmp.Or(l.CommitDeadline, defaultCommitDeadline)
	if s.spool, err = s.openSpool(l.SpoolDir(), l.SpoolBytes); err == nil {
		s.undecided.spool, err = s.openSpool(l.UndecidedDir(), undecidedBytes(s.spool.Stats().MaxBytes))
	}
	if err != nil && (!l.Optional || errors.Is(err, ErrSpoolInUse)) {
		if s.spool != nil {
			err = errors.Join(err, s.spool.Close())
		}
		return err
	}
	switch s.spoolless = err; {
	case err == nil:
	case s.spool != nil:
		s.log.Error("a part of the spool cannot be used: webhooks whose token is not known when the database goes away will be lost, and what lies there waits; mend it and start the server anew", "error", err)
	default:
		s.metrics.spoolUnusable.Set(1)
		s.log.Error("THE SPOOL CANNOT BE USED: webhooks that come while the database is away will be lost, and what lies in the spool waits; mend it and start the server anew", "error", err)
	}
	s.tokens.file = filepath.Join(l.Dir, "tokens.json")
	s.tokens.grace = cmp.Or(l.TokenGrace, defaultTokenGrace)
	if err := s.tokens.read(); err != nil {
		s.log.Warn("the tokens kept for when the database is away cannot be read", "error", err)
	}
	return nil
}

// openSpool opens a spool; 0 bytes are its default.
func (s *Store) openSpool(dir string, most int64) (*spool.Spool, error) {
	q, err := spool.Open(spool.Config{Dir: dir, MaxBytes: most, Logger: s.log, Now: s.now})
	if errors.Is(err, spool.ErrLocked) {
		return nil, fmt.Errorf("%w: %s", ErrSpoolInUse, dir)
	}
	if err != nil {
		return nil, fmt.Errorf("opening the spool: %w", err)
	}
	return q, nil
}

// Close records what is queued, or spools it, then stops. Nobody may call the Store
// afterwards.
func (s *Store) Close() {
	if s.stopDrain != nil {
		s.stopDrain()
		s.drained.Wait()
	}
	s.recorder.close()
	s.stop()
	s.work.Wait()
	flush, cancel := context.WithTimeout(context.Background(), reconnectPause)
	defer cancel()
	s.flushTokenUse(flush)
	if err := s.writeRefusals(flush); err != nil {
		s.log.Warn("webhooks that were refused cannot be written", "error", err)
	}
	s.closeAll()
}

// leaveTimeout is how long the database may take to let go of all connections. One that
// hangs lets go of none, and until this process has ended none can take its place.
const leaveTimeout = 5 * time.Second

func (s *Store) closeAll() {
	var closing sync.WaitGroup
	for _, end := range []func(){s.writes.Close, s.office.Close, s.reads.Close, s.replica.close} {
		closing.Go(end)
	}
	closed := make(chan struct{})
	go func() {
		closing.Wait()
		close(closed)
	}()
	late := time.NewTimer(leaveTimeout)
	defer late.Stop()
	select {
	case <-closed:
	case <-late.C:
		s.log.Warn("the database does not let go of its connections; they are left to it")
	}
	for _, q := range []*spool.Spool{s.spool, s.undecided.spool} {
		if q == nil {
			continue
		}
		if err := q.Close(); err != nil {
			s.log.Error("closing the spool", "error", err)
		}
	}
}
