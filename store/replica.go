package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"aifi-audit/store/internal/db"
)

// A streaming replica takes the reads of staff off the database that webhooks go to.
// It is late by its lag, it can go away, and it can be another database altogether.
// So one goroutine looks at it again and again, and while anything is wrong with it
// the primary answers in its stead, within the limits that it has without a replica:
// a few connections, and a limit on the time of a page.
//
// Not all reads go to it. Whatever guards something is read where it is written: the
// tokens, who is signed in, the log and its proofs, what a note or a replay is about,
// and the traffic, whose silence is an alarm.

// ReplicaStanding says whether a replica is read from, or why not.
type ReplicaStanding string

// The standings of a replica. A replica that is unfit is not a streaming replica of
// the database.
const (
	ReplicaUsed   ReplicaStanding = "used"
	ReplicaBehind ReplicaStanding = "behind"
	ReplicaAway   ReplicaStanding = "away"
	ReplicaUnfit  ReplicaStanding = "unfit"
)

// ReplicaState is how the replica does.
type ReplicaState struct {
	Standing ReplicaStanding
	Lag      time.Duration // how old what it shows may be, to about a second; when it was last looked at
}

// ErrReplica says that a server cannot be a replica of the database.
var ErrReplica = errors.New("the database to read from is not a streaming replica of the database")

const (
	defaultReplicaMaxLag = 30 * time.Second
	replicaEvery         = time.Second
	replicaSoon          = 50 * time.Millisecond // while staff wait to see what they wrote
	replicaTimeout       = 2 * time.Second
	mostMarks            = 4096 // then lag is still told, but own writes wait for the rest
)

// replica is a nil pointer if there is none.
type replica struct {
	pool     pool
	queries  *db.Queries
	primary  *pool
	log      *slog.Logger
	maxLag   time.Duration
	wrote    atomic.Int64  // how often staff wrote by this process; begins with the schema
	hurry    chan struct{} // holds one if staff wrote
	standing atomic.Pointer[replicaStanding]

	// Of the goroutine that looks.
	unseen []mark
	seen   int64 // how many of the writes it shows
}

// replicaStanding is what was found at the last look.
type replicaStanding struct {
	ReplicaState
	seen int64 // how many of the writes it shows
	// gone ends when it is found away or unfit: then nothing is to be expected of what
	// still reads from it.
	gone context.Context
	end  context.CancelFunc
}

// mark is a position in the primary's log.
type mark struct {
	position int64
	at       time.Time
	wrote    int64 // the writes up to there
}

func newReplica(url string, maxLag time.Duration, primary *pool, queries *db.Queries, log *slog.Logger) (*replica, error) {
	config, err := readConfig(url)
	if err != nil {
		return nil, fmt.Errorf("the replica: %w", err)
	}
	r := &replica{queries: queries, primary: primary, log: log, maxLag: maxLag, hurry: make(chan struct{}, 1)}
	if r.maxLag == 0 {
		r.maxLag = defaultReplicaMaxLag
	}
	// The schema that this program needs counts as the first write: a replica that has
	// not got that far cannot be read.
	r.wrote.Store(1)
	r.set(ReplicaState{Standing: ReplicaAway}, nil)
	opened, err := pgxpool.NewWithConfig(context.Background(), config) // connects when it is asked
	if err != nil {
		return nil, fmt.Errorf("the replica: %w", err)
	}
	r.pool.ready.Store(opened)
	return r, nil
}

// usable gives a context that ends when the replica is found away; nil if it is not
// to be read from now.
func (r *replica) usable() context.Context {
	if r == nil {
		return nil
	}
	if st := r.standing.Load(); st.Standing == ReplicaUsed && st.seen >= r.wrote.Load() {
		return st.gone
	}
	return nil
}

// state is nil if there is no replica.
func (r *replica) state() *ReplicaState {
	if r == nil {
		return nil
	}
	return &r.standing.Load().ReplicaState
}

// staffWrote notes that staff changed something. Until the replica shows it, the
// primary answers: who notes something sees it.
func (r *replica) staffWrote() {
	if r != nil {
		r.wrote.Add(1)
		r.lookSoon()
	}
}

