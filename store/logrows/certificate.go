package logrows

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"aifi-audit/store/translog"
)

// SumOfDeliveries is the SHA-256 over the ids of deliveries, in their order, each on a
// line.
func SumOfDeliveries(ids []uuid.UUID) [sha256.Size]byte {
	ids = slices.Clone(ids)
	slices.SortFunc(ids, func(a, b uuid.UUID) int { return slices.Compare(a[:], b[:]) })
	h := sha256.New()
	for _, id := range ids {
		fmt.Fprintln(h, id) // never fails
	}
	return [sha256.Size]byte(h.Sum(nil))
}

// CertificateLeaf is the leaf that commits to the statement of an erasure.
func CertificateLeaf(request uuid.UUID, at time.Time, statement string, salt translog.Salt) translog.Leaf {
	return translog.Leaf{Kind: translog.Certificate, ID: request, At: at, Facts: salt.Commit([]byte(statement))}
}
