package translog

import (
	"bytes"
	"errors"

	"golang.org/x/mod/sumdb/note"
)

// signature begins each line of a note that signs it.
var signature = []byte("— ")

// PlacedNote is a signed note in a file of many, and the line where it begins, from 1.
type PlacedNote struct {
	Line int
	Note []byte
	// Broken: it ends early. It is no note, and says nothing.
	Broken bool
}

// SplitNotes finds the signed notes in a file that has one after another, with or
// without empty lines between them. A note must have no empty line in its text, which
// no checkpoint has. Of what follows a note that was broken off nothing is lost, if an
// empty line comes first.
func SplitNotes(file []byte) []PlacedNote {
	var notes []PlacedNote
	var current []byte
	start, number, signed, ended := 1, 0, false, false
	finish := func() {
		if len(current) > 0 {
			notes = append(notes, PlacedNote{start, current, !signed || !wellFormed(current)})
		}
		current, start, signed, ended = nil, number, false, false
	}
	for line := range bytes.Lines(file) {
		number++
		signs := bytes.HasPrefix(line, signature)
		if !signs && (signed || ended) {
			finish()
		}
		empty := len(bytes.TrimSpace(line)) == 0
		if empty && len(current) == 0 {
			continue
		}
		if len(current) == 0 {
			start = number
		}
		ended = ended || empty
		signed = signed || signs
		current = append(current, line...)
	}
	finish()
	return notes
}

// wellFormed reports whether a note can be read, whoever signed it.
func wellFormed(signed []byte) bool {
	_, err := note.Open(signed, note.VerifierList())
	var unknown *note.UnverifiedNoteError
	return errors.As(err, &unknown)
}
