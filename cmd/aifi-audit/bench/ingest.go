package bench

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"time"

	"github.com/jackc/pgx/v5"
)

// Ingest is how fast webhooks are taken, beside what the same machine can do at most.
type Ingest struct {
	Server           Stretch     `json:"server"`
	Limits           []*Stretch  `json:"limits"`
	Answers          map[int]int `json:"answers"`          // of the server, by status
	BodyBytes        Sample      `json:"bodyBytes"`        // a delivery
	WALBytes         Sample      `json:"walBytes"`         // a delivery, of write-ahead log
	RowsPerDelivery  Sample      `json:"rowsPerDelivery"`  // of all tables
	LogBehindSeconds Sample      `json:"logBehindSeconds"` // from the last answer until all is under a signed checkpoint
}

// Stretch is some seconds of load, in each turn.
type Stretch struct {
	Name   string  `json:"name"`
	About  string  `json:"about"`
	Rate   Sample  `json:"rate"`          // a second
	P50    *Sample `json:"p50,omitempty"` // milliseconds from a request to its answer
	P99    *Sample `json:"p99,omitempty"`
	CPU    CPU     `json:"cpu"`              // of one delivery
	Ratio  *Sample `json:"ratio,omitempty"`  // of the server's rate to this one, turn by turn
	Target *Target `json:"target,omitempty"` // of Ratio
}

// CPU is processor time in microseconds a delivery. What could not be told is left out.
type CPU struct {
	Client     *Sample `json:"client,omitempty"`
	Server     *Sample `json:"server,omitempty"`
	PostgreSQL *Sample `json:"postgresql,omitempty"`
	// Others is the share of the machine, from 0 to 1, that was used by none of the three.
	Others *Sample `json:"others,omitempty"`
}

const (
	warmUp      = 2 * time.Second
	atLeast     = 2000 // webhooks of a stretch
	moreThan    = 1.3  // times as many webhooks are made as are likely to be sent
	logPatience = time.Minute
	tooMuchElse = 0.05 // share of the machine that others use
)

func copyStretch() *Stretch {
	return &Stretch{
		Name: "COPY", Target: &Target{AtLeast: 0.6},
		About: "all rows that the server has written, and the log, by COPY FROM STDIN (binary) into the same tables with the same indexes: one connection, one transaction, its commit included",
	}
}

func insertStretch() *Stretch {
	return &Stretch{
		Name: "INSERT", Target: &Target{AtLeast: 1.5},
		About: "a row with the body into a table with nothing but an id, a time and the body; one commit a body, on as many connections; without HTTP: straight through pgx",
	}
}

func insertHTTPStretch() *Stretch {
	return &Stretch{
		Name:  "INSERT over HTTP",
		About: "the same row and commit, by a net/http server of a few lines in a process of its own, with as many connections to PostgreSQL",
	}
}

func nothingStretch() *Stretch {
	return &Stretch{
		Name:  "HTTP alone",
		About: "a net/http server of a few lines in a process of its own, which reads the body and answers the same bytes: no router, no token, no decoding, no database",
	}
}

// ingest measures the turns.
func (r *run) ingest(ctx context.Context) error {
	m := &Ingest{Server: Stretch{
		Name: "aifi-audit serve", About: "webhooks over HTTP, each answered after the commit of all its rows; then signed into the log",
	}}
	byCopy, insert, insertHTTP, nothing := copyStretch(), insertStretch(), insertHTTPStretch(), nothingStretch()
	m.Limits = []*Stretch{byCopy, insert, insertHTTP, nothing}
	r.report.Ingest = m
	for turn := range r.Repetitions {
		r.doing("ingest, turn %d of %d: the server", turn+1, r.Repetitions)
		taken, err := r.ingestTurn(ctx, uint64(turn), m)
		if err != nil {
			return err
		}
		server := m.Server.Rate.last()
		r.doing("ingest, turn %d of %d: COPY", turn+1, r.Repetitions)
		if err := r.copyTurn(ctx, byCopy, taken, m); err != nil {
			return err
		}
		r.doing("ingest, turn %d of %d: INSERT", turn+1, r.Repetitions)
		if err := r.insertTurn(ctx, insert, insertHTTP, taken.webhooks); err != nil {
			return err
		}
		r.doing("ingest, turn %d of %d: HTTP alone", turn+1, r.Repetitions)
		if err := r.peerTurn(ctx, nothing, taken.webhooks); err != nil {
			return err
		}
		for _, limit := range m.Limits {
			limit.beside(server)
		}
		if err := r.postgres.drop(ctx, taken.database); err != nil {
			return err
		}
	}
	return nil
}

