package bodycodec_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"aifi-audit/store/bodycodec"
)

// What was written with a dictionary can be read with no other: it must never change.
func TestDictionaryIsWhatItAlwaysWas(t *testing.T) {
	sum := sha256.Sum256(bodycodec.Dictionary1)
	if got, want := hex.EncodeToString(sum[:]), "43f83dcb41c16f713228235a2d7bf683bc38aa3bd7a0f6f22790c2292ec28144"; got != want {
		t.Errorf("the SHA-256 of dictionary 1 is %s, want %s: bodies in databases cannot be read any more", got, want)
	}
	info, err := zstd.InspectDictionary(bodycodec.Dictionary1)
	if err != nil || info.ID() != 41457 {
		t.Errorf("dictionary 1 has the id %d, want 41457; %v", info.ID(), err)
	}
}

// The frame was written when the dictionary was made.
func TestDecodeReadsWhatWasWrittenLongAgo(t *testing.T) {
	frame, err := os.ReadFile(filepath.Join("testdata", "fraud1.zst"))
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(filepath.Join("testdata", "fraud1.json"))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := bodycodec.Decode(nil, bodycodec.Zstd1, frame, bodycodec.MaxSize); err != nil || !bytes.Equal(got, want) {
		t.Errorf("it is read as %q, %v; want %q", got, err, want)
	}
}

func TestEncodeIsUndoneByDecode(t *testing.T) {
	traffic := simulated(99, 1000, 50, time.Date(2027, 11, 17, 18, 33, 0, 0, time.UTC))
	bodies := append(samples(t, "samples"), samples(t, "hostile")...)
	for _, d := range traffic {
		bodies = append(bodies, d.Body)
	}
	bodies = append(bodies, nil, []byte{}, []byte("x"), make([]byte, bodycodec.MaxSize), make([]byte, bodycodec.MaxSize+1))
	small := map[string]int{}
	for _, body := range bodies {
		stored, e := bodycodec.Encode(body)
		if stored == nil {
			t.Fatalf("a body of %d bytes is stored as NULL", len(body))
		}
		if e == bodycodec.Verbatim && !bytes.Equal(stored, body) || e != bodycodec.Verbatim && len(stored) >= len(body) {
			t.Errorf("a body of %d bytes is stored as %d, encoding %d", len(body), len(stored), e)
		}
		got, err := bodycodec.Decode(nil, e, stored, int64(len(body)))
		if err != nil || !bytes.Equal(got, body) {
			t.Fatalf("%.200q comes back as %.200q, %v", body, got, err)
		}
		small[fmt.Sprint(len(body) > bodycodec.MaxSize, e)]++
	}
	if small["true 1"] > 0 || small["true 0"] != 1 || small["false 1"] < 1000 {
		t.Errorf("larger than can be compressed, and encoding: %v", small)
	}
}

// All bodies of a webhook fall to a quarter at least, in the order of the simulator's
// members and in that of the documentation.
func TestEncodeMakesBodiesSmall(t *testing.T) {
	order := documentedOrder(t)
	in, sorted, documented := map[string]int{}, map[string]int{}, map[string]int{}
	for _, d := range simulated(99, 2000, 50, time.Date(2027, 11, 17, 18, 33, 0, 0, time.UTC)) {
		in[d.Webhook] += len(d.Body)
		stored, _ := bodycodec.Encode(d.Body)
		sorted[d.Webhook] += len(stored)
		stored, _ = bodycodec.Encode(reordered(t, d.Body, order))
		documented[d.Webhook] += len(stored)
	}
	for _, webhook := range []string{"restricted-products-interactions", "suspected-fraud", "transition/entered"} {
		if sorted[webhook]*4 > in[webhook] || documented[webhook]*4 > in[webhook] {
			t.Errorf("%s: of %d bytes %d and %d are stored", webhook, in[webhook], sorted[webhook], documented[webhook])
		}
	}
	if w := "remote-register"; sorted[w]*3 > in[w] || documented[w]*3 > in[w] {
		t.Errorf("%s: of %d bytes %d and %d are stored", w, in[w], sorted[w], documented[w])
	}
}

