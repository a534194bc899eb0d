package httpapi_test

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/gorilla/mux"
	"github.com/pb33f/go-yaml"
	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"
	"github.com/pb33f/libopenapi-validator/schema_validation"
	"github.com/pb33f/libopenapi/datamodel/high/base"
	v3 "github.com/pb33f/libopenapi/datamodel/high/v3"
	"github.com/prometheus/client_golang/prometheus"

	"aifi-audit/httpapi"
)

// contract is openapi.yaml, built once.
type contract struct {
	model     *v3.Document
	validator validator.Validator
}

var theContract = sync.OnceValue(func() contract {
	source, err := os.ReadFile("openapi.yaml")
	if err != nil {
		panic(err)
	}
	document, err := libopenapi.NewDocument(source)
	if err != nil {
		panic(err)
	}
	v, errs := validator.NewValidator(document)
	if len(errs) > 0 {
		panic(errs[0])
	}
	model, err := document.BuildV3Model()
	if err != nil {
		panic(err)
	}
	return contract{&model.Model, v}
})

// find gives the path of the document that an escaped path of a request belongs to.
func (c contract) find(path string) (string, *v3.PathItem) {
	if webhook, ok := strings.CutPrefix(path, "/api/push/"); ok {
		path = "/api/push/" + strings.ReplaceAll(webhook, "/", "%2F") // a webhook may hold slashes, or be empty
	}
	asked := strings.Split(path, "/")
	for template, item := range c.model.Paths.PathItems.FromOldest() {
		parts := strings.Split(template, "/")
		if slices.EqualFunc(parts, asked, func(part, is string) bool {
			return part == is || part == "{webhook}" || strings.HasPrefix(part, "{") && is != ""
		}) {
			return template, item
		}
	}
	return "", nil
}

// operates reports whether there is an operation of a method.
func operates(item *v3.PathItem, method string) bool {
	if item != nil {
		for m := range item.GetOperations().FromOldest() {
			if strings.EqualFold(m, method) {
				return true
			}
		}
	}
	return false
}

// checkContract checks that an answer with JSON is as openapi.yaml says, which names
// each type of problem where it can come.
func checkContract(t testing.TB, r *http.Request, _ []byte, resp *http.Response, body []byte) {
	t.Helper()
	mediaType, _, _ := strings.Cut(resp.Header.Get("Content-Type"), ";")
	if len(body) == 0 || mediaType != "application/json" && mediaType != "application/problem+json" {
		return
	}
	c := theContract()
	path, item := c.find(r.URL.EscapedPath())
	if !operates(item, r.Method) && resp.StatusCode == http.StatusOK && r.Method != http.MethodGet { // a webhook that went astray
		r = r.Clone(r.Context())
		r.Method, r.URL.Path, r.URL.RawPath = http.MethodPost, "/api/push/astray", ""
		path, item = c.find(r.URL.Path)
	}
	if item == nil || resp.StatusCode == http.StatusMethodNotAllowed {
		return
	}
	read := *resp
	read.Body = io.NopCloser(bytes.NewReader(body))
	if ok, errs := c.validator.GetResponseBodyValidator().ValidateResponseBodyWithPathItem(r, &read, item, path); !ok {
		for _, e := range errs {
			t.Errorf("%s %s: answer %d breaks the contract: %s: %s", r.Method, r.URL.EscapedPath(), resp.StatusCode, e.Message, e.Reason)
			for _, f := range e.SchemaValidationErrors {
				t.Errorf("  %s: %s", f.FieldPath, f.Reason)
			}
		}
		t.Logf("the answer: %s", body)
	}
	if mediaType != "application/problem+json" {
		return
	}
	var problem struct{ Type string }
	if err := json.Unmarshal(body, &problem); err != nil {
		t.Error(err)
	}
	name := "`" + strings.TrimPrefix(problem.Type, "urn:aifi-audit:problem:") + "`"
	for method, op := range item.GetOperations().FromOldest() {
		if !strings.EqualFold(method, r.Method) {
			continue
		}
		answer := op.Responses.Codes.GetOrZero(strconv.Itoa(resp.StatusCode))
		if answer == nil || !strings.Contains(answer.Description, name) {
			t.Errorf("%s %s: the contract does not know %d %s", r.Method, path, resp.StatusCode, name)
		}
	}
}

// Each token may be used too often, whatever for.
func TestContractKnowsThatEachTokenHasItsRate(t *testing.T) {
	for path, item := range theContract().model.Paths.PathItems.FromOldest() {
		for method, op := range item.GetOperations().FromOldest() {
			if strings.HasPrefix(path, "/api/") && op.Responses.Codes.GetOrZero("429") == nil {
				t.Errorf("%s %s has no 429", method, path)
			}
		}
	}
}

func TestContractIsValid(t *testing.T) {
	if ok, errs := theContract().validator.ValidateDocument(); !ok {
		for _, e := range errs {
			t.Errorf("%s: %s", e.Message, e.Reason)
			for _, f := range e.SchemaValidationErrors {
				t.Errorf("  line %d: %s: %s", f.Line, f.KeywordLocation, f.Reason)
			}
		}
	}
}