// taken is what a server has taken in one turn.
type taken struct {
	database   string
	url        string
	deliveries int64
	webhooks   []webhook // of the measured part
}

// ingestTurn has a server take webhooks into a fresh database.
func (r *run) ingestTurn(ctx context.Context, seed uint64, m *Ingest) (t taken, err error) {
	if t.database, t.url, err = r.postgres.fresh(ctx); err != nil {
		return t, err
	}
	server, err := r.serve(ctx, t.url)
	if err != nil {
		return t, err
	}
	defer func() { err = errors.Join(err, server.stop()) }()
	traffic := newTraffic(r.Config, seed, r.postgres.tokens.ingest)
	first := traffic.next(r.guess())
	wal, err := r.postgres.wal(ctx)
	if err != nil {
		return t, err
	}
	r.settle(ctx)
	senders := sendersTo(server.url, r.Connections)
	defer closeAll(senders)
	warm, err := closedLoop(ctx, senders, first, min(warmUp, r.Duration))
	if err != nil {
		return t, err
	}
	t.webhooks = traffic.next(max(atLeast, int(warm.rate()*r.Duration.Seconds()*moreThan)))
	l, err := r.stretch(ctx, &m.Server, senders, t.webhooks, server.cmd.Process.Pid, func(l load) error {
		t.deliveries = int64(len(warm.sent) + len(l.sent))
		behind, err := r.awaitLog(ctx, t.url, t.deliveries)
		m.LogBehindSeconds.add(behind.Seconds())
		return err
	})
	if err != nil {
		return t, err
	}
	walAfter, err := r.postgres.wal(ctx)
	if err != nil {
		return t, err
	}
	m.WALBytes.add(float64(walAfter-wal) / float64(t.deliveries))
	m.BodyBytes.add(float64(bytesOf(l.sent)) / float64(len(l.sent)))
	if m.Answers == nil {
		m.Answers = map[int]int{}
	}
	for status, n := range l.answers {
		m.Answers[status] += n
		if status != http.StatusOK {
			r.warn("the server gave %d answers %d in a turn: its rate is not that of commits alone", n, status)
		}
	}
	return t, nil
}

// guess is how many webhooks are enough for warming up.
func (r *run) guess() int {
	return max(atLeast, int(10_000*min(warmUp, r.Duration).Seconds()))
}

// awaitLog waits until all deliveries are in the database and in the log.
func (r *run) awaitLog(ctx context.Context, databaseURL string, deliveries int64) (time.Duration, error) {
	start := time.Now()
	var have, queued int64
	err := r.connected(ctx, databaseURL, func(conn *pgx.Conn) error {
		for time.Since(start) < logPatience {
			err := conn.QueryRow(ctx, "SELECT (SELECT count(*) FROM log_queue), (SELECT count(*) FROM deliveries)").Scan(&queued, &have)
			if err != nil || queued == 0 && have == deliveries {
				return err
			}
			if _, err := conn.Exec(ctx, "SELECT pg_sleep(0.05)"); err != nil {
				return err
			}
		}
		return fmt.Errorf("of %d deliveries that were answered, %d are in the database, and %d batches wait for the log", deliveries, have, queued)
	})
	return time.Since(start), err
}

// copyTurn writes the same rows into a fresh database.
func (r *run) copyTurn(ctx context.Context, s *Stretch, t taken, m *Ingest) error {
	rows, err := r.dumpRows(ctx, t.url)
	if err != nil {
		return err
	}
	m.RowsPerDelivery.add(float64(rows.rows) / float64(t.deliveries))
	name, url, err := r.postgres.fresh(ctx)
	if err != nil {
		return err
	}
	r.settle(ctx)
	err = r.connected(ctx, url, func(conn *pgx.Conn) error {
		if err := durably(ctx, conn); err != nil {
			return err
		}
		before := r.postgres.clock.read(0)
		took, err := rows.copyIn(ctx, conn)
		if err != nil {
			return err
		}
		s.Rate.add(float64(t.deliveries) / took.Seconds())
		r.addCPU(&s.CPU, r.postgres.clock.read(0).since(before), took, t.deliveries, false)
		return nil
	})
	if err != nil {
		return err
	}
	if err := rows.remove(); err != nil {
		return err
	}
	return r.postgres.drop(ctx, name)
}