func TestDecodeRefuses(t *testing.T) {
	body := bytes.Repeat([]byte("a body that repeats itself; "), 100)
	frame, e := bodycodec.Encode(body)
	if e != bodycodec.Zstd1 {
		t.Fatal("it is not compressed")
	}
	size := int64(len(body))
	plain := func(options ...zstd.EOption) []byte {
		w, err := zstd.NewWriter(nil, options...)
		if err != nil {
			t.Fatal(err)
		}
		return w.EncodeAll(make([]byte, 2*bodycodec.MaxSize), nil)
	}
	unsized := func() []byte {
		var b bytes.Buffer
		w, err := zstd.NewWriter(&b)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = w.Write(make([]byte, 1<<20))
		_ = w.Flush() // now it is too late to tell the size
		_, _ = w.Write(body)
		_ = w.Close()
		return b.Bytes()
	}
	for name, c := range map[string]struct {
		e      bodycodec.Encoding
		stored []byte
		most   int64
	}{
		"an encoding of the future":     {2, frame, size},
		"an encoding of nobody":         {-1, frame, size},
		"nothing":                       {bodycodec.Zstd1, nil, size},
		"no frame":                      {bodycodec.Zstd1, body, size},
		"half a frame":                  {bodycodec.Zstd1, frame[:len(frame)-4], size},
		"a frame with another bit":      {bodycodec.Zstd1, append(bytes.Clone(frame[:len(frame)-1]), frame[len(frame)-1]^0x40), size},
		"a frame, and a space":          {bodycodec.Zstd1, append(bytes.Clone(frame), ' '), size},
		"two frames":                    {bodycodec.Zstd1, append(bytes.Clone(frame), frame...), size},
		"more than is asked for":        {bodycodec.Zstd1, frame, size - 1},
		"less than nothing":             {bodycodec.Zstd1, frame, -1},
		"a bomb":                        {bodycodec.Zstd1, plain(), 1 << 40},
		"a bomb that tells no size":     {bodycodec.Zstd1, unsized(), 1 << 40},
		"a frame of nothing":            {bodycodec.Zstd1, []byte("\x28\xb5\x2f\xfd\x20\x00\x01\x00\x00"), size},
		"a frame of another dictionary": {bodycodec.Zstd1, append([]byte("\x28\xb5\x2f\xfd\x62\xf2\xa1"), frame[7:]...), size},
	} {
		got, err := bodycodec.Decode(nil, c.e, c.stored, c.most)
		if !errors.Is(err, bodycodec.ErrCorrupt) || got != nil {
			t.Errorf("%s is read as %d bytes, %v", name, len(got), err)
		}
	}
}

func TestEncodeAndDecodeByMany(t *testing.T) {
	traffic := simulated(5, 200, 5, time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC))
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			var room []byte
			for _, d := range traffic {
				stored, e := bodycodec.Encode(d.Body)
				got, err := bodycodec.Decode(room[:0], e, stored, int64(len(d.Body)))
				if err != nil || !bytes.Equal(got, d.Body) {
					t.Errorf("%q comes back as %q, %v", d.Body, got, err)
					return
				}
				if e != bodycodec.Verbatim {
					room = got
				}
			}
		})
	}
	all.Wait()
}

// Whoever has the dictionary and the program of Zstandard needs nothing of ours.
func TestZstandardReadsWhatEncodeMakes(t *testing.T) {
	program, err := exec.LookPath("zstd")
	if err != nil {
		t.Fatal("the test needs the program zstd (Debian: apt-get install zstd): ", err)
	}
	for _, body := range samples(t, "samples") {
		stored, e := bodycodec.Encode(body)
		if e != bodycodec.Zstd1 {
			t.Errorf("it is stored as it is: %s", body)
			continue
		}
		cmd := exec.CommandContext(t.Context(), program, "-d", "-c", "-D", "dictionary1.zstd")
		cmd.Stdin = bytes.NewReader(stored)
		if got, err := cmd.Output(); err != nil || !bytes.Equal(got, body) {
			t.Errorf("zstd reads %q, %v; want %q", got, err, body)
		}
	}
}

func FuzzEncode(f *testing.F) {
	for _, body := range append(samples(f, "samples"), samples(f, "hostile")...) {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		stored, e := bodycodec.Encode(body)
		if got, err := bodycodec.Decode(nil, e, stored, int64(len(body))); err != nil || !bytes.Equal(got, body) {
			t.Errorf("%q comes back as %q, %v", body, got, err)
		}
	})
}

func FuzzDecode(f *testing.F) {
	for _, body := range samples(f, "samples") {
		stored, _ := bodycodec.Encode(body)
		f.Add(stored)
	}
	f.Fuzz(func(t *testing.T, stored []byte) {
		const most = 64 << 10
		if got, err := bodycodec.Decode(nil, bodycodec.Zstd1, stored, most); err == nil && (got == nil || len(got) > most) {
			t.Errorf("%d bytes, nil: %v", len(got), got == nil)
		}
	})
}

func BenchmarkEncode(b *testing.B) {
	traffic := simulated(99, 2000, 50, time.Date(2027, 11, 17, 18, 33, 0, 0, time.UTC))
	in, out := 0, 0
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		d := &traffic[i%len(traffic)]
		stored, _ := bodycodec.Encode(d.Body)
		in, out = in+len(d.Body), out+len(stored)
	}
	b.ReportMetric(float64(in)/float64(b.N), "bytes/body")
	b.ReportMetric(float64(out)/float64(b.N), "bytes/stored")
}

func BenchmarkDecode(b *testing.B) {
	traffic := simulated(99, 2000, 50, time.Date(2027, 11, 17, 18, 33, 0, 0, time.UTC))
	type kept struct {
		stored []byte
		e      bodycodec.Encoding
	}
	all := make([]kept, len(traffic))
	for i, d := range traffic {
		all[i].stored, all[i].e = bodycodec.Encode(d.Body)
	}
	var room []byte
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		k := &all[i%len(all)]
		body, err := bodycodec.Decode(room[:0], k.e, k.stored, bodycodec.MaxSize)
		if err != nil {
			b.Fatal(err)
		}
		if k.e != bodycodec.Verbatim {
			room = body
		}
	}
}
