package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/mod/sumdb/tlog"

	"aifi-audit/store/internal/db"
	"aifi-audit/store/logrows"
	"aifi-audit/store/translog"
)

const (
	// sequencerLock is the advisory lock of the one sequencer: "AiFL" in ASCII.
	sequencerLock = 0x4169464c
	// sequenceEvery is how long the sequencer rests when there is no more to do, and
	// so, beside the work itself, how long a delivery waits for its checkpoint.
	sequenceEvery  = 500 * time.Millisecond
	sequencerRetry = time.Second // after a failure, or while another process holds the lock
	shoutEvery     = time.Minute // that the log is not signed
	sequenceBatch  = 256         // rows of the queue
	// checkpointEvery is how often a checkpoint is kept. The others are replaced by
	// the next: the tree can show that it grew from any of them.
	checkpointEvery = 10 * time.Minute
)

// LogConfig says who signs the log.
type LogConfig struct {
	Signer   *translog.Signer   // nil: leaves wait in the queue
	Unusable error              // why there is no Signer, if there should be one
	Verifier *translog.Verifier // of the checkpoints that are there already; needed with a Signer
	// Memory is a file, outside of the database, in which the newest checkpoint is
	// remembered. A database that is behind it was rolled back.
	Memory string
	// Published is called, if not nil, with each new checkpoint, and with the newest one
	// when this process begins to sign; by one goroutine, which must not wait.
	Published func(ctx context.Context, c translog.Checkpoint)
}

// sequencer moves leaves from the queue into the tree. Of all processes one does it:
// that which holds the lock. Losing the connection loses the lock, and as it writes on
// that connection only, it cannot write without. Should there be two all the same,
// the state is advanced by comparing it first.
type sequencer struct {
	store  *Store
	config LogConfig
	memory checkpointFile

	mu     sync.Mutex // guards status
	status LogStatus
}

// LogStatus is how the log is doing, as far as this process knows.
type LogStatus struct {
	State string // LogOff, LogStandby, LogRunning, LogRefusing
	Error string // why it refuses, has no key that should be there, or did not succeed last time
}

// States of the log in this process.
const (
	LogOff      = "off"      // no signing key, or one that cannot be used: leaves wait in the queue
	LogStandby  = "standby"  // another process holds the lock, or the database is away
	LogRunning  = "running"  // this process signs
	LogRefusing = "refusing" // the database does not continue what was signed before
)

// LogStatus tells how the log is doing.
func (s *Store) LogStatus() LogStatus {
	s.sequencer.mu.Lock()
	defer s.sequencer.mu.Unlock()
	return s.sequencer.status
}

func (q *sequencer) set(state string, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.status = LogStatus{State: state}
	if err != nil {
		q.status.Error = err.Error()
	}
	q.store.metrics.logRefusing.Set(number(state == LogRefusing || state == LogOff && err != nil))
}

// run sequences until ctx ends. Whatever goes wrong, it starts again from what the
// database holds.
func (q *sequencer) run(ctx context.Context) {
	if q.config.Signer == nil {
		q.set(LogOff, q.config.Unusable)
		return
	}
	q.set(LogStandby, nil)
	var shouted time.Time
	for ctx.Err() == nil {
		err := q.session(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case errors.Is(err, ErrRolledBack), errors.Is(err, ErrLogDamaged):
			q.set(LogRefusing, err)
			if time.Since(shouted) < shoutEvery {
				break
			}
			shouted = time.Now()
			q.store.log.Error("THE LOG IS NOT SIGNED ANY MORE: the database was rolled back or changed, or the key is another; see README, After an old backup, and Backups", "error", err)
		case err != nil:
			if q.store.LogStatus().Error != err.Error() && !errors.Is(err, errNotConnected) {
				q.store.log.Warn("sequencing the log failed; it is tried again", "error", err)
			}
			q.set(LogStandby, err)
		}
		pause(ctx, sequencerRetry)
	}
}

