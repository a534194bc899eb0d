package httpapi

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/google/uuid"
	"golang.org/x/mod/sumdb/tlog"

	"aifi-audit/store"
	"aifi-audit/store/translog"
	"aifi-audit/store/verify"
)

const (
	maxPackFile  = 64 << 20 // bytes of a file in a pack
	maxPackFiles = 4*packLimit + 10
)

// PackResult is what the verification of an evidence pack found.
type PackResult struct {
	Size       int64                `json:"size"` // of the log, by the checkpoint
	Deliveries int                  `json:"deliveries"`
	Proven     int                  `json:"proven"` // deliveries with a leaf
	Events     int                  `json:"events"`
	Cosigned   map[string]int64     `json:"cosigned,omitempty"` // leaves, by the name of each witness that was asked for
	Manifest   string               `json:"manifestSha256"`
	Findings   map[verify.Class]int `json:"findings"`
}

// Clean reports whether nothing speaks against the pack.
func (r PackResult) Clean() bool {
	for class, n := range r.Findings {
		if class != verify.Erased && n > 0 {
			return false
		}
	}
	return true
}

// packCheck is a verification under way.
type packCheck struct {
	files    map[string]*zip.File
	tree     tlog.Tree
	cosigned int64 // leaves that the witnesses asked for have cosigned; 0: none were, or they have not
	result   PackResult
	found    func(verify.Finding)
	manifest manifest
	events   map[uuid.UUID]store.Event // that a delivery states first, by its id: an event without a time shares its own
}

// VerifyPack checks an evidence pack with nothing but public keys of the log, and of
// the witnesses who must have cosigned it. Each finding goes to found. The error says
// that it is no pack at all.
func VerifyPack(r io.ReaderAt, size int64, keys *translog.Verifier, witnesses []translog.Witness, found func(verify.Finding)) (PackResult, error) {
	z, err := zip.NewReader(r, size)
	if err != nil {
		return PackResult{}, fmt.Errorf("reading the pack: %w", err)
	}
	if len(z.File) > maxPackFiles {
		return PackResult{}, fmt.Errorf("a pack has at most %d files", maxPackFiles)
	}
	k := &packCheck{files: map[string]*zip.File{}, found: found, events: map[uuid.UUID]store.Event{}}
	k.result.Findings = map[verify.Class]int{}
	for _, f := range z.File {
		if k.files[f.Name] != nil {
			return k.result, fmt.Errorf("the pack has two files %q", f.Name)
		}
		k.files[f.Name] = f
	}
	text, err := k.read(manifestFile)
	if err != nil {
		return k.result, err
	}
	if err := json.Unmarshal(text, &k.manifest); err != nil || k.manifest.Format != packFormat && k.manifest.Format != packFormat1 {
		return k.result, fmt.Errorf("the pack's manifest is not of format %q, nor %q", packFormat, packFormat1)
	}
	sum := sha256.Sum256(text)
	k.result.Manifest = hex.EncodeToString(sum[:])
	k.checkManifest()
	if !k.checkpoint(keys) {
		return k.result, nil
	}
	k.checkCosigned(keys, witnesses)
	k.deliveries()
	k.checkEvents()
	return k.result, nil
}

func (k *packCheck) tell(class verify.Class, what, format string, args ...any) {
	k.about(nil, nil, class, what, format, args...)
}

func (k *packCheck) about(id *uuid.UUID, leaf *int64, class verify.Class, what, format string, args ...any) {
	k.result.Findings[class]++
	k.found(verify.Finding{Class: class, What: what, DeliveryID: id, Leaf: leaf, Detail: fmt.Sprintf(format, args...)})
}

func (k *packCheck) read(name string) ([]byte, error) {
	f := k.files[name]
	if f == nil {
		return nil, fmt.Errorf("the pack has no %s", name)
	}
	r, err := f.Open()
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", name, err)
	}
	defer func() { _ = r.Close() }()
	text, err := io.ReadAll(io.LimitReader(r, maxPackFile+1))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", name, err)
	}
	if len(text) > maxPackFile {
		return nil, fmt.Errorf("%s is longer than %d bytes", name, maxPackFile)
	}
	return text, nil
}

// checkManifest holds the files against the manifest. The manifest is not proven:
// that protects the copy, the proofs protect what counts.
func (k *packCheck) checkManifest() {
	listed := map[string]bool{manifestFile: true}
	for _, f := range k.manifest.Files {
		listed[f.Name] = true
		text, err := k.read(f.Name)
		if err != nil {
			k.tell(verify.Missing, "file", "%v", err)
			continue
		}
		if sum := sha256.Sum256(text); hex.EncodeToString(sum[:]) != f.SHA256 {
			k.tell(verify.Tampered, "file", "%s does not match its SHA-256 in the manifest", f.Name)
		}
	}
	for name := range k.files {
		if !listed[name] {
			k.tell(verify.Tampered, "file", "%q is not in the manifest", name)
		}
	}
}

func (k *packCheck) checkpoint(keys *translog.Verifier) bool {
	note, err := k.read(noteFile)
	if err != nil {
		k.tell(verify.Missing, "checkpoint", "%v", err)
		return false
	}
	c, err := keys.Open(note)
	if err != nil {
		k.tell(verify.Tampered, "checkpoint", "%v", err)
		return false
	}
	k.tree, k.result.Size = c.Tree, c.N
	return true
}

