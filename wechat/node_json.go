package wechat

import (
	"strconv"

	"github.com/tidwall/gjson"
)

// parseJSON reads a push in JSON. Numbers keep their text, because a MsgId has
// more digits than a floating-point number.
func parseJSON(text string) (nodes, error) {
	if !gjson.Valid(text) {
		return nil, malformed("bad_json", "no well-formed JSON")
	}
	p := &jsonReader{all: append(make(nodes, 0, 24), node{name: "xml", parent: -1})}
	if err := p.object(gjson.Parse(text), 0, 1); err != nil {
		return nil, err
	}
	return p.all, nil
}

type jsonReader struct{ all nodes }

func (p *jsonReader) object(object gjson.Result, parent, depth int) error {
	if depth == maxDepth {
		return malformed("bad_json", "more levels than "+strconv.Itoa(maxDepth))
	}
	p.all[parent].branch = true
	var err error
	object.ForEach(func(key, value gjson.Result) bool {
		if p.all.find(parent, key.Str) > 0 {
			err = malformed("bad_json", "a field stands twice")
			return false
		}
		if !value.IsArray() {
			err = p.field(key.Str, value, parent, depth)
			return err == nil
		}
		value.ForEach(func(_, item gjson.Result) bool {
			if item.IsArray() {
				err = malformed("bad_json", "a list inside a list")
			} else {
				err = p.field(key.Str, item, parent, depth)
			}
			return err == nil
		})
		return err == nil
	})
	return err
}

func (p *jsonReader) field(name string, value gjson.Result, parent, depth int) error {
	if len(p.all) == maxNodes {
		return malformed("bad_json", "more fields than "+strconv.Itoa(maxNodes))
	}
	at := len(p.all)
	p.all = append(p.all, node{name: name, parent: parent})
	switch value.Type {
	case gjson.String:
		p.all[at].text = legible(value.Str)
	case gjson.JSON:
		return p.object(value, at, depth+1)
	case gjson.Number, gjson.True, gjson.False:
		p.all[at].text = value.Raw
	case gjson.Null:
	}
	return nil
}
