package bench

import "time"

// Report is what a run found.
type Report struct {
	Started  time.Time `json:"started"`
	Machine  Machine   `json:"machine"`
	Settings Settings  `json:"settings"`
	Warnings []string  `json:"warnings"` // what makes figures doubtful
	Ingest   *Ingest   `json:"ingest,omitempty"`
	Latency  *Latency  `json:"latency,omitempty"`
	Storage  *Storage  `json:"storage,omitempty"`
	Search   *Search   `json:"search,omitempty"`
	Export   *Export   `json:"export,omitempty"`
}

// Settings of the run.
type Settings struct {
	Events      []int   `json:"events"`
	Months      int     `json:"months"`
	Requests    int     `json:"requests"`
	Stores      int     `json:"stores"`
	Connections int     `json:"connections"`
	Seconds     float64 `json:"seconds"` // of each stretch
	Repetitions int     `json:"repetitions"`
}

func settingsOf(c Config) Settings {
	return Settings{Events: c.Events, Months: c.Months, Requests: c.Requests, Stores: c.Stores, Connections: c.Connections, Seconds: c.Duration.Seconds(), Repetitions: c.Repetitions}
}
