//go:build linux

package crash

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"aifi-audit/cmd/aifi-audit/simulator"
	"aifi-audit/store"
	"aifi-audit/store/storetest"
)

// ledger is what the sender knows of an episode.
type ledger struct {
	t     *testing.T
	seed  uint64
	runID string
	api   simulator.Ledger // the same, for the check through the API

	mu   sync.Mutex
	kept map[string]string // guarded by mu; by id, the SHA-256 of the body that the server said it keeps
	sent map[string]int    // guarded by mu; how often, by SHA-256 of the body

	spooled, refused int // guarded by mu; answers 202, and 503
}

// answered is how many answers say that a delivery is spooled, and that none can be
// kept.
func (l *ledger) answered() (spooled, refused int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.spooled, l.refused
}

func newLedger(t *testing.T, seed uint64) *ledger {
	return &ledger{t: t, seed: seed, runID: "crash-" + uuid.NewString(), kept: map[string]string{}, sent: map[string]int{}}
}

// add notes an answer, and checks what it says of the time of receipt.
func (l *ledger) add(d simulator.Delivery, a simulator.Answer) {
	l.api.Add(d, a)
	sum := sha256.Sum256(d.Body)
	text := hex.EncodeToString(sum[:])
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sent[text]++
	switch a.Status {
	case http.StatusAccepted:
		l.spooled++
	case http.StatusServiceUnavailable:
		l.refused++
	}
	switch {
	case a.Err != nil:
		return
	case a.DeliveryID == "":
		if a.Status != http.StatusServiceUnavailable {
			l.t.Errorf("a webhook is answered %d, and not kept", a.Status)
		}
		return
	}
	id, err := uuid.Parse(a.DeliveryID)
	if err != nil {
		l.t.Errorf("deliveryId %q: %v", a.DeliveryID, err)
		return
	}
	if at := store.ReceivedAt(id); at.Before(a.Sent.Add(-time.Millisecond)) || at.After(a.Received.Add(time.Millisecond)) {
		l.t.Errorf("%s was received at %s, sent at %s and answered at %s", id, at, a.Sent, a.Received)
	}
	if _, twice := l.kept[a.DeliveryID]; twice {
		l.t.Errorf("deliveryId %s was given twice", id)
	}
	l.kept[a.DeliveryID] = text
}

// compare says how the database differs from what was sent.
func (l *ledger) compare(t *testing.T, databaseURL string) (problems []string) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	bodySums := map[string]string{}
	storetest.EachBody(t, databaseURL, func(id string, body []byte, err error) {
		if err == nil {
			bodySums[id] = fmt.Sprintf("%x", sha256.Sum256(body))
		}
	})
	there := map[string]bool{}
	rows := query(t, databaseURL, `SELECT concat_ws(' ', d.id, to_char(d.received_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US'),
			encode(d.body_sha256, 'hex'),
			CASE WHEN d.event_id IS NOT NULL AND e.id IS NOT NULL THEN 'event' WHEN d.event_id IS NULL AND q.delivery_id IS NOT NULL THEN 'quarantined' ELSE 'nothing' END)
		FROM deliveries d
		LEFT JOIN events e ON (e.store_id, e.kind, e.occurred_at, e.id) = (d.store_id, d.event_kind, d.event_occurred_at, d.event_id)
		LEFT JOIN quarantine q ON (q.store_id, q.received_at, q.delivery_id) = (d.store_id, d.received_at, d.id)
		WHERE d.headers ->> 'X-Correlation-Id' = $1`, l.runID)
	copies := map[string]int{}
	for _, row := range rows {
		f := strings.Fields(row)
		if len(f) != 4 {
			t.Fatalf("a row is %q", row)
		}
		id, receivedAt, sum, states := f[0], f[1], f[2], f[3]
		parsed, err := uuid.Parse(id)
		if want := store.ReceivedAt(parsed).Format("2006-01-02T15:04:05.000000"); err != nil || receivedAt != want {
			problems = append(problems, fmt.Sprintf("%s has time of receipt %s instead of %s", id, receivedAt, want))
		}
		if there[id] {
			problems = append(problems, "delivery "+id+" is there twice")
		}
		there[id] = true
		if want, acknowledged := l.kept[id]; sum != bodySums[id] || acknowledged && sum != want {
			problems = append(problems, "the body of "+id+" is another, or none")
		}
		if states == "nothing" {
			problems = append(problems, "delivery "+id+" has neither an event nor a place in quarantine")
		}
		if copies[sum]++; copies[sum] > l.sent[sum] {
			problems = append(problems, "delivery "+id+" was never sent, or not so often")
		}
	}
	for id := range l.kept {
		if !there[id] {
			problems = append(problems, "delivery "+id+" was acknowledged and is lost")
		}
	}
	return problems
}

// invariants hold in each database, whatever was sent.
func invariants(t *testing.T, databaseURL string) (problems []string) {
	t.Helper()
	for what, sql := range map[string]string{
		"a delivery is there twice": `SELECT id::text FROM deliveries GROUP BY id HAVING count(*) > 1`,
		"an event is there twice":   `SELECT id::text FROM events WHERE occurred_at_known GROUP BY store_id, kind, id HAVING count(*) > 1`,
		"an event that no delivery states": `SELECT e.id::text FROM events e LEFT JOIN deliveries d
			ON (d.store_id, d.received_at, d.id) = (e.store_id, e.received_at, e.delivery_id) WHERE d.id IS NULL`,
		"a count that is not that of the events": `SELECT concat_ws(' ', store_id, kind, bucket, c.events, e.events) FROM event_counts c FULL JOIN
			(SELECT store_id, kind, date_bin('15 minutes', occurred_at, '0001-01-01Z') AS bucket, count(*) AS events FROM events GROUP BY 1, 2, 3) e
			USING (store_id, kind, bucket) WHERE c.events IS DISTINCT FROM e.events`,
		"a day whose sum is not that of its quarters": `SELECT concat_ws(' ', store_id, kind, day, events) FROM event_days
			WHERE events <> (SELECT sum(n) FROM unnest(quarters) n)`,
		"a body without a delivery": `SELECT b.delivery_id::text FROM delivery_bodies b LEFT JOIN deliveries d
			ON (d.store_id, d.received_at, d.id) = (b.store_id, b.received_at, b.delivery_id) WHERE d.id IS NULL`,
		"a flag, product or gondola without its event": `SELECT p.event_id::text FROM (SELECT store_id, kind, occurred_at, event_id FROM event_flags
			UNION ALL SELECT store_id, kind, occurred_at, event_id FROM event_products UNION ALL SELECT store_id, kind, occurred_at, event_id FROM event_gondolas) p
			LEFT JOIN events e ON (e.store_id, e.kind, e.occurred_at, e.id) = (p.store_id, p.kind, p.occurred_at, p.event_id) WHERE e.id IS NULL`,
	} {
		for _, row := range query(t, databaseURL, sql) {
			problems = append(problems, what+": "+row)
		}
	}
	return problems
}
