package spool

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
)

const benchPayload = 2 << 10

// BenchmarkAppend beside what the disk does for one goroutine that writes and syncs.
func BenchmarkAppend(b *testing.B) {
	payload := bytes.Repeat([]byte("p"), benchPayload)
	b.Run("limit", func(b *testing.B) {
		f, err := os.Create(filepath.Join(b.TempDir(), "file"))
		must(b, err)
		frame := newFrame(payload, testNow())
		b.SetBytes(int64(len(frame)))
		for b.Loop() {
			_, err := f.Write(frame)
			must(b, err)
			must(b, f.Sync())
		}
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
		must(b, f.Close())
	})
	for _, callers := range []int{1, 8, 64} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			s := mustOpen(b, Config{Dir: b.TempDir()})
			b.SetBytes(headerBytes + benchPayload)
			var left atomic.Int64
			left.Store(int64(b.N))
			b.ResetTimer()
			var group sync.WaitGroup
			for range callers {
				group.Go(func() {
					for left.Add(-1) >= 0 {
						if err := s.Append(b.Context(), payload); err != nil {
							b.Error(err)
						}
					}
				})
			}
			group.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
			b.ReportMetric(float64(s.Stats().Syncs)/float64(b.N), "fsyncs/record")
		})
	}
}

// BenchmarkDrain beside reading the same files without looking at them.
func BenchmarkDrain(b *testing.B) {
	const records = 20_000
	payload := bytes.Repeat([]byte("p"), benchPayload)
	fill := func(dir string) *Spool {
		s := mustOpen(b, Config{Dir: dir})
		var group sync.WaitGroup
		for range 50 {
			group.Go(func() {
				for range records / 50 {
					if err := s.Append(b.Context(), payload); err != nil {
						b.Error(err)
					}
				}
			})
		}
		group.Wait()
		return s
	}
	rate := func(b *testing.B) {
		b.ReportMetric(float64(b.N)*records/b.Elapsed().Seconds(), "records/s")
	}
	b.Run("limit", func(b *testing.B) {
		dir := b.TempDir()
		must(b, fill(dir).Close())
		for b.Loop() {
			for _, name := range names(b, dir) {
				_, err := os.ReadFile(filepath.Join(dir, name))
				must(b, err)
			}
		}
		rate(b)
	})
	b.Run("batches of 100", func(b *testing.B) {
		for range b.N {
			b.StopTimer()
			s := fill(b.TempDir())
			b.StartTimer()
			for n := 0; n < records; {
				batch := mustNext(b, s, 100, 1<<20)
				n += len(batch.Records)
				batch.Done()
			}
			b.StopTimer()
			must(b, s.Close())
		}
		rate(b)
	})
}
