package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"aifi-audit/store/aifi"
	"aifi-audit/store/internal/db"
	"aifi-audit/store/logrows"
	"aifi-audit/store/translog"
)

const (
	// retentionLock is the advisory lock of the one that retires: "AiFR" in ASCII.
	retentionLock  = 0x41694652
	retireBatch    = 1000 // deliveries that a retirement names
	sweepBatch     = 5000 // events, sessions or customers at a time
	retentionTries = 60   // for a lock that others hold
	retentionRest  = 500 * time.Millisecond
)

// ErrRetiring says that another process is retiring already.
var ErrRetiring = errors.New("retention is under way already")

// RetentionRun is what a run of retention removed.
type RetentionRun struct {
	Deliveries int64
	Partitions int   // months that were dropped whole
	Events     int64 // that nothing states any more
	// Busy are months that others were reading or writing all the time: they go the
	// next time.
	Busy []time.Time
}

// RetentionOrder says who has removed what is due, and why.
type RetentionOrder struct {
	Actor, Reason string // they go into the log
	// Today is what day it is, by the word of the actor; the zero time if he does not say.
	// Without it the newest webhooks must tell.
	Today time.Time
}

// Retire removes what is due: see PlanRetention. Each step is a transaction that leaves
// a leaf in the log, and what was not done when it ends, for whatever reason, is done by
// the next. The database checks each step again, so that nothing goes that is held or
// whose time is not over. ErrRetiring if it is under way already; *ClockError, with
// nothing removed by that step or a later one, if a clock may be wrong.
func (s *Store) Retire(ctx context.Context, o RetentionOrder) (done RetentionRun, err error) {
	o.Actor, o.Reason = aifi.CleanText(o.Actor), aifi.CleanText(o.Reason)
	config, err := s.office.connConfig()
	if err != nil {
		return done, known(err)
	}
	locked, err := alone(ctx, config, retentionLock, func(conn *pgx.Conn) error {
		return retiring{s, conn, o, &done}.run(ctx)
	})
	if !locked && err == nil {
		return done, ErrRetiring
	}
	return done, known(err)
}

// retiring is a run of retention under way.
type retiring struct {
	*Store
	conn  *pgx.Conn
	order RetentionOrder
	done  *RetentionRun
}

func (r retiring) run(ctx context.Context) error {
	plan, err := r.planRetention(ctx, r.conn, r.order.Today)
	if err != nil || plan.nothing() {
		return err
	}
	if plan.Doubt != "" {
		return &ClockError{plan.Doubt}
	}
	if err := r.sweep(ctx); err != nil { // what a run before has left
		return err
	}
	for _, m := range plan.Months {
		if m.Whole {
			err = r.month(ctx, m.Month)
		} else {
			err = r.some(ctx, m)
		}
		if err == nil {
			err = r.sweep(ctx)
		}
		if err != nil {
			return fmt.Errorf("retiring what was received in %s: %w", m.Month.Format("2006-01"), err)
		}
	}
	return nil
}

// month drops the partitions of a month.
func (r retiring) month(ctx context.Context, month time.Time) error {
	end := month.AddDate(0, 1, 0)
	return r.patiently(ctx, month, func() error {
		n, err := r.queries.CountOfMonth(ctx, r.conn, db.CountOfMonthParams{FromTime: month, ToTime: end})
		if err != nil {
			return err
		}
		f := translog.RetirementFacts{From: month, To: end, Deliveries: n.Deliveries, Leaves: n.Leaves}
		if err := r.retire(ctx, f, r.queries.RetireMonth); err != nil {
			return err
		}
		r.done.Deliveries += n.Deliveries
		r.done.Partitions++
		return nil
	})
}

// some removes those deliveries of a month that are due and not held.
func (r retiring) some(ctx context.Context, m RetentionMonth) error {
	args := db.DueDeliveriesParams{FromTime: m.Month, ToTime: m.Month.AddDate(0, 1, 0), AfterTime: m.Month.Add(-time.Microsecond), RowLimit: retireBatch}
	for _, g := range m.Groups {
		if g.Going() > 0 {
			args.StoreIds, args.Webhooks = append(args.StoreIds, g.StoreID), append(args.Webhooks, g.Webhook)
		}
	}
	for len(args.StoreIds) > 0 {
		var due []db.DueDeliveriesRow
		err := r.patiently(ctx, m.Month, func() (err error) {
			if due, err = r.queries.DueDeliveries(ctx, r.conn, args); err != nil || len(due) == 0 {
				return err
			}
			f := translog.RetirementFacts{From: due[0].ReceivedAt, To: due[len(due)-1].ReceivedAt.Add(time.Microsecond), Deliveries: int64(len(due))}
			for _, d := range due {
				f.DeliveryIDs = append(f.DeliveryIDs, d.ID)
				if d.HasLeaf {
					f.Leaves++
				}
			}
			return r.retire(ctx, f, r.queries.RetireDeliveries)
		})
		if err != nil {
			return err
		}
		r.done.Deliveries += int64(len(due))
		if len(due) < retireBatch {
			return nil
		}
		last := due[len(due)-1]
		args.AfterTime, args.AfterID = last.ReceivedAt, last.ID
	}
	return nil
}

