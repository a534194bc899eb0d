package ui

// SignIn is the form that asks for a token.
type SignIn struct {
	Next    string // where to go afterwards
	Problem string // why it did not work; "" at first
	Note    string
}

// Problem is an error.
type Problem struct {
	Status        int
	Title, Detail string
	Parameter     string
	Links         []Link
}
