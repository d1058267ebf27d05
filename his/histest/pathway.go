package histest

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/wxhospital/hospital"
)

// stories are the pathways that come with the package.
//
//go:embed testdata/pathways/*.yaml
var stories embed.FS

// pathway is a story in hospital words: who takes part, at which clinic, and
// what happens, step by step.
type pathway struct {
	name   string
	people map[string]hospital.PatientID
	clinic map[string]string
	steps  []step
}

// step is one line of a story: a verb with its words, and what must come of it.
type step struct {
	line   int
	verb   string
	words  map[string]string
	expect map[string]string
}

// RunPathways plays every pathway of this package through the adapter that
// connect puts before a hospital, each in a fresh one.
func RunPathways(t *testing.T, connect Connect) {
	t.Helper()
	names, err := fs.Glob(stories, "testdata/pathways/*.yaml")
	if err != nil || len(names) == 0 {
		t.Fatalf("no pathways: %v", err)
	}
	for _, name := range names {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".yaml"), func(t *testing.T) {
			story, err := stories.ReadFile(name)
			if err == nil {
				err = Play(t.Context(), name, story, connect)
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
}

// RunPathway plays the pathway in the file.
func RunPathway(t *testing.T, file string, connect Connect) {
	t.Helper()
	story, err := os.ReadFile(filepath.Clean(file))
	if err == nil {
		err = Play(t.Context(), file, story, connect)
	}
	if err != nil {
		t.Error(err)
	}
}

// Play plays one story in a fresh hospital that opens at 07:30 on Monday 23
// November 2026. The error names the file and the line of the step that came out
// otherwise; a story that is badly written is Invalid.
func Play(ctx context.Context, name string, story []byte, connect Connect) error {
	p, err := parsePathway(name, story)
	if err != nil {
		return err
	}
	s, err := openStage(ctx, p, connect)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	for _, step := range p.steps {
		if err := s.play(ctx, step); err != nil {
			return errors.Join(fmt.Errorf("%s:%d: %s: %w", name, step.line, step.verb, err), s.close())
		}
	}
	return s.close()
}

// parsePathway reads a story. Every word it does not know is an error.
func parsePathway(name string, story []byte) (*pathway, error) {
	r := reader{name: name}
	decoder := yaml.NewDecoder(bytes.NewReader(story))
	var root, more yaml.Node
	if err := decoder.Decode(&root); err != nil {
		return nil, r.bad(1, "not YAML: "+err.Error())
	}
	if err := decoder.Decode(&more); !errors.Is(err, io.EOF) {
		return nil, r.bad(more.Line, "a second document")
	}
	p := &pathway{name: name}
	top := r.mapping(root.Content[0], "title", "about", "people", "clinic", "steps")
	p.people = map[string]hospital.PatientID{}
	for who, id := range r.words(top["people"]) {
		p.people[who] = hospital.PatientID(id)
	}
	p.clinic = r.words(top["clinic"], "department", "expert", "day", "session", "quota")
	if r.text(top["title"]) == "" || top["steps"] == nil || top["steps"].Kind != yaml.SequenceNode || len(top["steps"].Content) == 0 {
		r.fail(root.Content[0].Line, "want a title and steps")
	} else {
		for _, node := range top["steps"].Content {
			p.steps = append(p.steps, r.step(node))
		}
	}
	return p, r.err
}

// reader reads YAML nodes and keeps the first complaint.
type reader struct {
	name string
	err  error
}

func (r *reader) bad(line int, detail string) error {
	return &hospital.Error{
		Kind: hospital.Invalid, Op: "histest.Play", Code: "bad_pathway",
		Detail: fmt.Sprintf("%s:%d: %s", r.name, line, detail),
	}
}

func (r *reader) fail(line int, detail string) {
	if r.err == nil {
		r.err = r.bad(line, detail)
	}
}

// mapping returns the values of a mapping that may have these keys, or any when
// there are none.
func (r *reader) mapping(node *yaml.Node, allowed ...string) map[string]*yaml.Node {
	values := map[string]*yaml.Node{}
	if node.Kind != yaml.MappingNode {
		r.fail(node.Line, "want a mapping")
		return values
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		key := node.Content[i]
		if len(allowed) > 0 && !slices.Contains(allowed, key.Value) {
			r.fail(key.Line, fmt.Sprintf("unknown word %q, want one of %s", key.Value, strings.Join(allowed, ", ")))
		}
		if values[key.Value] != nil {
			r.fail(key.Line, fmt.Sprintf("%q stands twice", key.Value))
		}
		values[key.Value] = node.Content[i+1]
	}
	return values
}

// words returns a mapping of plain words; none for a missing node.
func (r *reader) words(node *yaml.Node, allowed ...string) map[string]string {
	words := map[string]string{}
	if node == nil {
		return words
	}
	for key, value := range r.mapping(node, allowed...) {
		words[key] = r.text(value)
	}
	return words
}

func (r *reader) text(node *yaml.Node) string {
	if node == nil {
		return ""
	}
	if node.Kind != yaml.ScalarNode {
		r.fail(node.Line, "want a word")
	}
	return node.Value
}

// expectations are the words that may stand under expect.
func expectations() []string {
	return []string{"outcome", "state", "patient", "paid", "fee", "number", "pay_online", "left", "sold", "books", "rows", "effects"}
}

func (r *reader) step(node *yaml.Node) step {
	s := step{line: node.Line, expect: map[string]string{"outcome": "ok"}}
	for key, value := range r.mapping(node) {
		if key == "expect" {
			if value.Kind == yaml.ScalarNode {
				s.expect["outcome"] = value.Value
				continue
			}
			maps.Copy(s.expect, r.words(value, expectations()...))
			continue
		}
		v, known := verbs()[key]
		switch {
		case !known:
			r.fail(node.Line, fmt.Sprintf("unknown verb %q", key))
		case s.verb != "":
			r.fail(node.Line, "two verbs in one step")
		case value.Kind == yaml.ScalarNode:
			s.words = map[string]string{"": value.Value}
			if !slices.Contains(v.words, "") && value.Value != "" {
				r.fail(value.Line, fmt.Sprintf("%s wants words, not %q", key, value.Value))
			}
		default:
			s.words = r.words(value, v.words...)
		}
		s.verb = key
	}
	if s.verb == "" {
		r.fail(node.Line, "a step without a verb")
	}
	return s
}
