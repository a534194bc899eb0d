package store

import (
	"context"
	"path/filepath"
	"slices"
	"time"

	"aifi-audit/store/spool"
)

// SpoolDir is where the spool of a Local lies.
func (l Local) SpoolDir() string { return filepath.Join(l.Dir, "spool") }

// SpooledDelivery is a delivery as it waits in the spool.
type SpooledDelivery struct {
	Delivery
	SpooledAt time.Time
}

// SpoolReport is what an inspection of a spool has found.
type SpoolReport struct {
	spool.Report
	// NotDeliveries are intact records that are no deliveries: draining will set them
	// aside.
	NotDeliveries int64
}

// Damage reports whether anything cannot be recorded, or was set aside earlier. A
// torn record is none: it was never answered.
func (r SpoolReport) Damage() bool {
	return r.Damaged > 0 || r.Unreadable > 0 || r.NotDeliveries > 0 || r.AsideFiles > 0
}

// InspectSpool reads a spool and verifies all of it: the checksums, and that each
// record is a delivery. It changes nothing and takes no lock, so it may run beside a
// server. Deliveries that the server has recorded are found until their file is
// deleted, and those of the last moment may be missed. each gets the deliveries,
// oldest first, and progress the bytes read and their sum; both may be nil. The error
// is fs.ErrNotExist if there is no spool.
func InspectSpool(ctx context.Context, l Local, each func(SpooledDelivery) error, progress func(read, total int64)) (SpoolReport, error) {
	var r SpoolReport
	var err error
	r.Report, err = spool.Inspect(ctx, l.SpoolDir(), spool.Inspection{
		Progress: progress,
		Record: func(record spool.Record) error {
			d, err := decodeSpooled(record.Payload)
			switch {
			case err != nil:
				r.NotDeliveries++
				return nil
			case each == nil:
				return nil
			}
			return each(SpooledDelivery{Delivery: d, SpooledAt: record.AppendedAt})
		},
	})
	return r, err
}

// Stores are the stores of a scope, and whether it is limited to them.
func (s Scope) Stores() (ids []int64, limited bool) { return slices.Clone(s.stores), s.limited }
