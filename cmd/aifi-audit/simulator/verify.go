package simulator

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
)

// VerifyConfig says how to read back what a run sent.
type VerifyConfig struct {
	URL         string
	Token       string                // with scope read, not limited to stores
	RunID       string                // that of the run; without, deliveries that were never sent are not looked for
	Connections int                   // 0 is 32
	Wait        time.Duration         // how long what is spooled may take until it is recorded
	Progress    func(checked, of int) // called after each delivery; may be nil
}

// Verification is what was found. Findings are bad.
type Verification struct {
	Kept     int // deliveries that the server said it keeps, and that are there as they were sent
	Events   int // events of them that the search finds, of the three webhooks that have a list
	Unsure   int // deliveries that got no such answer, and are there all the same
	Findings map[Finding]int
	Examples map[Finding][]string // a few of each, with the delivery's id
}

// Finding is a way in which the server does not keep what it said.
type Finding string

// The findings.
const (
	Missing    Finding = "missing: it was acknowledged and is not there"
	Altered    Finding = "altered: it is there with other bytes or another time of receipt"
	Unfindable Finding = "not found: it is there, but the search does not show its event"
	Repeated   Finding = "repeated: it is listed more than once"
	NeverSent  Finding = "never sent: it is there, but this run has not sent it"
)

const maxExamples = 5

// Good reports whether nothing is amiss.
func (v Verification) Good() bool { return len(v.Findings) == 0 }

// WriteText writes the verification for people.
func (v Verification) WriteText(out io.Writer) error {
	_, err := fmt.Fprintf(out, "verified: %d acknowledged deliveries are there, byte for byte; the search finds their %d events; %d more were kept without an answer\n",
		v.Kept, v.Events, v.Unsure)
	for _, f := range slices.Sorted(maps.Keys(v.Findings)) {
		if err == nil {
			_, err = fmt.Fprintf(out, "%d %s; for example %v\n", v.Findings[f], f, v.Examples[f])
		}
	}
	return err
}

