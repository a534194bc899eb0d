package spool

import (
	"bytes"
	"errors"
	"io"
	"testing"
)

// memReader reads bytes.
func memReader(b []byte) io.ReaderAt { return bytes.NewReader(b) }

const someSegment = "00000000000000000007-00000000deadbeef.spool"

// pieces walks a segment.
func pieces(t testing.TB, b []byte, name string) []piece {
	t.Helper()
	sc := newScanner(memReader(b), name, int64(len(b)))
	var all []piece
	for {
		p, err := sc.next(false)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

// segmentOf is a segment with these payloads.
func segmentOf(name string, payloads ...[]byte) []byte {
	var b []byte
	for _, p := range payloads {
		frame := newFrame(p, testNow())
		place(frame, checksum([]byte(name)), int64(len(b)))
		b = append(b, frame...)
	}
	return b
}

// Arbitrary bytes never make the scanner panic, lose a byte or yield a payload that does
// not fit its checksum. An intact record that follows them is found.
func FuzzScanner(f *testing.F) {
	good := segmentOf(someSegment, []byte("one"), []byte(""), bytes.Repeat([]byte("three"), 9))
	f.Add(good)
	f.Add(good[:len(good)-3])
	f.Add(append(bytes.Clone(good), good...)) // what is at another place is no record
	f.Add([]byte(magic))
	f.Add(bytes.Repeat([]byte(magic), 20))
	f.Add(make([]byte, 100))
	f.Fuzz(func(t *testing.T, b []byte) {
		check := func(b []byte) []piece {
			all := pieces(t, b, someSegment)
			var at int64
			for i, p := range all {
				if p.offset != at || p.size <= 0 {
					t.Fatalf("piece %d begins at %d, %d bytes long, after %d", i, p.offset, p.size, at)
				}
				at += p.size
				if p.kind != intact {
					continue
				}
				frame := newFrame(p.payload, p.at)
				place(frame, checksum([]byte(someSegment)), p.offset)
				if !bytes.Equal(frame, b[p.offset:at]) {
					t.Fatalf("piece %d is not the record of its payload", i)
				}
			}
			if at != int64(len(b)) {
				t.Fatalf("%d of %d bytes", at, len(b))
			}
			return all
		}
		before := check(b)
		if n := len(before); n > 0 && before[n-1].kind == torn {
			return // the bytes that follow could belong to it
		}
		frame := newFrame([]byte("after"), testNow())
		place(frame, checksum([]byte(someSegment)), int64(len(b)))
		all := check(append(bytes.Clone(b), frame...))
		if last := all[len(all)-1]; string(last.payload) != "after" {
			t.Fatalf("the record behind is not found: %+v", all)
		}
	})
}
