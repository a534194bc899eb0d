package simulator

import (
	"encoding/json"
	"maps"
	"strconv"
	"time"
)

const alcoholFlag = "POTENTIALLY_INTERACTED_WITH_ALCOHOL"

// statement is a webhook before it is issued.
type statement struct {
	webhook string
	members map[string]any
}

// issued is the body at a time of issue. encoding/json sorts the members, so that
// the same seed gives the same bytes.
func (st statement) issued(at time.Time) []byte {
	members := maps.Clone(st.members)
	members["timeOfIssue"] = at
	body, err := json.Marshal(members)
	if err != nil {
		panic(err) // the members are ours: strings, numbers, times
	}
	return body
}

// visit is one shopping session, from the door to the door.
type visit struct {
	shop       shop
	session    map[string]any
	id         string
	customer   map[string]any
	shopper    string
	group      int
	drinks     bool
	plan       []func(*Shops) statement
	transition map[string]any // the last one's members
}

func (v *visit) done() bool { return len(v.plan) == 0 }

func (v *visit) step(s *Shops) statement {
	next := v.plan[0]
	v.plan = v.plan[1:]
	return next(s)
}

// arrive plans a visit: the webhooks that it will cause, in order.
func (s *Shops) arrive() *visit {
	v := &visit{shop: s.shops[int(float64(len(s.shops))*s.rnd.Float64()*s.rnd.Float64())], id: s.uuid(), shopper: s.uuid(), group: 1}
	if s.rnd.IntN(4) == 0 {
		v.group = 2 + s.rnd.IntN(3)
	}
	v.drinks = s.rnd.IntN(3) > 0
	number := s.number()
	customer := s.rnd.IntN(5000)
	v.customer = map[string]any{
		"id": s.customerID(customer), "externalId": s.uuid(), "role": "customer",
		"metadata": map[string]any{"loyalty": customer%3 == 0},
	}
	v.session = map[string]any{
		"createdAt": s.now, "updatedAt": s.now, "expiresAt": s.now.Add(4 * time.Hour), "id": number, "customerId": customer,
		"code": s.uuid(), "codeFirstSuccesfullyScannedAt": s.now, "codeLastSuccesfullyScannedAt": s.now,
		"customerFirstEnteredAt": nil, "customerLastEnteredAt": nil, "customerFirstExitedAt": nil, "customerLastExitedAt": nil,
		"customerPaymentInstrumentId": customer + 7, "customerSatisfaction": nil, "customerSatisfactionSubmitted": false,
		"groupSize": v.group, "visitors": 0, "locationId": v.shop.external, "priority": 0, "sessionToken": v.id, "sessionId": v.id,
		"referencedSessionId": nil, "status": "created", "storeId": v.shop.id, "storeIdScannableAt": v.shop.id,
		"suspectedFraud": false, "metadata": map[string]any{"events": []any{}}, "shoppingSessionFlags": []string{},
	}
	if s.rnd.IntN(5) == 0 {
		v.plan = append(v.plan, v.register)
	}
	for range v.group {
		v.plan = append(v.plan, v.enter)
	}
	if v.drinks {
		for range 1 + s.rnd.IntN(4) {
			v.plan = append(v.plan, v.handleAlcohol)
		}
	}
	if s.rnd.IntN(12) == 0 {
		v.plan = append(v.plan, v.alert)
	}
	if s.rnd.IntN(10) == 0 {
		v.plan = append(v.plan, v.track)
	}
	if s.rnd.IntN(60) == 0 {
		v.plan = append(v.plan, v.misplaced)
	}
	for range v.group {
		v.plan = append(v.plan, v.leave)
	}
	return v
}

// customerID is a number in old integrations and a string in new ones.
func (s *Shops) customerID(n int) any {
	if s.rnd.IntN(10) == 0 {
		return n
	}
	return strconv.Itoa(n)
}

// envelope is what all webhooks of the visit carry. One in fifty comes late.
func (v *visit) envelope(s *Shops) map[string]any {
	at := s.now
	if s.rnd.Float64() < lateArrivals {
		at = at.Add(-time.Duration(1+s.rnd.IntN(180)) * time.Minute)
	}
	var external any = v.shop.external
	if s.rnd.IntN(20) == 0 {
		external = nil
	}
	return map[string]any{
		"storeId": v.shop.id, "store": map[string]any{"oasisApiStoreId": v.shop.id, "aifiUniqueStoreId": v.shop.unique},
		"storeExternalId": external, "timeOfOrigin": at,
	}
}

