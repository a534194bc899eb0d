package verify_test

import (
	"context"
	"io"
	"os"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	pgxuuid "github.com/vgarvardt/pgx-google-uuid/v5"

	"aifi-audit/store"
	"aifi-audit/store/internal/db"
	"aifi-audit/store/storetest"
	"aifi-audit/store/translog"
	"aifi-audit/store/verify"
)

func TestMain(m *testing.M) { os.Exit(storetest.Main(m)) }

// logged is a database with usual deliveries, all in its log.
func logged(t testing.TB, n int64) (url string, of verify.Source) {
	t.Helper()
	signer, verifier := storetest.LogKeys(t)
	url = storetest.URL(t)
	whole := make(chan struct{}, 1)
	s, err := store.Open(t.Context(), store.Config{DatabaseURL: url, Log: store.LogConfig{
		Signer: signer, Verifier: verifier,
		Published: func(_ context.Context, c translog.Checkpoint) {
			if c.N == n {
				whole <- struct{}{}
			}
		},
	}})
	if err != nil {
		t.Fatal(err)
	}
	storetest.RecordUsual(t, s, "../aifi/testdata/samples", n, nil)
	<-whole
	s.Close()
	storetest.SQL(t, url, "VACUUM ANALYZE", "CHECKPOINT")
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		t.Fatal(err)
	}
	config.AfterConnect = func(_ context.Context, conn *pgx.Conn) error {
		pgxuuid.Register(conn.TypeMap())
		return nil
	}
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return url, verify.Source{Pool: pool, Openers: 4, Queries: db.New(), Verifier: verifier, Now: time.Now()}
}

// A window finds nearly all leaves to be right, so that few must be looked at one by one.
func TestAWindowFindsWhatIsRight(t *testing.T) {
	const n = 600
	_, of := logged(t, n)
	h, err := of.LoadForHashing(t.Context(), n)
	if err != nil {
		t.Fatal(err)
	}
	// A sixteenth at each end may have been received some time apart from the others.
	if right := h.Run(); right < n*7/8-2 {
		t.Errorf("%d of %d leaves are right", right, n)
	}
}

// BenchmarkVerify compares a full verification with what it cannot do without: reading
// what it reads, and hashing it. The floor of reading is COPY of the tables as they lie.
//
//	go test ./store/verify -run '^$' -bench Verify -benchtime 300000x
func BenchmarkVerify(b *testing.B) {
	n := int64(b.N)
	url, of := logged(b, n)
	const hashed, rounds = 8192, 10
	hashing, err := of.LoadForHashing(b.Context(), min(n, hashed))
	if err != nil {
		b.Fatal(err)
	}
	perDelivery := func(name string, c storetest.Cost, n int64) {
		µs := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 / float64(n) }
		b.ReportMetric(µs(c.Program), name+"-program-µs")
		b.ReportMetric(µs(c.Database), name+"-database-µs")
	}
	b.ResetTimer()
	full := storetest.CostOf(b, url, func() {
		result, err := verify.Run(b.Context(), of, verify.Options{Found: func(f verify.Finding) { b.Error(f) }})
		if err != nil || !result.Clean() || result.Leaves != n {
			b.Fatal(result, err)
		}
	})
	b.StopTimer()
	reading := storetest.CostOf(b, url, func() {
		if err := of.Read(b.Context(), n); err != nil {
			b.Fatal(err)
		}
	})
	copier, err := pgx.Connect(b.Context(), url) // its time counts as long as it is there
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = copier.Close(context.Background()) }()
	copied := storetest.CostOf(b, url, func() { copyOut(b, copier) })
	right := 0
	inMemory := storetest.CostOf(b, url, func() {
		for range rounds {
			right = hashing.Run()
		}
	})
	if int64(right) < min(n, hashed)*9/10 {
		b.Errorf("%d leaves are right", right)
	}
	b.ReportMetric(float64(n)/full.Wall.Seconds(), "verified/s")
	b.ReportMetric(full.Processors().Seconds()/reading.Processors().Seconds(), "of-reading")
	b.ReportMetric(full.Wall.Seconds()/reading.Wall.Seconds(), "of-reading's-time")
	perDelivery("full", full, n)
	perDelivery("reading", reading, n)
	perDelivery("COPY", copied, n)
	b.ReportMetric(float64(inMemory.Program.Nanoseconds())/1000/float64(rounds*right), "hashing-µs")
}

// copyOut reads the tables that a verification reads, by COPY, and throws them away.
func copyOut(b *testing.B, conn *pgx.Conn) {
	b.Helper()
	for _, table := range []string{"log_leaves", "deliveries", "delivery_bodies", "events", "event_flags", "event_products", "event_gondolas", "quarantine"} {
		if _, err := conn.PgConn().CopyTo(b.Context(), io.Discard, "COPY (SELECT * FROM "+table+") TO STDOUT (FORMAT binary)"); err != nil {
			b.Fatal(err)
		}
	}
}
