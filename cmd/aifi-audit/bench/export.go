package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// Export is how fast all alcohol interactions are written as CSV, beside psql's \copy.
type Export struct {
	Events       int     `json:"events"` // in the database
	Rows         int64   `json:"rows"`
	Server       Flow    `json:"server"`
	PSQL         Flow    `json:"psql"`
	Ratio        Sample  `json:"ratio"`              // of the server's rows a second to psql's, turn by turn
	Target       Target  `json:"target"`             // of Ratio
	MemoryMB     *Sample `json:"memoryMB,omitempty"` // by which the server held more, at its peak, than before the first export
	MemoryTarget Target  `json:"memoryTarget"`       // of MemoryMB
}

// Flow is how fast a CSV comes.
type Flow struct {
	About string `json:"about"`
	Rows  Sample `json:"rows"` // a second
	MB    Sample `json:"mb"`   // of 10^6 bytes, a second
}

func (f *Flow) add(rows, size int64, took time.Duration) {
	f.Rows.add(float64(rows) / took.Seconds())
	f.MB.add(float64(size) / 1e6 / took.Seconds())
}

const exported = "/api/v1/alcohol-interactions.csv"

// exportQuery asks for the rows and columns of the CSV, in its order, with the plan that the
// server's connections get.
const (
	exportQuery = `SELECT e.id, e.delivery_id, e.event_id, e.store_id, e.store_external_id, e.session_id, e.customer_id, e.shopper_id, e.occurred_at, ` +
		`e.occurred_at_known, e.issued_at, e.received_at, array_to_string(e.flags, '|'), array_to_string(e.product_ids, '|'), array_to_string(e.gondola_ids, '|'), ` +
		`r.disposition, r.disposition_at, r.disposition_by FROM events e LEFT JOIN event_reviews r ON r.store_id = e.store_id AND r.kind = e.kind ` +
		`AND r.occurred_at = e.occurred_at AND r.event_id = e.id WHERE e.kind = 'alcohol_interaction' ORDER BY e.occurred_at DESC, e.id DESC`
	exportOptions = "PGOPTIONS=-c jit=off -c timezone=UTC"
)

// export measures the turns.
func (r *run) export(ctx context.Context) error {
	if err := r.fill(ctx); err != nil {
		return err
	}
	psql, err := r.psql(ctx)
	if err != nil {
		return err
	}
	f := r.filled[len(r.filled)-1]
	m := &Export{
		Events: f.events, Target: Target{AtLeast: 0.8}, MemoryTarget: Target{AtMost: 32},
		Server: Flow{About: "GET " + exported + " of all events, read and thrown away"},
		PSQL:   Flow{About: `psql \copy of the same rows and columns in the same order, to /dev/null`},
	}
	memory, known := watchMemory(f.server.cmd.Process.Pid)
	if known {
		m.MemoryMB = new(Sample)
	}
	r.doing("export: warming up")
	warm := f.from.Add(f.span * 9 / 10).Format(time.DateOnly)
	if _, _, err := r.download(f, exported+"?from="+warm); err != nil {
		return err
	}
	for turn := range r.Repetitions {
		r.doing("export, turn %d of %d", turn+1, r.Repetitions)
		if known {
			if err := memory.forgetPeak(); err != nil {
				return err
			}
		}
		if err := r.exportTurn(ctx, m, f, psql); err != nil {
			return err
		}
		if known {
			grown, err := memory.growth()
			if err != nil {
				return err
			}
			m.MemoryMB.add(grown)
		}
	}
	r.report.Export = m
	return nil
}

func (r *run) exportTurn(ctx context.Context, m *Export, f *filled, psql string) error {
	start := time.Now()
	rows, size, err := r.download(f, exported)
	if err != nil {
		return err
	}
	m.Server.add(rows, size, time.Since(start))
	m.Rows = rows

	cmd := exec.CommandContext(ctx, psql, f.url, "-X", "-c", `\copy (`+exportQuery+`) TO '`+os.DevNull+`' (FORMAT csv, HEADER)`) //nolint:gosec // PostgreSQL's own program
	cmd.Env = append(os.Environ(), exportOptions)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	start = time.Now()
	out, err := cmd.Output()
	took := time.Since(start)
	if err != nil {
		return fmt.Errorf("psql: %w: %s", err, stderr.String())
	}
	var copied int64
	if _, err := fmt.Sscanf(string(out), "COPY %d", &copied); err != nil || copied != rows {
		return fmt.Errorf("the server exports %d rows, and psql says: %s", rows, strings.TrimSpace(string(out)))
	}
	// The bytes are nearly those of the server, which is what they are compared with.
	m.PSQL.add(rows, size, took)
	m.Ratio.add(m.Server.Rows.last() / m.PSQL.Rows.last())
	return nil
}

// download reads a CSV to its end, and counts.
func (r *run) download(f *filled, target string) (rows, size int64, err error) {
	c := connectionTo(f.server.url)
	defer c.close()
	response, err := c.open([]byte("GET " + target + " HTTP/1.1\r\nHost: audit.example.com\r\nAuthorization: Bearer " + r.postgres.tokens.export + "\r\n\r\n"))
	if err != nil {
		return 0, 0, err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return 0, 0, fmt.Errorf("an export was answered %s", response.Status)
	}
	buffer := make([]byte, 1<<16)
	for {
		n, err := response.Body.Read(buffer)
		rows += int64(bytes.Count(buffer[:n], []byte{'\n'}))
		size += int64(n)
		if errors.Is(err, io.EOF) {
			return rows - 1, size, nil // without the header
		}
		if err != nil {
			return 0, 0, fmt.Errorf("reading an export: %w", err)
		}
	}
}

// psql finds the program, best that of the server.
func (r *run) psql(ctx context.Context) (string, error) {
	var dir string
	if r.postgres.private != nil {
		if err := r.postgres.admin.QueryRow(ctx, "SELECT setting FROM pg_config WHERE name = 'BINDIR'").Scan(&dir); err != nil {
			return "", err
		}
		if path, err := exec.LookPath(filepath.Join(dir, "psql")); err == nil {
			return path, nil
		}
	}
	path, err := exec.LookPath("psql")
	if err != nil {
		return "", fmt.Errorf("exports are measured beside psql, which is not there: %w", err)
	}
	return path, nil
}
