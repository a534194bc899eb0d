// Package httpapi is the program's HTTP interface: AiFi's webhooks come in, staff
// search, analysts export. openapi.yaml is its contract.
package httpapi

import (
	"context"
	_ "embed"
	"log/slog"
	"net/http"
	"net/url"

	"github.com/gorilla/mux"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/time/rate"

	"aifi-audit/httpapi/anchor"
	"aifi-audit/httpapi/ui"
	"aifi-audit/store"
)

//go:embed openapi.yaml
var openAPI []byte

// DefaultMaxBody is how much of a webhook's body is kept, in bytes.
const DefaultMaxBody = 1 << 20

// Config of the API.
type Config struct {
	Store    *store.Store
	Logger   *slog.Logger         // nil discards
	Registry *prometheus.Registry // served at /metrics; nil serves none
	MaxBody  int64                // bytes of a webhook's body; 0 is DefaultMaxBody
	Limits   Limits
	Anchors  *anchor.Anchors // to tell how they do; nil: there are none
	Version  string

	// PublicURL is what the browsers of staff see, if that is a proxy before this
	// server; nil: they see the server itself.
	PublicURL *url.URL
}

// API serves HTTP. Of its own it holds only what bounds requests, and counts them.
type API struct {
	store       *store.Store
	log         *slog.Logger
	maxBody     int64
	limits      Limits
	anchors     *anchor.Anchors
	version     string
	router      *mux.Router
	metrics     *metrics
	rates       rates
	bodies      *bodies
	exports     chan struct{} // holds one for each export under way
	pages       *ui.UI
	publicURL   *url.URL
	crossOrigin *http.CrossOriginProtection
	attempts    attempts // to sign in that failed lately
}

// New makes the API.
func New(c Config) *API {
	a := &API{
		store: c.Store, log: c.Logger, maxBody: c.MaxBody, version: c.Version, anchors: c.Anchors,
		pages: ui.New(), publicURL: c.PublicURL, crossOrigin: http.NewCrossOriginProtection(),
	}
	if u := c.PublicURL; u != nil {
		// An origin that is none is never sent by a browser: refusing it helps nobody.
		_ = a.crossOrigin.AddTrustedOrigin(u.Scheme + "://" + u.Host)
	}
	if a.log == nil {
		a.log = slog.New(slog.DiscardHandler)
	}
	if a.maxBody == 0 {
		a.maxBody = DefaultMaxBody
	}
	a.limits = c.Limits.WithDefaults()
	a.metrics = newMetrics(c.Registry, a.limits)
	a.rates = rates{ingest: a.limits.IngestRate, staff: a.limits.StaffRate, byToken: map[rateKey]*rate.Limiter{}}
	a.bodies = newBodies(a.limits.BodyMemory, a.metrics)
	a.exports = make(chan struct{}, a.limits.Exports)
	a.router = a.routes(c.Registry)
	return a
}

// ServeHTTP makes API a handler.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Content-Type-Options", "nosniff")
	body := &requestBody{ReadCloser: r.Body, answer: w, ended: r.ContentLength == 0}
	answer := &answerWriter{ResponseWriter: w, body: body, surface: surfaceOf(r.URL.Path)}
	finished := false
	defer func() {
		if !finished {
			answer.status = 0 // broken off
		}
		a.metrics.answered(answer.surface, answer.status)
	}()
	asked := *r // net/http needs its own to keep the body that it gave
	asked.Body = body
	a.router.ServeHTTP(answer, &asked)
	finished = true
}

