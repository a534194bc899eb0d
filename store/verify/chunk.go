package verify

import (
	"context"
	"crypto/rand"
	"fmt"
	"runtime"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"aifi-audit/store/logrows"
	"aifi-audit/store/translog"
)

// chunkTiles is how many of the lowest tiles are opened at a time. A chunk's rows, but
// for the bodies, are held in memory: some 8 MB an opener.
const chunkTiles = 32

// chunk is a stretch of the log, from the start of a tile on.
type chunk struct {
	first, end int64 // leaves
	opened     chan struct{}

	// Set when opened is closed.
	leaves   []storedLeaf
	erasures []erasedLeaf
	adopted  []time.Time // of each act that was
	tallies  tallies
}

// eachChunk opens the leaves from first up to (not including) end, several chunks at a
// time, and calls each with one after the other.
func (v *verification) eachChunk(ctx context.Context, first, end int64, each func(context.Context, *chunk) error) error {
	openers := min(runtime.GOMAXPROCS(0), v.Openers)
	todo, inOrder := make(chan *chunk), make(chan *chunk, openers)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		defer close(todo)
		defer close(inOrder)
		const width = chunkTiles * translog.TileWidth
		for at := first; at < end; at += width {
			c := &chunk{first: at, end: min(at+width, end), opened: make(chan struct{})}
			for _, to := range []chan *chunk{inOrder, todo} {
				select {
				case to <- c:
				case <-ctx.Done():
					return ctx.Err()
				}
			}
		}
		return nil
	})
	for range openers {
		g.Go(func() error {
			return v.sharing(ctx, func(log logrows.Reader) error {
				o := opener{verification: v, log: log, tallier: tallier{key: v.tallyKey}}
				for c := range todo {
					if err := o.open(ctx, c); err != nil {
						return err
					}
					close(c.opened)
				}
				return nil
			})
		})
	}
	g.Go(func() error {
		for c := range inOrder {
			select {
			case <-c.opened:
			case <-ctx.Done():
				return ctx.Err()
			}
			if err := each(ctx, c); err != nil {
				return err
			}
		}
		return nil
	})
	return g.Wait()
}

// sharing runs f on a connection of its own, which sees the same snapshot.
func (v *verification) sharing(ctx context.Context, f func(logrows.Reader) error) error {
	return v.reading(ctx, func(tx pgx.Tx) error {
		// Ranges are small, whatever the statistics say of tables that just grew.
		for _, sql := range []string{"SET TRANSACTION SNAPSHOT '" + v.snapshot + "'", "SET LOCAL enable_seqscan = off", "SET LOCAL max_parallel_workers_per_gather = 0"} {
			if _, err := tx.Exec(ctx, sql); err != nil {
				return fmt.Errorf("sharing a snapshot: %w", err)
			}
		}
		return f(logrows.Reader{Queries: v.Queries, Conn: tx})
	})
}

// opener makes leaves again from the rows. One goroutine owns it.
type opener struct {
	*verification
	log     logrows.Reader
	window  window
	tallier tallier
}

// open opens a chunk. Nearly all leaves are found to be right by what a window has; it
// looks closer at the others.
func (o *opener) open(ctx context.Context, c *chunk) error {
	var err error
	if c.leaves, err = storedLeaves(ctx, o.log, c.first, c.end); err != nil {
		return err
	}
	byKind := map[translog.Kind][]*storedLeaf{}
	for i := range c.leaves {
		switch l := &c.leaves[i]; {
		case l.index < o.From.N && !l.kind.OfAct():
			l.now = l.hash // verified before
		case !l.absent:
			byKind[l.kind] = append(byKind[l.kind], l)
		}
	}
	for kind, leaves := range byKind {
		if kind == translog.Delivery {
			if leaves, err = o.affirm(ctx, c, leaves); err != nil {
				return err
			}
		}
		if err := o.openKind(ctx, c, kind, leaves); err != nil {
			return err
		}
	}
	return nil
}

// affirm gives those of the leaves that a window does not find to be right.
func (o *opener) affirm(ctx context.Context, c *chunk, leaves []*storedLeaf) (others []*storedLeaf, err error) {
	err = o.window.affirm(ctx, o.log, leaves, func(l *storedLeaf, r *logrows.Row) {
		l.now = l.hash
		o.note(c, l, r)
	})
	for _, l := range leaves {
		if l.now != l.hash {
			others = append(others, l)
		}
	}
	return others, err
}

func (o *opener) openKind(ctx context.Context, c *chunk, kind translog.Kind, leaves []*storedLeaf) error {
	switch {
	case len(leaves) == 0:
	case kind == translog.Access || kind == translog.AccessErasure:
		return o.openAccess(ctx, c, kind, leaves)
	case kind == translog.Certificate:
		return o.openCertificates(ctx, leaves)
	case kind == translog.Retirement:
		return o.openRetirements(ctx, leaves)
	case kind.OfAct():
		return o.openActs(ctx, c, kind, leaves)
	case kind == translog.Delivery || kind == translog.Replay || kind == translog.Erasure:
		return o.openDeliveries(ctx, c, kind, leaves)
	default:
		for _, l := range leaves {
			f := l.finding(Tampered, "leaf", "its kind is unknown")
			l.fault = &f
		}
	}
	return nil
}

// newTallyKey draws the key of a verification's tallies.
func newTallyKey() (key tallyKey) {
	_, _ = rand.Read(key[:]) // never fails
	return key
}
