package aifi

// Kind of an event.
type Kind string

// The kinds of event. Other is what webhooks state that are not modelled in full.
const (
	AlcoholInteraction Kind = "alcohol_interaction"
	FraudAlert         Kind = "fraud_alert"
	Registration       Kind = "registration"
	Other              Kind = "other"
)

// Kind is the kind of event that a webhook states.
func (w Webhook) Kind() Kind {
	switch w {
	case RestrictedProductsInteractions:
		return AlcoholInteraction
	case SuspectedFraud:
		return FraudAlert
	case RemoteRegister:
		return Registration
	}
	return Other
}
