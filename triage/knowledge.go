package triage

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"sync"
)

// shipped is the set this module brings along: standard departments, body map,
// lexicon, rules and red flags, in the very form a hospital's overlay has.
//
//go:embed knowledge/*.json
var shipped embed.FS

// Shipped returns the files of the shipped set, to be read or copied.
func Shipped() fs.FS {
	sub, err := fs.Sub(shipped, "knowledge")
	if err != nil {
		return shipped // cannot be: the folder is embedded above
	}
	return sub
}

// schemas are the JSON Schemas an editor checks the files with while typing.
//
//go:embed schema/*.json
var schemas embed.FS

// Schemas returns the published JSON Schemas: "rules.schema.json" and so on.
func Schemas() fs.FS {
	sub, err := fs.Sub(schemas, "schema")
	if err != nil {
		return schemas // cannot be: the folder is embedded above
	}
	return sub
}

// The kinds of knowledge files, in the order they are read. One kind is one
// file, "<kind>.json"; an overlay may hold any of them and hospital.json.
const (
	kindSet         = "set"
	kindDepartments = "departments"
	kindLanguage    = "language"
	kindSensations  = "sensations"
	kindBodyMap     = "bodymap"
	kindFigure      = "figure"
	kindSymptoms    = "symptoms"
	kindTraits      = "traits"
	kindRules       = "rules"
	kindQuestions   = "questions"
	kindRedFlags    = "redflags"
	kindHospital    = "hospital"
)

// document is one parsed file and the layer it came from.
type document struct {
	file string // as named in problems: "overlay/symptoms.json"
	root node
}

// layers reads the shipped set and then the overlay. Entries of the overlay
// replace those of the same name; {"remove": true} takes one away.
type layers struct {
	documents map[string][]document
	problems  Problems
	hash      string
}

func kinds() []string {
	return []string{
		kindSet, kindDepartments, kindLanguage, kindSensations, kindBodyMap, kindFigure,
		kindSymptoms, kindTraits, kindRules, kindQuestions, kindRedFlags, kindHospital,
	}
}

// source is one file that may stand in a layer.
type source struct {
	from   fs.FS
	prefix string // "overlay/" in problems
	kind   string
	needed bool
	given  *node // of a bundle, instead of a file
	text   []byte
}

// parsed is what became of a source.
type parsed struct {
	name    string
	data    []byte
	root    node
	absent  bool
	problem *Problem
}

func readLayers(base fs.FS, over Overlay) *layers {
	var sources []source
	l := &layers{documents: map[string][]document{}}
	bundle := l.open(over.Bundle)
	for _, kind := range kinds() {
		if kind != kindHospital {
			sources = append(sources, source{from: base, kind: kind, needed: true})
		}
		if over.Files != nil {
			sources = append(sources, source{from: over.Files, prefix: overlayPrefix, kind: kind})
		}
		if given, ok := bundle[kind]; ok {
			sources = append(sources, source{prefix: overlayPrefix, kind: kind, given: given, text: over.Bundle})
		}
	}
	results := make([]parsed, len(sources)) // the lexicon and the red flags are most of the work: side by side
	var wait sync.WaitGroup
	for i, from := range sources {
		wait.Go(func() { results[i] = from.read() })
	}
	wait.Wait()
	sum := sha256.New()
	for i, p := range results {
		switch {
		case p.absent:
		case p.problem != nil:
			l.problems = append(l.problems, *p.problem)
		default:
			_, _ = fmt.Fprintf(sum, "%s %d\n", p.name, len(p.data)) // a hash never fails
			_, _ = sum.Write(p.data)
			l.documents[sources[i].kind] = append(l.documents[sources[i].kind], document{p.name, p.root})
		}
	}
	for _, d := range over.House {
		_, _ = fmt.Fprintf(sum, "%q %q %q\n", d.ID, d.Campus, d.Name)
	}
	if over.Files != nil {
		l.refuseStrangers(over.Files)
	}
	l.hash = hex.EncodeToString(sum.Sum(nil))
	return l
}

