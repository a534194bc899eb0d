package httpapi_test

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aifi-audit/httpapi"
	"aifi-audit/store"
	"aifi-audit/store/storetest"
	"aifi-audit/store/translog"
	"aifi-audit/store/verify"
)

// packed is a pack's files.
type packed map[string][]byte

func unpack(t testing.TB, b []byte) packed {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	p := packed{}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		if p[f.Name], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

// zip packs the files again; resealed makes the manifest fit them.
func (p packed) zip(t testing.TB, resealed bool) []byte {
	t.Helper()
	if resealed {
		var m map[string]any
		if err := json.Unmarshal(p["manifest.json"], &m); err != nil {
			t.Fatal(err)
		}
		files := []any{}
		for name, text := range p {
			if name != "manifest.json" {
				sum := sha256.Sum256(text)
				files = append(files, map[string]any{"name": name, "size": len(text), "sha256": hex.EncodeToString(sum[:])})
			}
		}
		m["files"] = files
		var err error
		if p["manifest.json"], err = json.Marshal(m); err != nil {
			t.Fatal(err)
		}
	}
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, text := range p {
		w, err := z.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(text); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func (s *server) verifyPack(t testing.TB, b []byte) (httpapi.PackResult, []string) {
	t.Helper()
	found := []string{}
	result, err := httpapi.VerifyPack(bytes.NewReader(b), int64(len(b)), s.verifier, nil, func(f verify.Finding) {
		found = append(found, string(f.Class)+" "+f.What)
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(found)
	return result, found
}

const packedVisit = `{"storeId":7,"sessionId":"S/1","eventId":"%d","timeOfOrigin":"2026-01-02T03:04:0%dZ","customer":{"id":5},
	"session":{"sessionId":"S/1","updatedAt":"2026-01-02T03:04:00Z","status":"active"},
	"shopper":{"shopperId":"x","shopperFlags":"A"},"productIds":["=p","q"],"gondolaIds":[3]}`

// visited is a server with a session of six events and eight deliveries, all in the log.
func visited(t *testing.T) *server {
	s := serve(t)
	for i := range 4 {
		s.push(t, "restricted-products-interactions", fmt.Sprintf(packedVisit, i, i))
	}
	for range 2 {
		s.push(t, "restricted-products-interactions", fmt.Sprintf(packedVisit, 1, 1)) // stated before
	}
	s.push(t, "suspected-fraud", strings.Replace(fmt.Sprintf(packedVisit, 9, 9), "{", `{"payment":{"paymentProvider":"card"},`, 1))
	s.push(t, "remote-register", `{"storeId":7,"token":"S/1","tokenType":"qr","timeOfOrigin":"2026-01-02T03:04:05Z","customerPersonalInfo":{"email":"a@example.com"}}`)
	s.push(t, "tracking", `{"storeId":8}`)
	s.sequenced(t, 9)
	return s
}

func TestALookedAtListGivesItsPack(t *testing.T) {
	s := visited(t)
	p := s.person(t).signIn(t, s.reviewer(t))
	for list, want := range map[string]int{"/alcohol-interactions?productId=q": 4, "/fraud-alerts": 1} {
		href := regexp.MustCompile(`href="([^"]*/evidence[^"]*)" download`).FindStringSubmatch(p.page(t, list))
		if href == nil {
			t.Fatalf("%s has no pack", list)
		}
		a := p.get(t, html.UnescapeString(href[1]))
		if a.status != http.StatusOK {
			t.Fatalf("%s: %d %s", href[1], a.status, a.body)
		}
		if result, found := s.verifyPack(t, a.body); result.Events != want || len(found) > 0 || !result.Clean() {
			t.Errorf("the pack of %s: %+v %q", list, result, found)
		}
	}
	for list, p := range map[string]*person{"/registrations": p, "/fraud-alerts": s.person(t).signIn(t, s.token(t, "only reads", nil, store.MayRead))} {
		if strings.Contains(p.page(t, list), "/evidence") {
			t.Errorf("%s has a pack", list)
		}
	}
}

func TestAPackIsCheckedWithTheKeyAlone(t *testing.T) {
	s := visited(t)
	for path, want := range map[string]httpapi.PackResult{
		"sessions/S%2F1/evidence":                   {Deliveries: 8, Proven: 8, Events: 6},
		"alcohol-interactions/evidence?productId=q": {Deliveries: 4, Proven: 4, Events: 4},
		"fraud-alerts/evidence":                     {Deliveries: 1, Proven: 1, Events: 1},
		"alcohol-interactions/evidence?storeId=99":  {},
	} {
		a := s.get(t, "/api/v1/"+path)
		if a.status != http.StatusOK || a.header.Get("Content-Type") != "application/zip" {
			t.Fatalf("%s: %d %s", path, a.status, a.body)
		}
		got, found := s.verifyPack(t, a.body)
		if got.Deliveries != want.Deliveries || got.Proven != want.Proven || got.Events != want.Events || len(found) > 0 || !got.Clean() {
			t.Errorf("%s: %+v, %q", path, got, found)
		}
		files := unpack(t, a.body)
		if !strings.Contains(string(files["cover.html"]), "aifi-audit verify") || strings.Contains(string(files["cover.html"]), "ZgotmplZ") {
			t.Errorf("%s: the cover is %s", path, files["cover.html"])
		}
		// That it was made is in the access log, with the manifest's hash.
		ended := storetest.Query(t, s.database, "SELECT detail FROM access_log WHERE action = 'evidence ended' ORDER BY id DESC LIMIT 1")
		if ended[0] != "manifest SHA-256 "+got.Manifest {
			t.Errorf("%s: %q", path, ended)
		}
	}
	csv := string(unpack(t, s.get(t, "/api/v1/sessions/S%2F1/evidence").body)["events.csv"])
	if !strings.Contains(csv, "'=p|q") || !strings.Contains(csv, "a@example.com") || !strings.Contains(csv, "card") {
		t.Error(csv)
	}
}

// Whatever is changed in a pack is named, also by somebody who makes the manifest fit.
func TestAChangedPackIsNoEvidence(t *testing.T) {
	s := visited(t)
	good := s.get(t, "/api/v1/sessions/S%2F1/evidence").body
	var body, record string
	for name, text := range unpack(t, good) {
		if strings.HasSuffix(name, "/body") && strings.Contains(string(text), `"eventId":"3"`) {
			body, record = name, strings.Replace(name, "/body", "/record.json", 1)
		}
	}
	edit := func(name, old, changed string) func(packed) {
		return func(p packed) {
			if !bytes.Contains(p[name], []byte(old)) {
				t.Fatalf("%s has no %q", name, old)
			}
			p[name] = bytes.ReplaceAll(p[name], []byte(old), []byte(changed))
		}
	}
	cases := map[string]struct {
		change func(packed)
		want   []string
	}{
		"a body":                 {edit(body, `"q"`, `"r"`), []string{"TAMPERED body", "UNVERIFIABLE event"}},
		"the facts":              {edit(record, `"q"`, `"r"`), []string{"TAMPERED facts", "UNVERIFIABLE event"}},
		"the customer in JSON":   {edit("events.json", `"customerId":"5"`, `"customerId":"6"`), []string{"TAMPERED event", "TAMPERED event", "TAMPERED event", "TAMPERED event", "TAMPERED event"}},
		"a person in JSON":       {edit("events.json", "a@example.com", "b@example.com"), []string{"TAMPERED event"}},
		"the CSV":                {edit("events.csv", "2026-01-02T03:04:03.000000Z", "2026-01-02T03:04:04.000000Z"), []string{"TAMPERED events"}},
		"a leaf's place":         {edit(record, `"index": 3`, `"index": 2`), []string{"TAMPERED leaf", "UNVERIFIABLE event"}},
		"a salt":                 {edit(record, `"bodySalt": "`, `"bodySalt": "00`), []string{"TAMPERED record", "UNVERIFIABLE event"}},
		"the checkpoint":         {edit("checkpoint", "audit.example.com", "audit.example.org"), []string{"TAMPERED checkpoint"}},
		"a body is left out":     {func(p packed) { delete(p, body) }, []string{"MISSING body", "UNVERIFIABLE event"}},
		"a record is left out":   {func(p packed) { delete(p, record) }, []string{"MISSING deliveries", "MISSING file", "UNVERIFIABLE event"}},
		"a delivery is left out": {func(p packed) { delete(p, record); delete(p, body) }, []string{"MISSING deliveries", "UNVERIFIABLE event"}},
		"an event is left out":   {func(p packed) { p["events.json"] = []byte("[]") }, []string{"MISSING events", "TAMPERED events"}},
		"a delivery is renamed": {func(p packed) {
			p["deliveries/x/record.json"] = p[record]
			delete(p, record)
			delete(p, body)
		}, []string{"MISSING deliveries", "TAMPERED file", "UNVERIFIABLE event"}},
		"an event is made up": {edit("events.json", `[{`, `[{"id":"019a0a6e-5f3c-7a10-8b1e-3f1d2c4b5a69"},{`), []string{"MISSING events", "UNVERIFIABLE event"}},
	}
	for name, c := range cases {
		p := unpack(t, good)
		c.change(p)
		isFile := func(f string) bool { return strings.HasSuffix(f, " file") }
		if _, found := s.verifyPack(t, p.zip(t, false)); !slices.ContainsFunc(found, isFile) {
			t.Errorf("%s: the manifest fits: %q", name, found)
		}
		result, found := s.verifyPack(t, p.zip(t, true))
		if diff := cmp.Diff(c.want, found); diff != "" || result.Clean() {
			t.Errorf("%s: %s", name, diff)
		}
	}
	for name, b := range map[string][]byte{"empty": {}, "no zip": []byte("x"), "another zip": packed{"a": nil}.zip(t, false), "another format": packed{"manifest.json": []byte("{}")}.zip(t, false)} {
		if _, err := httpapi.VerifyPack(bytes.NewReader(b), int64(len(b)), s.verifier, nil, func(verify.Finding) {}); err == nil {
			t.Errorf("%s is a pack", name)
		}
	}
}

// Two webhooks that say the same at no time are two events of one id.
func TestAPackOfEventsOfOneID(t *testing.T) {
	s := serve(t)
	for range 2 {
		s.push(t, "suspected-fraud", `{"storeId":7,"sessionId":"S/1","session":{"sessionId":"S/1"}}`)
	}
	s.sequenced(t, 2)
	events := s.get(t, "/api/v1/fraud-alerts").items(t)
	if len(events) != 2 || events[0]["id"] != events[1]["id"] {
		t.Fatalf("%v", events)
	}
	for _, path := range []string{"sessions/S%2F1/evidence", "fraud-alerts/evidence"} {
		pack := s.get(t, "/api/v1/"+path).body
		if got, found := s.verifyPack(t, pack); !got.Clean() || got.Events != 2 || len(found) > 0 {
			t.Errorf("%s: %+v, %q", path, got, found)
		}
		p := unpack(t, pack)
		p["events.json"] = bytes.Replace(p["events.json"], []byte(events[0]["id"].(string)), []byte("019a0a6e-5f3c-7a10-8b1e-3f1d2c4b5a69"), 1)
		_, found := s.verifyPack(t, p.zip(t, true))
		if diff := cmp.Diff([]string{"TAMPERED event"}, found); diff != "" {
			t.Errorf("%s with another id: %s", path, diff)
		}
	}
}

// A pack that was made before times in CSV were all of one length is evidence as ever.
func TestAPackOfTheFirstFormat(t *testing.T) {
	public, err := os.ReadFile("testdata/evidence1.pub")
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := translog.NewVerifier(string(public))
	if err != nil {
		t.Fatal(err)
	}
	pack, err := os.ReadFile("testdata/evidence1.zip")
	if err != nil {
		t.Fatal(err)
	}
	s := &server{verifier: verifier}
	if got, found := s.verifyPack(t, pack); got.Proven != 2 || got.Events != 2 || len(found) > 0 {
		t.Errorf("%+v, %q", got, found)
	}
	for name, change := range map[string]struct{ file, old, changed string }{
		"another time":                {"events.csv", "03:04:09.25Z", "03:04:09.26Z"},
		"a time of the second format": {"events.csv", "03:04:09.25Z", "03:04:09.250000Z"},
		"said to be of the second":    {"manifest.json", "evidence 1", "evidence 2"},
	} {
		p := unpack(t, pack)
		if !bytes.Contains(p[change.file], []byte(change.old)) {
			t.Fatalf("%s has no %q", change.file, change.old)
		}
		p[change.file] = bytes.ReplaceAll(p[change.file], []byte(change.old), []byte(change.changed))
		_, found := s.verifyPack(t, p.zip(t, true))
		if diff := cmp.Diff([]string{"TAMPERED events"}, found); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// What staff made of an event no delivery states: packs leave it out, and those that were
// made before they did are no worse for it.
func TestAPackOfMarkedEvents(t *testing.T) {
	s := visited(t)
	alert := s.get(t, "/api/v1/fraud-alerts").items(t)[0]
	jane := s.token(t, "Jane <of 7>", nil, store.MayReview)
	if a := s.addNote(t, jane, map[string]any{"deliveryId": alert["deliveryId"], "disposition": "confirmed"}); a.status != http.StatusCreated {
		t.Fatalf("%d %s", a.status, a.body)
	}
	for _, path := range []string{"sessions/S%2F1/evidence", "fraud-alerts/evidence?disposition=confirmed"} {
		pack := s.get(t, "/api/v1/"+path).body
		if got, found := s.verifyPack(t, pack); !got.Clean() || got.Events == 0 || len(found) > 0 {
			t.Errorf("%s: %+v, %q", path, got, found)
		}
		if events := unpack(t, pack)["events.json"]; bytes.Contains(events, []byte("confirmed")) || bytes.Contains(events, []byte("Jane")) {
			t.Errorf("%s: %s", path, events)
		}
	}
	const none = `"disposition":null,"dispositionAt":null,"dispositionBy":null,"notes":0}`
	const marked = `"disposition":"confirmed","dispositionAt":"2026-01-03T09:00:00.123456Z","dispositionBy":"Jane \u003cof 7\u003e","notes":2}`
	for name, c := range map[string]struct {
		item string
		want []string
	}{
		"made before":      {marked, []string{}},
		"another member":   {strings.Replace(marked, `"notes":2`, `"notes":2,"x":1`, 1), []string{"TAMPERED event"}},
		"a member twice":   {strings.Replace(marked, `"notes"`, `"notes":1,"notes"`, 1), []string{"TAMPERED event"}},
		"a wrong type":     {strings.Replace(marked, `"notes":2`, `"notes":"2"`, 1), []string{"TAMPERED event"}},
		"another payment":  {strings.Replace(marked, `"notes":2`, `"notes":2,"paymentProvider":"cash"`, 1), []string{"TAMPERED event"}},
		"another spelling": {strings.Replace(marked, `"notes"`, `"Notes"`, 1), []string{"TAMPERED event"}},
	} {
		p := unpack(t, s.get(t, "/api/v1/fraud-alerts/evidence").body)
		if !bytes.Contains(p["events.json"], []byte(none)) {
			t.Fatalf("%s", p["events.json"])
		}
		p["events.json"] = bytes.Replace(p["events.json"], []byte(none), []byte(c.item), 1)
		_, found := s.verifyPack(t, p.zip(t, true))
		if diff := cmp.Diff(c.want, found); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestWhoMayHaveAPack(t *testing.T) {
	s := visited(t)
	reader := s.token(t, "reader", nil, store.MayRead)
	shop8 := s.token(t, "exporter of 8", []int64{8}, store.MayExport)
	for _, c := range []struct {
		path, token string
		want        int
	}{
		{"sessions/S%2F1/evidence", reader, 403},
		{"sessions/S%2F1/evidence", s.shop7, 200},
		{"sessions/S%2F1/evidence", shop8, 404},
		{"sessions/none/evidence", s.staff, 404},
		{"sessions/S%2F1/evidence?limit=1", s.staff, 400},
		{"fraud-alerts/evidence?cursor=x", s.staff, 400},
		{"fraud-alerts/evidence?from=x", s.staff, 400},
		{"alcohol-interactions/evidence", "", 401},
	} {
		if a := s.do(t, http.MethodGet, "/api/v1/"+c.path, c.token, nil); a.status != c.want {
			t.Errorf("%s: %d, want %d", c.path, a.status, c.want)
		}
	}
	// What was tampered with is not put into a pack.
	storetest.SQL(t, s.database, "SET session_replication_role = replica", "UPDATE delivery_bodies SET body = ''")
	if a := s.get(t, "/api/v1/fraud-alerts/evidence"); a.status != 500 || !strings.Contains(string(a.body), "tampered") {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// What is handed over from the staff page is the pack that the API gives.
func TestASessionIsHandedOverFromItsPage(t *testing.T) {
	s := serve(t)
	fill(t, s)
	<-s.checkpoints // something is signed
	p := s.person(t).signIn(t, s.staff)
	page := p.page(t, "/sessions/night")
	_, rest, _ := strings.Cut(page, `href="/sessions/night/evidence`)
	href, _, _ := strings.Cut(rest, `"`)
	pack := p.get(t, "/sessions/night/evidence"+html.UnescapeString(href))
	if got := pack.header.Get("Content-Type"); pack.status != 200 || got != "application/zip" || !bytes.HasPrefix(pack.body, []byte("PK")) {
		t.Errorf("%d %s: %.2000s", pack.status, got, pack.body)
	}
	if a := s.person(t).signIn(t, s.token(t, "reader", nil, store.MayRead)).get(t, "/sessions/night/evidence"+html.UnescapeString(href)); a.status != 403 {
		t.Errorf("who may not export: %d", a.status)
	}
}
