package store

import (
	"github.com/prometheus/client_golang/prometheus"

	"aifi-audit/store/aifi"
)

// Metrics of one Store. Their labels are bounded: senders choose paths and store ids.
type Metrics struct {
	registerer prometheus.Registerer // nil registers nothing

	// All that can be counted is made beforehand: looking it up costs next to nothing,
	// and an alarm sees the first of it as an increase from zero.
	deliveries  map[string]map[Status]prometheus.Counter // by the label of the webhook
	quarantined map[aifi.Reason]prometheus.Counter

	issueLag      prometheus.Histogram
	batchSize     prometheus.Histogram
	commitSeconds prometheus.Histogram
	defaultRows   prometheus.Gauge

	logSize         prometheus.Gauge
	logQueueSeconds prometheus.Gauge
	logRefusing     prometheus.Gauge
	spoolUnusable   prometheus.Gauge

	retired          prometheus.Counter
	retentionFailing prometheus.Gauge
}

// NewMetrics registers the metrics with r, unless it is nil.
func NewMetrics(r prometheus.Registerer) *Metrics {
	deliveries := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "aifi_audit_deliveries_total", Help: "Deliveries kept, by webhook and what became of them.",
	}, []string{"webhook", "status"})
	quarantined := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "aifi_audit_quarantined_deliveries_total", Help: "Deliveries that went to quarantine, by reason.",
	}, []string{"reason"})
	m := &Metrics{
		registerer:  r,
		deliveries:  map[string]map[Status]prometheus.Counter{},
		quarantined: map[aifi.Reason]prometheus.Counter{},
		issueLag: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "aifi_audit_issue_lag_seconds", Help: "From AiFi's timeOfIssue to the receipt, of deliveries that state it.",
			Buckets: []float64{0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200, 43200, 86400},
		}),
		batchSize: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "aifi_audit_batch_deliveries", Help: "Deliveries committed together.", Buckets: prometheus.ExponentialBuckets(1, 2, 9),
		}),
		commitSeconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "aifi_audit_commit_seconds", Help: "Time to write and commit a batch.", Buckets: prometheus.ExponentialBuckets(0.0005, 2, 14),
		}),
		defaultRows: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "aifi_audit_default_partition_rows", Help: "Rows of deliveries and events that lie outside the months with a partition.",
		}),
		logSize: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "aifi_audit_log_leaves", Help: "Leaves of the transparency log that this process has signed last.",
		}),
		logQueueSeconds: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "aifi_audit_log_oldest_queued_seconds", Help: "How long the oldest leaf has waited to be sequenced; measured by the process that sequences.",
		}),
		spoolUnusable: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "aifi_audit_spool_unusable", Help: "1 if the spool could not be opened: webhooks are lost while the database is away.",
		}),
		logRefusing: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "aifi_audit_log_refusing", Help: "1 if the log is not signed because the database was rolled back or changed.",
		}),
		retired: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "aifi_audit_retired_deliveries_total", Help: "Deliveries that this process removed at night, since their time was over.",
		}),
		retentionFailing: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "aifi_audit_retention_failing", Help: "1 if this process could not remove last all whose time was over.",
		}),
	}
	for _, webhook := range webhookLabels() {
		m.deliveries[webhook] = map[Status]prometheus.Counter{}
		for _, status := range []Status{Stored, Duplicate, Quarantined, Spooled} {
			m.deliveries[webhook][status] = deliveries.WithLabelValues(webhook, string(status))
		}
	}
	for _, reason := range Reasons() {
		m.quarantined[reason] = quarantined.WithLabelValues(string(reason))
	}
	if r != nil {
		r.MustRegister(deliveries, quarantined, m.issueLag, m.batchSize, m.commitSeconds, m.defaultRows, m.logSize, m.logQueueSeconds, m.logRefusing, m.spoolUnusable, m.retired, m.retentionFailing)
	}
	return m
}

// received notes a delivery that has just come in.
func (m *Metrics) received(w watched) {
	if lag := w.arrival.lag; lag != nil {
		m.issueLag.Observe(lag.Seconds())
	}
}

// kept notes what became of a delivery.
func (m *Metrics) kept(w watched, status Status) {
	m.deliveries[w.series.webhook][status].Inc()
	if status == Quarantined && w.quarantined != "" {
		m.quarantined[w.quarantined].Inc()
	}
}

// otherWebhooks is the label of webhooks that AiFi does not document.
const otherWebhooks = "other"

func webhookLabel(w aifi.Webhook) string {
	if w.Documented() {
		return string(w)
	}
	return otherWebhooks
}

// webhookLabels are all labels that webhookLabel gives.
func webhookLabels() []string { return append(documentedWebhooks(), otherWebhooks) }

func documentedWebhooks() []string {
	var names []string
	for _, w := range aifi.Webhooks() {
		names = append(names, string(w))
	}
	return names
}
