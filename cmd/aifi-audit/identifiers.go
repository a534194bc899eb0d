package main

import "aifi-audit/store"

// identifierFlags are what a customer is known by beside AiFi's id of him.
type identifierFlags struct {
	Email []string `help:"E-mail address that the customer gave, whatever its case. Repeatable." sep:"none" env:"EMAIL" placeholder:"ADDRESS"`
	Phone []string `help:"Phone number that he gave, of which the digits count. Repeatable." sep:"none" env:"PHONE" placeholder:"NUMBER"`
	Name  []string `help:"First and last name that he gave, whatever their case. Others may have the same: look before you erase. Repeatable." sep:"none" env:"NAME" placeholder:"NAME"`
}

// of is whom they are of.
func (f identifierFlags) of(customerID string) store.Whom {
	return store.Whom{CustomerID: customerID, Identifiers: store.Identifiers{Emails: f.Email, Phones: f.Phone, Names: f.Name}}
}
