package main

import "aifi-audit/cmd/aifi-audit/monitoring"

type monitoringCommand struct {
	What string `arg:"" enum:"rules,dashboard" help:"rules: alerting rules for Prometheus. dashboard: a dashboard for Grafana."`
}

// Run prints a file.
func (c monitoringCommand) Run(env *environment) error {
	text := monitoring.Rules
	if c.What == "dashboard" {
		text = monitoring.Dashboard
	}
	_, err := env.stdout.Write(text)
	return err
}
