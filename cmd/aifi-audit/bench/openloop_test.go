package bench

import (
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"
)

// A server that pauses is felt by all that come meanwhile, not by one request alone.
func TestOpenLoopCountsFromThePlannedInstant(t *testing.T) {
	const pause = 200 * time.Millisecond
	first := make(chan struct{}, 1)
	first <- struct{}{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.ReadAll(r.Body)
		select {
		case <-first:
			<-time.After(pause)
		default:
		}
		w.WriteHeader(http.StatusOK)
	}))
	defer server.Close()
	senders := sendersTo(server.URL, 1)
	defer closeAll(senders)
	webhooks := slices.Repeat([]webhook{{request: post("tracking", "token", []byte("{}"))}}, 20)
	at := make([]time.Duration, len(webhooks))
	for i := range at {
		at[i] = time.Duration(i) * time.Millisecond
	}
	o, err := openLoop(t.Context(), senders, webhooks, at)
	if err != nil {
		t.Fatal(err)
	}
	if len(o.times) != len(webhooks) || o.answers[http.StatusOK] != len(webhooks) {
		t.Fatalf("of %d webhooks %d were sent, and answered %v", len(webhooks), len(o.times), o.answers)
	}
	if least := pause - at[len(at)-1]; o.times[0] < least {
		t.Errorf("a webhook that came during the pause waited %s, and cannot have waited less than %s", o.times[0], least)
	}
}

func TestOpenLoopTellsWhyItEnds(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	defer server.Close()
	senders := sendersTo(server.URL, 2)
	defer closeAll(senders)
	webhooks := slices.Repeat([]webhook{{request: post("tracking", "token", []byte("{}"))}}, 5)
	if _, err := openLoop(t.Context(), senders, webhooks, make([]time.Duration, 5)); err == nil {
		t.Error("connections that break are no error of an open loop")
	}
	senders = sendersTo(server.URL, 2)
	defer closeAll(senders)
	if _, err := closedLoop(t.Context(), senders, webhooks, time.Minute); err == nil {
		t.Error("connections that break are no error of a closed loop")
	}
}

func TestArrivals(t *testing.T) {
	const rate, seconds = 1000, 50
	at := arrivals(1, rate, seconds*time.Second)
	if !slices.IsSorted(at) || at[0] < 0 || at[len(at)-1] >= seconds*time.Second {
		t.Errorf("arrivals lie from %s to %s", at[0], at[len(at)-1])
	}
	// Their number varies by its root, which is 224.
	if n := len(at); n < rate*seconds-1200 || n > rate*seconds+1200 {
		t.Errorf("there are %d arrivals", n)
	}
	if !slices.Equal(at, arrivals(1, rate, seconds*time.Second)) {
		t.Error("the same seed makes other arrivals")
	}
}
