package store

import (
	"errors"
	"log/slog"
	"sync/atomic"
	"time"
)

var errStalled = errors.New("no commit has come through in time")

// health is whether commits come through. While they do not, deliveries go straight
// to the spool, and only what is drained from it tries the database.
type health struct {
	log        *slog.Logger
	away       atomic.Bool
	since      atomic.Int64 // nanoseconds of Unix time; since when away, while it is
	lastCommit atomic.Int64 // nanoseconds of the monotonic clock since start
	start      time.Time
	refused    atomic.Int64 // the same clock; when the spool last could not take a delivery, 0 if it has since
	broken     atomic.Bool  // that was not for lack of room
	logged     atomic.Int64 // the same clock; when that was last logged
}

// refusalLasts is how long the spool counts as one that takes nothing after it could not:
// then it may again, which only the next delivery can tell.
const refusalLasts = 5 * time.Second

// refusalsLogged is how often refusals that go on are logged.
const refusalsLogged = time.Minute

// spooled notes that the spool took a delivery.
func (h *health) spooled() { h.refused.Store(0) }

// notSpooled notes that the spool could not take a delivery: ErrSpoolFull or ErrSpoolFails.
func (h *health) notSpooled(err error) {
	now := int64(time.Since(h.start))
	h.broken.Store(!errors.Is(err, ErrSpoolFull))
	h.refused.Store(now)
	if last := h.logged.Load(); (last == 0 || now-last > int64(refusalsLogged)) && h.logged.CompareAndSwap(last, now) {
		h.log.Error("webhooks are refused", "error", err)
	}
}

// spoolRefuses is ErrSpoolFull or ErrSpoolFails if the spool could not take a delivery a
// moment ago.
func (h *health) spoolRefuses() error {
	at := h.refused.Load()
	switch {
	case at == 0 || time.Since(h.start)-time.Duration(at) >= refusalLasts:
		return nil
	case h.broken.Load():
		return ErrSpoolFails
	}
	return ErrSpoolFull
}

// begin: not connected yet.
func (h *health) begin(log *slog.Logger) {
	h.log, h.start = log, time.Now()
	h.since.Store(h.start.UnixNano())
	h.away.Store(true)
}

// awaySince is the zero time while commits come through.
func (h *health) awaySince() time.Time {
	if !h.away.Load() {
		return time.Time{}
	}
	return time.Unix(0, h.since.Load())
}

// connected notes that commits may be tried.
func (h *health) connected() { h.away.Store(false) }

// committed notes that a commit came through.
func (h *health) committed() {
	h.lastCommit.Store(int64(time.Since(h.start)))
	if h.away.CompareAndSwap(true, false) {
		h.log.Info("the database is back")
	}
}

// failed notes that commits fail.
func (h *health) failed(err error) {
	now := time.Now().UnixNano()
	if h.away.CompareAndSwap(false, true) {
		h.since.Store(now)
		h.log.Error("the database cannot be used; deliveries go to the spool until it can", "error", err)
	}
}

// late notes that a delivery waited so long in vain. That others were committed
// meanwhile shows a queue that is long, not a database that is away.
func (h *health) late(waited time.Duration) {
	if time.Since(h.start)-time.Duration(h.lastCommit.Load()) > waited {
		h.failed(errStalled)
	}
}
