package verify

import (
	"bytes"
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"aifi-audit/store/internal/db"
	"aifi-audit/store/logrows"
	"aifi-audit/store/translog"
)

// Read runs the statements of a full verification, and throws away what they give, but for
// what it needs to go on.
func (s Source) Read(ctx context.Context, size int64) error {
	v := &verification{Source: s}
	return v.reading(ctx, func(tx pgx.Tx) error {
		log := logrows.Reader{Queries: s.Queries, Conn: tx}
		for at := int64(0); at < size; at += chunkTiles * translog.TileWidth {
			if err := readChunk(ctx, log, at, min(at+chunkTiles*translog.TileWidth, size)); err != nil {
				return err
			}
		}
		q := s.Queries
		for _, read := range []func() error{
			func() error { return db.Each(ctx, tx, q.AllDeliveries, ignore) },
			func() error { return db.Each(ctx, tx, q.AllQuarantine, ignore) },
			func() error { return db.Each(ctx, tx, q.AllReplays, ignore) },
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

func readChunk(ctx context.Context, log logrows.Reader, first, end int64) error {
	w, from, to, err := readWindow(ctx, log, first, end)
	if err != nil {
		return err
	}
	return log.Queries.EachWindowBody(ctx, log.Conn, db.WindowBodiesParams{StoreIds: w.stores(), FromTime: from, ToTime: to}, ignore)
}

// readWindow reads all but the bodies of some leaves.
func readWindow(ctx context.Context, log logrows.Reader, first, end int64) (w *window, from, to time.Time, err error) {
	leaves, err := storedLeaves(ctx, log, first, end)
	if err != nil {
		return nil, from, to, err
	}
	all := make([]*storedLeaf, len(leaves))
	for i := range leaves {
		all[i] = &leaves[i]
	}
	w = &window{}
	_, from, to, err = w.read(ctx, log, all)
	return w, from, to, err
}

// Schema is what schema.txt is to say of a database's tables, views and functions.
func Schema(ctx context.Context, tx db.DBTX, relations, functions []string) (string, error) {
	rows, err := readSchema(ctx, tx, relations, functions)
	lines := map[string]bool{}
	for _, r := range rows {
		lines[strings.Join([]string{r.like(), r.What, r.Name, r.Says}, "\t")+"\n"] = true
	}
	return strings.Join(slices.Sorted(maps.Keys(lines)), ""), err
}

// Hashing makes leaves from rows and bodies in memory.
type Hashing struct {
	window *window
	bodies []hashedBody
}

type hashedBody struct {
	of           *windowDelivery
	body, secret []byte
}

// LoadForHashing reads the first leaves of the log, of deliveries that are all there.
func (s Source) LoadForHashing(ctx context.Context, leaves int64) (h *Hashing, err error) {
	v := &verification{Source: s}
	err = v.reading(ctx, func(tx pgx.Tx) error {
		log := logrows.Reader{Queries: s.Queries, Conn: tx}
		w, from, to, err := readWindow(ctx, log, 0, leaves)
		if err != nil {
			return err
		}
		h = &Hashing{window: w}
		return w.eachBody(ctx, log, from, to, func(d *windowDelivery, body, secret []byte) {
			h.bodies = append(h.bodies, hashedBody{d, bytes.Clone(body), bytes.Clone(secret)})
		})
	})
	return h, err
}

// Run makes all leaves, and returns how many are right.
func (h *Hashing) Run() (right int) {
	for _, b := range h.bodies {
		if h.window.makes(b.of, b.body, b.secret) {
			right++
		}
	}
	return right
}
