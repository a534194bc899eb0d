package db

// OrZero is what a column holds; the zero value of null.
func OrZero[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}

// OrEmpty is what a text holds; "" of null.
func OrEmpty(p *string) string { return OrZero(p) }
