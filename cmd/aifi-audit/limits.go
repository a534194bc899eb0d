package main

import (
	"errors"
	"log/slog"
	"syscall"
	"time"

	"aifi-audit/httpapi"
)

// limitFlags keep the server up on the open internet.
type limitFlags struct {
	MaxBody       int64         `help:"Bytes of a webhook's body to keep. Of a longer one the first part is kept." default:"1048576" env:"AIFI_AUDIT_MAX_BODY"`
	MaxBodyMemory int64         `help:"Bytes of webhooks' bodies held in memory at a time. More of them wait." default:"134217728" env:"AIFI_AUDIT_MAX_BODY_MEMORY"`
	MaxHeader     int           `help:"Bytes of a request's line and headers." default:"65536" env:"AIFI_AUDIT_MAX_HEADER"`
	HeaderTimeout time.Duration `help:"For a request's headers to arrive." default:"10s" env:"AIFI_AUDIT_HEADER_TIMEOUT"`
	ReadTimeout   time.Duration `help:"For a whole request to arrive. Of a webhook that does not, what came is kept." default:"1m" env:"AIFI_AUDIT_READ_TIMEOUT"`
	WriteTimeout  time.Duration `help:"For an answer, or a part of an export, to be accepted." default:"2m" env:"AIFI_AUDIT_WRITE_TIMEOUT"`
	IdleTimeout   time.Duration `help:"How long a connection is kept between requests. A proxy must close it first: it does not know that a webhook it sends just then is lost." default:"11m" env:"AIFI_AUDIT_IDLE_TIMEOUT"`

	MaxConnections int     `help:"Connections at a time. One more takes the place of one that is quiet, or shows no good token." default:"2048" env:"AIFI_AUDIT_MAX_CONNECTIONS"`
	MaxExports     int     `help:"CSV exports at a time." default:"4" env:"AIFI_AUDIT_MAX_EXPORTS"`
	StaffRate      float64 `help:"Requests a second with one token of staff; five seconds' worth may come at once. 0 is no limit." default:"100" env:"AIFI_AUDIT_STAFF_RATE"`
	IngestRate     float64 `help:"Webhooks a second with one token. 0 is no limit; what is refused is lost." default:"0" env:"AIFI_AUDIT_INGEST_RATE"`
}

func (f limitFlags) check() error {
	for _, n := range []int64{
		f.MaxBody, f.MaxBodyMemory, int64(f.MaxHeader), int64(f.HeaderTimeout), int64(f.ReadTimeout), int64(f.WriteTimeout), int64(f.IdleTimeout),
		int64(f.MaxConnections), int64(f.MaxExports),
	} {
		if n < 1 {
			return errors.New("limits and timeouts must be positive")
		}
	}
	switch {
	case f.MaxBodyMemory < f.MaxBody:
		return errors.New("--max-body-memory must hold one body of --max-body")
	case !(f.StaffRate >= 0) || !(f.IngestRate >= 0): // nor NaN
		return errors.New("--staff-rate and --ingest-rate must not be negative")
	}
	return nil
}

func (f limitFlags) limits() httpapi.Limits {
	return httpapi.Limits{
		HeaderBytes: f.MaxHeader, HeaderTimeout: f.HeaderTimeout, ReadTimeout: f.ReadTimeout, WriteTimeout: f.WriteTimeout,
		IdleTimeout: f.IdleTimeout, Connections: f.MaxConnections, BodyMemory: f.MaxBodyMemory, Exports: f.MaxExports,
		IngestRate: f.IngestRate, StaffRate: f.StaffRate,
	}
}

// spareFiles are for what a server opens beside its connections: those to PostgreSQL, the
// spool, what it saves.
const spareFiles = 64

// connectionsWithin is how many connections there may be if so many files may be open: at
// least half of these are for them.
func connectionsWithin(most int, files uint64) int {
	return int(min(uint64(most), max(1, files/2, files-min(files, spareFiles)))) //nolint:gosec // no more than most
}

// withinFiles lowers the limit of connections to what the limit of open files allows: one
// more connection would be turned out in vain, and webhooks could neither come nor be
// spooled.
func withinFiles(limits httpapi.Limits, log *slog.Logger) httpapi.Limits {
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err != nil {
		return limits
	}
	if n := connectionsWithin(limits.Connections, uint64(files.Cur)); n < limits.Connections { //nolint:unconvert // it is signed on some systems
		log.Warn("the limit of open files allows fewer connections than --max-connections", "files", files.Cur, "connections", n)
		limits.Connections = n
	}
	return limits
}
