package bodycodec_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"aifi-audit/cmd/aifi-audit/simulator"
)

// A dictionary is made by
//
//	go test ./store/bodycodec -run Train -train dictionary2.zstd -id 41458
//
// (dictionary1.zstd had the id 41457) from what the simulator sends, so there is nobody's
// data in it. It holds a body of each shape, whole: that saves a fifth more than the pieces
// that occur most, as package dict of klauspost/compress chooses them.
var (
	trainInto = flag.String("train", "", "make a dictionary, and write it to this file")
	trainID   = flag.Uint("id", 41458, "its id: from 32768 on they are free, and below 65536 they take two bytes of a frame")
)

// What the simulator sends gives one dictionary, which Zstandard takes.
func TestTrain(t *testing.T) {
	dictionary := train(t, uint32(*trainID))
	if !bytes.Equal(dictionary, train(t, uint32(*trainID))) {
		t.Error("training again gives another dictionary")
	}
	w, err := zstd.NewWriter(nil, zstd.WithEncoderDict(dictionary))
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if *trainInto == "" {
		return
	}
	if err := os.WriteFile(*trainInto, dictionary, 0o644); err != nil {
		t.Fatal(err)
	}
}

func train(t testing.TB, id uint32) []byte {
	t.Helper()
	order := documentedOrder(t)
	traffic := simulated(7, 2000, 5, time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC))
	var all [][]byte
	for _, d := range traffic {
		all = append(all, d.Body, reordered(t, d.Body, order))
	}
	var whole []byte
	add := func(webhook string, ordered func([]byte) []byte) {
		i := slices.IndexFunc(traffic, func(d simulator.Delivery) bool { return d.Webhook == webhook })
		whole = append(whole, uuids.ReplaceAll(ordered(traffic[i].Body), nil)...)
	}
	documented := func(body []byte) []byte { return reordered(t, body, order) }
	sorted := func(body []byte) []byte { return body } // as the simulator has them; what comes last is found first
	add("remote-register", documented)
	add("suspected-fraud", documented)
	add("restricted-products-interactions", documented)
	add("remote-register", sorted)
	add("transition/left", sorted)
	add("restricted-products-interactions", sorted)
	d, err := zstd.BuildDict(zstd.BuildDictOptions{ID: id, Contents: all, History: whole, Offsets: [3]int{1, 4, 8}, CompatV155: true, Level: zstd.SpeedFastest})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// uuids are no two alike, so that they are of no use in a dictionary.
var uuids = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)

func simulated(seed uint64, n, stores int, start time.Time) []simulator.Delivery {
	shops := simulator.New(simulator.Config{Seed: seed, Stores: stores, Start: start})
	all := make([]simulator.Delivery, n)
	for i := range all {
		all[i] = shops.Next()
	}
	return all
}

// reordered gives a body with its members in another order.
func reordered(t testing.TB, body []byte, order map[string]int) []byte {
	t.Helper()
	var v any
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	return appendOrdered(nil, v, order)
}

func appendOrdered(b []byte, v any, order map[string]int) []byte {
	switch v := v.(type) {
	case map[string]any:
		names := make([]string, 0, len(v))
		for name := range v {
			names = append(names, name)
		}
		slices.SortFunc(names, func(x, y string) int { return cmp.Or(order[x]-order[y], cmp.Compare(x, y)) })
		b = append(b, '{')
		for i, name := range names {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(append(append(b, '"'), name...), `":`...)
			b = appendOrdered(b, v[name], order)
		}
		return append(b, '}')
	case []any:
		b = append(b, '[')
		for i, item := range v {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendOrdered(b, item, order)
		}
		return append(b, ']')
	}
	text, _ := json.Marshal(v) // a string, a number, a boolean or null
	return append(b, text...)
}

// documentedOrder numbers the names of members as the documentation's samples have them.
func documentedOrder(t testing.TB) map[string]int {
	t.Helper()
	order := map[string]int{}
	for _, sample := range samples(t, "samples") {
		d := json.NewDecoder(bytes.NewReader(sample))
		for token, err := d.Token(); err == nil; token, err = d.Token() {
			if name, ok := token.(string); ok {
				if _, seen := order[name]; !seen {
					order[name] = len(order)
				}
			}
		}
	}
	return order
}

// samples are the bodies of the documentation (folder samples), or hostile ones.
func samples(t testing.TB, folder string) (all [][]byte) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", "aifi", "testdata", folder, "*"))
	if err != nil || len(files) == 0 {
		t.Fatal("no samples", err)
	}
	for _, file := range files {
		body, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, body)
	}
	return all
}