// session holds the lock for as long as all goes well.
func (q *sequencer) session(ctx context.Context) error {
	config, err := q.store.office.connConfig()
	if err != nil {
		return err
	}
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	for try := 1; ; try++ {
		locked, err := q.store.queries.TryLock(ctx, conn, sequencerLock)
		if err != nil {
			return err
		}
		if locked {
			break
		}
		if try > 1 { // the first time it may be that of the session before, which has just ended
			if err := q.follow(ctx, conn); err != nil {
				return err
			}
			q.set(LogStandby, nil)
		}
		pause(ctx, sequencerRetry)
	}
	edge, state, err := q.load(ctx, conn)
	if err != nil {
		return err
	}
	q.set(LogRunning, nil)
	q.publish(ctx, state)
	for {
		drained, err := q.advance(ctx, conn, edge)
		if err != nil {
			return err
		}
		q.observe(ctx, conn)
		if drained < sequenceBatch {
			pause(ctx, sequenceEvery)
		}
		if ctx.Err() != nil {
			// What was queued until now is still sequenced, if it takes one step.
			_, err = q.advance(context.WithoutCancel(ctx), conn, edge)
			return err
		}
	}
}

// load gives the tree's edge and its checkpoint, after checking the one against the
// other, and that against what is remembered.
func (q *sequencer) load(ctx context.Context, conn db.DBTX) (*translog.Edge, translog.Checkpoint, error) {
	remembered, err := q.memory.load(q.config.Verifier)
	if err != nil {
		return nil, translog.Checkpoint{}, err
	}
	return q.loadAfter(ctx, conn, remembered)
}

func (q *sequencer) loadAfter(ctx context.Context, conn db.DBTX, remembered translog.Checkpoint) (*translog.Edge, translog.Checkpoint, error) {
	reader := logrows.Reader{Queries: q.store.queries, Conn: conn}
	edge, state, err := reader.Intact(ctx, q.config.Verifier)
	if err != nil {
		return nil, state, err
	}
	if err := reader.Continues(ctx, state, remembered); err != nil {
		return nil, state, err
	}
	if remembered.N == 0 && state.N > 0 {
		q.store.log.Warn("no checkpoint is remembered outside of the database; its own is taken for good", "size", state.N)
	}
	return edge, state, nil
}

// follow remembers what another process signs. Else this one would take over behind a
// database that was rolled back meanwhile, and sign as if nothing had happened.
func (q *sequencer) follow(ctx context.Context, conn *pgx.Conn) error {
	if q.memory.path == "" {
		return nil
	}
	// Before the snapshot: the other may share the file, and writes it after its commit.
	before, err := q.memory.load(q.config.Verifier)
	if err != nil {
		return err
	}
	var newest translog.Checkpoint
	// The other may sign while this one reads.
	err = pgx.BeginTxFunc(ctx, conn, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		newest, err = logrows.Reader{Queries: q.store.queries, Conn: tx}.State(ctx, q.config.Verifier)
		if err != nil || newest.Tree == before.Tree {
			return err
		}
		_, newest, err = q.loadAfter(ctx, tx, before)
		return err
	})
	if err != nil || newest.Tree == before.Tree {
		return err
	}
	if now, err := q.memory.load(q.config.Verifier); err != nil || now.N >= newest.N {
		return err
	}
	if err := q.memory.save(newest); err != nil {
		return fmt.Errorf("remembering a checkpoint: %w", err)
	}
	return nil
}

// advance moves what waits in the queue into the tree, and signs the new tree. It
// returns how many rows of the queue it took. After an error the edge must not be
// used any more.
func (q *sequencer) advance(ctx context.Context, conn *pgx.Conn, edge *translog.Edge) (drained int, err error) {
	tx, err := conn.Begin(ctx)
	if err != nil {
		return 0, err
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }()
	queued, err := q.store.queries.DrainLogQueue(ctx, tx, sequenceBatch)
	if err != nil || len(queued) == 0 {
		return 0, err
	}
	leaves, err := q.parse(slices.Concat(queued...))
	if err != nil {
		return 0, err
	}
	old, err := edge.Tree()
	if err != nil {
		return 0, err
	}
	rows, tiles := grow(edge, leaves)
	tree, err := edge.Tree()
	if err != nil {
		return 0, err
	}
	checkpoint, err := q.config.Signer.Sign(tree)
	if err != nil {
		return 0, err
	}
	if err := q.write(ctx, tx, old, checkpoint, rows, tiles); err != nil {
		return 0, err
	}
	if err := tx.Commit(ctx); err != nil {
		return 0, err
	}
	if err := q.memory.save(checkpoint); err != nil {
		return 0, fmt.Errorf("remembering a checkpoint: %w", err)
	}
	q.store.metrics.logSize.Set(float64(tree.N))
	q.publish(ctx, checkpoint)
	return len(queued), nil
}

