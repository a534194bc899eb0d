// Package monitoring holds what watches aifi-audit: alert rules for Prometheus, and a
// dashboard for Grafana.
package monitoring

import _ "embed" // the files

// Rules are Prometheus's alerting rules, in YAML. rules_test.yml tests them.
//
//go:embed rules.yml
var Rules []byte

// Dashboard is a Grafana dashboard, in JSON.
//
//go:embed dashboard.json
var Dashboard []byte
