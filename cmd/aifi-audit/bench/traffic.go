package bench

import (
	"time"

	"aifi-audit/cmd/aifi-audit/simulator"
)

const (
	visitorsAtOnce = 20 // in each shop: webhooks of a session lie as far apart in a batch as they would
	webhooksAVisit = 8  // about
	simulatedRate  = 5000
	simulatedGap   = time.Second / simulatedRate
)

// webhook is a delivery that is ready to be sent.
type webhook struct {
	request []byte
	body    []byte // the end of request
}

// traffic makes the webhooks of simulated shops: all kinds that they cause, with the
// repetitions that AiFi sends.
type traffic struct {
	shops *simulator.Shops
	token string
}

// newTraffic opens the shops, and lets a time pass in which they fill.
func newTraffic(c Config, seed uint64, token string) *traffic {
	visitors := visitorsAtOnce * c.Stores
	filling := visitors * webhooksAVisit
	t := &traffic{token: token, shops: simulator.New(simulator.Config{
		Seed: seed, Stores: c.Stores, Rate: simulatedRate, Visitors: visitors,
		Start: c.Start.Add(-time.Duration(filling) * simulatedGap),
	})}
	for range filling {
		t.shops.Next()
	}
	return t
}

// next makes webhooks, so that making them takes no time while they are sent.
func (t *traffic) next(n int) []webhook {
	all := make([]webhook, n)
	for i := range all {
		d := t.shops.Next()
		request := post(d.Webhook, t.token, d.Body)
		all[i] = webhook{request: request, body: request[len(request)-len(d.Body):]}
	}
	return all
}

// bytesOf is the size of the bodies.
func bytesOf(webhooks []webhook) (n int64) {
	for _, w := range webhooks {
		n += int64(len(w.body))
	}
	return n
}
