package spool

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"time"
)

const (
	windowBytes = 256 << 10
	blockBytes  = 4 << 10 // what is skipped of an unreadable place
)

// kind is what stands at a place of a segment.
type kind int

const (
	intact  kind = iota
	damaged      // bytes that are no record, or whose checksum is wrong
	torn         // the beginning of a record at the segment's end, as a crash leaves it
)

// piece is a stretch of a segment.
type piece struct {
	kind    kind
	offset  int64
	size    int64 // with the header
	at      time.Time
	payload []byte // of an intact record; unless headersOnly
	why     string // of a damaged piece
}

// scanner walks the pieces of a segment. Each byte belongs to exactly one.
type scanner struct {
	file        io.ReaderAt
	seed        uint32
	pos, end    int64
	headersOnly bool // payloads are skipped, not verified

	window []byte // the bytes from start on
	start  int64
}

func newScanner(file io.ReaderAt, name string, end int64) *scanner {
	return &scanner{file: file, seed: checksum([]byte(name)), end: end}
}

// next returns the piece at the position and moves behind it, or io.EOF at the end. If
// reading fails it returns the error and stays; with giveUp it takes what cannot be
// read for damaged instead.
func (sc *scanner) next(giveUp bool) (piece, error) {
	if sc.pos >= sc.end {
		return piece{}, io.EOF
	}
	p, err := sc.at(sc.pos, giveUp)
	if err != nil {
		return piece{}, err
	}
	sc.pos += p.size
	return p, nil
}

func (sc *scanner) at(pos int64, giveUp bool) (piece, error) {
	b, err := sc.peek(pos, headerBytes)
	if err != nil {
		if !giveUp {
			return piece{}, err
		}
		return sc.gap(pos, (pos/blockBytes+1)*blockBytes, giveUp, "cannot be read: "+err.Error())
	}
	h, ok := parseHeader(b, sc.seed, pos)
	if !ok {
		if len(b) < headerBytes && strings.HasPrefix(magic, string(b[:min(len(b), len(magic))])) {
			return piece{kind: torn, offset: pos, size: sc.end - pos}, nil
		}
		return sc.gap(pos, pos+1, giveUp, "no intact header")
	}
	p := piece{kind: intact, offset: pos, size: headerBytes + h.length, at: h.at}
	if p.size > sc.end-pos {
		return piece{kind: torn, offset: pos, size: sc.end - pos}, nil
	}
	if sc.headersOnly {
		return p, nil
	}
	p.payload, err = sc.read(pos+headerBytes, int(h.length))
	switch {
	case err != nil && !giveUp:
		return piece{}, err
	case err != nil:
		p.kind, p.payload, p.why = damaged, nil, "cannot be read: "+err.Error()
	case checksum(p.payload) != h.payloadSum:
		p.kind, p.payload, p.why = damaged, nil, "the payload's checksum is wrong"
	}
	return p, nil
}

// gap is the damaged piece at pos, up to the first intact header at from or behind it.
func (sc *scanner) gap(pos, from int64, giveUp bool, why string) (piece, error) {
	next, err := sc.find(from, giveUp)
	if err != nil {
		return piece{}, err
	}
	return piece{kind: damaged, offset: pos, size: next - pos, why: why}, nil
}

// find is the offset of the first intact header at pos or behind it, or the end.
func (sc *scanner) find(pos int64, giveUp bool) (int64, error) {
	for sc.end-pos >= headerBytes {
		b, err := sc.peek(pos, headerBytes)
		if err != nil {
			if !giveUp {
				return 0, err
			}
			pos = (pos/blockBytes + 1) * blockBytes
			continue
		}
		i := bytes.Index(b, []byte(magic))
		switch {
		case i < 0:
			pos += int64(len(b) - len(magic) + 1)
		case len(b)-i < headerBytes && i > 0:
			pos += int64(i) // the rest of it is in the next window
		default:
			if _, ok := parseHeader(b[i:], sc.seed, pos+int64(i)); ok {
				return pos + int64(i), nil
			}
			pos += int64(i) + 1
		}
	}
	return sc.end, nil
}

// peek returns the bytes at pos: at least n of them, fewer only at the end. They stay
// until the next call.
func (sc *scanner) peek(pos int64, n int) ([]byte, error) {
	n = int(min(int64(n), sc.end-pos))
	if pos >= sc.start && pos+int64(n) <= sc.start+int64(len(sc.window)) {
		return sc.window[pos-sc.start:], nil
	}
	// A bad place shall spoil no more than it must: if much cannot be read, try less.
	var err error
	for _, size := range []int{windowBytes, blockBytes - int(pos%blockBytes), n} {
		if err = sc.load(pos, max(size, n)); err == nil {
			return sc.window, nil
		}
	}
	return nil, err
}

func (sc *scanner) load(pos int64, n int) error {
	if sc.window == nil {
		sc.window = make([]byte, 0, windowBytes)
	}
	n = int(min(int64(n), sc.end-pos))
	sc.window, sc.start = sc.window[:0], pos
	if err := readFull(sc.file, sc.window[:n], pos); err != nil {
		return err
	}
	sc.window = sc.window[:n]
	return nil
}

// read returns n bytes from pos on, in memory of their own.
func (sc *scanner) read(pos int64, n int) ([]byte, error) {
	b := make([]byte, n)
	have := 0
	if pos >= sc.start && pos < sc.start+int64(len(sc.window)) {
		have = copy(b, sc.window[pos-sc.start:])
	}
	if have == n {
		return b, nil
	}
	if n <= blockBytes { // small records come one after the other
		w, err := sc.peek(pos, n)
		copy(b, w)
		return b, err
	}
	return b, readFull(sc.file, b[have:], pos+int64(have))
}

// readFull fills b, or returns an error: io.ErrUnexpectedEOF if the file is shorter than
// it was.
func readFull(f io.ReaderAt, b []byte, pos int64) error {
	n, err := f.ReadAt(b, pos)
	if n == len(b) {
		return nil
	}
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
