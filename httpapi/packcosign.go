package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"io"

	"golang.org/x/mod/sumdb/tlog"

	"aifi-audit/store"
	"aifi-audit/store/translog"
	"aifi-audit/store/verify"
)

// packCosigned is what witnesses say of the log, as a pack has it: a checkpoint which
// they cosigned, a little older than that of the pack, and the proof that the log has
// only grown between the two.
type packCosigned struct {
	checkpoint translog.Checkpoint
	growth     tlog.TreeProof
}

const (
	cosignedFile = "checkpoint.cosigned"
	growthFile   = "checkpoint.growth.json"
)

// packGrowth is a pack's checkpoint.growth.json.
type packGrowth struct {
	From  int64       `json:"from"`
	To    int64       `json:"to"`
	Proof []tlog.Hash `json:"proof"`
}

// cosignedBefore finds what witnesses say of a checkpoint, or of one before it; nil if
// nothing.
func (a *API) cosignedBefore(ctx context.Context, c translog.Checkpoint) (*packCosigned, error) {
	older, err := a.store.CosignedBefore(ctx, c.N)
	if errors.Is(err, store.ErrNotCosigned) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	begin, _, proof, _, err := a.store.ProveGrowth(ctx, older.N, c.N)
	if err != nil {
		return nil, err
	}
	if begin != older.Tree {
		return nil, store.ErrLogDamaged // it was cosigned otherwise
	}
	return &packCosigned{older, proof}, nil
}

func (p *packCosigned) note() string {
	if p == nil {
		return ""
	}
	return string(p.checkpoint.Note)
}

// steps write the files of a pack whose checkpoint is of a size.
func (p *packCosigned) steps(size int64) []packStep {
	if p == nil {
		return nil
	}
	grown := packGrowth{From: p.checkpoint.N, To: size, Proof: p.growth}
	if grown.Proof == nil {
		grown.Proof = []tlog.Hash{}
	}
	return []packStep{
		{cosignedFile, func(w io.Writer) error { _, err := w.Write(p.checkpoint.Note); return err }},
		{growthFile, func(w io.Writer) error { return json.NewEncoder(w).Encode(grown) }},
	}
}

// checkCosigned holds the cosigned checkpoint of a pack against its checkpoint, and
// checks the signatures of the witnesses that are asked for.
func (k *packCheck) checkCosigned(keys *translog.Verifier, witnesses []translog.Witness) {
	note, err := k.read(cosignedFile)
	if k.files[cosignedFile] == nil {
		for _, w := range witnesses {
			k.tell(verify.Unverifiable, "cosignature", "the pack has no checkpoint that %s has cosigned", w.Name())
		}
		return
	}
	var c translog.Checkpoint
	if err == nil {
		c, err = keys.Open(note)
	}
	if err == nil {
		err = k.grown(c.Tree)
	}
	if err != nil {
		k.tell(verify.Tampered, "cosigned checkpoint", "%v", err)
		return
	}
	k.result.Cosigned = map[string]int64{}
	for _, w := range witnesses {
		if _, err := w.Cosignature(note); err != nil {
			k.tell(verify.Unverifiable, "cosignature", "%s has not cosigned the pack's cosigned checkpoint", w.Name())
			continue
		}
		k.result.Cosigned[w.Name()] = c.N
		k.cosigned = c.N
	}
}

// grown checks that the pack's tree begins with an older one.
func (k *packCheck) grown(older tlog.Tree) error {
	text, err := k.read(growthFile)
	if err != nil {
		return err
	}
	var g packGrowth
	if err := json.Unmarshal(text, &g); err != nil {
		return errors.New("the proof that the log grew from it cannot be read")
	}
	if g.From != older.N || older.N < 1 || older.N > k.tree.N {
		return errors.New("it is not the one that the log is shown to have grown from")
	}
	if err := tlog.CheckTree(g.Proof, k.tree.N, k.tree.Hash, older.N, older.Hash); err != nil {
		return errors.New("the pack's checkpoint does not continue it")
	}
	return nil
}

// covered checks that a leaf is among those that the witnesses have cosigned.
func (k *packCheck) covered(index int64) bool { return k.cosigned == 0 || index < k.cosigned }
