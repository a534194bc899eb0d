package logrows

import (
	"fmt"

	"aifi-audit/store/internal/db"
	"aifi-audit/store/translog"
)

// RetirementLeaf is the log's record of a retirement.
func RetirementLeaf(r *db.LogRetirement) (translog.Leaf, error) {
	if len(r.Secret) != len(translog.Secret{}) {
		return translog.Leaf{}, fmt.Errorf("the secret of retirement %s: %w", r.ID, ErrTampered)
	}
	f := translog.RetirementFacts{
		From: r.FromTime, To: r.ToTime, DeliveryIDs: r.DeliveryIds, Deliveries: r.Deliveries, Leaves: r.Leaves, Actor: r.Actor, Reason: r.Reason,
	}
	return translog.Leaf{Kind: translog.Retirement, ID: r.ID, At: r.At, Facts: translog.Secret(r.Secret).Facts().Commit(f.Append(nil))}, nil
}
