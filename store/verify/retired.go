package verify

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/google/uuid"

	"aifi-audit/store/internal/db"
	"aifi-audit/store/logrows"
	"aifi-audit/store/translog"
)

// retirement is one that a verification knows of.
type retirement struct {
	db.ListRetirementsRow
	index int64 // of its leaf; waits if it is in the queue, unknown if the log has none
	found int64 // leaves of deliveries that it accounts for
}

const (
	waits   = math.MaxInt64 // it will be the last
	unknown = -1            // it speaks of nothing
)

// readRetirements reads what was retired by the rules, and where the log says so. It
// reads all: notes are opened again each time, and any of them may be gone with what it
// was about.
func (v *verification) readRetirements(ctx context.Context) error {
	rows, err := v.Queries.ListRetirements(ctx, v.log.Conn)
	if err != nil {
		return err
	}
	v.retirements = make(map[uuid.UUID]*retirement, len(rows))
	for _, row := range rows {
		r := &retirement{row, unknown, 0}
		v.retirements[row.ID] = r
		if _, ok := v.waiting[logrows.IDOf(translog.Retirement, row.ID)]; ok {
			r.index = waits
		}
		found, err := v.log.Locate(ctx, row.At, row.ID)
		if err != nil {
			return err
		}
		for _, at := range found {
			if at.Kind == translog.Retirement {
				r.index = at.Index
			}
		}
	}
	return nil
}

// retire finds, of leaves whose rows are gone, by the deliveries on which these stood,
// those that were retired: by the first retirement behind the leaf that speaks of its
// delivery. What came later than the retirement is not what it speaks of. The others
// remain missing.
func (o *opener) retire(ctx context.Context, gone map[uuid.UUID][]*storedLeaf) error {
	if len(gone) == 0 || len(o.retirements) == 0 {
		return nil
	}
	var args db.RetirementsOfParams
	for id := range gone {
		args.DeliveryID, args.ReceivedAt = append(args.DeliveryID, id), append(args.ReceivedAt, logrows.ReceivedAt(id))
	}
	found, err := o.Queries.RetirementsOf(ctx, o.log.Conn, args)
	if err != nil {
		return err
	}
	for _, f := range found {
		r := o.retirements[f.ID]
		for _, l := range gone[f.DeliveryID] {
			if r != nil && r.index > l.index && (l.retired == nil || r.index < l.retired.index) {
				l.retired, l.fault = r, nil
				l.now = l.hash // it cannot be made any more
			}
		}
	}
	return nil
}

// countRetired counts the leaves that retirements account for.
func (v *verification) countRetired(leaves []storedLeaf) {
	for i := range leaves {
		if l := &leaves[i]; l.retired != nil && l.kind == translog.Delivery {
			l.retired.found++
		}
	}
}

// openRetirements makes the leaves of retirements.
func (o *opener) openRetirements(ctx context.Context, leaves []*storedLeaf) error {
	ids := make([]uuid.UUID, len(leaves))
	for i, l := range leaves {
		ids[i] = l.id
	}
	rows, err := o.Queries.RetirementEvidence(ctx, o.log.Conn, ids)
	if err != nil {
		return err
	}
	byID := make(map[uuid.UUID]*db.LogRetirement, len(rows))
	for i := range rows {
		byID[rows[i].ID] = &rows[i]
	}
	for _, l := range leaves {
		r := byID[l.id]
		if r == nil {
			l.blame(Missing, "retirement", "its row is gone")
			continue
		}
		made, err := logrows.RetirementLeaf(r)
		if err != nil {
			l.blame(Unverifiable, "retirement", err.Error())
			continue
		}
		l.now = made.Hash()
	}
	return nil
}

// eachRetirement tells what was retired, and by which leaf. A retirement must account
// for as many leaves as it said when it was made: then it hides nothing that was gone
// before.
func (v *verification) eachRetirement() {
	byID := slices.SortedFunc(maps.Values(v.retirements), func(a, b *retirement) int { return bytes.Compare(a.ID[:], b.ID[:]) })
	for _, r := range byID {
		id := r.ID
		f := Finding{Class: Retired, What: "deliveries", RetirementID: &id, Detail: fmt.Sprintf("%d, received from %s to %s, by %s: %s",
			r.found, r.FromTime.UTC().Format(time.RFC3339), r.ToTime.UTC().Format(time.RFC3339), r.Actor, r.Reason)}
		switch r.index {
		case unknown:
			f.Class, f.What, f.Detail = Tampered, "retirement", "the log does not know of it"
		case waits:
			if since := v.waiting[logrows.IDOf(translog.Retirement, id)]; v.Now.Sub(since.at) >= waitsTooLong {
				f.Class, f.What, f.Detail = Unsequenced, "retirement", "its leaf waits in the queue since "+since.at.UTC().Format(time.RFC3339)
			}
		default:
			f.ErasedBy = &r.index
		}
		if f.Class != Retired || r.found > 0 {
			v.found(f)
		}
		if v.From.N == 0 && r.index != unknown && r.found != r.Leaves {
			v.found(Finding{
				Class: Tampered, What: "retirement", RetirementID: &id, ErasedBy: f.ErasedBy,
				Detail: fmt.Sprintf("it speaks of %d deliveries that have a leaf, and there are %d", r.Leaves, r.found),
			})
		}
	}
}
