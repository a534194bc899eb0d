package httpapi

import (
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"aifi-audit/store"
)

// surface is whom a request is from.
type surface string

const (
	fromAiFi     surface = "ingest"
	fromStaff    surface = "api"
	fromOperator surface = "other"
)

var surfaces = []surface{fromAiFi, fromStaff, fromOperator}

func surfaceOf(path string) surface {
	switch {
	case strings.HasPrefix(path, pushPath):
		return fromAiFi
	case strings.HasPrefix(path, "/api/"):
		return fromStaff
	}
	return fromOperator
}

// surfaceFor is where a right is used.
func surfaceFor(right store.Right) surface {
	if right == store.MayIngest {
		return fromAiFi
	}
	return fromStaff
}

// refusal is why a request was refused before it was looked at. Of what AiFi sent,
// each is a webhook lost.
type refusal string

const (
	noToken        = refusal("no_token")
	unknownToken   = refusal(store.UnknownToken)
	expiredToken   = refusal(store.ExpiredToken)
	revokedToken   = refusal(store.RevokedToken)
	undecidedToken = refusal(store.UndecidedToken)
	missingScope   = refusal("missing_scope")
	rateLimited    = refusal("rate_limited")
	noMemory       = refusal("no_memory") // as many bodies are held as may be
	tooManyOnes    = refusal("too_many")  // exports
)

var refusalReasons = []refusal{noToken, unknownToken, expiredToken, revokedToken, undecidedToken, missingScope, rateLimited, noMemory, tooManyOnes}

// metrics are what the API counts of itself. All is made beforehand: looking it up
// costs next to nothing, and an alarm sees the first of it as an increase from zero.
type metrics struct {
	since   time.Time // when they began
	refused map[surface]map[refusal]*atomic.Int64
	answers map[surface]map[int]prometheus.Counter // by status; 0 is any other, or none
	ingest  prometheus.Histogram
	lists   *prometheus.HistogramVec

	bodyBytes   atomic.Int64 // of webhooks, held in memory
	connections atomic.Int64
	turnedOut   prometheus.Counter // connections
}

// statuses are those that the API gives.
var statuses = []int{200, 202, 400, 401, 403, 404, 405, 409, 413, 422, 429, 500, 501, 503}

func newMetrics(r *prometheus.Registry, l Limits) *metrics {
	if r == nil {
		r = prometheus.NewRegistry() // that nobody reads
	}
	m := &metrics{
		since: time.Now(), refused: map[surface]map[refusal]*atomic.Int64{}, answers: map[surface]map[int]prometheus.Counter{},
		ingest: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "aifi_audit_ingest_seconds", Help: "From a webhook's head to its answer.", Buckets: prometheus.ExponentialBuckets(0.001, 2, 15),
		}),
		lists: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "aifi_audit_list_seconds", Help: "Time of searches (json) and exports (csv), by list.", Buckets: prometheus.ExponentialBuckets(0.001, 4, 10),
		}, []string{"list", "format"}),
		turnedOut: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "aifi_audit_connections_closed_total", Help: "Connections closed to make room for others: quiet ones, and strangers'.",
		}),
	}
	answers := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "aifi_audit_answers_total", Help: "Answers by status; \"other\" are broken off, or of a status that is not expected.",
	}, []string{"surface", "status"})
	for _, s := range surfaces {
		m.answers[s] = map[int]prometheus.Counter{0: answers.WithLabelValues(string(s), "other")}
		for _, status := range statuses {
			m.answers[s][status] = answers.WithLabelValues(string(s), strconv.Itoa(status))
		}
	}
	for _, s := range []surface{fromAiFi, fromStaff} {
		m.refused[s] = map[refusal]*atomic.Int64{}
		for _, reason := range refusalReasons {
			n := new(atomic.Int64)
			m.refused[s][reason] = n
			r.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{
				Name: "aifi_audit_refused_requests_total", Help: "Requests refused before they were looked at. Of surface ingest, each is a webhook lost.",
				ConstLabels: prometheus.Labels{"surface": string(s), "reason": string(reason)},
			}, func() float64 { return float64(n.Load()) }))
		}
	}
	gauge := func(name, help string, value func() float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value)
	}
	r.MustRegister(answers, m.ingest, m.lists, m.turnedOut,
		gauge("aifi_audit_body_memory_bytes", "Memory set aside for bodies of webhooks under way.", func() float64 { return float64(m.bodyBytes.Load()) }),
		gauge("aifi_audit_body_memory_limit_bytes", "How much may be.", func() float64 { return float64(l.BodyMemory) }),
		gauge("aifi_audit_connections", "Connections that are open.", func() float64 { return float64(m.connections.Load()) }),
		gauge("aifi_audit_connections_limit", "How many may be.", func() float64 { return float64(l.Connections) }),
	)
	return m
}

func (m *metrics) refuse(s surface, why refusal) { m.refused[s][why].Add(1) }

func (m *metrics) answered(s surface, status int) {
	counter, ok := m.answers[s][status]
	if !ok {
		counter = m.answers[s][0]
	}
	counter.Inc()
}

// timed measures a list.
func (m *metrics) timed(list, format string, h http.Handler) http.Handler {
	seconds := m.lists.WithLabelValues(list, format)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		defer func() { seconds.Observe(time.Since(start).Seconds()) }()
		h.ServeHTTP(w, r)
	})
}

// answerWriter notes the status of an answer.
type answerWriter struct {
	http.ResponseWriter
	body    *requestBody
	surface surface
	status  int
}

// Unwrap lets http.ResponseController pass.
func (w *answerWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// WriteHeader implements http.ResponseWriter.
func (w *answerWriter) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
		if !w.body.ended {
			if isStranger(status) {
				w.Header().Set("Connection", "close")
			}
			w.body.hurry()
		}
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (w *answerWriter) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	return w.ResponseWriter.Write(b)
}
