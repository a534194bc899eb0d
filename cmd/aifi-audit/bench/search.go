package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// Search is what pages of lists take, over the API, as staff ask for them: with the
// check of the token and the entry in the access log, which is committed first.
type Search struct {
	Sizes   []int   `json:"sizes"` // events
	LookUps []*Page `json:"lookUps"`
	Pages   []*Page `json:"pages"`
	Growth  Target  `json:"growthTarget"`  // of Page.Growth
	PerLook Target  `json:"lookUpsTarget"` // of Page.LookUps
}

// Page is a page of a list, or a look-up.
type Page struct {
	Name  string   `json:"name"`
	Place string   `json:"place,omitempty"` // first, next or deep
	At    []AtSize `json:"at"`              // of Search.Sizes
	// Growth is the p50 at the largest size in those at the smallest; MoreBuffers is the
	// same of buffers, which no other program on the machine can change.
	Growth      float64 `json:"growth"`
	MoreBuffers float64 `json:"moreBuffers,omitempty"`
	// LookUps is the p50 at the largest size in those of a look-up over HTTP there.
	LookUps float64 `json:"lookUps,omitempty"`

	times [][]time.Duration // of each size
}

// AtSize is what a page takes at one size.
type AtSize struct {
	Events  int      `json:"events"`
	P50     float64  `json:"p50"` // milliseconds
	P99     float64  `json:"p99"`
	Bytes   int      `json:"bytes"`             // of the last answer
	Buffers *float64 `json:"buffers,omitempty"` // of 8 kB, touched by the statements of a request
	Depth   int      `json:"depth,omitempty"`   // rows before a deep page
}

const (
	lookUp = "SELECT * FROM events WHERE store_id = $1 AND kind = $2 AND occurred_at = $3 AND id = $4"

	deepStep      = 1000 // rows
	deepSteps     = 20
	warmRequests  = 5
	countRequests = 5 // by which buffers are counted
)

// search measures pages at all sizes, in turns: a page of one size, of the next, and a
// look-up of each.
func (r *run) search(ctx context.Context) error {
	if err := r.fill(ctx); err != nil {
		return err
	}
	m := &Search{Sizes: r.Events, Growth: Target{AtMost: 1.3}, PerLook: Target{AtMost: 5}}
	byKey, overHTTP := r.newPage("look-up, pgx", ""), r.newPage("look-up, HTTP", "")
	m.LookUps = []*Page{byKey, overHTTP}
	for n, c := range searchCases {
		r.doing("search: %s", c.name())
		pages, err := r.searchOne(ctx, c, uint64(n), byKey, overHTTP)
		if err != nil {
			return fmt.Errorf("%s: %w", c.name(), err)
		}
		m.Pages = append(m.Pages, pages...)
	}
	for _, p := range slices.Concat(m.LookUps, m.Pages) {
		p.conclude(overHTTP)
	}
	r.report.Search = m
	if !r.postgres.watching {
		r.warn("PostgreSQL has no pg_stat_statements, or does not preload it: buffers are not told")
	}
	return nil
}

func (r *run) newPage(name, place string) *Page {
	p := &Page{Name: name, Place: place, times: make([][]time.Duration, len(r.filled))}
	for _, f := range r.filled {
		p.At = append(p.At, AtSize{Events: f.events})
	}
	return p
}

// conclude makes figures of times. overHTTP is concluded first.
func (p *Page) conclude(overHTTP *Page) {
	for i := range p.At {
		slices.Sort(p.times[i])
		p.At[i].P50, p.At[i].P99 = percentile(p.times[i], 50), percentile(p.times[i], 99)
	}
	last := len(p.At) - 1
	p.Growth = p.At[last].P50 / p.At[0].P50
	if least, most := p.At[0].Buffers, p.At[last].Buffers; least != nil && most != nil && *least > 0 {
		p.MoreBuffers = *most / *least
	}
	if p.Place != "" {
		p.LookUps = p.At[last].P50 / overHTTP.At[last].P50
	}
}

// searchOne measures the pages of one list and filter.
func (r *run) searchOne(ctx context.Context, c searchCase, seed uint64, byKey, overHTTP *Page) ([]*Page, error) {
	first, next, deep := r.newPage(c.name(), "first"), r.newPage(c.name(), "next"), r.newPage(c.name(), "deep")
	deepTargets := make([]string, len(r.filled))
	for i, f := range r.filled {
		var err error
		if deepTargets[i], deep.At[i].Depth, err = r.findDeep(c, seed, f); err != nil {
			return nil, err
		}
	}
	for n := range warmRequests + r.Requests {
		warm := n < warmRequests
		for i, f := range r.filled {
			// The same draws at each size.
			rnd := rand.New(rand.NewPCG(seed, uint64(n))) //nolint:gosec // no secret
			target := c.target(rnd, f)
			cursor, err := r.ask(f, first, i, warm, target)
			if err == nil && cursor != "" {
				_, err = r.ask(f, next, i, warm, withCursor(target, cursor))
			}
			if err == nil && deepTargets[i] != "" {
				_, err = r.ask(f, deep, i, warm, deepTargets[i])
			}
			if err == nil {
				err = f.lookUp(ctx, byKey, overHTTP, i, warm, rnd)
			}
			if err != nil {
				return nil, err
			}
		}
	}
	var pages []*Page
	for _, p := range []*Page{first, next, deep} {
		if slices.ContainsFunc(p.times, func(t []time.Duration) bool { return len(t) == 0 }) {
			continue // the list is too short at some size
		}
		pages = append(pages, p)
	}
	return pages, r.countBuffers(ctx, c, seed, pages, deepTargets)
}

