package aifi

import (
	"maps"
	"slices"
	"strings"
)

type traits struct{ modelled, asksForDecision bool }

var documented = map[Webhook]traits{
	RestrictedProductsInteractions: {modelled: true},
	SuspectedFraud:                 {modelled: true},
	RemoteRegister:                 {modelled: true},
	Tracking:                       {},
	TransitionEntered:              {},
	TransitionLeft:                 {},
	CheckoutZoneEntered:            {},
	CheckoutZoneLeft:               {},
	CustomerCreated:                {},
	EntryCodeNotify:                {},
	PlanogramError:                 {},
	IdentityMatching:               {},
	EntryCodeVerify:                {asksForDecision: true},
	OrderPrice:                     {asksForDecision: true},
	CartMutator:                    {asksForDecision: true},
	Checkout:                       {asksForDecision: true},
}

// ParseWebhook takes the path below /api/push/. Slashes at its ends do not count,
// nor does ASCII case where that makes it a documented webhook. Any other path is
// a webhook that AiFi does not document, spelled as it is.
func ParseWebhook(path string) Webhook {
	path = strings.Trim(path, "/")
	if folded := Webhook(strings.Map(lowerASCII, path)); folded.Documented() {
		return folded
	}
	return Webhook(path)
}

// lowerASCII leaves other letters alone: strings.ToLower would turn the sign for
// Kelvin into a k.
func lowerASCII(r rune) rune {
	if 'A' <= r && r <= 'Z' {
		return r + ('a' - 'A')
	}
	return r
}

// Documented reports whether AiFi documents the webhook.
func (w Webhook) Documented() bool { _, ok := documented[w]; return ok }

// Modelled reports whether the webhook is one of the three that become alcohol
// interactions, fraud alerts and registrations.
func (w Webhook) Modelled() bool { return documented[w].modelled }

// AsksForDecision reports whether AiFi acts on the answer to the webhook.
func (w Webhook) AsksForDecision() bool { return documented[w].asksForDecision }

// Webhooks are those that AiFi documents, in order.
func Webhooks() []Webhook { return slices.Sorted(maps.Keys(documented)) }
