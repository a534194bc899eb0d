package httpapi

import (
	"context"
	"encoding/hex"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/gorilla/mux"
	"golang.org/x/mod/sumdb/tlog"

	"aifi-audit/store"
	"aifi-audit/store/translog"
)

// logState is the JSON of how the log is doing.
type logState struct {
	logHealth
	Size     int64  `json:"size"`
	RootHash string `json:"rootHash,omitempty"` // base64, as in checkpoints
}

// logHealth is what is known of the log without the database.
type logHealth struct {
	State   string        `json:"state"`
	Error   string        `json:"error,omitempty"`
	Anchors []anchorState `json:"anchors"`
}

// anchorState is how a place does where checkpoints are anchored.
type anchorState struct {
	To           string     `json:"to"`
	Size         *int64     `json:"size"`
	At           *time.Time `json:"at"`
	WaitingSince *time.Time `json:"waitingSince"`
	Error        string     `json:"error,omitempty"`
	Contradicts  bool       `json:"contradicts"`
}

func (a *API) logHealth() logHealth {
	status := a.store.LogStatus()
	h := logHealth{State: status.State, Error: status.Error, Anchors: []anchorState{}}
	for _, s := range a.anchors.Status() {
		state := anchorState{To: s.To, At: utcOrNil(s.At), WaitingSince: utcOrNil(s.WaitingSince), Error: s.Error, Contradicts: s.Contradicts}
		if state.At != nil {
			state.Size = &s.Size
		}
		h.Anchors = append(h.Anchors, state)
	}
	return h
}

// logStatus answers whether the log is being signed, and how large it is.
func (a *API) logStatus(w http.ResponseWriter, r *http.Request, _ caller) error {
	if _, err := parseParams(r, nil); err != nil {
		return err
	}
	out := logState{logHealth: a.logHealth()}
	c, err := a.store.Checkpoint(r.Context())
	switch {
	case err == nil:
		out.Size, out.RootHash = c.N, c.Hash.String()
	case !errors.Is(err, store.ErrNoLog) && !errors.Is(err, store.ErrRolledBack):
		return err
	}
	writeJSON(w, r, http.StatusOK, out)
	return nil
}

// checkpoint answers with the newest signed note.
func (a *API) checkpoint(w http.ResponseWriter, r *http.Request) error {
	return serveNote(w, r, a.store.Checkpoint)
}

// cosigned answers with the newest checkpoint that a witness has cosigned.
func (a *API) cosigned(w http.ResponseWriter, r *http.Request) error {
	return serveNote(w, r, a.store.Cosigned)
}

func serveNote(w http.ResponseWriter, r *http.Request, get func(context.Context) (translog.Checkpoint, error)) error {
	c, err := get(r.Context())
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-cache")
	if r.Method != http.MethodHead {
		_, _ = w.Write(c.Note) // the client is gone if this fails
	}
	return nil
}

// tile answers with the hashes of a tile, as C2SP tlog-tiles lays them out. They
// never change, and tell nothing of what they are the hashes of.
func (a *API) tile(w http.ResponseWriter, r *http.Request) error {
	n, err := url.PathUnescape(mux.Vars(r)["n"]) // clients that were generated write its slashes as %2F
	if err != nil {
		return store.ErrNotFound
	}
	t, err := translog.ParseTilePath(mux.Vars(r)["level"] + "/" + n)
	if err != nil {
		return store.ErrNotFound
	}
	data, err := a.store.Tile(r.Context(), t)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	if r.Method != http.MethodHead {
		_, _ = w.Write(data) // the client is gone if this fails
	}
	return nil
}

// open serves what needs no token.
func (a *API) open(h func(http.ResponseWriter, *http.Request) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := h(w, r); err != nil {
			a.fail(w, r, err)
		}
	})
}

// leafProof is the JSON of a leaf and its proof.
type leafProof struct {
	Kind            string      `json:"kind"`
	Index           int64       `json:"index"`
	Record          []byte      `json:"record"` // the leaf, encoded
	BodyCommitment  string      `json:"bodyCommitment"`
	FactsCommitment string      `json:"factsCommitment"`
	Hash            tlog.Hash   `json:"hash"`
	Proof           []tlog.Hash `json:"proof"`
}

func leafProofJSON(p store.LeafProof) leafProof {
	out := leafProof{
		Kind: p.Leaf.Kind.String(), Index: p.Index, Record: p.Leaf.Append(nil), BodyCommitment: hex.EncodeToString(p.Leaf.Body[:]),
		FactsCommitment: hex.EncodeToString(p.Leaf.Facts[:]), Hash: p.Leaf.Hash(), Proof: p.Proof,
	}
	if out.Proof == nil {
		out.Proof = []tlog.Hash{}
	}
	return out
}

// inclusion proves that the log has the leaves of a delivery.
func (a *API) inclusion(w http.ResponseWriter, r *http.Request, c caller) error {
	p, err := parseParams(r, []string{"deliveryId"})
	if err != nil {
		return err
	}
	text, err := p.one("deliveryId")
	if err != nil {
		return err
	}
	id, err := parseUUID(text)
	if err != nil {
		return badParameter("deliveryId", "It must be the id of a delivery.")
	}
	proofs, checkpoint, err := a.store.ProveDelivery(r.Context(), c.Scope(), id)
	if err != nil {
		return err
	}
	if err := c.seesRows(r, len(proofs)); err != nil {
		return err
	}
	out := struct {
		DeliveryID string      `json:"deliveryId"`
		Checkpoint string      `json:"checkpoint"`
		Leaves     []leafProof `json:"leaves"`
	}{DeliveryID: id.String(), Checkpoint: string(checkpoint.Note)}
	for _, proof := range proofs {
		out.Leaves = append(out.Leaves, leafProofJSON(proof))
	}
	writeJSON(w, r, http.StatusOK, out)
	return nil
}

// consistency proves that the log only grew between two sizes.
func (a *API) consistency(w http.ResponseWriter, r *http.Request, _ caller) error {
	p, err := parseParams(r, []string{"from", "to"})
	if err != nil {
		return err
	}
	from, err := p.size("from")
	if err != nil {
		return err
	}
	if from == 0 {
		return badParameter("from", "It is needed.")
	}
	to, err := p.size("to")
	if err != nil {
		return err
	}
	older, newer, proof, c, err := a.store.ProveGrowth(r.Context(), from, to)
	if errors.Is(err, store.ErrBeyond) {
		if from > c.N || from > to && to != 0 {
			return badParameter("from", "It must not be larger than to, nor than the log, which has %d leaves.", c.N)
		}
		return badParameter("to", "The log has only %d leaves.", c.N)
	}
	if err != nil {
		return err
	}
	out := struct {
		From       int64       `json:"from"`
		FromRoot   tlog.Hash   `json:"fromRootHash"`
		To         int64       `json:"to"`
		ToRoot     tlog.Hash   `json:"toRootHash"`
		Proof      []tlog.Hash `json:"proof"`
		Checkpoint string      `json:"checkpoint"`
	}{older.N, older.Hash, newer.N, newer.Hash, proof, string(c.Note)}
	if proof == nil {
		out.Proof = []tlog.Hash{}
	}
	writeJSON(w, r, http.StatusOK, out)
	return nil
}

// size reads a number of leaves; 0 if absent.
func (p params) size(name string) (int64, error) {
	v, err := p.one(name)
	if err != nil || v == "" {
		return 0, err
	}
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil || n < 1 {
		return 0, badParameter(name, "It must be a number of leaves, from 1.")
	}
	return n, nil
}
