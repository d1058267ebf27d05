package wechattest

import (
	"reflect"
	"strings"
)

// exactNames leaves out of the tree every member that v would take in another
// case than its own: encoding/json ignores case, the platform does not.
func exactNames(tree, v any) any { return exact(tree, reflect.TypeOf(v)) }

func exact(tree any, shape reflect.Type) any {
	for shape.Kind() == reflect.Pointer {
		shape = shape.Elem()
	}
	switch node := tree.(type) {
	case map[string]any:
		kept := make(map[string]any, len(node))
		for name, value := range node {
			if of, known := member(shape, name); known {
				kept[name] = exact(value, of)
			}
		}
		return kept
	case []any:
		if shape.Kind() != reflect.Slice {
			return node
		}
		for i := range node {
			node[i] = exact(node[i], shape.Elem())
		}
	}
	return tree
}

// member returns the type of the member that bears exactly this name.
func member(shape reflect.Type, name string) (of reflect.Type, known bool) {
	switch shape.Kind() {
	case reflect.Map:
		return shape.Elem(), true
	case reflect.Struct:
		for field := range shape.Fields() {
			tag, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			if tag == name {
				return field.Type, true
			}
		}
		return nil, false
	case reflect.Interface:
		return shape, true
	default:
		return shape, true // the decoder will refuse an object here
	}
}
