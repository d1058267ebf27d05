package wechattest

import (
	"maps"
	"reflect"
	"slices"
	"strings"
)

// exactNames leaves out of the tree every member that v would not take under
// exactly its name: encoding/json ignores case, the platform does not. It names
// one that was left out, "" if none was.
func exactNames(tree, v any) (kept any, unknown string) {
	kept = exact(tree, reflect.TypeOf(v), "", &unknown)
	return kept, unknown
}

func exact(tree any, shape reflect.Type, at string, unknown *string) any {
	for shape.Kind() == reflect.Pointer {
		shape = shape.Elem()
	}
	switch node := tree.(type) {
	case map[string]any:
		kept := make(map[string]any, len(node))
		for _, name := range slices.Sorted(maps.Keys(node)) {
			of, known := member(shape, name)
			switch {
			case known:
				kept[name] = exact(node[name], of, at+name+".", unknown)
			case *unknown == "":
				*unknown = at + name
			}
		}
		return kept
	case []any:
		if shape.Kind() != reflect.Slice {
			return node
		}
		for i := range node {
			node[i] = exact(node[i], shape.Elem(), at, unknown)
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
			if field.Anonymous && tag == "" {
				if of, known := member(field.Type, name); known {
					return of, true
				}
			}
		}
		return nil, false
	case reflect.Interface:
		return shape, true
	default:
		return shape, true // the decoder will refuse an object here
	}
}
