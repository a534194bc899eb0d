package store

import (
	"bytes"
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"aifi-audit/store/bodycodec"
	"aifi-audit/store/internal/db"
	"aifi-audit/store/translog"
)

// ReadLikeVerify runs the statements of a full verification, and throws away what they
// give, but for what it needs to go on.
func (s *Store) ReadLikeVerify(ctx context.Context, size int64) error {
	v := &verification{Store: s}
	return v.reading(ctx, func(tx pgx.Tx) error {
		log := logReader{s.queries, tx}
		for at := int64(0); at < size; at += chunkTiles * translog.TileWidth {
			if err := readChunk(ctx, log, at, min(at+chunkTiles*translog.TileWidth, size)); err != nil {
				return err
			}
		}
		q := s.queries
		for _, read := range []func() error{
			func() error { return db.Each(ctx, tx, q.AllDeliveries, ignore) },
			func() error { return db.Each(ctx, tx, q.AllQuarantine, ignore) },
			func() error { return db.Each(ctx, tx, q.AllEvents, ignore) },
			func() error { return db.Each(ctx, tx, q.AllFlags, ignore) },
			func() error { return db.Each(ctx, tx, q.AllProducts, ignore) },
			func() error { return db.Each(ctx, tx, q.AllGondolas, ignore) },
		} {
			if err := read(); err != nil {
				return err
			}
		}
		return nil
	})
}

func ignore(*db.RawRow) error { return nil }

func readChunk(ctx context.Context, log logReader, first, end int64) error {
	w, from, to, err := readWindow(ctx, log, first, end)
	if err != nil {
		return err
	}
	if p, some := w.stated(); some {
		if err := log.queries.EachWindowEvent(ctx, log.conn, p, ignore); err != nil {
			return err
		}
	}
	return log.queries.EachWindowBody(ctx, log.conn, w.bodies(from, to), ignore)
}

// readWindow reads the deliveries of some leaves.
func readWindow(ctx context.Context, log logReader, first, end int64) (w *window, from, to time.Time, err error) {
	leaves, err := log.leaves(ctx, first, end)
	if err != nil {
		return nil, from, to, err
	}
	all, times := make([]*storedLeaf, len(leaves)), make([]time.Time, len(leaves))
	for i := range leaves {
		all[i], times[i] = &leaves[i], ReceivedAt(leaves[i].id)
	}
	from, to = together(times)
	w = &window{}
	_, err = w.readDeliveries(ctx, log, all, from, to)
	return w, from, to, err
}

// Hashing makes leaves from rows and bodies in memory.
type Hashing struct {
	window *window
	bodies map[uuid.UUID]storedBody
}

type storedBody struct {
	stored, secret []byte
	encoding       bodycodec.Encoding
}

// LoadForHashing reads the first leaves of the log, of deliveries that are all there.
func (s *Store) LoadForHashing(ctx context.Context, leaves int64) (*Hashing, error) {
	log := s.reader()
	w, from, to, err := readWindow(ctx, log, 0, leaves)
	if err != nil {
		return nil, err
	}
	if err := w.readEvents(ctx, log); err != nil {
		return nil, err
	}
	h := &Hashing{w, map[uuid.UUID]storedBody{}}
	err = s.queries.EachWindowBody(ctx, log.conn, w.bodies(from, to), func(r *db.RawRow) error {
		_, id := r.Time(), r.UUID()
		b := storedBody{stored: bytes.Clone(r.Bytes()), encoding: r.Int16()}
		b.secret = bytes.Clone(r.Bytes())
		h.bodies[id] = b
		return nil
	})
	return h, err
}

// Run makes all leaves, and returns how many are right.
func (h *Hashing) Run() (right int) {
	for id, b := range h.bodies {
		if d := h.window.deliveries[id]; d != nil && d.leaf != nil && h.window.makes(d, b.stored, b.encoding, b.secret) {
			right++
		}
	}
	return right
}