// refuseStrangers names files an overlay holds in vain, for instance a typo.
func (l *layers) refuseStrangers(overlay fs.FS) {
	entries, err := fs.ReadDir(overlay, ".")
	if err != nil {
		l.problems = append(l.problems, Problem{"overlay", 0, "cannot be listed: " + err.Error()})
		return
	}
	known := kinds()
	for _, entry := range entries {
		name := entry.Name()
		if len(name) < 6 || name[len(name)-5:] != ".json" || !slices.Contains(known, name[:len(name)-5]) {
			l.problems = append(l.problems, Problem{overlayPrefix + name, 0, "is no knowledge file"})
		}
	}
}

func (s source) read() parsed {
	p := parsed{name: s.prefix + s.kind + ".json"}
	if s.given != nil {
		p.root, p.data = *s.given, s.text
		return p
	}
	data, err := readFile(s.from, s.kind+".json")
	switch {
	case errors.Is(err, fs.ErrNotExist) && !s.needed:
		p.absent = true
		return p
	case err != nil:
		p.problem = &Problem{p.name, 0, err.Error()}
		return p
	}
	p.data = data
	p.root, err = parseNode(bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))) // an editor's byte order mark
	if err == nil {
		return p
	}
	problem := problemOf(p.name, err)
	p.problem = &problem
	return p
}

// problemOf is a fault of the syntax with its line.
func problemOf(file string, err error) Problem {
	if at, ok := errors.AsType[*lineError](err); ok {
		return Problem{file, int(at.line), at.reason}
	}
	return Problem{file, 0, err.Error()}
}

func readFile(from fs.FS, name string) (data []byte, err error) {
	f, err := from.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	var buffer bytes.Buffer
	if stat, err := f.Stat(); err == nil {
		buffer.Grow(int(min(stat.Size(), maxFileBytes)) + bytes.MinRead)
	}
	_, err = buffer.ReadFrom(io.LimitReader(f, maxFileBytes+1))
	data = buffer.Bytes()
	if err == nil && len(data) > maxFileBytes {
		err = fmt.Errorf("larger than %d bytes", maxFileBytes)
	}
	return data, err
}

// entry is one named element of a list, the overlay's in place of ours.
type entry struct {
	r    *reader
	node *node
	name string
}

// entries merges the lists called list of every layer of kind by the field
// key, in the order of their first appearance.
func (l *layers) entries(kind, list, key string) []entry {
	var out []entry
	var at map[string]int
	for i := range l.documents[kind] {
		d := &l.documents[kind][i]
		r := &reader{d.file, &l.problems}
		items := r.array(child(&d.root, list))
		if at == nil {
			at, out = make(map[string]int, len(items)), make([]entry, 0, len(items))
		}
		for j := range items {
			item := &items[j]
			name := r.must(item, child(item, key), key)
			old, replaces := at[name]
			switch {
			case name == "":
				continue
			case replaces && out[old].r == r: // in this file
				r.problem(item, "%s %q stands twice", key, name)
				continue
			}
			switch remove := child(item, "remove"); {
			case remove != nil && r.flag(remove):
				if len(item.items) != 2 {
					r.problem(item, "remove stands beside other fields")
				}
				if !replaces {
					r.problem(item, "%q cannot be removed: there is none", name)
					continue
				}
				out[old] = entry{r, nil, name}
			case replaces:
				out[old] = entry{r, item, name}
			default:
				at[name] = len(out)
				out = append(out, entry{r, item, name})
			}
		}
	}
	return slices.DeleteFunc(out, func(e entry) bool { return e.node == nil })
}

// child returns the item of object n under key, nil if there is none.
func child(n *node, key string) *node {
	if n.kind != nodeObject {
		return nil
	}
	for i := range n.items {
		if n.items[i].key == key {
			return &n.items[i]
		}
	}
	return nil
}

// top checks the fields every file of kind may have at its top.
func (l *layers) top(kind string, keys ...string) {
	for i := range l.documents[kind] {
		d := &l.documents[kind][i]
		r := &reader{d.file, &l.problems}
		f := r.fields(&d.root, append([]string{"$schema", "kind", "note"}, keys...)...)
		if got := r.must(&d.root, f["kind"], "kind"); got != "" && got != kind {
			r.problem(&d.root, "kind is %q, want %q", got, kind)
		}
	}
}