func (a *API) routes(registry *prometheus.Registry) *mux.Router {
	r := mux.NewRouter().UseEncodedPath().SkipClean(true)
	r.NotFoundHandler = http.HandlerFunc(a.notFound)
	r.MethodNotAllowedHandler = http.HandlerFunc(a.methodNotAllowed)
	get := func(path string, h http.Handler) { r.Handle(path, h).Methods(http.MethodGet, http.MethodHead) }
	post := func(path string, h http.Handler) { r.Handle(path, h).Methods(http.MethodPost) }

	r.PathPrefix(pushPath).Handler(http.HandlerFunc(a.ingest)).Methods(http.MethodPost)

	mount(a, r, "/api/v1/alcohol-interactions", events(a.store, store.AlcoholInteraction))
	mount(a, r, "/api/v1/fraud-alerts", events(a.store, store.FraudAlert))
	mount(a, r, "/api/v1/registrations", events(a.store, store.Registration))
	mount(a, r, "/api/v1/sessions", sessions(a.store))
	mount(a, r, "/api/v1/deliveries", deliveries(a.store))
	mount(a, r, "/api/v1/quarantine", quarantine(a.store))
	mount(a, r, "/api/v1/stores", stores(a.store))
	mount(a, r, "/api/v1/refused", refused(a.store))
	mount(a, r, "/api/v1/notes", notes(a.store))
	mount(a, r, "/api/v1/access-log", accessLog(a.store))
	mount(a, r, "/api/v1/holds", holds(a.store))

	mountBoth(r, "/api/v1/summary", a.metrics.timed("summary", "json", a.staff(store.MayRead, "search", a.summary)),
		a.metrics.timed("summary", "csv", a.staff(store.MayExport, "export", a.summaryCSV)))
	get("/api/v1/status", a.staff(store.MayRead, "view", a.status))
	get("/api/v1/sessions/{sessionId}", a.staff(store.MayRead, "view", a.session))
	get("/api/v1/session", a.staff(store.MayRead, "view", a.session)) // for ids that no path can hold
	get("/api/v1/deliveries/{deliveryId}", a.staff(store.MayRead, "view", a.delivery))
	get("/api/v1/deliveries/{deliveryId}/body", a.staff(store.MayRead, "view", a.body))
	get("/api/v1/holds/{holdId}", a.staff(store.MayRead, "view", a.hold))
	post("/api/v1/holds", a.staff(store.MayAdminister, "hold", a.placeHold))
	post("/api/v1/holds/{holdId}/lift", a.staff(store.MayAdminister, "hold", a.liftHold))
	get("/api/v1/retention", a.staff(store.MayRead, "view", a.retention))
	post("/api/v1/retention", a.staff(store.MayAdminister, "configure", a.setRetention))
	get("/api/v1/retention/plan", a.staff(store.MayAdminister, "view", a.retentionPlan))
	post("/api/v1/quarantine/{deliveryId}/replay", a.staff(store.MayAdminister, "replay", a.replay))
	post("/api/v1/refused/replay", a.staff(store.MayAdminister, "replay", a.replayAllRefused))
	post("/api/v1/refused/{deliveryId}/replay", a.staff(store.MayAdminister, "replay", a.replayRefused))

	// The staff page. Each list has its CSV at .csv, and a count of what is new at .count.
	get("/", a.page(store.MayRead, "search", a.overview))
	mountShelf(a, r, "/alcohol-interactions", alcoholShelf(a.store))
	mountShelf(a, r, "/fraud-alerts", fraudShelf(a.store))
	mountShelf(a, r, "/registrations", registrationShelf(a.store))
	mountShelf(a, r, "/sessions", sessionShelf(a.store))
	mountShelf(a, r, "/quarantine", quarantineShelf(a.store))
	mountShelf(a, r, accessPath, accessShelf(a.store))
	get("/status", a.page(store.MayRead, "view", a.statusPage))
	get("/refused", a.page(store.MayAdminister, "search", a.refusedPage))
	get("/refused.csv", a.page(store.MayAdminister, "export", a.refusedCSV))
	post("/refused", a.page(store.MayAdminister, "replay", a.recordRefused))
	post("/quarantine", a.page(store.MayAdminister, "replay", a.replayMatching))
	get("/sessions/{sessionId}", a.page(store.MayRead, "view", a.sessionPage))
	get("/session", a.page(store.MayRead, "view", a.sessionPage))
	get("/deliveries/{deliveryId}", a.page(store.MayRead, "view", a.deliveryPage))
	pack := a.page(store.MayExport, "evidence", asPage(a.sessionEvidence))
	get("/sessions/{sessionId}/evidence", pack)
	get("/session/evidence", pack)
	get("/deliveries/{deliveryId}/body", a.page(store.MayRead, "view", a.bodyPage))
	post("/deliveries/{deliveryId}/replay", a.page(store.MayAdminister, "replay", a.replayOne))
	post("/deliveries/{deliveryId}/notes", a.page(store.MayReview, "review", a.notePage))
	post("/sessions/{sessionId}/hold", a.page(store.MayAdminister, "hold", a.holdSession))
	get(holdsPath, a.page(store.MayRead, "search", a.holdsPage))
	post(holdsPath+"/{holdId}/lift", a.page(store.MayAdminister, "hold", a.liftPage))
	get(erasuresPath, a.page(store.MayAdminister, "search", a.erasuresPage))
	post(erasuresPath, a.page(store.MayAdminister, "erasure request", a.askErasure))
	post(erasuresPath+"/{erasureId}/approve", a.page(store.MayAdminister, "erasure approval", a.decideErasurePage(store.Approve)))
	post(erasuresPath+"/{erasureId}/reject", a.page(store.MayAdminister, "erasure rejection", a.decideErasurePage(store.Reject)))
	post(erasuresPath+"/{erasureId}/withdraw", a.page(store.MayAdminister, "erasure withdrawal", a.decideErasurePage(store.Withdraw)))
	get(erasuresPath+"/{erasureId}/certificate.txt", a.page(store.MayAdminister, "view", a.certificateFile(true)))
	get(erasuresPath+"/{erasureId}/certificate.json", a.page(store.MayAdminister, "view", a.certificateFile(false)))
	get(signInPath, a.html(a.signInForm))
	post(signInPath, a.html(a.signIn))
	post(signOutPath, a.page(store.MayRead, "sign-out", a.signOut))
	get("/assets/{name}", http.HandlerFunc(a.asset))

	r.Handle("/api/v1/notes", a.staff(store.MayReview, "review", a.addNote)).Methods(http.MethodPost)
	r.Handle("/api/v1/stores/{storeId}", a.staff(store.MayAdminister, "configure", a.patchStore)).Methods(http.MethodPatch)

	get("/api/v1/sessions/{sessionId}/evidence", a.staff(store.MayExport, "evidence", a.sessionEvidence))
	get("/api/v1/session/evidence", a.staff(store.MayExport, "evidence", a.sessionEvidence))
	get("/api/v1/alcohol-interactions/evidence", a.staff(store.MayExport, "evidence", a.searchEvidence(store.AlcoholInteraction)))
	get("/api/v1/fraud-alerts/evidence", a.staff(store.MayExport, "evidence", a.searchEvidence(store.FraudAlert)))
	get("/api/v1/customers/{customerId}/subject-access", a.staff(store.MayExport, "subject-access", a.subjectAccess))
	post("/api/v1/subject-access", a.staff(store.MayExport, "subject-access", a.subjectAccessOf))
	get("/api/v1/erasures", a.staff(store.MayAdminister, "search", a.erasures))
	get("/api/v1/erasures/{erasureId}", a.staff(store.MayAdminister, "view", a.erasure))
	get("/api/v1/erasures/{erasureId}/certificate", a.staff(store.MayAdminister, "view", a.erasureCertificate))
	r.Handle("/api/v1/erasures", a.staff(store.MayAdminister, "erasure request", a.requestErasure)).Methods(http.MethodPost)
	post("/api/v1/erasures/{erasureId}/approve", a.staff(store.MayAdminister, "erasure approval", a.decideErasure(store.Approve)))
	post("/api/v1/erasures/{erasureId}/reject", a.staff(store.MayAdminister, "erasure rejection", a.decideErasure(store.Reject)))
	post("/api/v1/erasures/{erasureId}/withdraw", a.staff(store.MayAdminister, "erasure withdrawal", a.decideErasure(store.Withdraw)))

	get("/api/v1/log", a.staff(store.MayRead, "view", a.logStatus))
	get("/api/v1/log/checkpoint", a.staff(store.MayRead, "view", func(w http.ResponseWriter, r *http.Request, _ caller) error { return a.checkpoint(w, r) }))
	get("/api/v1/log/checkpoint/cosigned", a.staff(store.MayRead, "view", func(w http.ResponseWriter, r *http.Request, _ caller) error { return a.cosigned(w, r) }))
	get("/api/v1/log/proofs/inclusion", a.staff(store.MayRead, "view", a.inclusion))
	get("/api/v1/log/proofs/consistency", a.staff(store.MayRead, "view", a.consistency))
	get("/log/checkpoint", a.open(a.checkpoint))
	get("/log/checkpoint/cosigned", a.open(a.cosigned))
	get("/log/tile/{level}/{n:.*}", a.open(a.tile))

	get("/openapi.yaml", http.HandlerFunc(serveOpenAPI))
	get("/livez", http.HandlerFunc(live))
	get("/readyz", ready(a.store.ReadyToIngest, a.store.ReadyToRead))
	get("/readyz/ingest", ready(a.store.ReadyToIngest))
	get("/readyz/read", ready(a.store.ReadyToRead))
	get("/version", http.HandlerFunc(a.serveVersion))
	if registry != nil {
		get("/metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	}
	return r
}

func serveOpenAPI(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/yaml")
	_, _ = w.Write(openAPI)
}

func live(w http.ResponseWriter, r *http.Request) {
	writeJSON(w, r, http.StatusOK, map[string]string{"status": "ok"})
}

// ready answers 503 if any of the checks fails.
func ready(checks ...func(context.Context) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, check := range checks {
			if err := check(r.Context()); err != nil {
				writeProblem(w, problemOf(err))
				return
			}
		}
		live(w, r)
	})
}

func (a *API) serveVersion(w http.ResponseWriter, r *http.Request) {
	writeJSON(w, r, http.StatusOK, map[string]string{"version": a.version})
}