// ask asks for a page, and gives the cursor of the next.
func (r *run) ask(f *filled, p *Page, size int, warm bool, target string) (cursor string, err error) {
	start := time.Now()
	body, err := f.toServer.get(target, r.postgres.tokens.read)
	took := time.Since(start)
	if err != nil {
		return "", err
	}
	if !warm {
		p.times[size] = append(p.times[size], took)
		p.At[size].Bytes = len(body)
	}
	return nextCursor(body)
}

// findDeep walks down a list, and gives what asks for the page there; empty if the list
// has no second page.
func (r *run) findDeep(c searchCase, seed uint64, f *filled) (target string, depth int, err error) {
	target = c.target(rand.New(rand.NewPCG(seed, 0)), f) //nolint:gosec // no secret
	steps := with(target, "limit="+fmt.Sprint(deepStep))
	var cursor string
	for _, step := range []string{target, steps} {
		body, err := f.toServer.get(step, r.postgres.tokens.read)
		if err != nil {
			return "", 0, err
		}
		if cursor, err = nextCursor(body); err != nil || cursor == "" {
			return "", 0, err // all is on the first page
		}
	}
	for depth = deepStep; depth < deepStep*deepSteps; depth += deepStep {
		body, err := f.toServer.get(withCursor(steps, cursor), r.postgres.tokens.read)
		if err != nil {
			return "", 0, err
		}
		further, err := nextCursor(body)
		if err != nil {
			return "", 0, err
		}
		if further == "" {
			break // the page before the last is as deep as it gets
		}
		cursor = further
	}
	return withCursor(target, cursor), depth, nil
}

// lookUp looks an event up by its key, in both ways.
func (f *filled) lookUp(ctx context.Context, byKey, overHTTP *Page, size int, warm bool, rnd *rand.Rand) error {
	key := f.keys[rnd.IntN(len(f.keys))]
	start := time.Now()
	rows, err := f.toDatabase.Query(ctx, lookUp, key.storeID, key.kind, key.occurredAt, key.id)
	if err != nil {
		return err
	}
	if _, err := pgx.CollectExactlyOneRow(rows, pgx.RowToMap); err != nil {
		return fmt.Errorf("looking an event up: %w", err)
	}
	took := time.Since(start)
	target := "/event?" + url.Values{
		"storeId": {fmt.Sprint(key.storeID)}, "kind": {key.kind}, "occurredAt": {key.occurredAt.UTC().Format(time.RFC3339Nano)}, "id": {uuid.UUID(key.id).String()},
	}.Encode()
	start = time.Now()
	body, err := f.toPeer.get(target, "")
	if err != nil {
		return err
	}
	if !warm {
		byKey.times[size] = append(byKey.times[size], took)
		overHTTP.times[size] = append(overHTTP.times[size], time.Since(start))
		overHTTP.At[size].Bytes = len(body)
	}
	return nil
}

// countBuffers asks again, and looks at what the statements touch.
func (r *run) countBuffers(ctx context.Context, c searchCase, seed uint64, pages []*Page, deepTargets []string) error {
	if !r.postgres.watching {
		return nil
	}
	for i, f := range r.filled {
		for _, p := range pages {
			targets, err := r.targetsOf(c, p.Place, seed, f, deepTargets[i])
			if err != nil {
				return err
			}
			if len(targets) == 0 {
				continue
			}
			before, err := r.postgres.touched(ctx, f.name)
			if err != nil {
				return err
			}
			for _, target := range targets {
				if _, err := f.toServer.get(target, r.postgres.tokens.read); err != nil {
					return err
				}
			}
			after, err := r.postgres.touched(ctx, f.name)
			if err != nil {
				return err
			}
			buffers := float64(after-before) / float64(len(targets))
			p.At[i].Buffers = &buffers
		}
	}
	return nil
}

// targetsOf are some pages of a place.
func (r *run) targetsOf(c searchCase, place string, seed uint64, f *filled, deep string) (targets []string, err error) {
	for n := range countRequests {
		target := c.target(rand.New(rand.NewPCG(seed, uint64(n))), f) //nolint:gosec // no secret
		switch place {
		case "deep":
			target = deep
		case "next":
			body, err := f.toServer.get(target, r.postgres.tokens.read)
			if err != nil {
				return nil, err
			}
			cursor, err := nextCursor(body)
			if err != nil {
				return nil, err
			}
			if cursor == "" {
				continue
			}
			target = withCursor(target, cursor)
		}
		targets = append(targets, target)
	}
	return targets, nil
}

// get asks for something below the server's root, and gives the body of a good answer.
func (c *connection) get(target, token string) ([]byte, error) {
	response, err := c.open([]byte("GET " + target + " HTTP/1.1\r\nHost: audit.example.com\r\nAuthorization: Bearer " + token + "\r\n\r\n"))
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(response.Body)
	if closeErr := response.Body.Close(); err == nil {
		err = closeErr
	}
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("the answer is %s: %s", response.Status, body)
	}
	return body, err
}

func nextCursor(body []byte) (string, error) {
	var page struct {
		NextCursor string `json:"nextCursor"`
	}
	if err := json.Unmarshal(body, &page); err != nil {
		return "", fmt.Errorf("reading a page: %w", err)
	}
	return page.NextCursor, nil
}

func withCursor(target, cursor string) string { return with(target, "cursor="+url.QueryEscape(cursor)) }

// with adds a parameter.
func with(target, parameter string) string {
	if strings.Contains(target, "?") {
		return target + "&" + parameter
	}
	return target + "?" + parameter
}
