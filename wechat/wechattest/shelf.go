package wechattest

import (
	"encoding/json"
	"maps"
	"slices"
)

// shelf is one kind of record by its key: the whole state of the platform is a
// row of shelves. What a turn puts on one is journaled when the turn ends, so
// a new kind of record needs no code for the restart.
type shelf[T any] struct {
	name string
	rows map[string]T
}

// shelver is a shelf whose kind of record is not known.
type shelver interface {
	named() string
	// load takes in a line of the journal; nil is a record that was dropped.
	load(key string, value json.RawMessage) error
}

// newShelf adds a shelf to the platform.
func newShelf[T any](p *Platform, name string) *shelf[T] {
	s := &shelf[T]{name: name, rows: map[string]T{}}
	p.shelves[name] = s
	return s
}

func (s *shelf[T]) named() string { return s.name }

func (s *shelf[T]) load(key string, value json.RawMessage) error {
	if value == nil {
		delete(s.rows, key)
		return nil
	}
	var row T
	if err := json.Unmarshal(value, &row); err != nil {
		return err
	}
	s.rows[key] = row
	return nil
}

// put makes the row part of the state. Rows are values: change a copy and put
// it back.
func (s *shelf[T]) put(t *turn, key string, row T) {
	s.rows[key] = row
	t.changes = append(t.changes, change{Shelf: s.name, Key: key, row: row})
}

// drop takes the row away.
func (s *shelf[T]) drop(t *turn, key string) {
	if _, there := s.rows[key]; !there {
		return
	}
	delete(s.rows, key)
	t.changes = append(t.changes, change{Shelf: s.name, Key: key, dropped: true})
}

// sweep drops every row that is of no use any more.
func (s *shelf[T]) sweep(t *turn, stale func(T) bool) {
	for _, key := range s.keys() {
		if stale(s.rows[key]) {
			s.drop(t, key)
		}
	}
}

// keys returns the keys in order.
func (s *shelf[T]) keys() []string { return slices.Sorted(maps.Keys(s.rows)) }

// change is what a turn did to one row.
type change struct {
	Shelf string          `json:"s"`
	Key   string          `json:"k"`
	Value json.RawMessage `json:"v,omitempty"` // absent: dropped

	row     any
	dropped bool
}
