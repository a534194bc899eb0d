package bench

import (
	"context"
	"errors"
	"net/http"
	"runtime"
)

// Latency is how long webhooks wait for their answer while they come on a schedule.
type Latency struct {
	Capacity float64  `json:"capacity"` // deliveries a second that the shares are of
	Levels   []*Level `json:"levels"`
}

// Level is a share of the capacity.
type Level struct {
	Share     float64 `json:"share"`
	Server    Times   `json:"server"`
	Target    *Target `json:"target,omitempty"` // of the server's p99
	HTTPAlone Times   `json:"httpAlone"`        // a server that does nothing else, at the same instants
}

// Times are milliseconds from the instant at which a webhook was to be sent until its
// answer was there.
type Times struct {
	Rate Sample `json:"rate"` // a second
	P50  Sample `json:"p50"`
	P99  Sample `json:"p99"`
	P999 Sample `json:"p999"`
	Max  Sample `json:"max"`
	// Late is the p99 of the part that was over before the webhook was sent: the client,
	// or all its connections, were busy.
	Late Sample `json:"late"`
}

// moreConnections is how many times more there are than in the closed loop: a sender that
// keeps a schedule must not wait for answers.
const moreConnections = 4

func levels() []*Level {
	return []*Level{
		{Share: 0.25},
		{Share: 0.50, Target: &Target{AtMost: 15}},
		{Share: 0.80, Target: &Target{AtMost: 50}},
	}
}

// latency measures the turns.
func (r *run) latency(ctx context.Context) error {
	m := &Latency{Levels: levels()}
	if r.report.Ingest != nil {
		m.Capacity = r.report.Ingest.Server.Rate.Median
	} else {
		r.doing("latency: the capacity")
		var once Ingest
		t, err := r.ingestTurn(ctx, 0, &once)
		if err != nil {
			return err
		}
		if err := r.postgres.drop(ctx, t.database); err != nil {
			return err
		}
		m.Capacity = once.Server.Rate.Median
	}
	r.report.Latency = m
	for turn := range r.Repetitions {
		if err := r.latencyTurn(ctx, turn, m); err != nil {
			return err
		}
	}
	return nil
}

// latencyTurn measures all levels, on a server and a database that are theirs.
func (r *run) latencyTurn(ctx context.Context, turn int, m *Latency) (err error) {
	name, url, err := r.postgres.fresh(ctx)
	if err != nil {
		return err
	}
	server, err := r.serve(ctx, url)
	if err != nil {
		return err
	}
	peer, err := r.start(ctx, "bench-peer")
	if err != nil {
		return errors.Join(err, server.stop())
	}
	err = r.levelsTurn(ctx, turn, m, server, peer)
	if err = errors.Join(err, server.stop(), peer.stop()); err != nil {
		return err
	}
	return r.postgres.drop(ctx, name)
}

func (r *run) levelsTurn(ctx context.Context, turn int, m *Latency, server, peer *process) error {
	traffic := newTraffic(r.Config, uint64(turn), r.postgres.tokens.ingest) //nolint:gosec // not negative
	r.settle(ctx)
	toServer := sendersTo(server.url, r.Connections*moreConnections)
	defer closeAll(toServer)
	toPeer := sendersTo(peer.url, r.Connections*moreConnections)
	defer closeAll(toPeer)
	// Then all connections are there.
	for _, senders := range [][]sender{toServer, toPeer} {
		if _, err := closedLoop(ctx, senders, traffic.next(r.guess()), min(warmUp, r.Duration)); err != nil {
			return err
		}
	}
	for i, level := range m.Levels {
		r.doing("latency, turn %d of %d: at %.0f %%", turn+1, r.Repetitions, 100*level.Share)
		at := arrivals(uint64(turn*len(m.Levels)+i), m.Capacity*level.Share, r.Duration) //nolint:gosec // not negative
		webhooks := traffic.next(len(at))
		for _, side := range []struct {
			senders []sender
			times   *Times
		}{{toServer, &level.Server}, {toPeer, &level.HTTPAlone}} {
			runtime.GC()
			o, err := openLoop(ctx, side.senders, webhooks, at)
			if err != nil {
				return err
			}
			side.times.add(o)
			if n := len(o.sent) - o.answers[http.StatusOK]; n > 0 {
				r.warn("at %.0f %% of capacity, %d webhooks of a turn were not answered 200: %v", 100*level.Share, n, o.answers)
			}
		}
	}
	return nil
}

func (t *Times) add(o opened) {
	t.Rate.add(float64(len(o.sent)) / o.took.Seconds())
	t.P50.add(percentile(o.times, 50))
	t.P99.add(percentile(o.times, 99))
	t.P999.add(percentile(o.times, 99.9))
	t.Max.add(percentile(o.times, 100))
	t.Late.add(percentile(o.late, 99))
}
