package httpapi

import (
	_ "embed"
	"html/template"

	"aifi-audit/store"
)

//go:embed cover.html
var coverSource string

var coverPage = template.Must(template.New("cover").Funcs(template.FuncMap{
	"moment": moment, "text": text, "joined": joined,
}).Parse(coverSource))

// Erased is how many of the deliveries were erased.
func (c cover) Erased() (n int) {
	for _, d := range c.Deliveries {
		if d.Erased {
			n++
		}
	}
	return n
}

// cover is what the cover of an evidence pack shows.
type cover struct {
	Manifest   manifest
	Checkpoint string
	Cosigned   string // the checkpoint that witnesses have cosigned; "": none
	Events     []store.Event
	Deliveries []coverDelivery
}

type coverDelivery struct {
	ID, ReceivedAt, Webhook string
	Bytes                   int
	Leaves                  []int64
	Erased                  bool
}
