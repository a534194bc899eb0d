package anchor

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/tlog"

	"aifi-audit/store"
	"aifi-audit/store/translog"
)

// asker asks a witness to cosign checkpoints (c2sp.org/tlog-witness), and keeps what it
// says.
type asker struct {
	client *http.Client
	key    translog.Witness
	url    string
	store  *store.Store
	known  int64 // the size that the witness cosigned last; -1: not known
}

// errSize says of what size the checkpoint is that the witness cosigned last.
type errSize int64

func (e errSize) Error() string { return fmt.Sprintf("it has cosigned %d leaves", int64(e)) }

func (a *asker) send(ctx context.Context, c translog.Checkpoint) error {
	if a.known < 0 {
		known, err := a.store.CosignedUpTo(ctx, a.key)
		if err != nil {
			return err
		}
		if known == c.N {
			return nil
		}
		a.known = known
	}
	err := a.add(ctx, c)
	if size := errSize(0); errors.As(err, &size) { // it knows better; once more from there
		a.known = int64(size)
		err = a.add(ctx, c)
	}
	return err
}

// add has the witness cosign a checkpoint that continues what it cosigned last.
func (a *asker) add(ctx context.Context, c translog.Checkpoint) error {
	if a.known > c.N {
		return a.ahead(ctx)
	}
	_, newer, proof, _, err := a.store.ProveGrowth(ctx, a.known, c.N)
	if err != nil {
		return fmt.Errorf("proving that the log grew: %w", err)
	}
	if newer != c.Tree {
		return fmt.Errorf("%w: its first %d leaves are not those that were signed a moment ago", errContradicts, c.N)
	}
	status, contentType, answer, err := post(ctx, a.client, a.url, "", request(a.known, proof, c))
	if err != nil {
		return err
	}
	switch status {
	case http.StatusOK:
	case http.StatusConflict:
		size, err := strconv.ParseInt(strings.TrimSuffix(string(answer), "\n"), 10, 64)
		if contentType != "text/x.tlog.size" || err != nil || size < 0 {
			return fmt.Errorf("%w: the witness has cosigned another tree of %d leaves", errContradicts, a.known)
		}
		return errSize(size)
	case http.StatusUnprocessableEntity:
		return fmt.Errorf("%w: it does not continue the tree of %d leaves that the witness cosigned", errContradicts, a.known)
	case http.StatusNotFound:
		return errors.New("the witness does not know this log (404): have its operator add the log's public key, and see that the URL is right")
	case http.StatusForbidden:
		return errors.New("the witness does not trust the key that signs this log (403): have its operator add it")
	default:
		return fmt.Errorf("it answered %d %s", status, http.StatusText(status))
	}
	said, err := a.key.Answered(c, answer)
	if err != nil {
		return err
	}
	if err := a.store.KeepCosignature(ctx, c, a.key, said); err != nil {
		return err
	}
	a.known = c.N
	return nil
}

// ahead tells what it means that the witness has seen more of the log: another process
// has signed more since, or the log was rolled back.
func (a *asker) ahead(ctx context.Context) error {
	now, err := a.store.Checkpoint(ctx)
	if err != nil {
		return err
	}
	if now.N >= a.known {
		return nil // whoever signed that has it cosigned
	}
	return fmt.Errorf("%w: the witness has cosigned %d leaves, and the log has %d: it was rolled back", errContradicts, a.known, now.N)
}

// request is the body of add-checkpoint.
func request(old int64, proof tlog.TreeProof, c translog.Checkpoint) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "old %d\n", old)
	for _, h := range proof {
		fmt.Fprintln(&b, base64.StdEncoding.EncodeToString(h[:]))
	}
	fmt.Fprintf(&b, "\n%s", c.Note)
	return b.Bytes()
}
