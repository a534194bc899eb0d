package simulator

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// RunConfig says where to send, and how much.
type RunConfig struct {
	URL         string // of the server, without /api/push/
	Token       string
	Rate        float64       // deliveries a second; 0 is as fast as the server answers
	OnTime      bool          // each not before its simulated time, which at a steady rate drifts away from the clock
	Duration    time.Duration // 0 is until the context ends
	Count       int           // deliveries; 0 is no limit
	Connections int           // 0 is 32
	RunID       string        // sent as X-Correlation-Id, by which the run's deliveries are known again; may be empty

	Progress func(Report)           // called about once a second, with what is cheap to know; may be nil
	Answered func(Delivery, Answer) // called for each delivery, by several goroutines; may be nil
}

// Answer is what became of a delivery, as far as the sender knows.
type Answer struct {
	Sent       time.Time // when sending began
	Received   time.Time // when the answer was there
	Status     int       // of HTTP; 0 if there was no answer
	State      string    // what the server says: stored, duplicate, spooled, ...
	DeliveryID string    // not empty: the server says that it keeps the delivery
	Err        error     // why there was no answer
}

const (
	defaultConnections = 32
	requestTimeout     = 30 * time.Second
)

// Run sends what happens in the shops until the context, the duration or the count
// ends. Requests under way are finished. Errors of sending are counted, not returned.
func Run(ctx context.Context, shops *Shops, c RunConfig) Report {
	if c.Connections == 0 {
		c.Connections = defaultConnections
	}
	if c.Duration > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.Duration)
		defer cancel()
	}
	s := &sender{
		config: c, tally: newTally(),
		client: &http.Client{Timeout: requestTimeout, Transport: &http.Transport{MaxIdleConnsPerHost: c.Connections, MaxConnsPerHost: c.Connections}},
	}
	deliveries := make(chan Delivery)
	var senders sync.WaitGroup
	for range c.Connections {
		senders.Go(func() {
			for d := range deliveries {
				s.send(d)
			}
		})
	}
	reporting, done := context.WithCancel(context.Background())
	var reporter sync.WaitGroup
	if c.Progress != nil {
		reporter.Go(func() { s.report(reporting) })
	}
	feed(ctx, shops, c, deliveries)
	close(deliveries)
	senders.Wait()
	done()
	reporter.Wait()
	s.client.CloseIdleConnections()
	return s.tally.report()
}

// feed hands out deliveries at the rate asked for, or when they happen.
func feed(ctx context.Context, shops *Shops, c RunConfig, deliveries chan<- Delivery) {
	limit := rate.Inf
	if c.Rate > 0 {
		limit = rate.Limit(c.Rate)
	}
	limiter := rate.NewLimiter(limit, 1)
	for n := 0; c.Count == 0 || n < c.Count; n++ {
		if limiter.Wait(ctx) != nil {
			return
		}
		d := shops.Next()
		if c.OnTime {
			select {
			case <-time.After(time.Until(d.At)):
			case <-ctx.Done():
				return
			}
		}
		select {
		case deliveries <- d:
		case <-ctx.Done():
			return
		}
	}
}

type sender struct {
	config RunConfig
	client *http.Client
	tally  *tally
}

func (s *sender) report(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			s.config.Progress(s.tally.progress())
		case <-ctx.Done():
			return
		}
	}
}

func (s *sender) send(d Delivery) {
	a := Answer{Sent: time.Now()}
	a.Err = s.post(d, &a)
	a.Received = time.Now()
	s.tally.add(d, a)
	if s.config.Answered != nil {
		s.config.Answered(d, a)
	}
}

// post sends a delivery and reads the answer. One that breaks off is none.
func (s *sender) post(d Delivery, a *Answer) error {
	url := strings.TrimSuffix(s.config.URL, "/") + "/api/push/" + d.Webhook
	r, err := http.NewRequest(http.MethodPost, url, bytes.NewReader(d.Body))
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+s.config.Token)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "aifi-audit-simulate")
	if s.config.RunID != "" {
		r.Header.Set("X-Correlation-Id", s.config.RunID)
	}
	resp, err := s.client.Do(r)
	if err != nil {
		return err
	}
	body, err := io.ReadAll(resp.Body)
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		return err
	}
	var answer struct {
		Status     any    `json:"status"` // a number in problem details
		DeliveryID string `json:"deliveryId"`
	}
	if json.Unmarshal(body, &answer) == nil {
		a.State, _ = answer.Status.(string)
		a.DeliveryID = answer.DeliveryID
	}
	a.Status = resp.StatusCode
	return nil
}
