package httpapi

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"strings"
	"time"

	"aifi-audit/store"
)

const cursorSum = 8 // bytes of checksum before the position

// position is a store.Position on the wire. Times are microseconds of Unix.
type position struct {
	Time    int64  `json:"t,omitempty"`
	StoreID int64  `json:"s,omitempty"`
	ID      string `json:"i,omitempty"`
}

// cursor makes a position opaque. It is bound to what was asked by a checksum, so
// that it cannot be used with other filters by mistake. It is no secret, and gives
// no right: each page is authorised anew.
func cursor(at store.Position, asked string) string {
	p := position{StoreID: at.StoreID, ID: at.ID}
	if !at.Time.IsZero() {
		p.Time = at.Time.UnixMicro()
	}
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false) // it is not for pages, and < would take six bytes
	_ = enc.Encode(p)        // numbers and a string cannot fail
	payload := bytes.TrimSpace(text.Bytes())
	return base64.RawURLEncoding.EncodeToString(append(checksum(payload, asked), payload...))
}

func parseCursor(name, token, asked string) (*store.Position, error) {
	invalid := badCursor(name)
	raw, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(raw) < cursorSum {
		return nil, invalid
	}
	payload := raw[cursorSum:]
	var p position
	if string(checksum(payload, asked)) != string(raw[:cursorSum]) || json.Unmarshal(payload, &p) != nil {
		return nil, invalid
	}
	// Whoever makes a cursor of their own can only hurt their own request.
	at := store.Position{Time: time.UnixMicro(p.Time).UTC(), StoreID: p.StoreID, ID: p.ID}
	if !store.Writable(at.Time) || strings.ContainsRune(at.ID, 0) {
		return nil, invalid
	}
	return &at, nil
}

func badCursor(name string) *Problem {
	return badParameter(name, "It is not a cursor of this list with these filters. Start again without it.")
}

func checksum(payload []byte, asked string) []byte {
	h := sha256.New()
	h.Write(payload)
	h.Write([]byte{0})
	h.Write([]byte(asked))
	return h.Sum(nil)[:cursorSum]
}