func (r *replica) lookSoon() {
	select {
	case r.hurry <- struct{}{}:
	default:
	}
}

// watch looks at the replica until ctx ends.
func (r *replica) watch(ctx context.Context) {
	for {
		_ = r.look(ctx) // it is logged
		pause := replicaEvery
		if r.standing.Load().Standing == ReplicaUsed && r.seen < r.wrote.Load() {
			pause = replicaSoon
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			r.standing.Load().end()
			return
		case <-r.hurry:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// look finds out how the replica does, and returns why it cannot be one, if so.
func (r *replica) look(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, replicaTimeout)
	defer cancel()
	wrote, now := r.wrote.Load(), time.Now()
	head, err := r.queries.ServerPosition(ctx, r.primary)
	if err != nil {
		return nil // nothing new is known; and staff see nothing anyway while their looking cannot be logged
	}
	at, err := r.queries.ServerPosition(ctx, &r.pool)
	if err != nil {
		r.set(ReplicaState{Standing: ReplicaAway, Lag: r.lag(head, at, wrote, now)}, err)
		return nil
	}
	if err := fits(head, at); err != nil {
		r.set(ReplicaState{Standing: ReplicaUnfit}, err)
		return err
	}
	lag := r.lag(head, at, wrote, now)
	standing := ReplicaUsed
	if lag > r.maxLag || r.seen == 0 {
		standing = ReplicaBehind
	}
	r.set(ReplicaState{Standing: standing, Lag: lag}, nil)
	return nil
}

// fits says why a server is not a replica of the primary.
func fits(primary, replica db.ServerPositionRow) error {
	switch {
	case replica.SystemIdentifier != primary.SystemIdentifier:
		return fmt.Errorf("%w: it belongs to another cluster (system identifier %d, not %d)", ErrReplica, uint64(replica.SystemIdentifier), uint64(primary.SystemIdentifier)) //nolint:gosec // as PostgreSQL shows it
	case replica.DatabaseName != primary.DatabaseName:
		return fmt.Errorf("%w: it is the database %q, not %q", ErrReplica, replica.DatabaseName, primary.DatabaseName)
	case !replica.InRecovery:
		return fmt.Errorf("%w: it does not follow a primary; it is the primary itself, or was promoted", ErrReplica)
	}
	return nil
}

// lag is since when the replica has not all of what the primary has.
func (r *replica) lag(head, at db.ServerPositionRow, wrote int64, now time.Time) time.Duration {
	if n := len(r.unseen); n > 0 && r.unseen[n-1].position == head.Position {
		r.unseen[n-1].wrote = wrote
	} else if n < mostMarks {
		r.unseen = append(r.unseen, mark{head.Position, now, wrote})
	}
	for len(r.unseen) > 0 && r.unseen[0].position <= at.Position {
		r.seen = r.unseen[0].wrote
		r.unseen = r.unseen[1:]
	}
	if len(r.unseen) == 0 {
		return 0
	}
	return now.Sub(r.unseen[0].at)
}

// set notes the standing, and logs it if it is another one.
func (r *replica) set(state ReplicaState, why error) {
	last := r.standing.Load()
	next := &replicaStanding{ReplicaState: state, seen: r.seen}
	if last != nil && last.gone.Err() == nil {
		next.gone, next.end = last.gone, last.end
	} else {
		next.gone, next.end = context.WithCancel(context.Background())
	}
	r.standing.Store(next)
	if state.Standing == ReplicaAway || state.Standing == ReplicaUnfit {
		next.end()
	}
	if last == nil || last.Standing == state.Standing {
		return
	}
	switch state.Standing {
	case ReplicaUsed:
		r.log.Info("staff read from the replica", "lag", state.Lag.Round(time.Millisecond))
	case ReplicaBehind:
		r.log.Warn("staff read from the primary: the replica is too far behind", "lag", state.Lag.Round(time.Second))
	case ReplicaAway, ReplicaUnfit:
		r.log.Error("staff read from the primary: the replica cannot be used", "error", why)
	}
}

func (r *replica) close() {
	if r != nil {
		r.standing.Load().end()
		r.pool.Close()
	}
}
