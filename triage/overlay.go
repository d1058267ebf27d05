package triage

import (
	"io/fs"
	"slices"

	"github.com/wxhospital/hospital"
)

// overlayPrefix stands before the names of the overlay's files in problems.
const overlayPrefix = "overlay/"

// bundleFile is what problems of the bundle itself name.
const bundleFile = "overlay"

// Overlay is what a hospital lays over the shipped set. Of two entries of one
// name the bundle's replaces that of the files, and either replaces ours.
type Overlay struct {
	// Files is a folder of knowledge files, one a kind; nil for none.
	Files fs.FS
	// House is what the HIS says the hospital has. Each department takes the
	// place of the standard one of its name or alias, and all others are absent.
	// hospital.json corrects that by hand. Empty: every standard department is
	// taken to be there.
	House []hospital.Department
	// Bundle is knowledge files in one JSON document, by kind:
	// {"set": {…}, "rules": {…}}. Problems name the line of the document. Empty
	// for none.
	Bundle []byte
}

// open parses a bundle into the roots of its files.
func (l *layers) open(bundle []byte) map[string]*node {
	if len(bundle) == 0 {
		return nil
	}
	root, err := parseNode(bundle)
	r := &reader{bundleFile, &l.problems}
	if err != nil {
		l.problems = append(l.problems, problemOf(bundleFile, err))
		return nil
	}
	out := map[string]*node{}
	if !r.is(&root, nodeObject) {
		return nil
	}
	for i := range root.items {
		item := &root.items[i]
		if !slices.Contains(kinds(), item.key) {
			r.problem(item, "%q is no kind of knowledge file", item.key)
			continue
		}
		out[item.key] = item
	}
	return out
}