// insertTurn inserts the bodies one by one, without and with HTTP.
func (r *run) insertTurn(ctx context.Context, direct, overHTTP *Stretch, webhooks []webhook) error {
	name, err := r.postgres.create(ctx, "")
	if err != nil {
		return err
	}
	url := r.postgres.database(name)
	err = r.connected(ctx, url, func(conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, createBodies)
		return err
	})
	if err != nil {
		return err
	}
	senders, err := connectAll(ctx, url, r.Connections)
	if err != nil {
		return err
	}
	err = r.warmStretch(ctx, direct, senders, webhooks, 0)
	closeAll(senders)
	if err != nil {
		return err
	}
	if err := r.peerTurn(ctx, overHTTP, inserts(webhooks), "--database-url="+url, fmt.Sprintf("--connections=%d", r.Connections)); err != nil {
		return err
	}
	return r.postgres.drop(ctx, name)
}

// inserts are the webhooks as they go to the peer that inserts them.
func inserts(webhooks []webhook) []webhook {
	const from, to = "POST /api/push/", "POST /insert/"
	changed := make([]webhook, len(webhooks))
	for i, w := range webhooks {
		request := append([]byte(to), w.request[len(from):]...)
		changed[i] = webhook{request: request, body: request[len(request)-len(w.body):]}
	}
	return changed
}

// peerTurn has the peer take webhooks.
func (r *run) peerTurn(ctx context.Context, s *Stretch, webhooks []webhook, args ...string) (err error) {
	peer, err := r.start(ctx, append([]string{"bench-peer"}, args...)...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, peer.stop()) }()
	senders := sendersTo(peer.url, r.Connections)
	defer closeAll(senders)
	return r.warmStretch(ctx, s, senders, webhooks, peer.cmd.Process.Pid)
}

// warmStretch warms up with a part of the webhooks, and measures with the rest.
func (r *run) warmStretch(ctx context.Context, s *Stretch, senders []sender, webhooks []webhook, server int) error {
	r.settle(ctx)
	warm, err := closedLoop(ctx, senders, webhooks[:len(webhooks)/4], min(warmUp, r.Duration))
	if err != nil {
		return err
	}
	_, err = r.stretch(ctx, s, senders, webhooks[len(warm.sent):], server, nil)
	return err
}

// stretch measures a stretch of load. after runs at its end; the processor time of what
// it waits for is counted, its own duration is not.
func (r *run) stretch(ctx context.Context, s *Stretch, senders []sender, webhooks []webhook, server int, after func(load) error) (load, error) {
	runtime.GC()
	before := r.postgres.clock.read(server)
	l, err := closedLoop(ctx, senders, webhooks, r.Duration)
	if err != nil {
		return l, err
	}
	used := r.postgres.clock.read(server).since(before)
	if after != nil {
		if err := after(l); err != nil {
			return l, err
		}
		later := r.postgres.clock.read(server).since(before)
		used.server, used.postgres = later.server, later.postgres
	}
	s.Rate.add(l.rate())
	if s.P50 == nil {
		s.P50, s.P99 = new(Sample), new(Sample)
	}
	s.P50.add(percentile(l.times, 50))
	s.P99.add(percentile(l.times, 99))
	r.addCPU(&s.CPU, used, l.took, int64(len(l.sent)), server != 0)
	return l, nil
}

// addCPU adds what deliveries cost in one turn.
func (r *run) addCPU(c *CPU, used cpuTimes, took time.Duration, deliveries int64, hasServer bool) {
	add := func(s **Sample, d time.Duration) {
		if *s == nil {
			*s = new(Sample)
		}
		(*s).add(float64(d.Microseconds()) / float64(deliveries))
	}
	add(&c.Client, used.client)
	clock := r.postgres.clock
	if !clock.known {
		return
	}
	if hasServer {
		add(&c.Server, used.server)
	}
	if clock.postmaster == 0 {
		return
	}
	add(&c.PostgreSQL, used.postgres)
	if c.Others == nil {
		c.Others = new(Sample)
	}
	others := (used.machine - used.client - used.server - used.postgres).Seconds() / took.Seconds() / float64(runtime.NumCPU())
	c.Others.add(max(0, others))
	if others > tooMuchElse {
		r.warn("other programs used the processors while it was measured: see the column others")
	}
}

// beside adds the ratio of a server's rate to that of the stretch.
func (s *Stretch) beside(server float64) {
	if s.Ratio == nil {
		s.Ratio = new(Sample)
	}
	s.Ratio.add(server / s.Rate.last())
}

// settle comes before a warming up, not after it: the first change of a page after a
// checkpoint costs more than the next, and in ordinary times checkpoints are rare.
func (r *run) settle(ctx context.Context) {
	if !r.postgres.settle(ctx) {
		r.warn("the role may not CHECKPOINT: a stretch may pay for what one before it has written")
	}
}
