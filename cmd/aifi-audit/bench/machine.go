package bench

import (
	"context"
	"fmt"
	"runtime"
	"time"
)

// Machine is where it was measured.
type Machine struct {
	System     string            `json:"system"` // operating system and architecture
	Processor  string            `json:"processor,omitempty"`
	Cores      int               `json:"cores"`
	MemoryMB   uint64            `json:"memoryMB,omitempty"`
	Load       float64           `json:"load"` // of the last minute, before the run
	Go         string            `json:"go"`
	PostgreSQL string            `json:"postgresql"`
	Private    bool              `json:"private"`              // PostgreSQL is started for the run
	FileSystem string            `json:"fileSystem,omitempty"` // that PostgreSQL's data lies on
	Settings   map[string]string `json:"settings"`             // of PostgreSQL
}

// toldSettings are those that decide what a commit costs, or how much is in memory.
var toldSettings = []string{
	"fsync", "synchronous_commit", "full_page_writes", "wal_compression", "wal_level", "shared_buffers", "max_wal_size", "data_checksums",
	"default_toast_compression", "autovacuum", "max_connections", "shared_preload_libraries",
}

const busyLoad = 0.5

// describe fills in the machine, and warns of what speaks against measuring on it.
func (r *run) describe(ctx context.Context) error {
	m := &r.report.Machine
	r.report.Started = time.Now().UTC()
	m.System, m.Cores, m.Go, m.Private = runtime.GOOS+"/"+runtime.GOARCH, runtime.NumCPU(), runtime.Version(), r.postgres.private != nil
	describeHardware(m)
	if err := r.postgres.admin.QueryRow(ctx, "SELECT current_setting('server_version')").Scan(&m.PostgreSQL); err != nil {
		return err
	}
	m.Settings = map[string]string{}
	for _, name := range toldSettings {
		var value *string
		if err := r.postgres.admin.QueryRow(ctx, "SELECT current_setting($1, true)", name).Scan(&value); err != nil {
			return fmt.Errorf("reading PostgreSQL's settings: %w", err)
		}
		if value != nil {
			m.Settings[name] = *value
		}
	}
	if r.postgres.private != nil {
		m.FileSystem = fileSystem(r.postgres.dir)
	}
	return r.doubt(ctx, m)
}

func (r *run) doubt(ctx context.Context, m *Machine) error {
	if m.Settings["fsync"] != "on" {
		r.warn("fsync is off: a commit does not last, and costs next to nothing. No figure of writing here is worth anything")
	}
	if m.FileSystem == "tmpfs" {
		r.warn("PostgreSQL's data lies in memory (tmpfs): a commit costs next to nothing. Name a directory on a disk with --dir")
	}
	if m.Load > busyLoad {
		r.warn("the machine was not idle: its load was %.2f before the run", m.Load)
	}
	left, err := r.postgres.leftBehind(ctx)
	if left != "" {
		r.warn("databases of other runs are on this PostgreSQL; drop them if none is under way: %s", left)
	}
	return err
}
