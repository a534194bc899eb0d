package store

import (
	"time"

	"github.com/google/uuid"

	"aifi-audit/store/aifi"
	"aifi-audit/store/logrows"
)

// Delivery is one HTTP request of AiFi's, verbatim.
type Delivery struct {
	ID         uuid.UUID // from NewDeliveryID
	Webhook    aifi.Webhook
	Path       string            // as requested, escaped
	Headers    map[string]string // the chosen ones
	RemoteAddr string
	TokenID    int64
	TokenScope Scope // the stores that its token may speak for
	Body       []byte
	Truncated  bool // Body is only the first part
}

// Status of a delivery after it was recorded.
type Status string

// The statuses.
const (
	Stored      Status = "stored"      // it states an event that was not known
	Duplicate   Status = "duplicate"   // it states an event that an earlier delivery stated
	Quarantined Status = "quarantined" // kept, but not understood
	Spooled     Status = "spooled"     // kept on local disk until the database can be used
	Replayed    Status = "replayed"    // it was quarantined, and understood later
)

// Reasons for quarantine beside those of package aifi.
const (
	Truncated       aifi.Reason = "truncated"         // longer than the limit, or it ended early
	StoreNotAllowed aifi.Reason = "store_not_allowed" // of a store that the token may not speak for
	Unstorable      aifi.Reason = "unstorable"        // PostgreSQL refuses its rows, or they are too many
)

// Reasons are all reasons for quarantine.
func Reasons() []aifi.Reason { return append(aifi.Reasons(), Truncated, StoreNotAllowed, Unstorable) }

// Receipt says what became of a delivery.
type Receipt struct {
	Status  Status
	Problem *aifi.Problem // why it is quarantined; nil otherwise
}

// idSkew is how far the library's ids may be from the present: it counts on when many are
// made at once.
const idSkew = time.Second

// NewDeliveryID makes a UUIDv7 of the present time. Ids of one process ascend, unless its
// clock is set back.
func NewDeliveryID() (uuid.UUID, error) { return newDeliveryID(time.Now) }

// newDeliveryID mends what the library does after a clock was ahead: to have its ids
// ascend, it would date all that comes by the time that the clock showed, until that time.
func newDeliveryID(clock func() time.Time) (uuid.UUID, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return uuid.Nil, err
	}
	if now := clock(); ReceivedAt(id).Sub(now).Abs() > idSkew {
		id = logrows.Dated(id, now)
	}
	return id, nil
}

// ReceivedAt is the time that a delivery's id carries, in UTC and whole microseconds; the
// zero time if it is not a UUIDv7.
func ReceivedAt(id uuid.UUID) time.Time { return logrows.ReceivedAt(id) }
