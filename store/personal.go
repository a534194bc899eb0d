package store

// PersonalColumn is a column that holds data of a person, or what names him.
type PersonalColumn struct {
	Table, Column string
	Erased        string // what an erasure does with it
}

// PersonalColumns is the one list of where data of shoppers lies. Whatever is not in it
// must not hold any: a test erases a person who is in everything that AiFi sends, and then
// looks for him in each column of each table.
var PersonalColumns = []PersonalColumn{
	{"delivery_bodies", "body", "deleted"},
	{"delivery_bodies", "secret", "deleted"},
	{"deliveries", "body_sha256", "emptied"},
	{"events", "customer_id", "emptied"},
	{"event_personal_info", "customer_id", "deleted"},
	{"event_personal_info", "email", "deleted"},
	{"event_personal_info", "first_name", "deleted"},
	{"event_personal_info", "last_name", "deleted"},
	{"event_personal_info", "phone", "deleted"},
	{"event_personal_info", "phone_number", "deleted"},
	{"customers", "customer_id", "deleted"},
	{"customers", "external_id", "deleted"},
	{"customers", "metadata", "deleted"},
	{"sessions", "customer_id", "emptied"},
	{"sessions", "customer_payment_instrument_id", "emptied"},
	{"sessions", "metadata", "emptied"},
	{"event_notes", "comment", "replaced"},
	{"access_log", "path", "replaced, where it names him"},
	{"access_log", "query", "replaced, where it names him"},
	{"access_log", "detail", "replaced, where it names him"},
	{"log_acts", "secret", "deleted, where the act named him"},
	{"refused", "body", "deleted, where it mentions him"},
	{"legal_holds", "customer_id", "replaced, if the hold is lifted"},
	{"retention_sweeps", "id", "deleted"},
	{"erasure_subjects", "customer_id", "deleted"},
	{"erasure_subjects", "identifiers", "deleted"},
	{"erasure_subjects", "secret", "deleted"},
}