// staffPage are the routes that are for people with a browser. They are no part of the
// contract: they may change with the page.
var staffPage = []string{
	"GET /",
	"GET /alcohol-interactions", "GET /alcohol-interactions.csv", "GET /alcohol-interactions.count",
	"GET /fraud-alerts", "GET /fraud-alerts.csv", "GET /fraud-alerts.count",
	"GET /registrations", "GET /registrations.csv", "GET /registrations.count",
	"GET /sessions", "GET /sessions.csv", "GET /sessions.count", "GET /sessions/{sessionId}", "GET /sessions/{sessionId}/evidence",
	"GET /alcohol-interactions/evidence", "GET /fraud-alerts/evidence",
	"GET /session", "GET /session/evidence",
	"GET /quarantine", "GET /quarantine.csv", "GET /quarantine.count", "POST /quarantine",
	"GET /status", "GET /refused", "GET /refused.csv", "POST /refused",
	"GET /deliveries/{deliveryId}", "GET /deliveries/{deliveryId}/body", "POST /deliveries/{deliveryId}/replay", "POST /deliveries/{deliveryId}/notes",
	"POST /sessions/{sessionId}/hold", "GET /erasures", "POST /erasures", "POST /erasures/{erasureId}/approve", "POST /erasures/{erasureId}/reject", "POST /erasures/{erasureId}/withdraw",
	"GET /erasures/{erasureId}/certificate.txt", "GET /erasures/{erasureId}/certificate.json",
	"GET /holds", "POST /holds/{holdId}/lift", "GET /access-log", "GET /access-log.csv", "GET /access-log.count",
	"GET /sign-in", "POST /sign-in", "POST /sign-out", "GET /assets/{name}",
}

func TestContractCoversRoutes(t *testing.T) {
	routes := map[string]bool{}
	api := httpapi.New(httpapi.Config{Registry: prometheus.NewRegistry()})
	err := api.Router().Walk(func(route *mux.Route, _ *mux.Router, _ []*mux.Route) error {
		path, err := route.GetPathTemplate()
		if err != nil {
			return err
		}
		if path == "/api/push/" {
			path += "{webhook}"
		}
		path = strings.ReplaceAll(path, ":.*}", "}") // a pattern of the router's
		methods, err := route.GetMethods()
		for _, m := range methods {
			if m != http.MethodHead { // the document says that each GET answers HEAD
				routes[m+" "+path] = true
			} else if !slices.Contains(methods, http.MethodGet) {
				t.Errorf("%s has HEAD without GET", path)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]bool{}
	for path, item := range theContract().model.Paths.PathItems.FromOldest() {
		for method := range item.GetOperations().FromOldest() {
			documented[strings.ToUpper(method)+" "+path] = true
		}
	}
	for _, r := range staffPage {
		if !routes[r] || documented[r] {
			t.Errorf("%s is to be served, and not to be documented", r)
		}
		delete(routes, r)
	}
	for _, r := range slices.Sorted(maps.Keys(routes)) {
		if !documented[r] {
			t.Errorf("%s is served, but not documented", r)
		}
	}
	for _, r := range slices.Sorted(maps.Keys(documented)) {
		if !routes[r] {
			t.Errorf("%s is documented, but not served", r)
		}
	}
}

func TestContractExamplesAreValid(t *testing.T) {
	checked := 0
	validate := schema_validation.NewSchemaValidator()
	check := func(where string, schema *base.SchemaProxy, example *yaml.Node) {
		if schema == nil || example == nil {
			return
		}
		checked++
		var value any
		if err := example.Decode(&value); err != nil {
			t.Errorf("%s: %v", where, err)
			return
		}
		encoded, err := json.Marshal(value)
		if err != nil {
			t.Errorf("%s: %v", where, err)
			return
		}
		if ok, errs := validate.ValidateSchemaBytesWithVersion(schema.Schema(), encoded, 3.1); !ok {
			for _, e := range errs {
				t.Errorf("%s: the example %s is not valid: %s", where, encoded, e.Reason)
				for _, f := range e.SchemaValidationErrors {
					t.Errorf("  %s: %s", f.FieldPath, f.Reason)
				}
			}
		}
	}
	parameters := func(where string, list []*v3.Parameter) {
		for _, p := range list {
			check(where+" "+p.Name, p.Schema, p.Example)
			for _, e := range p.Examples.FromOldest() {
				check(where+" "+p.Name, p.Schema, e.Value)
			}
		}
	}
	components := theContract().model.Components
	for name, schema := range components.Schemas.FromOldest() {
		if schema.Schema().Example == nil {
			t.Errorf("schema %s has no example", name)
		}
		check("schema "+name, schema, schema.Schema().Example)
	}
	for name, response := range components.Responses.FromOldest() {
		for _, m := range response.Content.FromOldest() {
			check("response "+name, m.Schema, m.Example)
		}
	}
	for name, p := range components.Parameters.FromOldest() {
		parameters("parameter "+name, []*v3.Parameter{p})
	}
	for path, item := range theContract().model.Paths.PathItems.FromOldest() {
		for method, op := range item.GetOperations().FromOldest() {
			parameters(method+" "+path, op.Parameters)
			if op.RequestBody == nil {
				continue
			}
			for _, m := range op.RequestBody.Content.FromOldest() {
				check(method+" "+path, m.Schema, m.Schema.Schema().Example)
			}
		}
	}
	if checked < 40 {
		t.Errorf("only %d examples were found", checked)
	}
}
