package spool

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func mustOpen(t testing.TB, config Config) *Spool {
	t.Helper()
	s, err := Open(config)
	must(t, err)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func mustAppend(t testing.TB, s *Spool, payloads ...string) {
	t.Helper()
	for _, p := range payloads {
		must(t, s.Append(t.Context(), []byte(p)))
	}
}

func mustNext(t testing.TB, s *Spool, records, size int) *Batch {
	t.Helper()
	b, err := s.Next(t.Context(), records, size)
	must(t, err)
	return b
}

func texts(b *Batch) []string {
	var all []string
	for _, r := range b.Records {
		all = append(all, string(r.Payload))
	}
	return all
}

func wantTexts(t testing.TB, b *Batch, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, texts(b)); diff != "" {
		t.Fatalf("records (-want +got):\n%s", diff)
	}
}

// names are the files in the spool's directory, without the lock.
func names(t testing.TB, dir string) []string {
	t.Helper()
	files, err := osFS{}.List(dir)
	must(t, err)
	var all []string
	for _, f := range files {
		if f.Name != "lock" {
			all = append(all, f.Name)
		}
	}
	return all
}