// retire writes a retirement and its leaf, and has the database remove what it is about.
func (r retiring) retire(ctx context.Context, f translog.RetirementFacts, remove func(context.Context, db.DBTX, uuid.UUID) error) error {
	id, err := uuid.NewV7()
	if err != nil {
		return fmt.Errorf("making the id of a retirement: %w", err)
	}
	secret, err := translog.NewSecret(r.random)
	if err != nil {
		return err
	}
	f.Actor, f.Reason = r.order.Actor, r.order.Reason
	row := db.LogRetirement{
		ID: id, At: r.now().UTC().Truncate(time.Microsecond), FromTime: f.From, ToTime: f.To, DeliveryIds: f.DeliveryIDs,
		Deliveries: f.Deliveries, Leaves: f.Leaves, Secret: secret[:], Actor: f.Actor, Reason: f.Reason,
	}
	leaf, err := logrows.RetirementLeaf(&row)
	if err != nil {
		return err
	}
	return r.surely(ctx, func(tx pgx.Tx) error {
		err := r.queries.InsertRetirement(ctx, tx, db.InsertRetirementParams{
			ID: row.ID, At: row.At, FromTime: row.FromTime, ToTime: row.ToTime, DeliveryIds: row.DeliveryIds, Deliveries: row.Deliveries,
			Leaves: row.Leaves, Secret: row.Secret, Actor: row.Actor, Reason: row.Reason, Leaf: leaf.Append(nil),
		})
		if err != nil {
			return err
		}
		return remove(ctx, tx, id)
	})
}

// surely runs what removes something in a transaction, whose time is not in doubt.
func (r retiring) surely(ctx context.Context, remove func(pgx.Tx) error) error {
	return pgx.BeginFunc(ctx, r.conn, func(tx pgx.Tx) error {
		doubt, err := r.clockDoubt(ctx, tx, r.order.Today)
		if err != nil {
			return err
		}
		if doubt != "" {
			return &ClockError{doubt}
		}
		return remove(tx)
	})
}

// sweep removes what nothing stands on any more.
func (r retiring) sweep(ctx context.Context) error {
	months, err := r.queries.MonthsToSweep(ctx, r.conn)
	if err != nil {
		return err
	}
	for _, month := range months {
		at, _ := time.Parse(time.DateOnly, month) // to be named, if it is busy
		for went := int64(1); went > 0; r.done.Events += went {
			went = 0
			err := r.patiently(ctx, at, func() (err error) {
				went, err = r.sweepMonth(ctx, month)
				return err
			})
			if err != nil {
				return fmt.Errorf("sweeping the events of %s: %w", month, err)
			}
		}
	}
	for swept := int64(1); swept > 0; {
		swept = 0
		err := r.patiently(ctx, time.Time{}, func() error {
			return r.surely(ctx, func(tx pgx.Tx) (err error) {
				swept, err = r.queries.SweepPeople(ctx, tx, sweepBatch)
				return err
			})
		})
		if err != nil {
			return fmt.Errorf("sweeping sessions and customers: %w", err)
		}
	}
	return nil
}

// sweepMonth removes events, and their counts with them. What is deleted is counted no
// longer; of a partition that was dropped, what is left has to be counted.
func (r retiring) sweepMonth(ctx context.Context, month string) (went int64, err error) {
	err = r.surely(ctx, func(tx pgx.Tx) (err error) {
		if went, err = r.queries.SweepMonth(ctx, tx, db.SweepMonthParams{Month: month, RowLimit: sweepBatch}); err != nil || went == 0 {
			return err
		}
		first, err := time.Parse(time.DateOnly, month)
		if err != nil {
			return err
		}
		if there, err := r.queries.HasPartition(ctx, tx, "events_"+first.Format("200601")); err != nil || there {
			return err
		}
		end := first.AddDate(0, 1, 0)
		if err := r.queries.DeleteEventDays(ctx, tx, db.DeleteEventDaysParams{FirstDay: first, EndDay: end}); err != nil {
			return err
		}
		return r.queries.RecountEventDays(ctx, tx, db.RecountEventDaysParams{FirstDay: first, EndDay: end})
	})
	return went, err
}

// patiently tries again while others hold what a step needs. What stays busy waits for
// the next run. So does what is held since the plan was made, or kept for longer.
func (r retiring) patiently(ctx context.Context, month time.Time, step func() error) error {
	var server *pgconn.PgError
	for try := 1; ; try++ {
		err := step()
		if !errors.As(err, &server) {
			return err
		}
		switch {
		case server.Code == "55006": // the plan is out of date
			r.log.Warn("retention stays away from what it meant to retire", "month", month.Format("2006-01"), "reason", server.Message)
			return nil
		case !lockedOut(err) && !met(err):
			return err
		case try == retentionTries:
			r.log.Warn("what is to be retired is in use all the time; it is tried again the next time", "month", month.Format("2006-01"), "reason", server.Message)
			r.done.Busy = append(r.done.Busy, month)
			return nil
		}
		pause(ctx, retentionRest)
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}