// update changes the session's state and gives a copy of it.
func (v *visit) update(s *Shops, changes map[string]any) map[string]any {
	v.session["updatedAt"] = s.now
	maps.Copy(v.session, changes)
	return maps.Clone(v.session)
}

func (v *visit) withSession(s *Shops, changes map[string]any) map[string]any {
	m := v.envelope(s)
	m["sessionId"], m["session"], m["customer"] = v.id, v.update(s, changes), v.customer
	return m
}

func (v *visit) register(s *Shops) statement {
	m := v.envelope(s)
	m["token"], m["tokenType"], m["checkInDeviceId"], m["customer"] = v.id, "SESSION_ID", s.rnd.IntN(9), v.customer
	n := s.rnd.IntN(1000)
	m["customerPersonalInfo"] = map[string]any{
		"email": "shopper" + strconv.Itoa(n) + "@example.com", "firstName": "Sam", "lastName": "Example" + strconv.Itoa(n),
		"phone": "+44 7700 900" + strconv.Itoa(100+n%900), "phoneNumber": "+44 7700 900" + strconv.Itoa(100+n%900),
	}
	return statement{"remote-register", m}
}

// enter is sent once for each person of a group, identical each time.
func (v *visit) enter(s *Shops) statement {
	if v.session["status"] == "active" {
		return v.again("transition/entered")
	}
	m := v.withSession(s, map[string]any{"status": "active", "customerFirstEnteredAt": s.now, "customerLastEnteredAt": s.now, "visitors": v.group})
	m["payment"], m["shopperId"] = map[string]any{"paymentProvider": "NONE"}, v.shopper
	m["shopper"] = map[string]any{"shopperId": v.shopper, "shopperFlags": []string{}}
	v.transition = m
	return statement{"transition/entered", m}
}

func (v *visit) leave(s *Shops) statement {
	if v.session["status"] == "completed" {
		return v.again("transition/left")
	}
	m := v.withSession(s, map[string]any{"status": "completed", "customerFirstExitedAt": s.now, "customerLastExitedAt": s.now, "visitors": 0})
	m["payment"], m["shopperId"] = map[string]any{"paymentProvider": "ADYEN"}, v.shopper
	m["shopper"] = map[string]any{"shopperId": v.shopper, "shopperFlags": v.session["shoppingSessionFlags"]}
	v.transition = m
	return statement{"transition/left", m}
}

// again repeats the last transition, as for the next person of a group.
func (v *visit) again(webhook string) statement {
	return statement{webhook, maps.Clone(v.transition)}
}

func (v *visit) handleAlcohol(s *Shops) statement {
	m := v.withSession(s, map[string]any{"shoppingSessionFlags": []string{alcoholFlag}})
	var flags any = []string{alcoholFlag}
	if s.rnd.IntN(2) == 0 {
		flags = alcoholFlag
	}
	products := []string{s.product()}
	if s.rnd.IntN(4) == 0 {
		products = append(products, s.product())
	}
	m["eventId"], m["productIds"] = s.uuid(), products
	m["gondolaIds"] = []int64{v.shop.gondolas[s.rnd.IntN(len(v.shop.gondolas))]}
	m["shopper"] = map[string]any{"shopperId": v.shopper, "shopperFlags": flags}
	m["shoppingSessionFlags"] = []string{alcoholFlag}
	return statement{"restricted-products-interactions", m}
}

var paymentProviders = []string{"NONE", "STRIPE", "PAYTER", "ADYEN", "FREEDOM_PAY", "GENERIC"}

func (v *visit) alert(s *Shops) statement {
	m := v.withSession(s, map[string]any{"suspectedFraud": true})
	m["payment"] = map[string]any{"paymentProvider": paymentProviders[s.rnd.IntN(len(paymentProviders))]}
	return statement{"suspected-fraud", m}
}

func (v *visit) track(s *Shops) statement {
	m := v.envelope(s)
	m["shopperId"], m["uniqueEventId"] = v.shopper, s.uuid()
	return statement{"tracking", m}
}

func (v *visit) misplaced(s *Shops) statement {
	m := v.envelope(s)
	m["gondolaId"], m["shelfId"] = strconv.Itoa(int(v.shop.gondolas[0])), "2"
	return statement{"planogram-error", m}
}
