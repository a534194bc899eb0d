package verify

import (
	"context"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"aifi-audit/store/logrows"
	"aifi-audit/store/translog"
)

const (
	// waitsTooLong is when a leaf that waits in the queue is a finding.
	waitsTooLong = time.Minute
	// mostWaiting is how many leaves wait at most where a sequencer runs.
	mostWaiting = 100_000
)

// waitingLeaf is a leaf in the queue.
type waitingLeaf struct {
	at   time.Time // since when
	hash tlog.Hash
}

// queue notes which leaves wait.
func (v *verification) queue(ctx context.Context) error {
	queued, err := v.Queries.QueuedLeaves(ctx, v.log.Conn)
	if err != nil {
		return err
	}
	v.waiting = map[logrows.ID]waitingLeaf{}
	for _, q := range queued {
		for _, record := range q.Leaves {
			v.result.Waiting++
			l, err := translog.ParseLeaf(record)
			if err != nil {
				v.found(Finding{Class: Tampered, What: "queue", Detail: "it holds what is no leaf"})
				continue
			}
			v.waiting[logrows.IDOf(l.Kind, l.ID)] = waitingLeaf{q.QueuedAt, tlog.RecordHash(record)}
		}
	}
	return nil
}