// Verify reads back all that the server said it keeps. Call it when the run has
// ended. An error says that reading failed for good, and the verification is not
// complete.
func (l *Ledger) Verify(ctx context.Context, c VerifyConfig) (Verification, error) {
	if c.Connections == 0 {
		c.Connections = defaultConnections
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	v := &verifier{
		ledger: l, config: c, reader: newReader(c), deadline: time.Now().Add(c.Wait), events: make([]map[uuid.UUID]bool, len(lists)),
		result: Verification{Findings: map[Finding]int{}, Examples: map[Finding][]string{}},
	}
	defer v.reader.client.CloseIdleConnections()
	for i := range v.events {
		v.events[i] = map[uuid.UUID]bool{}
	}
	for _, step := range []func(context.Context) error{v.checkKept, v.search, v.lookForOthers} {
		if err := step(ctx); err != nil {
			return v.result, err
		}
	}
	return v.result, nil
}

// verifier is one verification. The ledger stays as it is.
type verifier struct {
	ledger   *Ledger
	config   VerifyConfig
	reader   *reader
	deadline time.Time

	mu     sync.Mutex
	result Verification         // guarded by mu
	events []map[uuid.UUID]bool // guarded by mu; by list, the events to be found, and whether they were
}

func (v *verifier) find(f Finding, id string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.result.Findings[f]++
	if len(v.result.Examples[f]) < maxExamples {
		v.result.Examples[f] = append(v.result.Examples[f], id)
	}
}

const verifyPause = 500 * time.Millisecond

// checkKept reads each acknowledged delivery. Those that are not there are tried
// again until the deadline: they may be in the spool.
func (v *verifier) checkKept(ctx context.Context) error {
	total := len(v.ledger.kept)
	for left := v.ledger.kept; len(left) > 0; {
		missing, err := v.checkAll(ctx, left, total-len(left), total)
		if err != nil {
			return err
		}
		if len(missing) > 0 && time.Now().After(v.deadline) {
			for _, r := range missing {
				v.find(Missing, r.id.String())
			}
			return nil
		}
		left = missing
		if len(left) > 0 {
			if err := pause(ctx, verifyPause); err != nil {
				return err
			}
		}
	}
	return nil
}

func (v *verifier) checkAll(ctx context.Context, receipts []receipt, before, total int) (missing []receipt, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	work := make(chan receipt)
	var workers sync.WaitGroup
	var mu sync.Mutex // guards missing and checked
	checked := before
	for range v.config.Connections {
		workers.Go(func() {
			for r := range work {
				there, err := v.check(ctx, r)
				if err != nil {
					cancel(err)
					continue
				}
				mu.Lock()
				if !there {
					missing = append(missing, r)
				} else if checked++; v.config.Progress != nil {
					v.config.Progress(checked, total)
				}
				mu.Unlock()
			}
		})
	}
feed:
	for _, r := range receipts {
		select {
		case work <- r:
		case <-ctx.Done():
			break feed
		}
	}
	close(work)
	workers.Wait()
	return missing, context.Cause(ctx)
}

// check reads one delivery; there is false if it is not to be found yet.
func (v *verifier) check(ctx context.Context, r receipt) (there bool, err error) {
	d, there, err := v.reader.delivery(ctx, r.id)
	if err != nil || !there {
		return there, err
	}
	sum, there, err := v.reader.body(ctx, r.id)
	if errors.Is(err, errBroken) {
		v.find(Altered, r.id.String())
		return true, nil
	}
	if err != nil || !there {
		return there, err
	}
	if sum != r.sum || d.BodySHA256 != hexOf(r.sum) || !d.ReceivedAt.Truncate(time.Millisecond).Equal(receivedAt(r.id)) {
		v.find(Altered, r.id.String())
		return true, nil
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.result.Kept++
	if r.list != noList && d.Event != nil {
		v.events[r.list][*d.Event] = false
	}
	return true, nil
}

// search walks the lists over the simulated time, and finds each event once.
func (v *verifier) search(ctx context.Context) error {
	// Webhooks come up to three hours late, and say when they happened.
	from, to := v.ledger.first.Add(-4*time.Hour), v.ledger.last.Add(time.Second)
	for i, list := range lists {
		expected := v.events[i]
		if len(expected) == 0 {
			continue
		}
		err := v.reader.walk(ctx, list.path, from, to, func(item item) {
			found, ours := expected[item.ID]
			switch {
			case !ours:
			case found:
				v.find(Repeated, "event "+item.ID.String())
			default:
				expected[item.ID] = true
				v.result.Events++
			}
		})
		if err != nil {
			return err
		}
		for id, found := range expected {
			if !found {
				v.find(Unfindable, "event "+id.String())
			}
		}
	}
	return nil
}

// lookForOthers walks the deliveries of the run's time, for such as it did not send.
func (v *verifier) lookForOthers(ctx context.Context) error {
	if v.config.RunID == "" || len(v.ledger.kept) == 0 {
		return nil
	}
	kept := make(map[uuid.UUID]bool, len(v.ledger.kept))
	from, to := receivedAt(v.ledger.kept[0].id), receivedAt(v.ledger.kept[0].id)
	for _, r := range v.ledger.kept {
		kept[r.id] = false
		if at := receivedAt(r.id); at.Before(from) {
			from = at
		} else if at.After(to) {
			to = at
		}
	}
	unsure := maps.Clone(v.ledger.unsure)
	return v.reader.walk(ctx, "deliveries", from.Add(-time.Minute), to.Add(time.Minute), func(d item) {
		if d.Headers["X-Correlation-Id"] != v.config.RunID {
			return
		}
		seen, acknowledged := kept[d.ID]
		sum := sumOf(d.BodySHA256)
		switch {
		case acknowledged && seen:
			v.find(Repeated, d.ID.String())
		case acknowledged:
			kept[d.ID] = true
		case unsure[sum] > 0:
			unsure[sum]--
			v.result.Unsure++
		default:
			v.find(NeverSent, d.ID.String())
		}
	})
}
