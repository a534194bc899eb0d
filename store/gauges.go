package store

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// gauges are what is read when metrics are asked for, from where it is kept anyway.
type gauges struct {
	store *Store
	descs []*prometheus.Desc // all of them

	lastDelivery, missed                          *prometheus.Desc
	queued, queueLimit                            *prometheus.Desc
	away, awaySince, clockOffset, tokensLoaded    *prometheus.Desc
	replicaUnused, replicaLag                     *prometheus.Desc
	spoolRecords, spoolOldest                     *prometheus.Desc
	spoolDisk, spoolLimit, spoolDamagedBytes      *prometheus.Desc
	spoolAppended, spoolDrained, spoolDamagedOnes *prometheus.Desc
	undecidedRecords, undecidedOldest             *prometheus.Desc
	undecidedDisk, undecidedLimit                 *prometheus.Desc
	undecidedRecorded, undecidedRefused           *prometheus.Desc
}

func newGauges(s *Store) *gauges {
	var all []*prometheus.Desc
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		all = append(all, prometheus.NewDesc("aifi_audit_"+name, help, labels, nil))
		return all[len(all)-1]
	}
	g := &gauges{
		store:             s,
		lastDelivery:      desc("last_delivery_timestamp_seconds", "When the last delivery came, by store and webhook.", "store_id", "webhook"),
		missed:            desc("missed_deliveries", "How many deliveries usually would have come since the last one, by store and webhook.", "store_id", "webhook"),
		queued:            desc("queue_deliveries", "Deliveries that wait for a flusher.", "flusher"),
		queueLimit:        desc("queue_limit_deliveries", "How many may wait for one flusher."),
		away:              desc("database_away", "1 while commits do not come through."),
		awaySince:         desc("database_away_since_timestamp_seconds", "Since when; 0 while they do."),
		clockOffset:       desc("database_clock_offset_seconds", "How far the database's clock is ahead of this server's, as was seen last; each minute."),
		tokensLoaded:      desc("tokens_loaded_timestamp_seconds", "When the tokens were last read from the database; 0 is never."),
		replicaUnused:     desc("replica_unused", "1 while there is a replica, and staff read from the primary all the same."),
		replicaLag:        desc("replica_lag_seconds", "How old what the replica shows may be; 0 if there is none."),
		spoolRecords:      desc("spool_records", "Deliveries in the spool."),
		spoolOldest:       desc("spool_oldest_timestamp_seconds", "When the oldest of them was spooled; 0 if there is none."),
		spoolDisk:         desc("spool_disk_bytes", "What the spool takes on disk."),
		spoolLimit:        desc("spool_limit_bytes", "What the spool may take on disk."),
		spoolDamagedBytes: desc("spool_damaged_bytes", "Damaged pieces that are kept in the spool's damaged directory."),
		spoolAppended:     desc("spool_appended_records_total", "Deliveries spooled since the start."),
		spoolDrained:      desc("spool_drained_records_total", "Deliveries recorded from the spool since the start."),
		spoolDamagedOnes:  desc("spool_damaged_records_total", "Damaged pieces of the spool set aside since the start."),
		undecidedRecords:  desc("undecided_records", "Webhooks on disk whose token has still to be looked up."),
		undecidedOldest:   desc("undecided_oldest_timestamp_seconds", "When the oldest of them came; 0 if there is none."),
		undecidedDisk:     desc("undecided_disk_bytes", "What they take on disk."),
		undecidedLimit:    desc("undecided_limit_bytes", "What they may take on disk."),
		undecidedRecorded: desc("undecided_recorded_total", "Those of them that were recorded since the start: their token was good."),
		undecidedRefused:  desc("undecided_refused_total", "Those of them that were refused since the start, by reason.", "reason"),
	}
	g.descs = all
	return g
}

// Describe implements prometheus.Collector.
func (g *gauges) Describe(out chan<- *prometheus.Desc) {
	for _, d := range g.descs {
		out <- d
	}
}

// Collect implements prometheus.Collector. It asks neither the database nor the disk.
func (g *gauges) Collect(out chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	counter := func(d *prometheus.Desc, value int64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(value), labels...)
	}
	s := g.store
	for key, a := range s.arrivals.all() {
		gauge(g.lastDelivery, timestamp(a.last), key.storeLabel(), key.webhook)
		gauge(g.missed, a.missed, key.storeLabel(), key.webhook)
	}
	limit := 0
	for i, queue := range s.recorder.queues {
		gauge(g.queued, float64(len(queue)), strconv.Itoa(i))
		limit = cap(queue)
	}
	gauge(g.queueLimit, float64(limit))
	since := s.health.awaySince()
	gauge(g.away, number(!since.IsZero()))
	gauge(g.awaySince, timestamp(since))
	gauge(g.clockOffset, s.clock.get().Seconds())
	gauge(g.tokensLoaded, timestamp(s.tokens.loadedSince()))
	replica := s.replica.state()
	gauge(g.replicaUnused, number(replica != nil && replica.Standing != ReplicaUsed))
	lag := 0.0
	if replica != nil {
		lag = replica.Lag.Seconds()
	}
	gauge(g.replicaLag, lag)
	if s.spool == nil {
		return
	}
	st, undecided := s.spool.Stats(), s.Undecided()
	gauge(g.spoolRecords, float64(st.Records))
	gauge(g.spoolOldest, timestamp(st.Oldest))
	gauge(g.spoolDisk, float64(st.DiskBytes))
	gauge(g.spoolLimit, float64(st.MaxBytes))
	gauge(g.spoolDamagedBytes, float64(st.DamagedBytes+undecided.DamagedBytes))
	counter(g.spoolAppended, st.Appended)
	counter(g.spoolDrained, st.Drained)
	counter(g.spoolDamagedOnes, st.Damaged+undecided.Damaged)
	gauge(g.undecidedRecords, float64(undecided.Records))
	gauge(g.undecidedOldest, timestamp(undecided.Oldest))
	gauge(g.undecidedDisk, float64(undecided.DiskBytes))
	gauge(g.undecidedLimit, float64(undecided.MaxBytes))
	counter(g.undecidedRecorded, undecided.Recorded)
	for why, n := range undecided.Refused {
		counter(g.undecidedRefused, n, string(why))
	}
}

func number(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// timestamp is a time as Prometheus has them; the zero time is 0.
func timestamp(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixMicro()) / 1e6
}
