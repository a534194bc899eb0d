package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"

	"github.com/google/uuid"
	"golang.org/x/mod/sumdb/tlog"

	"aifi-audit/store"
	"aifi-audit/store/translog"
)

// An evidence pack is a zip with everything that is needed to check, without this
// program's database and with only the log's public key, that some deliveries were
// received as they are shown. Its files:
//
//	deliveries/<id>/body         the verbatim bytes, unless they were erased
//	deliveries/<id>/record.json  the leaves, their proofs, and what opens their commitments
//	events.json, events.csv      what the deliveries state, as search shows it
//	checkpoint                   the signed note to which the proofs lead
//	checkpoint.cosigned          an older one that witnesses have cosigned, if they have
//	checkpoint.growth.json       the proof that the one continues the other
//	cover.html                   the same for people
//	manifest.json                the name, size and SHA-256 of each file before it
const (
	packFormat  = "aifi-audit evidence 2"
	packFormat1 = "aifi-audit evidence 1" // the same, but for times in events.csv, which have no digits that they do not need
	packLimit   = 1000                    // deliveries, and events
	recordFile  = "record.json"
	bodyFile    = "body"
	eventsFile  = "events.json"
	csvFile     = "events.csv"
	noteFile    = "checkpoint"
	coverFile   = "cover.html"
)

// packRecord is a delivery's record.json.
type packRecord struct {
	DeliveryID  uuid.UUID  `json:"deliveryId"`
	Unsequenced bool       `json:"unsequenced,omitempty"` // it had no leaf when the pack was made
	Leaves      []packLeaf `json:"leaves"`
}

type packLeaf struct {
	leafProof
	Facts     *translog.Facts        `json:"facts,omitempty"`
	FactsSalt translog.Salt          `json:"factsSalt"`
	BodySalt  *translog.Salt         `json:"bodySalt,omitempty"`
	Erasure   *translog.ErasureFacts `json:"erasure,omitempty"`
}

// manifest is a pack's manifest.json.
type manifest struct {
	Format     string         `json:"format"`
	CreatedAt  time.Time      `json:"createdAt"`
	CreatedBy  string         `json:"createdBy"`
	Subject    string         `json:"subject"` // the path and query that it answers
	Size       int64          `json:"logSize"`
	RootHash   tlog.Hash      `json:"logRootHash"`
	Deliveries int            `json:"deliveries"`
	Events     int            `json:"events"`
	Notes      []string       `json:"notes"`
	Files      []manifestFact `json:"files"`
}

var packNotes = []string{
	"events.csv is for spreadsheets: a cell that one would run as a formula is preceded by an apostrophe. events.json has the exact values.",
	"What staff made of the events is not in the pack, whether they did or not: of each, the disposition is null, and there are no notes.",
	"The proofs show that the deliveries were received, and that they and the events are as they were then. They do not show that nothing else was received.",
}

// packColumns are those of all kinds of events.
var packColumns = slices.Concat(eventColumns, moreColumns[store.FraudAlert], moreColumns[store.Registration])

// pack is an evidence pack that is being written. It holds the events, whose number
// is limited, but no more than one body.
type pack struct {
	*archive
	api      *API
	manifest manifest
	cosigned *packCosigned // nil: nothing is
	cover    cover
}

// sessionEvidence answers with the evidence pack of a session.
func (a *API) sessionEvidence(w http.ResponseWriter, r *http.Request, c caller) error {
	id, p, err := sessionAsked(r)
	if err != nil {
		return err
	}
	s, err := a.findSession(r.Context(), c, p, id)
	if err != nil {
		return err
	}
	found, more, err := a.store.Timeline(r.Context(), c.Scope(), s.StoreID, s.SessionID, store.Page{Limit: packLimit})
	if err != nil {
		return err
	}
	of := store.Filter{StoreIDs: []int64{s.StoreID}, SessionIDs: []string{s.SessionID}}
	received, more2, err := a.store.Deliveries(r.Context(), c.Scope(), of, store.Page{Limit: packLimit})
	if err != nil {
		return err
	}
	if more != nil || more2 != nil {
		return tooLarge()
	}
	return a.servePack(w, r, c, found, received)
}

// searchEvidence answers with the evidence pack of what a search finds.
func (a *API) searchEvidence(kind store.Kind) staffHandler {
	l := events(a.store, kind)
	return func(w http.ResponseWriter, r *http.Request, c caller) error {
		p, err := parseParams(r, l.filters)
		if err != nil {
			return err
		}
		f, err := p.filter()
		if err != nil {
			return err
		}
		found, more, err := l.page(r.Context(), c.Scope(), f, store.Page{Limit: packLimit})
		if err != nil {
			return err
		}
		if more != nil {
			return tooLarge()
		}
		return a.servePack(w, r, c, found, nil)
	}
}

func tooLarge() *Problem {
	return problem(http.StatusBadRequest, "pack-too-large", "Too much for a pack", "A pack has at most 1000 events and 1000 deliveries. Narrow the filters.")
}

