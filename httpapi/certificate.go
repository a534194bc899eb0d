package httpapi

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"golang.org/x/mod/sumdb/tlog"

	"aifi-audit/store"
	"aifi-audit/store/logrows"
	"aifi-audit/store/translog"
)

// A certificate of erasure is a C2SP signed note. Its text is the statement of what
// was erased, to which a leaf of the log commits, an empty line, and what shows that
// the log has the leaf:
//
//	delivery: <id> received as leaf <n>, erased by leaf <m>    for each, up to certifiedLines
//	leaf: <n>
//	record: <the leaf, base64>
//	salt: <of its commitment to the statement, hexadecimal>
//	proof: <a hash, base64>                                    for each of the inclusion proof
//	checkpoint:
//	  <the signed checkpoint to which the proof leads, indented>
//
// As JSON it is the same note, with all deliveries and the statement's lines apart.
const (
	certificateFormat = store.StatementHead
	certifiedLines    = 1000
	maxCertificate    = 64 << 20
)

// certificate is the JSON of a certificate.
type certificate struct {
	Format     string              `json:"format"`
	RequestID  uuid.UUID           `json:"requestId"`
	ErasedAt   time.Time           `json:"erasedAt"`
	Statement  map[string]string   `json:"statement"` // the lines of the statement
	Deliveries []certifiedDelivery `json:"deliveries"`
	Note       string              `json:"note"` // signed
}

type certifiedDelivery struct {
	ID          uuid.UUID `json:"id"`
	Leaf        int64     `json:"leaf"`
	ErasureLeaf int64     `json:"erasureLeaf"`
}

// Certificate makes the certificate of an erasure, signed with the log's key: text for
// people, and JSON.
func Certificate(ctx context.Context, s *store.Store, scope store.Scope, id uuid.UUID) (text, asJSON []byte, err error) {
	c, err := s.Certificate(ctx, scope, id)
	if err != nil {
		return nil, nil, err
	}
	if text, err = s.SignText(certificateText(c)); err != nil {
		return nil, nil, err
	}
	out := certificate{
		Format: certificateFormat, RequestID: c.RequestID, ErasedAt: c.At.UTC(), Statement: statementLines(c.Statement),
		Deliveries: []certifiedDelivery{}, Note: string(text),
	}
	for _, d := range c.Deliveries {
		out.Deliveries = append(out.Deliveries, certifiedDelivery{d.ID, d.Leaf, d.Erasure})
	}
	asJSON, err = json.MarshalIndent(out, "", "  ")
	return text, append(asJSON, '\n'), err
}

func certificateText(c store.Certificate) string {
	var b strings.Builder
	b.WriteString(c.Statement + "\n")
	if len(c.Deliveries) <= certifiedLines {
		for _, d := range c.Deliveries {
			b.WriteString(deliveryLine(certifiedDelivery{d.ID, d.Leaf, d.Erasure}))
		}
	}
	leaf := logrows.CertificateLeaf(c.RequestID, c.At, c.Statement, c.Salt)
	fmt.Fprintf(&b, "leaf: %d\nrecord: %s\nsalt: %x\n", c.Index, base64.StdEncoding.EncodeToString(leaf.Append(nil)), c.Salt)
	for _, h := range c.Proof {
		fmt.Fprintf(&b, "proof: %s\n", h)
	}
	b.WriteString("checkpoint:\n")
	for line := range strings.Lines(string(c.Checkpoint.Note)) {
		b.WriteString("  " + line)
	}
	return b.String()
}

func deliveryLine(d certifiedDelivery) string {
	return fmt.Sprintf("delivery: %s received as leaf %d, erased by leaf %d\n", d.ID, d.Leaf, d.ErasureLeaf)
}

// statementLines are the lines of a statement by their names, but for the first.
func statementLines(statement string) map[string]string {
	lines := map[string]string{}
	for line := range strings.Lines(statement) {
		if name, value, ok := strings.Cut(strings.TrimSuffix(line, "\n"), ": "); ok {
			lines[name] = value
		}
	}
	return lines
}

// CertificateResult is what the verification of a certificate came to.
type CertificateResult struct {
	RequestID  uuid.UUID         `json:"requestId"`
	ErasedAt   time.Time         `json:"erasedAt"`
	Statement  map[string]string `json:"statement"`
	Deliveries int               `json:"deliveries"` // that it names
	Leaf       int64             `json:"leaf"`
	Size       int64             `json:"size"` // of the log, by the checkpoint

	text string // the statement
}

// IsCertificate reports whether a file begins as a certificate does, as text or as JSON.
func IsCertificate(head []byte) bool {
	head = bytes.TrimSpace(head)
	return bytes.HasPrefix(head, []byte(certificateFormat)) || bytes.HasPrefix(head, []byte("{"))
}

