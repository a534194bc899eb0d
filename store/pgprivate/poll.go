package pgprivate

import (
	"context"
	"time"
)

// Files and other people's processes send no word when they change, so some states
// are looked at again and again: often at first, then less.
const (
	firstPoll = 5 * time.Millisecond
	lastPoll  = 200 * time.Millisecond
)

type poll struct {
	ticker *time.Ticker
	every  time.Duration
}

func newPoll() *poll { return &poll{ticker: time.NewTicker(firstPoll), every: firstPoll} }

func (p *poll) stop() { p.ticker.Stop() }

// wait returns an error only if ctx ends first.
func (p *poll) wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-p.ticker.C:
	}
	p.every = min(p.every*3/2, lastPoll)
	p.ticker.Reset(p.every)
	return nil
}
