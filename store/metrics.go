package store

import (
	"github.com/prometheus/client_golang/prometheus"

	"aifi-audit/store/aifi"
)

// Metrics of a Store.
type Metrics struct {
	deliveries    *prometheus.CounterVec
	batchSize     prometheus.Histogram
	commitSeconds prometheus.Histogram
	defaultRows   prometheus.Gauge

	logSize         prometheus.Gauge
	logQueueSeconds prometheus.Gauge
	logRefusing     prometheus.Gauge
}

// NewMetrics registers the metrics with r, unless it is nil.
func NewMetrics(r prometheus.Registerer) *Metrics {
	m := &Metrics{
		deliveries: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "aifi_audit_deliveries_total", Help: "Deliveries committed, by webhook and what became of them.",
		}, []string{"webhook", "status"}),
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
		logRefusing: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "aifi_audit_log_refusing", Help: "1 if the log is not signed because the database was rolled back or changed.",
		}),
	}
	if r != nil {
		r.MustRegister(m.deliveries, m.batchSize, m.commitSeconds, m.defaultRows, m.logSize, m.logQueueSeconds, m.logRefusing)
	}
	return m
}

// metricWebhook bounds the label: senders choose paths.
func metricWebhook(w aifi.Webhook) string {
	if w.Documented() {
		return string(w)
	}
	return "other"
}
