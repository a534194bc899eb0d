package httpapi

import (
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"aifi-audit/store"
)

// policy is the JSON of a retention policy.
type policy struct {
	ID        int64     `json:"id"`
	At        time.Time `json:"at"`
	SetBy     string    `json:"setBy"`
	StoreID   *int64    `json:"storeId"`
	Webhook   *string   `json:"webhook"`
	Months    *int32    `json:"months"`
	Withdrawn bool      `json:"withdrawn"`
	CountsAt  time.Time `json:"countsAt"`
}

func policyJSON(p store.RetentionPolicy) policy {
	return policy{p.ID, p.At.UTC(), p.SetBy, p.StoreID, p.Webhook, p.Months, p.Withdrawn, p.At.UTC().Add(store.RetentionPause)}
}

// retention lists the policies that concern the caller: those that are the newest, and all that ever were.
func (a *API) retention(w http.ResponseWriter, r *http.Request, c caller) error {
	if _, err := parseParams(r, nil); err != nil {
		return err
	}
	all, err := a.store.RetentionPolicies(r.Context(), c.Scope())
	if err != nil {
		return err
	}
	if err := c.seesRows(r, len(all)); err != nil {
		return err
	}
	body := struct {
		Current []policy `json:"current"`
		History []policy `json:"history"`
	}{[]policy{}, []policy{}}
	for _, p := range store.CurrentPolicies(all) {
		body.Current = append(body.Current, policyJSON(p))
	}
	for _, p := range all {
		body.History = append(body.History, policyJSON(p))
	}
	writeJSON(w, r, http.StatusOK, body)
	return nil
}

// setRetention sets a policy.
func (a *API) setRetention(w http.ResponseWriter, r *http.Request, c caller) error {
	if _, err := parseParams(r, nil); err != nil {
		return err
	}
	n, err := readPolicy(r)
	if err != nil {
		return err
	}
	set, err := a.store.SetRetention(r.Context(), c.actor(r, http.StatusCreated), n)
	if errors.Is(err, store.ErrNotFound) {
		return noLimitedToken()
	}
	if err != nil {
		return err
	}
	writeJSON(w, r, http.StatusCreated, policyJSON(set))
	return nil
}

func noLimitedToken() *Problem {
	return problem(http.StatusForbidden, "store-not-allowed", "Store not allowed", "The token is limited to some stores. This is for tokens that are not.")
}

func readPolicy(r *http.Request) (n store.NewPolicy, err error) {
	body, err := readObject(r, "storeId", "webhook", "months", "withdrawn")
	if err != nil {
		return n, err
	}
	if n.StoreID, err = body.integer("storeId"); err != nil {
		return n, err
	}
	webhook, err := body.text("webhook")
	if err != nil {
		return n, err
	}
	if webhook != nil && *webhook == "" {
		return n, badMember("/webhook", "It must not be empty; null, or leaving it out, is all webhooks.")
	}
	n.Webhook = text(webhook)
	if body.has("withdrawn") && json.Unmarshal(body["withdrawn"], &n.Withdrawn) != nil {
		return n, badMember("/withdrawn", "It must be true or false.")
	}
	if !body.has("months") && !n.Withdrawn {
		return n, badMember("/months", "It is missing; null is for ever.")
	}
	if body.has("months") && json.Unmarshal(body["months"], &n.Months) != nil {
		return n, badMember("/months", "It must be an integer from 1 to %d, or null, which is for ever.", store.MaxMonths)
	}
	return n, nil
}

// retentionMonth is the JSON of what retention would do with a month.
type retentionMonth struct {
	Month  string           `json:"month"`
	Whole  bool             `json:"whole"`
	Bytes  int64            `json:"bytes"`
	Going  int64            `json:"going"`
	Groups []retentionGroup `json:"groups"`
}

type retentionGroup struct {
	StoreID    int64    `json:"storeId"`
	Webhook    string   `json:"webhook"`
	Due        bool     `json:"due"`
	Deliveries int64    `json:"deliveries"`
	Held       int64    `json:"held"`
	BodyBytes  int64    `json:"bodyBytes"`
	Events     int64    `json:"events"`
	Holds      []string `json:"holds"`
}

// retentionPlan says what retention would remove now.
func (a *API) retentionPlan(w http.ResponseWriter, r *http.Request, c caller) error {
	if _, err := parseParams(r, nil); err != nil {
		return err
	}
	if c.StoreIDs != nil {
		return noLimitedToken()
	}
	plan, err := a.store.PlanRetention(r.Context(), time.Time{})
	if err != nil {
		return err
	}
	if err := c.seesRows(r, len(plan.Months)); err != nil {
		return err
	}
	body := struct {
		Months     []retentionMonth `json:"months"`
		Unfinished bool             `json:"unfinished"`
		Doubt      *string          `json:"doubt"`
	}{Months: []retentionMonth{}, Unfinished: plan.Unfinished}
	if plan.Doubt != "" {
		body.Doubt = &plan.Doubt
	}
	for _, m := range plan.Months {
		month := retentionMonth{m.Month.Format("2006-01"), m.Whole, m.Bytes, m.Going(), []retentionGroup{}}
		for _, g := range m.Groups {
			group := retentionGroup{g.StoreID, g.Webhook, g.Due, g.Deliveries, g.Held, g.BodyBytes, g.Events, []string{}}
			for _, h := range g.Holds {
				group.Holds = append(group.Holds, h.ID.String())
			}
			month.Groups = append(month.Groups, group)
		}
		body.Months = append(body.Months, month)
	}
	writeJSON(w, r, http.StatusOK, body)
	return nil
}
