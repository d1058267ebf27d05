package triage

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Change is one entry in which two bundles differ.
type Change struct {
	Kind  string // "symptoms"
	Name  string // of the entry; "" for the file's own fields
	Added bool
	Gone  bool // neither: it reads otherwise now
}

// Changes compares two bundles entry by entry, sorted by kind and name. An
// empty bundle has no entries. A faulty one is Invalid with the [Problems].
func Changes(old, new []byte) ([]Change, error) {
	const op = "triage.Changes"
	l := &layers{}
	was, is := l.flatten(old), l.flatten(new)
	if len(l.problems) > 0 {
		return nil, refusal(op, l.problems)
	}
	var out []Change
	for key, text := range is {
		if before, known := was[key]; before != text || !known {
			out = append(out, Change{Kind: key[0], Name: key[1], Added: !known})
		}
	}
	for key := range was {
		if _, still := is[key]; !still {
			out = append(out, Change{Kind: key[0], Name: key[1], Gone: true})
		}
	}
	slices.SortFunc(out, func(a, b Change) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name))
	})
	return out, nil
}

// flatten renders each named entry of a bundle, and the rest of each file under
// the empty name.
func (l *layers) flatten(bundle []byte) map[[2]string]string {
	out := map[[2]string]string{}
	for kind, root := range l.open(bundle) {
		for i := range root.items {
			item := &root.items[i]
			named := item.kind == nodeArray
			for j := range item.items {
				name := nameOf(&item.items[j])
				if named = named && name != ""; !named {
					break
				}
				out[[2]string{kind, name}] += item.items[j].render()
			}
			if !named {
				out[[2]string{kind, ""}] += item.key + ":" + item.render() + "\n"
			}
		}
	}
	return out
}

// nameOf is what an entry of a list is called, "" for none.
func nameOf(n *node) string {
	for _, key := range []string{"id", "name", "key", "trait"} {
		if x := child(n, key); x != nil && x.kind == nodeString {
			return x.text
		}
	}
	return ""
}

// render writes a value in one form, whatever spaces it was written with.
func (n *node) render() string {
	switch n.kind {
	case nodeString:
		return fmt.Sprintf("%q", n.text)
	case nodeNumber:
		return fmt.Sprint(n.num)
	case nodeBool:
		return fmt.Sprint(n.yes)
	case nodeArray, nodeObject:
		var b strings.Builder
		for i := range n.items {
			fmt.Fprintf(&b, "%s:%s,", n.items[i].key, n.items[i].render())
		}
		return "{" + b.String() + "}"
	case nodeNull:
	}
	return "null"
}
