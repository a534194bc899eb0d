package store

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"time"

	"aifi-audit/store/spool"
)

// SpoolDir is where the spool of a Local lies.
func (l Local) SpoolDir() string { return filepath.Join(l.Dir, "spool") }

// UndecidedDir is where webhooks wait whose token has still to be looked up.
func (l Local) UndecidedDir() string { return filepath.Join(l.Dir, "undecided") }

// SpooledDelivery is a delivery as it waits in the spool.
type SpooledDelivery struct {
	Delivery
	SpooledAt        time.Time
	TokenFingerprint string // as in Refused; "" unless the token has still to be looked up
}

// SpoolReport is what an inspection of a spool has found.
type SpoolReport struct {
	spool.Report
	// NotDeliveries are intact records that are no deliveries: draining will set them
	// aside.
	NotDeliveries int64
	// Undecided are deliveries whose token has still to be looked up.
	Undecided int64
}

// Damage reports whether anything cannot be recorded, or was set aside earlier. A
// torn record is none: it was never answered.
func (r SpoolReport) Damage() bool {
	return r.Damaged > 0 || r.Unreadable > 0 || r.NotDeliveries > 0 || r.AsideFiles > 0
}

// InspectSpool reads a spool, and what is undecided beside it, and verifies all of it: the
// checksums, and that each record is a delivery. It changes nothing and takes no lock, so it may run beside a
// server. Deliveries that the server has recorded are found until their file is
// deleted, and those of the last moment may be missed. each gets the deliveries,
// oldest first, and progress the bytes read and their sum; both may be nil. The error
// is fs.ErrNotExist if there is no spool.
func InspectSpool(ctx context.Context, l Local, each func(SpooledDelivery) error, progress func(read, total int64)) (SpoolReport, error) {
	var r SpoolReport
	record := func(record spool.Record) error {
		d, tokenHash, err := decodeSpooled(record.Payload)
		if err != nil {
			r.NotDeliveries++
			return nil
		}
		found := SpooledDelivery{Delivery: d, SpooledAt: record.AppendedAt}
		if tokenHash != nil {
			r.Undecided++
			found.TokenFingerprint = fingerprintOf(tokenHash)
		}
		if each == nil {
			return nil
		}
		return each(found)
	}
	var err error
	if r.Report, err = spool.Inspect(ctx, l.SpoolDir(), spool.Inspection{Record: record, Progress: progress}); err != nil {
		return r, err
	}
	undecided, err := spool.Inspect(ctx, l.UndecidedDir(), spool.Inspection{Record: record, Progress: progress})
	if errors.Is(err, fs.ErrNotExist) { // an older program had none
		err = nil
	}
	r.Add(undecided)
	return r, err
}
