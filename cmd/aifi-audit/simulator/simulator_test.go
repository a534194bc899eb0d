package simulator_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"aifi-audit/cmd/aifi-audit/simulator"
)

func config(seed uint64) simulator.Config {
	return simulator.Config{Seed: seed, Stores: 3, Start: time.Date(2026, 1, 2, 8, 0, 0, 0, time.UTC), Malformed: 0.05}
}

func TestTheSameSeedMakesTheSameTraffic(t *testing.T) {
	a, b, other := simulator.New(config(1)), simulator.New(config(1)), simulator.New(config(2))
	differs := false
	var last time.Time
	for range 2000 {
		x, y, z := a.Next(), b.Next(), other.Next()
		if x.Webhook != y.Webhook || string(x.Body) != string(y.Body) || x.At != y.At {
			t.Fatalf("%s and %s", x.Body, y.Body)
		}
		differs = differs || string(x.Body) != string(z.Body)
		if x.At.Before(last) {
			t.Fatal("time goes back")
		}
		last = x.At
		if !x.Malformed && !json.Valid(x.Body) {
			t.Fatalf("not JSON: %s", x.Body)
		}
	}
	if !differs {
		t.Error("another seed makes the same traffic")
	}
}

func TestNothingIsSentBeforeItHappens(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	c := config(1)
	c.Start, c.Rate = time.Now(), 200
	var sent atomic.Int64
	simulator.Run(t.Context(), simulator.New(c), simulator.RunConfig{URL: server.URL, OnTime: true, Count: 100, Answered: func(d simulator.Delivery, a simulator.Answer) {
		sent.Add(1)
		if a.Sent.Before(d.At) {
			t.Errorf("what happens at %s was sent at %s", d.At, a.Sent)
		}
	}})
	if sent.Load() != 100 {
		t.Errorf("%d were sent", sent.Load())
	}
}

func BenchmarkNext(b *testing.B) {
	s := simulator.New(config(1))
	for b.Loop() {
		s.Next()
	}
}
