package httpapi_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// fillTo delivers what everyPage shows, and more than a page of each list.
func fillTo(t testing.TB, s *server, visits int) {
	t.Helper()
	fill(t, s)
	for i := range visits {
		visit(t, s, 7, fmt.Sprintf("d3a00526-1864-4f6e-bb2d-46e3ab7f%04d", i), lastNight().Add(time.Duration(i)*time.Second))
	}
	for range 10 {
		s.push(t, "suspected-fraud", `{"storeId":7,"sessionId":["night"]}`)
	}
	s.push(t, "tracking", `{"sessionId":"night","x":"`+strings.Repeat(`<\"&`, 15000)+`"}`)
}

// settled gives the layout shifts of a page since it was opened, and what all that it
// loaded weighed on the wire, when nothing is under way any more.
const settled = `new Promise(done => {
	let shift = 0;
	new PerformanceObserver(list => { for (const e of list.getEntries()) shift += e.value }).observe({type: "layout-shift", buffered: true});
	const look = () => requestAnimationFrame(() => requestAnimationFrame(() => {
		const loaded = [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")];
		done({shift, weight: loaded.reduce((sum, e) => sum + e.transferSize, 0), requests: loaded.length});
	}));
	document.readyState === "complete" ? look() : addEventListener("load", look);
})`

type load struct {
	Shift            float64
	Weight, Requests int
}

const (
	// heavy is what a page may not weigh with all that it needs, in bytes.
	heavy = 100 << 10
	// still is a layout shift that nobody sees. A good page stays below 0.1.
	still = 0.001
)

func TestNoPageIsHeavyOrShifts(t *testing.T) {
	s := serve(t)
	fillTo(t, s, 60)
	b := s.browse(t)
	check := func(path string) {
		for _, width := range []int64{1280, 390} {
			b.do("a screen", chromedp.EmulateViewport(width, 844))
			b.forget()
			b.open(path)
			got := ask[load](b, settled)
			t.Logf("%4d px: %6d bytes in %d requests  %s", width, got.Weight, got.Requests, path)
			if got.Shift > still {
				t.Errorf("%s at %d px shifts by %v", path, width, got.Shift)
			}
			if got.Weight > heavy || got.Weight == 0 {
				t.Errorf("%s weighs %d bytes with all that it needs", path, got.Weight)
			}
		}
	}
	check("/sign-in")
	b.signIn(s.reviewer(t))
	tracked := "/deliveries/" + delivered(t, s, "night", "tracking")
	for _, path := range append(everyPage(t, s), tracked, tracked+"?view=raw", "/alcohol-interactions?storeId=7&from="+lastNight().Format(time.DateOnly), "/?from="+lastNight().AddDate(0, 0, -95).Format(time.DateOnly)) {
		check(path)
	}
}

// A page that arrives slowly is drawn when it is whole: the columns of a table would move
// with each piece.
func TestWhatComesInPiecesDoesNotShift(t *testing.T) {
	s := serve(t)
	fillTo(t, s, 60)
	b := s.browse(t)
	b.signIn(s.reviewer(t))
	b.do("a screen", chromedp.EmulateViewport(1280, 844))
	b.url = inPieces(t, s.URL)
	b.open("/fraud-alerts?storeId=7")
	if got := ask[load](b, settled); got.Shift != 0 {
		t.Errorf("it shifts by %v", got.Shift)
	}
}

// inPieces is the address of a server whose pages arrive slowly.
func inPieces(t *testing.T, address string) string {
	t.Helper()
	target, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{
		FlushInterval: -1,
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Header.Del("Accept-Encoding") // compressed, it would be one piece
		},
		ModifyResponse: func(r *http.Response) error {
			if strings.HasPrefix(r.Header.Get("Content-Type"), "text/html") {
				r.Body = slowly{r.Body, time.NewTicker(50 * time.Millisecond)}
			}
			return nil
		},
	}
	slow := httptest.NewServer(proxy)
	t.Cleanup(slow.Close)
	return slow.URL
}

// slowly gives a piece of a body at each tick.
type slowly struct {
	io.ReadCloser
	tick *time.Ticker
}

func (s slowly) Read(p []byte) (int, error) {
	<-s.tick.C
	return s.ReadCloser.Read(p[:min(len(p), 1500)])
}

func TestWhatIsNewMovesNothing(t *testing.T) {
	s := serve(t)
	fillTo(t, s, 60)
	b := s.browse(t)
	b.signIn(s.reviewer(t))
	for i, width := range []int64{1280, 390} {
		b.do("a screen", chromedp.EmulateViewport(width, 844))
		b.open("/alcohol-interactions?storeId=7")
		visit(t, s, 7, fmt.Sprint("late", i), lastNight().Add(time.Duration(90+i)*time.Minute))
		ask[any](b, `document.dispatchEvent(new Event("visibilitychange"))`)
		b.do("something new is announced", chromedp.WaitVisible(`//a[@data-live][text()="1 new"]`))
		if said := b.text("#said"); !strings.HasPrefix(said, "1 new") {
			t.Errorf("at %d px screen readers are told %q", width, said)
		}
		if got := ask[load](b, settled); got.Shift != 0 {
			t.Errorf("at %d px it shifts by %v", width, got.Shift)
		}
	}
}