// VerifyCertificate checks a certificate of erasure with nothing but public keys of the
// log. The error says what speaks against it; it is a *Problem if the file is the answer to
// a request that failed.
func VerifyCertificate(r io.Reader, keys *translog.Verifier) (CertificateResult, error) {
	file, err := io.ReadAll(io.LimitReader(r, maxCertificate+1))
	if err != nil {
		return CertificateResult{}, fmt.Errorf("reading the certificate: %w", err)
	}
	if len(file) > maxCertificate {
		return CertificateResult{}, fmt.Errorf("a certificate has at most %d bytes", maxCertificate)
	}
	if p := readProblem(file); p != nil {
		return CertificateResult{}, p
	}
	if !bytes.HasPrefix(bytes.TrimSpace(file), []byte("{")) {
		result, _, err := verifyNote(file, keys)
		return result, err
	}
	var said certificate
	d := json.NewDecoder(bytes.NewReader(file))
	d.DisallowUnknownFields()
	if err := d.Decode(&said); err != nil || said.Format != certificateFormat {
		return CertificateResult{}, fmt.Errorf("it is not a certificate of format %q", certificateFormat)
	}
	result, listed, err := verifyNote([]byte(said.Note), keys)
	if err != nil {
		return result, err
	}
	return result, said.fits(&result, listed)
}

// fits compares what the JSON says beside its note with the note.
func (c *certificate) fits(proven *CertificateResult, listed []string) error {
	ids := make([]uuid.UUID, len(c.Deliveries))
	for i, d := range c.Deliveries {
		ids[i] = d.ID
		if len(listed) > 0 && (len(listed) != len(ids) && i == 0 || i >= len(listed) || listed[i] != deliveryLine(d)) {
			return errors.New("its list of deliveries is not that of its note")
		}
	}
	switch sum := logrows.SumOfDeliveries(ids); {
	case proven.Statement["delivery ids"] != fmt.Sprintf("sha256 %x", sum):
		return errors.New("its list of deliveries is not the one that the statement names")
	case c.RequestID != proven.RequestID || !c.ErasedAt.Equal(proven.ErasedAt) || !maps.Equal(c.Statement, proven.Statement):
		return errors.New("it does not say what its note says")
	}
	proven.Deliveries = len(ids)
	return nil
}

// verifyNote checks the signed note, and returns the lines of its deliveries.
func verifyNote(signed []byte, keys *translog.Verifier) (r CertificateResult, listed []string, err error) {
	text, err := keys.OpenText(signed)
	if err != nil {
		return r, nil, err
	}
	statement, shown, ok := strings.Cut(text, "\n\n")
	r.text = statement + "\n"
	if !ok || !strings.HasPrefix(text, certificateFormat+"\n") {
		return r, nil, errors.New("it is signed, but no certificate of erasure")
	}
	r.Statement = statementLines(r.text)
	var proof tlog.RecordProof
	var record []byte
	var salt translog.Salt
	shown, indented, _ := strings.Cut(shown, "checkpoint:\n")
	for line := range strings.Lines(shown) {
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		var err error
		switch name {
		case "delivery":
			listed = append(listed, line)
		case "leaf":
			r.Leaf, err = strconv.ParseInt(value, 10, 64)
		case "record":
			record, err = base64.StdEncoding.DecodeString(value)
		case "salt":
			err = salt.UnmarshalText([]byte(value))
		case "proof":
			var h tlog.Hash
			h, err = tlog.ParseHash(value)
			proof = append(proof, h)
		default:
			err = errors.New("it is not known")
		}
		if err != nil {
			return r, nil, fmt.Errorf("its line %q: %w", name, err)
		}
	}
	var checkpoint strings.Builder
	for line := range strings.Lines(indented) {
		checkpoint.WriteString(strings.TrimPrefix(line, "  "))
	}
	c, err := keys.Open([]byte(checkpoint.String()))
	if err != nil {
		return r, nil, err
	}
	r.Size, r.Deliveries = c.N, len(listed)
	leaf, err := translog.ParseLeaf(record)
	if err != nil || leaf.Kind != translog.Certificate || leaf.ID.String() != r.Statement["request"] || leaf.Facts != salt.Commit([]byte(r.text)) {
		return r, nil, errors.New("its leaf does not commit to its statement")
	}
	if err := tlog.CheckRecord(proof, c.N, c.Hash, r.Leaf, leaf.Hash()); err != nil {
		return r, nil, errors.New("its proof does not lead to its checkpoint")
	}
	r.RequestID, r.ErasedAt = leaf.ID, leaf.At
	return r, listed, nil
}

// Text is the statement, for people.
func (r CertificateResult) Text() string { return r.text }
