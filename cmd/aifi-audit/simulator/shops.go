// Package simulator makes believable traffic of a few autonomous shops, as AiFi
// would push it, and sends it to a server. The same configuration makes the same
// traffic, byte for byte.
package simulator

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// Config of a simulated chain of shops.
type Config struct {
	Seed      uint64
	Stores    int       // shops; at least 1
	Start     time.Time // simulated time of the first webhook
	Rate      float64   // webhooks a simulated second, on average; 0 is 10
	Malformed float64   // share, from 0 to 1, of webhooks with a malformed body
	Visitors  int       // sessions that are open at a time, in all shops together; 0 is 40
}

// Delivery is one webhook as AiFi would send it.
type Delivery struct {
	At        time.Time // simulated time of issue; never goes back
	Webhook   string    // the path below /api/push/
	Body      []byte
	Malformed bool
}

const (
	visitorsAtOnce   = 40
	redeliveries     = 0.03
	lateArrivals     = 0.02
	recentDeliveries = 64
)

// Shops is an endless source of deliveries, for one goroutine.
type Shops struct {
	config   Config
	rnd      *rand.Rand
	now      time.Time
	shops    []shop
	products []string
	visits   []*visit
	recent   []statement // to be sent again
	serial   int64
}

type shop struct {
	id       int64
	external string
	unique   string
	gondolas []int64
}

// New opens the shops.
func New(c Config) *Shops {
	if c.Stores < 1 {
		c.Stores = 1
	}
	if c.Rate <= 0 {
		c.Rate = 10
	}
	if c.Visitors < 1 {
		c.Visitors = visitorsAtOnce
	}
	s := &Shops{config: c, rnd: rand.New(rand.NewPCG(c.Seed, 0xa1f1)), now: c.Start.UTC().Truncate(time.Millisecond)} //nolint:gosec // traffic is no secret
	for i := range c.Stores {
		sh := shop{id: int64(101 + i), external: fmt.Sprintf("SHOP-%03d", i+1), unique: s.uuid()}
		for g := range 6 {
			sh.gondolas = append(sh.gondolas, int64(1000*(i+1)+g))
		}
		s.shops = append(s.shops, sh)
	}
	for i := range 40 {
		s.products = append(s.products, gtin13(fmt.Sprintf("50%07d%03d", 1234567, i)))
	}
	return s
}

// gtin13 appends the check digit to twelve digits.
func gtin13(digits string) string {
	sum := 0
	for i, c := range digits {
		weight := 1
		if i%2 == 1 {
			weight = 3
		}
		sum += int(c-'0') * weight
	}
	return fmt.Sprintf("%s%d", digits, (10-sum%10)%10)
}

// Next is the next webhook of any of the shops.
func (s *Shops) Next() Delivery {
	s.now = s.now.Add(time.Duration(s.rnd.ExpFloat64() / s.config.Rate * float64(time.Second)))
	var st statement
	if len(s.recent) > 0 && s.rnd.Float64() < redeliveries {
		st = s.recent[s.rnd.IntN(len(s.recent))]
	} else {
		st = s.happen()
		if len(s.recent) < recentDeliveries {
			s.recent = append(s.recent, st)
		} else {
			s.recent[s.rnd.IntN(recentDeliveries)] = st
		}
	}
	d := Delivery{At: s.now, Webhook: st.webhook, Body: st.issued(s.now)}
	if s.rnd.Float64() < s.config.Malformed {
		d.Malformed = true
		d.Body = s.malform(d.Body)
	}
	return d
}

// happen lets somebody do something: arrive if there is room, else go on.
func (s *Shops) happen() statement {
	if len(s.visits) < s.config.Visitors && (len(s.visits) == 0 || s.rnd.IntN(6) == 0) {
		v := s.arrive()
		s.visits = append(s.visits, v)
	}
	i := s.rnd.IntN(len(s.visits))
	v := s.visits[i]
	st := v.step(s)
	if v.done() {
		s.visits = append(s.visits[:i], s.visits[i+1:]...)
	}
	return st
}

func (s *Shops) number() int64 { s.serial++; return s.serial }

func (s *Shops) uuid() string {
	a, b := s.rnd.Uint64(), s.rnd.Uint64()
	return fmt.Sprintf("%08x-%04x-4%03x-%04x-%012x", a>>32, a>>16&0xffff, a&0xfff, b>>48&0x3fff|0x8000, b&0xffffffffffff)
}

// product is popular or not, as in a shop.
func (s *Shops) product() string {
	return s.products[int(float64(len(s.products))*s.rnd.Float64()*s.rnd.Float64())]
}

var malformations = []func(body []byte) []byte{
	func(b []byte) []byte { return b[:len(b)/2] },
	func([]byte) []byte { return nil },
	func([]byte) []byte { return []byte("<html><body>502 Bad Gateway</body></html>") },
	func([]byte) []byte { return []byte(`{"productIds":{"a":1},"storeId":"many"}`) },
	func([]byte) []byte { return []byte(`{"storeId":[1,2],"sessionId":"s"}`) },
	func([]byte) []byte { return []byte("[]") },
	func([]byte) []byte { return []byte("\xff\xfe{\x00}\x00") },
}

func (s *Shops) malform(body []byte) []byte {
	return malformations[s.rnd.IntN(len(malformations))](body)
}
