package store_test

import (
	"context"
	"crypto/rand"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"golang.org/x/mod/sumdb/tlog"

	"aifi-audit/store"
	"aifi-audit/store/aifi"
	"aifi-audit/store/storetest"
	"aifi-audit/store/translog"
)

// samples is where AiFi's are, of each webhook one.
const samples = "aifi/testdata/samples"

// BenchmarkLog compares, in pairs, ingest while nobody sequences with ingest while this
// process does: by the time of processors, its own and PostgreSQL's, until all is under a
// signed checkpoint. It tells how long a delivery waited for that at most.
//
//	go test ./store -run '^$' -bench 'Log$' -benchtime 10x
func BenchmarkLog(b *testing.B) {
	const n = 10_000
	var more, waited []float64
	var bytes float64
	for b.Loop() {
		queuedURL := storetest.URL(b)
		queued, err := store.Open(b.Context(), store.Config{DatabaseURL: queuedURL})
		if err != nil {
			b.Fatal(err)
		}
		without := storetest.CostOf(b, queuedURL, func() { storetest.RecordUsual(b, queued, samples, n, nil) })
		queued.Close()

		d := newSigned(b)
		s, published := d.open(b)
		kept := make([]atomic.Int64, n)
		covered := make(chan float64, 1)
		with := storetest.CostOf(b, d.url, func() {
			go func() { covered <- longestWait(b, published, kept) }()
			storetest.RecordUsual(b, s, samples, n, func(i int64) { kept[i].Store(time.Now().UnixNano()) })
			waited = append(waited, <-covered)
		})
		bytes = size(b, d.url, "log_leaves", "log_tiles", "log_checkpoints", "log_state") / n
		s.Close()
		more = append(more, 100*(with.Processors().Seconds()/without.Processors().Seconds()-1))
	}
	slices.Sort(more)
	b.ReportMetric(more[len(more)/2], "%-more-processors")
	b.ReportMetric(more[len(more)/4], "%-lower-quartile")
	b.ReportMetric(more[len(more)*3/4], "%-upper-quartile")
	b.ReportMetric(slices.Max(waited), "s-to-checkpoint-at-most")
	b.ReportMetric(bytes, "B/leaf")
}

// longestWait is how many seconds passed at most between the time when so many deliveries
// were kept and a checkpoint of as many.
func longestWait(b *testing.B, published <-chan translog.Checkpoint, kept []atomic.Int64) (seconds float64) {
	for size := int64(0); size < int64(len(kept)); {
		c := wait(b, published, size+1)
		for ; size < c.N; size++ {
			if at := kept[size].Load(); at != 0 {
				seconds = max(seconds, time.Since(time.Unix(0, at)).Seconds())
			}
		}
	}
	return seconds
}

func size(b *testing.B, url string, tables ...string) float64 {
	b.Helper()
	total := 0.0
	for _, t := range tables {
		n, err := strconv.ParseFloat(storetest.Query(b, url, "SELECT pg_total_relation_size($1::text::regclass)", t)[0], 64)
		if err != nil {
			b.Fatal(err)
		}
		total += n
	}
	return total
}

// BenchmarkSequencer drains a queue of full batches.
func BenchmarkSequencer(b *testing.B) {
	const batches, perBatch = 2000, 256
	for b.Loop() {
		d := newSigned(b)
		conn, err := pgx.Connect(b.Context(), d.url)
		if err != nil {
			b.Fatal(err)
		}
		rows := make([][]any, batches)
		for i := range rows {
			leaves := make([][]byte, perBatch)
			for j := range leaves {
				id, err := store.NewDeliveryID()
				if err != nil {
					b.Fatal(err)
				}
				l := translog.Leaf{Kind: translog.Delivery, ID: id, At: store.ReceivedAt(id), StoreID: 7, Webhook: "restricted-products-interactions"}
				_, _ = rand.Read(l.Body[:])
				_, _ = rand.Read(l.Facts[:])
				leaves[j] = l.Append(nil)
			}
			rows[i] = []any{leaves}
		}
		if _, err := conn.CopyFrom(b.Context(), pgx.Identifier{"log_queue"}, []string{"leaves"}, pgx.CopyFromRows(rows)); err != nil {
			b.Fatal(err)
		}
		_ = conn.Close(b.Context())
		start := time.Now()
		s, published := d.open(b)
		wait(b, published, batches*perBatch)
		b.ReportMetric(batches*perBatch/time.Since(start).Seconds(), "leaves/s")
		s.Close()
	}
}

// BenchmarkInclusionProof proves deliveries of a log of ten million leaves. The leaves
// before them are made up: a proof does not read what they are about.
func BenchmarkInclusionProof(b *testing.B) {
	const leaves = 10_000_000
	d := newSigned(b)
	lay(b, d, leaves)
	s, published := d.open(b)
	defer s.Close()
	var ids []uuid.UUID
	for i := range 300 {
		ids = append(ids, recordOne(b, s, aifi.RestrictedProductsInteractions, alcohol(i), store.Scope{}))
	}
	wait(b, published, leaves+int64(len(ids)))
	var took []time.Duration
	for b.Loop() {
		start := time.Now()
		if _, _, err := s.ProveDelivery(b.Context(), store.Scope{}, ids[len(took)%len(ids)]); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(start))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "ms-median")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "ms-p99")
}

// lay writes a log of made-up leaves straight into the tables, and signs it.
func lay(b *testing.B, d signed, n int64) {
	b.Helper()
	conn, err := pgx.Connect(b.Context(), d.url)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	var edge translog.Edge
	var tiles [][]any
	at, ids := time.Now().AddDate(-1, 0, 0), make([]byte, 17*translog.TileWidth)
	rows := pgx.CopyFromFunc(func() ([]any, error) {
		first := edge.Size()
		if first >= n {
			return nil, nil
		}
		width := min(n-first, translog.TileWidth)
		var hashes []byte
		for range width {
			h := tlog.RecordHash(strconv.AppendInt(nil, edge.Size(), 10))
			hashes = append(hashes, h[:]...)
			for _, t := range edge.Append(h) {
				tiles = append(tiles, []any{int16(t.Level), t.N, t.Hash[:]})
			}
		}
		at = at.Add(time.Second)
		return []any{first, ids[:17*width], hashes, at, at.Add(time.Second)}, nil
	})
	if _, err := conn.CopyFrom(b.Context(), pgx.Identifier{"log_leaves"}, []string{"first_index", "ids", "hashes", "first_at", "last_at"}, rows); err != nil {
		b.Fatal(err)
	}
	if _, err := conn.CopyFrom(b.Context(), pgx.Identifier{"log_tiles"}, []string{"level", "n", "root"}, pgx.CopyFromRows(tiles)); err != nil {
		b.Fatal(err)
	}
	tree, err := edge.Tree()
	if err != nil {
		b.Fatal(err)
	}
	signer, err := translog.NewSigner(d.key)
	if err != nil {
		b.Fatal(err)
	}
	c, err := signer.Sign(tree)
	if err != nil {
		b.Fatal(err)
	}
	if _, err := conn.Exec(b.Context(), "INSERT INTO log_state VALUES (true, $1, $2, $3, now())", tree.N, tree.Hash[:], c.Note); err != nil {
		b.Fatal(err)
	}
	if _, err := conn.Exec(b.Context(), "ANALYZE log_leaves, log_tiles"); err != nil {
		b.Fatal(err)
	}
}
