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
	Duration    time.Duration // 0 is until the context ends
	Count       int           // deliveries; 0 is no limit
	Connections int           // 0 is 32
	Progress    func(Report)  // called about once a second; may be nil
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

// feed hands out deliveries at the rate asked for.
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
		select {
		case deliveries <- shops.Next():
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
			s.config.Progress(s.tally.report())
		case <-ctx.Done():
			return
		}
	}
}

func (s *sender) send(d Delivery) {
	start := time.Now()
	status, state, err := s.post(d)
	s.tally.add(d, status, state, err, time.Since(start))
}

// post gives the status and what the server says became of the delivery.
func (s *sender) post(d Delivery) (status int, state string, err error) {
	url := strings.TrimSuffix(s.config.URL, "/") + "/api/push/" + d.Webhook
	r, err := http.NewRequest(http.MethodPost, url, bytes.NewReader(d.Body))
	if err != nil {
		return 0, "", err
	}
	r.Header.Set("Authorization", "Bearer "+s.config.Token)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "aifi-audit-simulate")
	resp, err := s.client.Do(r)
	if err != nil {
		return 0, "", err
	}
	body, err := io.ReadAll(resp.Body)
	err = errors.Join(err, resp.Body.Close())
	var answer struct {
		Status any `json:"status"`
	}
	if json.Unmarshal(body, &answer) == nil {
		state, _ = answer.Status.(string)
	}
	return resp.StatusCode, state, err
}
