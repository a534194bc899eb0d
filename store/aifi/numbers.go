package aifi

import (
	"bytes"
	"math"
	"strconv"
)

// parseInteger reads a JSON number whose value is an integer of 64 bits, exactly:
// 12, 12.0, 1.2e1 and 9223372036854775807e0, but not 12.5. Leading zeros may
// stand, since some write ids with them.
func parseInteger(text []byte) (int64, bool) {
	digits, negative := bytes.CutPrefix(text, []byte{'-'})
	exponent := 0
	if i := bytes.IndexAny(digits, "eE"); i >= 0 {
		exponent = parseExponent(digits[i+1:])
		digits = digits[:i]
	}
	whole, fraction, point := bytes.Cut(digits, []byte{'.'})
	if !allDigits(whole) || point && !allDigits(fraction) || exponent == badExponent {
		return 0, false
	}
	if fraction = bytes.TrimRight(fraction, "0"); len(fraction) > 0 {
		exponent -= len(fraction)
		digits = append(bytes.Clone(whole), fraction...)
	} else {
		digits = whole
	}
	digits = bytes.TrimLeft(digits, "0")
	trimmed := bytes.TrimRight(digits, "0")
	exponent += len(digits) - len(trimmed)
	const mostDigits = 19 // of an int64
	switch {
	case len(trimmed) == 0:
		return 0, true
	case exponent < 0 || exponent > mostDigits || len(trimmed)+exponent > mostDigits:
		return 0, false
	}
	var n uint64 // ten digits to the nineteenth fit
	for _, c := range trimmed {
		n = n*10 + uint64(c-'0')
	}
	for range exponent {
		n *= 10
	}
	switch {
	case negative && n <= -math.MinInt64:
		return -int64(n), true // 2^63 wraps around to itself, which is right
	case !negative && n <= math.MaxInt64:
		return int64(n), true
	}
	return 0, false
}

// badExponent is what parseExponent gives for text that is no exponent, and
// hugeExponent bounds the others: no number with more is of use to anybody.
const (
	badExponent  = math.MinInt
	hugeExponent = 1 << 30
)

func parseExponent(text []byte) int {
	digits, negative := bytes.CutPrefix(text, []byte{'-'})
	if !negative {
		digits = bytes.TrimPrefix(digits, []byte{'+'})
	}
	if !allDigits(digits) {
		return badExponent
	}
	n, err := strconv.Atoi(string(digits))
	if err != nil || n > hugeExponent {
		n = hugeExponent
	}
	if negative {
		return -n
	}
	return n
}

func allDigits(text []byte) bool {
	for _, c := range text {
		if c < '0' || c > '9' {
			return false
		}
	}
	return len(text) > 0
}

// numbers calls each with the numbers of a JSON value as they are written, until it
// gives false. It reports whether each never did.
func numbers(v []byte, each func(literal []byte) bool) bool {
	for i := 0; i < len(v); i++ {
		switch c := v[i]; {
		case c == '"':
			i += stringLength(v[i:]) - 1
		case c == '-' || '0' <= c && c <= '9':
			n := numberLength(v[i:])
			if !each(v[i : i+n]) {
				return false
			}
			i += n - 1
		}
	}
	return true
}

func numberLength(text []byte) int {
	for i, c := range text {
		switch {
		case '0' <= c && c <= '9', c == '-', c == '+', c == '.', c == 'e', c == 'E':
		default:
			return i
		}
	}
	return len(text)
}

// exponentOf is the exponent that a number is written with; 0 if there is none.
func exponentOf(literal []byte) int {
	i := bytes.IndexAny(literal, "eE")
	if i < 0 {
		return 0
	}
	return parseExponent(literal[i+1:])
}
