package store

import (
	"strings"
)

var arrayEscapes = strings.NewReplacer(`\`, `\\`, `"`, `\"`)

// arrayLiteral is a list as PostgreSQL writes a text[].
func arrayLiteral(list []string) string {
	var b strings.Builder
	b.WriteByte('{')
	for i, s := range list {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteByte('"')
		_, _ = arrayEscapes.WriteString(&b, s)
		b.WriteByte('"')
	}
	b.WriteByte('}')
	return b.String()
}

// set has strings: a list of them may be as long as a body.
type set map[string]bool

func setOf(list []string) set {
	s := make(set, len(list))
	for _, v := range list {
		s[v] = true
	}
	return s
}