func (q *sequencer) publish(ctx context.Context, c translog.Checkpoint) {
	if q.config.Published != nil && c.N > 0 {
		q.config.Published(ctx, c)
	}
}

// parse reads leaves in the order of their times, which keeps rows of log_leaves
// narrow in time. What is no leaf was not written by this program.
func (q *sequencer) parse(records [][]byte) ([]leafOf, error) {
	leaves := make([]leafOf, len(records))
	for i, record := range records {
		l, err := translog.ParseLeaf(record)
		if err != nil {
			return nil, fmt.Errorf("%w: the queue holds what is no leaf", ErrRolledBack)
		}
		leaves[i] = leafOf{l, tlog.RecordHash(record)}
	}
	slices.SortStableFunc(leaves, func(a, b leafOf) int { return a.At.Compare(b.At) })
	return leaves, nil
}

type leafOf struct {
	translog.Leaf
	hash tlog.Hash
}

// grow adds leaves to the edge and gives the rows that come of it.
func grow(edge *translog.Edge, leaves []leafOf) (rows db.InsertLogLeavesParams, tiles db.InsertLogTilesParams) {
	for _, l := range leaves {
		at := edge.Size()
		last := len(rows.FirstIndex) - 1
		if last < 0 || at%translog.TileWidth == 0 {
			rows.FirstIndex = append(rows.FirstIndex, at)
			rows.Ids, rows.Hashes = append(rows.Ids, nil), append(rows.Hashes, nil)
			rows.FirstAt, rows.LastAt = append(rows.FirstAt, l.At), append(rows.LastAt, l.At)
			last++
		}
		rows.Ids[last] = append(append(rows.Ids[last], byte(l.Kind)), l.ID[:]...)
		rows.Hashes[last] = append(rows.Hashes[last], l.hash[:]...)
		rows.LastAt[last] = l.At
		for _, t := range edge.Append(l.hash) {
			tiles.Level = append(tiles.Level, int16(t.Level)) //nolint:gosec // at most 7
			tiles.N, tiles.Root = append(tiles.N, t.N), append(tiles.Root, bytes.Clone(t.Hash[:]))
		}
	}
	return rows, tiles
}

func (q *sequencer) write(ctx context.Context, tx pgx.Tx, old tlog.Tree, c translog.Checkpoint, rows db.InsertLogLeavesParams, tiles db.InsertLogTilesParams) error {
	queries, now := q.store.queries, q.store.now()
	if err := queries.InsertLogLeaves(ctx, tx, rows); ownFault(err) {
		return fmt.Errorf("%w: there are leaves behind its end: %w", ErrLogDamaged, err)
	} else if err != nil {
		return err
	}
	if len(tiles.N) > 0 {
		if err := queries.InsertLogTiles(ctx, tx, tiles); err != nil {
			return err
		}
	}
	var advanced int64
	var err error
	if old.N == 0 {
		advanced, err = queries.StartLog(ctx, tx, db.StartLogParams{Size: c.N, Root: c.Hash[:], Checkpoint: c.Note, PublishedAt: now})
	} else {
		advanced, err = queries.AdvanceLog(ctx, tx, db.AdvanceLogParams{
			Size: c.N, Root: c.Hash[:], Checkpoint: c.Note, PublishedAt: now, OldSize: old.N, OldRoot: old.Hash[:],
		})
	}
	if err != nil {
		return err
	}
	if advanced != 1 {
		return errors.New("another process has advanced the log")
	}
	last, err := queries.LastCheckpointTime(ctx, tx)
	if err != nil || now.Sub(last) < checkpointEvery {
		return err
	}
	return queries.InsertCheckpoint(ctx, tx, db.InsertCheckpointParams{Size: c.N, Checkpoint: c.Note, PublishedAt: now})
}

// observe measures how long the oldest leaf has waited.
func (q *sequencer) observe(ctx context.Context, conn *pgx.Conn) {
	oldest, err := q.store.queries.OldestQueued(ctx, conn)
	if err != nil {
		return // the next step will tell
	}
	age := 0.0
	if !oldest.IsZero() {
		age = max(0, q.store.now().Sub(oldest).Seconds())
	}
	q.store.metrics.logQueueSeconds.Set(age)
}