// servePack streams the pack of some events, the deliveries that stated them, and
// further deliveries.
func (a *API) servePack(w http.ResponseWriter, r *http.Request, c caller, found []store.Event, further []store.KeptDelivery) error {
	var ids []uuid.UUID
	for _, e := range found {
		ids = append(ids, e.DeliveryID)
	}
	for _, d := range further {
		ids = append(ids, d.ID)
	}
	slices.SortFunc(ids, func(x, y uuid.UUID) int { return slices.Compare(x[:], y[:]) })
	ids = slices.Compact(ids)
	checkpoint, err := a.checkpointFor(r.Context(), ids)
	if err != nil {
		return err
	}
	cosigned, err := a.cosignedBefore(r.Context(), checkpoint)
	if err != nil {
		return err
	}
	notes := packNotes
	retired, err := a.store.Retired(r.Context(), ids)
	if err != nil {
		return err
	}
	if len(retired) > 0 {
		ids = slices.DeleteFunc(ids, func(id uuid.UUID) bool { return slices.Contains(retired, id) })
		notes = append(slices.Clone(notes), fmt.Sprintf("%d deliveries that stated events of this pack first were removed when their time was over, as the log says. These events are here since others state them too; what only the first said of them is not proven.", len(retired)))
	}
	if err := c.seesRows(r, len(ids)); err != nil {
		return err
	}
	out := c.download(w, r, "evidence.zip", "application/zip")
	if r.Method == http.MethodHead {
		return out.head()
	}
	m := manifest{
		Format: packFormat, CreatedAt: time.Now().UTC().Truncate(time.Second), CreatedBy: c.Name, Subject: r.URL.RequestURI(), Size: checkpoint.N,
		RootHash: checkpoint.Hash, Deliveries: len(ids), Events: len(found), Notes: notes,
	}
	k := &pack{archive: newArchive(out, m.CreatedAt), api: a, manifest: m, cosigned: cosigned, cover: cover{Manifest: m, Checkpoint: string(checkpoint.Note), Cosigned: cosigned.note(), Events: found}}
	sum, err := k.write(r.Context(), checkpoint, ids, found)
	return out.finish(r, c, int64(len(k.cover.Deliveries)), "manifest SHA-256 "+sum, err)
}

const (
	packPatience = 5 * time.Second // for a delivery to come into the log, which signs once a second
	packPause    = 200 * time.Millisecond
)

// checkpointFor is the newest checkpoint. If the last of the deliveries came just now,
// it waits for one that covers it.
func (a *API) checkpointFor(ctx context.Context, ids []uuid.UUID) (translog.Checkpoint, error) {
	for {
		c, err := a.store.Checkpoint(ctx)
		if err != nil || len(ids) == 0 {
			return c, err
		}
		last := ids[len(ids)-1] // ids begin with the time
		if time.Since(store.ReceivedAt(last)) > packPatience {
			return c, nil
		}
		if _, err = a.store.ProveDeliveryAt(ctx, store.Scope{}, c, last); !errors.Is(err, store.ErrUnsequenced) {
			return c, nil // what else is wrong with it the pack tells
		}
		select {
		case <-time.After(packPause):
		case <-ctx.Done():
			return c, ctx.Err()
		}
	}
}

// packStep writes a file of a pack.
type packStep struct {
	name  string
	write func(io.Writer) error
}

// write writes all files, and returns the SHA-256 of the manifest.
func (k *pack) write(ctx context.Context, checkpoint translog.Checkpoint, ids []uuid.UUID, found []store.Event) (string, error) {
	for _, id := range ids {
		if err := k.delivery(ctx, checkpoint, id); err != nil {
			return "", err
		}
	}
	items := make([]any, len(found))
	for i, e := range found {
		e.Review = store.Review{} // no leaf of a delivery proves it
		items[i] = eventJSON(e)
	}
	steps := []packStep{
		{eventsFile, func(w io.Writer) error { return json.NewEncoder(w).Encode(items) }},
		{csvFile, func(w io.Writer) error { return writeEvents(w, found, false) }},
		{noteFile, func(w io.Writer) error { _, err := w.Write(checkpoint.Note); return err }},
		{coverFile, func(w io.Writer) error { return coverPage.Execute(w, k.cover) }},
	}
	steps = append(steps, k.cosigned.steps(checkpoint.N)...)
	for _, step := range steps {
		if err := k.file(step.name, step.write); err != nil {
			return "", err
		}
	}
	k.manifest.Files = k.files
	return k.end(k.manifest)
}

func writeEvents(w io.Writer, found []store.Event, shortTimes bool) error {
	enc := NewCSV(w, packColumns, false)
	enc.cells.shortTimes = shortTimes
	for _, e := range found {
		if err := enc.Write(e); err != nil {
			return err
		}
	}
	return enc.Flush()
}

// delivery writes the files of a delivery. What does not stand the check against the
// log is not evidence: it ends the pack.
func (k *pack) delivery(ctx context.Context, checkpoint translog.Checkpoint, id uuid.UUID) error {
	record := packRecord{DeliveryID: id, Leaves: []packLeaf{}}
	// The caller saw it, or an event that it states: that was held against his scope. A
	// replayed delivery stays of store 0, whichever store its event is of.
	proofs, err := k.api.store.ProveDeliveryAt(ctx, store.Scope{}, checkpoint, id)
	if errors.Is(err, store.ErrUnsequenced) {
		record.Unsequenced = true
	} else if err != nil {
		return err
	}
	var body []byte
	line := coverDelivery{ID: id.String(), ReceivedAt: moment(store.ReceivedAt(id))}
	for _, p := range proofs {
		record.Leaves = append(record.Leaves, packLeaf{leafProofJSON(p), p.Facts, p.FactsSalt, p.BodySalt, p.Erasure})
		line.Leaves = append(line.Leaves, p.Index)
		if body == nil {
			body, line.Webhook = p.Body, p.Leaf.Webhook
		}
		line.Erased = line.Erased || p.Erasure != nil
	}
	if record.Unsequenced {
		if body, err = k.api.store.Body(ctx, store.Scope{}, id); err != nil {
			return err
		}
	}
	line.Bytes = len(body)
	k.cover.Deliveries = append(k.cover.Deliveries, line)
	dir := "deliveries/" + id.String() + "/"
	if body != nil {
		if err := k.bytes(dir+bodyFile, body); err != nil {
			return err
		}
	}
	return k.json(dir+recordFile, record)
}
