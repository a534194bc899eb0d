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
	}
	if r != nil {
		r.MustRegister(m.deliveries, m.batchSize, m.commitSeconds, m.defaultRows)
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
