package spool

import (
	"encoding/binary"
	"hash/crc32"
	"time"
)

// MaxPayload is the largest payload in bytes, 64 MiB.
const MaxPayload = 64 << 20

const (
	headerBytes = 24
	magic       = "\xf5SP1"

	lengthAt     = 4
	timeAt       = 8
	payloadSumAt = 16
	headerSumAt  = 20
)

// newFrame is the record of a payload, complete but for the checksum of its header,
// which depends on its place. The payload is copied.
func newFrame(payload []byte, at time.Time) []byte {
	frame := make([]byte, headerBytes+len(payload))
	copy(frame, magic)
	binary.LittleEndian.PutUint32(frame[lengthAt:], uint32(len(payload))) //nolint:gosec // at most MaxPayload
	binary.LittleEndian.PutUint64(frame[timeAt:], uint64(at.UnixNano()))
	binary.LittleEndian.PutUint32(frame[payloadSumAt:], checksum(payload))
	copy(frame[headerBytes:], payload)
	return frame
}

// place completes a frame for its offset in a segment.
func place(frame []byte, seed uint32, offset int64) {
	binary.LittleEndian.PutUint32(frame[headerSumAt:], headerSum(frame, seed, offset))
}

// header is what an intact header says.
type header struct {
	length     int64
	at         time.Time
	payloadSum uint32
}

// parseHeader is false if b does not begin with a header that belongs at the offset of
// the segment with the seed.
func parseHeader(b []byte, seed uint32, offset int64) (header, bool) {
	if len(b) < headerBytes || string(b[:len(magic)]) != magic {
		return header{}, false
	}
	length := binary.LittleEndian.Uint32(b[lengthAt:])
	if length > MaxPayload || binary.LittleEndian.Uint32(b[headerSumAt:]) != headerSum(b, seed, offset) {
		return header{}, false
	}
	return header{
		length:     int64(length),
		at:         time.Unix(0, int64(binary.LittleEndian.Uint64(b[timeAt:]))), //nolint:gosec // written from a signed one
		payloadSum: binary.LittleEndian.Uint32(b[payloadSumAt:]),
	}, true
}

func headerSum(b []byte, seed uint32, offset int64) uint32 {
	var place [8]byte
	binary.LittleEndian.PutUint64(place[:], uint64(offset)) //nolint:gosec // not negative
	table := crc32.MakeTable(crc32.Castagnoli)
	return crc32.Update(crc32.Update(seed, table, place[:]), table, b[:headerSumAt])
}

// checksum is CRC-32C: of a payload, and of a segment's name as the seed of its headers.
func checksum(b []byte) uint32 {
	return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli))
}
