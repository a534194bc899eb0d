// Package bodycodec makes the bodies of webhooks small, and gives them back byte for
// byte. A body alone repeats little within itself, but much of other bodies: so it is
// compressed with a dictionary, which both sides must have.
package bodycodec

import (
	_ "embed"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// Encoding says how stored bytes stand for a body. Its values are in databases: what one
// means never changes, and neither does its dictionary. A better one is a new value.
type Encoding = int16

// The encodings.
const (
	Verbatim Encoding = 0 // the body itself
	Zstd1    Encoding = 1 // a frame of Zstandard (RFC 8878) that tells its size, with Dictionary1
)

// MaxSize is the most bytes that a compressed body may have. Longer ones are stored
// verbatim, so that nobody has to make room for what a few bytes say that they are.
const MaxSize = 16 << 20

// Dictionary1 is the dictionary of Zstd1, in the format of RFC 8878: see train_test.go.
//
//go:embed dictionary1.zstd
var Dictionary1 []byte

// ErrCorrupt says that stored bytes are not what Encode makes.
var ErrCorrupt = errors.New("the stored body cannot be decoded")

// The fastest level: a better one takes two to four times as long, for 2 percent.
// Without a checksum, since a body's SHA-256 lies beside it.
var encoder = once(func() (*zstd.Encoder, error) {
	return zstd.NewWriter(nil, zstd.WithEncoderDict(Dictionary1), zstd.WithEncoderLevel(zstd.SpeedFastest),
		zstd.WithEncoderCRC(false), zstd.WithSingleSegment(true))
})

var decoder = once(func() (*zstd.Decoder, error) {
	return zstd.NewReader(nil, zstd.WithDecoderDicts(Dictionary1), zstd.WithDecoderConcurrency(0),
		zstd.WithDecoderMaxMemory(MaxSize), zstd.WithDecoderMaxWindow(MaxSize), zstd.WithDecodeAllCapLimit(true))
})

// once makes something when it is first asked for: most commands of the program have no
// body to read.
func once[T any](create func() (T, error)) func() T {
	return sync.OnceValue(func() T {
		made, err := create()
		if err != nil {
			panic(err) // the options and the dictionary are constants
		}
		return made
	})
}

// rooms are where frames are made, before it is known how long they are.
var rooms = sync.Pool{New: func() any { return new([]byte) }}

// Encode gives the bytes to store for a body, never nil, and how they stand for it: the
// body itself if it does not get smaller. It may be called by many at once.
func Encode(body []byte) ([]byte, Encoding) {
	if len(body) == 0 {
		return []byte{}, Verbatim
	}
	if len(body) > MaxSize {
		return body, Verbatim
	}
	room := rooms.Get().(*[]byte)
	defer rooms.Put(room)
	*room = encoder().EncodeAll(body, (*room)[:0])
	if len(*room) >= len(body) {
		return body, Verbatim
	}
	return slices.Clone(*room), Zstd1
}

// Room is memory in which one body after another is decoded.
type Room struct{ b []byte }

// Decode is Decode into the room: the body is valid until the next.
func (r *Room) Decode(e Encoding, stored []byte, most int64) ([]byte, error) {
	body, err := Decode(r.b[:0], e, stored, most)
	if err == nil && e != Verbatim { // which is not ours to write over
		r.b = body
	}
	return body, err
}

// Decode appends to dst the body that stored bytes stand for, or gives the bytes
// themselves if they are verbatim. It is ErrCorrupt if they stand for none, or for one
// longer than most, for which it makes no room. It may be called by many at once.
func Decode(dst []byte, e Encoding, stored []byte, most int64) ([]byte, error) {
	switch e {
	case Verbatim:
		return stored, nil
	case Zstd1:
	default:
		return nil, fmt.Errorf("%w: encoding %d is unknown", ErrCorrupt, e)
	}
	var h zstd.Header
	if err := h.Decode(stored); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	most = min(most, MaxSize)
	if !h.HasFCS || h.FrameContentSize == 0 || h.FrameContentSize > uint64(max(most, 0)) {
		return nil, fmt.Errorf("%w: it does not say that it is of 1 to %d bytes", ErrCorrupt, most)
	}
	size := int(h.FrameContentSize) //nolint:gosec // at most MaxSize
	body, err := decoder().DecodeAll(stored, slices.Grow(dst, size))
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
	case len(body) != len(dst)+size:
		return nil, fmt.Errorf("%w: there is more than one frame", ErrCorrupt)
	}
	return body, nil
}
