package httpapi

import (
	"net/http"
	"time"

	"aifi-audit/store"
)

// status is how the installation does, for people. What is not known without the
// database is null while that is away.
type status struct {
	At                time.Time       `json:"at"`
	Database          string          `json:"database"` // ok or away
	DatabaseAwaySince *time.Time      `json:"databaseAwaySince"`
	Spool             *spoolStatus    `json:"spool,omitempty"` // null: there is none
	SpoolError        string          `json:"spoolError,omitempty"`
	Replica           *replicaStatus  `json:"replica,omitempty"`         // null: there is none
	RefusedWebhooks   *refusedStatus  `json:"refusedWebhooks,omitempty"` // absent for tokens that are limited to stores, as the spool is
	Log               *logHealth      `json:"log,omitempty"`             // absent for them too
	OpenQuarantine    *int64          `json:"openQuarantine"`
	Webhooks          []trafficStatus `json:"webhooks"`
}

type spoolStatus struct {
	Records    int64           `json:"records"`
	DiskBytes  int64           `json:"diskBytes"`
	LimitBytes int64           `json:"limitBytes"`
	OldestAt   *time.Time      `json:"oldestAt"`
	Undecided  undecidedStatus `json:"undecided"`
}

// undecidedStatus is of the webhooks beside the spool whose token has still to be looked up.
type undecidedStatus struct {
	Records    int64      `json:"records"`
	DiskBytes  int64      `json:"diskBytes"`
	LimitBytes int64      `json:"limitBytes"`
	OldestAt   *time.Time `json:"oldestAt"`
}

type replicaStatus struct {
	State      store.ReplicaStanding `json:"state"`
	LagSeconds float64               `json:"lagSeconds"`
}

type refusedStatus struct {
	Since    time.Time         `json:"since"`
	Count    int64             `json:"count"`
	ByReason map[refusal]int64 `json:"byReason"`
}

type trafficStatus struct {
	StoreID        int64     `json:"storeId"`
	Webhook        string    `json:"webhook"`
	LastDeliveryAt time.Time `json:"lastDeliveryAt"`
	LagSeconds     *float64  `json:"lagSeconds"`
	LastHour       *int64    `json:"lastHour"`
	LastDay        *int64    `json:"lastDay"`
	UsualPerHour   *float64  `json:"usualPerHour"`
	Missed         float64   `json:"missed"`
	Silent         bool      `json:"silent"`
}

// status answers also while the database is away. It shows nothing of shoppers, and
// is asked for again and again: it is not written to the access log.
func (a *API) status(w http.ResponseWriter, r *http.Request, c caller) error {
	p, err := parseParams(r, []string{"storeId"})
	if err != nil {
		return err
	}
	f, err := p.filter()
	if err != nil {
		return err
	}
	state := a.store.State(r.Context(), c.Scope(), f.StoreIDs)
	away := !state.AwaySince.IsZero()
	s := status{At: state.At, Database: "ok", OpenQuarantine: state.OpenQuarantine, Webhooks: make([]trafficStatus, len(state.Traffic))}
	if away {
		s.Database, s.DatabaseAwaySince = "away", utcOrNil(state.AwaySince)
	}
	// What is not of a store is not for those who are limited to some.
	if c.StoreIDs == nil {
		health := a.logHealth()
		if state.SpoolError != nil {
			s.SpoolError = state.SpoolError.Error()
		}
		s.Spool, s.RefusedWebhooks, s.Log = spoolJSON(state), a.metrics.refusedWebhooks(), &health
		if r := state.Replica; r != nil {
			s.Replica = &replicaStatus{r.Standing, r.Lag.Seconds()}
		}
	}
	for i, t := range state.Traffic {
		row := trafficStatus{
			StoreID: t.StoreID, Webhook: t.Webhook, LastDeliveryAt: t.LastAt, UsualPerHour: t.UsualPerHour, Missed: t.Missed, Silent: t.Silent(),
		}
		if !away {
			row.LastHour, row.LastDay = &t.LastHour, &t.LastDay
		}
		if t.Lag != nil {
			seconds := t.Lag.Seconds()
			row.LagSeconds = &seconds
		}
		s.Webhooks[i] = row
	}
	writeJSON(w, r, http.StatusOK, s)
	return nil
}

func spoolJSON(state store.State) *spoolStatus {
	s, u := state.Spool, state.Undecided
	if s == nil {
		return nil
	}
	return &spoolStatus{
		Records: s.Records, DiskBytes: s.DiskBytes, LimitBytes: s.MaxBytes, OldestAt: utcOrNil(s.Oldest),
		Undecided: undecidedStatus{Records: u.Records, DiskBytes: u.DiskBytes, LimitBytes: u.MaxBytes, OldestAt: utcOrNil(u.Oldest)},
	}
}

// refusedWebhooks are those since the process began.
func (m *metrics) refusedWebhooks() *refusedStatus {
	r := &refusedStatus{Since: m.since.UTC(), ByReason: map[refusal]int64{}}
	for reason, n := range m.refused[fromAiFi] {
		if count := n.Load(); count > 0 {
			r.ByReason[reason] = count
			r.Count += count
		}
	}
	return r
}

// utcOrNil is nil for the zero time.
func utcOrNil(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}