func (k *packCheck) deliveries() {
	for name := range k.files {
		dir, ok := strings.CutSuffix(name, "/"+recordFile)
		if !ok {
			continue
		}
		id, err := uuid.Parse(strings.TrimPrefix(dir, "deliveries/"))
		if err != nil || dir != "deliveries/"+id.String() {
			k.tell(verify.Tampered, "file", "%q is of no delivery", name)
			continue
		}
		k.result.Deliveries++
		k.delivery(id, dir)
	}
	for name := range k.files { // a body without a record proves nothing
		if dir, ok := strings.CutSuffix(name, "/"+bodyFile); ok && k.files[dir+"/"+recordFile] == nil {
			k.tell(verify.Missing, "file", "%s has no record", name)
		}
	}
	if k.result.Deliveries != k.manifest.Deliveries {
		k.tell(verify.Missing, "deliveries", "there are %d, and the manifest says %d", k.result.Deliveries, k.manifest.Deliveries)
	}
}

// delivery checks a delivery's leaves, and what they commit to.
func (k *packCheck) delivery(id uuid.UUID, dir string) {
	var record packRecord
	text, err := k.read(dir + "/" + recordFile)
	if err == nil {
		err = json.Unmarshal(text, &record)
	}
	if err != nil || record.DeliveryID != id {
		k.about(&id, nil, verify.Tampered, "record", "it cannot be read: %v", err)
		return
	}
	if len(record.Leaves) == 0 {
		k.about(&id, nil, verify.Unsequenced, "delivery", "it was not in the log yet when the pack was made; make the pack again")
		return
	}
	var body []byte
	if k.files[dir+"/"+bodyFile] != nil {
		if body, err = k.read(dir + "/" + bodyFile); err != nil {
			k.about(&id, nil, verify.Unverifiable, "body", "%v", err)
			return
		}
		if body == nil {
			body = []byte{}
		}
	}
	proven := true
	for _, l := range record.Leaves {
		proven = k.leaf(id, l, body, record.Leaves) && proven
	}
	if proven {
		k.result.Proven++
	}
}

// leaf checks a leaf, and takes the event that it states first.
func (k *packCheck) leaf(id uuid.UUID, l packLeaf, body []byte, all []packLeaf) bool {
	bad := func(what, detail string) bool {
		k.about(&id, &l.Index, verify.Tampered, what, "%s", detail)
		return false
	}
	leaf, err := translog.ParseLeaf(l.Record)
	if err != nil || leaf.ID != id || leaf.Kind.String() != l.Kind {
		return bad("leaf", "it is not a leaf of this delivery")
	}
	if err := tlog.CheckRecord(l.Proof, k.tree.N, k.tree.Hash, l.Index, tlog.RecordHash(l.Record)); err != nil {
		return bad("leaf", "its proof does not lead to the checkpoint")
	}
	if !k.covered(l.Index) {
		k.about(&id, &l.Index, verify.Unverifiable, "cosignature", "it came after the %d leaves that are cosigned; make the pack again", k.cosigned)
	}
	if leaf.Kind == translog.Erasure {
		if l.Erasure == nil || l.FactsSalt.Commit(l.Erasure.Append(nil)) != leaf.Facts {
			return bad("erasure", "who and why is not what the leaf commits to")
		}
		return true
	}
	if l.Facts == nil || l.FactsSalt.Commit(l.Facts.Append(nil)) != leaf.Facts {
		return bad("facts", "they are not what the leaf commits to")
	}
	switch {
	case l.BodySalt != nil && body != nil:
		if l.BodySalt.Commit(body) != leaf.Body {
			return bad("body", "it is not what the leaf commits to")
		}
	default:
		at := slices.IndexFunc(all, func(other packLeaf) bool { return other.Kind == translog.Erasure.String() })
		if at < 0 {
			k.about(&id, &l.Index, verify.Missing, "body", "it is not in the pack, and the pack does not prove that it was erased")
			return false
		}
		k.about(&id, &l.Index, verify.Erased, "body", "by leaf %d", all[at].Index)
		body = nil
	}
	if e, ok := store.EventOf(leaf, l.Facts, body); ok {
		k.events[id] = e
	}
	return true
}

// checkEvents makes the events' files again from what is proven, and compares.
func (k *packCheck) checkEvents() {
	text, err := k.read(eventsFile)
	var items []json.RawMessage
	if err == nil {
		err = json.Unmarshal(text, &items)
	}
	if err != nil {
		k.tell(verify.Tampered, "events", "%s cannot be read: %v", eventsFile, err)
		return
	}
	k.result.Events = len(items)
	if len(items) != k.manifest.Events {
		k.tell(verify.Missing, "events", "there are %d, and the manifest says %d", len(items), k.manifest.Events)
	}
	var proven []store.Event
	for i, item := range items {
		var said struct {
			DeliveryID uuid.UUID `json:"deliveryId"`
		}
		if err := json.Unmarshal(item, &said); err != nil {
			k.tell(verify.Tampered, "event", "number %d cannot be read", i)
			continue
		}
		e, ok := k.events[said.DeliveryID]
		if !ok {
			k.about(&said.DeliveryID, nil, verify.Unverifiable, "event", "no proven delivery of the pack states it first")
			continue
		}
		want := eventJSON(e)
		// Packs made before reviews were left out show them; no delivery states them.
		err := json.Unmarshal(item, &want.review)
		var text []byte
		if err == nil {
			text, err = json.Marshal(want)
		}
		if err != nil || !bytes.Equal(text, item) {
			k.about(&said.DeliveryID, nil, verify.Tampered, "event", "it is not what the delivery states")
			continue
		}
		proven = append(proven, e)
	}
	if len(proven) < len(items) {
		return // the CSV cannot be made again
	}
	var want bytes.Buffer
	if err := writeEvents(&want, proven, k.manifest.Format == packFormat1); err != nil {
		k.tell(verify.Unverifiable, "events", "%v", err)
		return
	}
	if have, err := k.read(csvFile); err != nil || !bytes.Equal(have, want.Bytes()) {
		k.tell(verify.Tampered, "events", "%s is not what the deliveries state", csvFile)
	}
}
