// Package wire is the reference Web Service on paper: its messages as structs,
// and the strict codec between them and XML text. Both ends use it, his.Client
// and histest.Service; docs/his-web-service.md describes it for vendors.
//
// A field's tag names its element. A field is required unless its tag says
// "optional"; a required text, time or date is never empty. A list has an
// element of its own, "Bills>Bill", so that a missing list is not an empty
// one. Money is yuan with two decimals, a time is "2006-01-02 15:04:05" in
// China, a boolean is 1 or 0.
package wire

import (
	"encoding/xml"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/his/soap"
)

// Namespace is the service's namespace, byte-exact, with its slash.
const Namespace = "http://wxhospital.github.io/his/1.0/"

// timeLayout is how the wire writes an instant, in China's time.
const timeLayout = "2006-01-02 15:04:05"

// maxNumber bounds the integers: counts and queue numbers, nothing larger.
const maxNumber = 1_000_000_000

// FieldError says which field of a message is missing or malformed. It does
// not repeat the value.
type FieldError struct {
	Path string // "Bills/Bill[2]/Amount"
	Why  string
}

// Error returns the path and the reason.
func (e *FieldError) Error() string { return e.Path + ": " + e.Why }

func bad(path, why string) error { return &FieldError{Path: path, Why: why} }

// field is one field of a message struct as its tags describe it.
type field struct {
	value    reflect.Value
	name     string
	item     string // of a list: the element of each item
	optional bool
	oneOf    []string
}

// fields lists the fields of a struct. Those of an embedded struct count as
// its own.
func fields(v reflect.Value) []field {
	var list []field
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if f.Anonymous {
			list = append(list, fields(v.Field(i))...)
			continue
		}
		names, option, _ := strings.Cut(f.Tag.Get("wire"), ",")
		name, item, _ := strings.Cut(names, ">")
		list = append(list, field{
			value: v.Field(i), name: name, item: item,
			optional: option == "optional", oneOf: strings.Fields(f.Tag.Get("oneof")),
		})
	}
	return list
}

// Encode writes the message, a struct or a pointer to one, as XML text under
// the root element. Its error is a [*FieldError].
func Encode(root string, message any) (string, error) {
	var out strings.Builder
	out.WriteString(`<?xml version="1.0" encoding="utf-8"?>`)
	if err := encodeStruct(&out, root, root, reflect.Indirect(reflect.ValueOf(message))); err != nil {
		return "", err
	}
	return out.String(), nil
}

func encodeStruct(out *strings.Builder, path, name string, v reflect.Value) error {
	out.WriteString("<" + name + ">")
	for _, f := range fields(v) {
		if err := encodeField(out, path+"/"+f.name, f); err != nil {
			return err
		}
	}
	out.WriteString("</" + name + ">")
	return nil
}

func encodeField(out *strings.Builder, path string, f field) error {
	switch {
	case f.item != "":
		out.WriteString("<" + f.name + ">")
		for i := range f.value.Len() {
			if err := encodeItem(out, path+"/"+f.item+"["+strconv.Itoa(i+1)+"]", f.item, f.value.Index(i)); err != nil {
				return err
			}
		}
		out.WriteString("</" + f.name + ">")
		return nil
	case f.value.Kind() == reflect.Pointer:
		if f.value.IsNil() {
			return nil
		}
		return encodeStruct(out, path, f.name, f.value.Elem())
	case f.value.Kind() == reflect.Struct && !isValue(f.value):
		return encodeStruct(out, path, f.name, f.value)
	}
	text := format(f.value)
	if text == "" {
		if !f.optional {
			return bad(path, "required")
		}
		return nil
	}
	if err := checkText(path, text, f); err != nil {
		return err
	}
	writeElement(out, f.name, text)
	return nil
}

func encodeItem(out *strings.Builder, path, name string, v reflect.Value) error {
	if v.Kind() == reflect.Struct {
		return encodeStruct(out, path, name, v)
	}
	text := format(v)
	if err := checkText(path, text, field{}); err != nil {
		return err
	}
	writeElement(out, name, text)
	return nil
}

func writeElement(out *strings.Builder, name, text string) {
	out.WriteString("<" + name + ">")
	_ = xml.EscapeText(out, []byte(text)) // a strings.Builder never fails
	out.WriteString("</" + name + ">")
}

func checkText(path, text string, f field) error {
	switch {
	case !utf8.ValidString(text) || strings.ContainsFunc(text, soap.Forbidden):
		return bad(path, "a character that XML cannot carry")
	case len(f.oneOf) > 0 && !slices.Contains(f.oneOf, text):
		return bad(path, "want one of "+strings.Join(f.oneOf, ", "))
	}
	return nil
}

func isValue(v reflect.Value) bool {
	switch v.Interface().(type) {
	case time.Time, hospital.Date:
		return true
	}
	return false
}

func format(v reflect.Value) string {
	switch value := v.Interface().(type) {
	case hospital.Fen:
		return value.Yuan()
	case hospital.Date:
		return value.String()
	case time.Time:
		if value.IsZero() {
			return ""
		}
		return value.In(hospital.CST).Format(timeLayout)
	case bool:
		if value {
			return "1"
		}
		return "0"
	case int:
		return strconv.Itoa(value)
	}
	return v.String()
}

// Decode reads the element into the message, a pointer to a struct. Elements
// that the struct does not have are an error when strict, and otherwise left
// aside: a newer HIS may say more than we ask. Its error is a [*FieldError].
func Decode(node *soap.Node, message any, strict bool) error {
	return decodeStruct(node, node.Name, reflect.ValueOf(message).Elem(), strict)
}

func decodeStruct(node *soap.Node, path string, v reflect.Value, strict bool) error {
	known := fields(v)
	if strict {
		for _, child := range node.Children {
			if !slices.ContainsFunc(known, func(f field) bool { return f.name == child.Name }) {
				return bad(path, "an element that the message does not have")
			}
		}
	}
	for _, f := range known {
		if err := decodeField(node, path+"/"+f.name, f, strict); err != nil {
			return err
		}
	}
	return nil
}

func decodeField(parent *soap.Node, path string, f field, strict bool) error {
	found := parent.All(f.name)
	switch {
	case len(found) > 1:
		return bad(path, "stands twice")
	case len(found) == 0 && (f.optional || f.value.Kind() == reflect.Pointer):
		return nil
	case len(found) == 0:
		return bad(path, "missing")
	}
	node := found[0]
	switch {
	case f.item != "":
		return decodeList(node, path, f, strict)
	case f.value.Kind() == reflect.Pointer:
		f.value.Set(reflect.New(f.value.Type().Elem()))
		return decodeStruct(node, path, f.value.Elem(), strict)
	case f.value.Kind() == reflect.Struct && !isValue(f.value):
		return decodeStruct(node, path, f.value, strict)
	}
	text, err := leaf(node, path)
	switch {
	case err != nil:
		return err
	case text == "" && f.optional:
		return nil
	case text == "":
		return bad(path, "empty")
	}
	if err := checkText(path, text, f); err != nil {
		return err
	}
	return parse(f.value, path, text)
}

func decodeList(node *soap.Node, path string, f field, strict bool) error {
	list := reflect.MakeSlice(f.value.Type(), 0, len(node.Children))
	for i, child := range node.Children {
		at := path + "/" + f.item + "[" + strconv.Itoa(i+1) + "]"
		if child.Name != f.item {
			return bad(at, "another element stands there")
		}
		item := reflect.New(f.value.Type().Elem()).Elem()
		if item.Kind() == reflect.Struct {
			if err := decodeStruct(child, at, item, strict); err != nil {
				return err
			}
		} else {
			text, err := leaf(child, at)
			if err != nil {
				return err
			}
			item.SetString(text)
		}
		list = reflect.Append(list, item)
	}
	if list.Len() > 0 {
		f.value.Set(list)
	}
	return nil
}

func leaf(node *soap.Node, path string) (string, error) {
	if len(node.Children) > 0 {
		return "", bad(path, "want text, not elements")
	}
	return node.Raw(), nil
}

func parse(v reflect.Value, path, text string) error {
	switch v.Interface().(type) {
	case hospital.Fen:
		fen, err := hospital.ParseYuan(text)
		if err != nil {
			return bad(path, "want yuan with at most two decimals")
		}
		v.SetInt(int64(fen))
	case hospital.Date:
		day, err := hospital.ParseDate(text)
		if err != nil {
			return bad(path, "want a date")
		}
		v.Set(reflect.ValueOf(day))
	case time.Time:
		at, err := time.ParseInLocation(timeLayout, text, hospital.CST)
		if err != nil || len(text) != len(timeLayout) {
			return bad(path, "want a time like "+timeLayout)
		}
		v.Set(reflect.ValueOf(at))
	case hospital.Key:
		if !hospital.Key(text).Valid() {
			return bad(path, "no key of ours")
		}
		v.SetString(text)
	case bool:
		if text != "0" && text != "1" {
			return bad(path, "want 1 or 0")
		}
		v.SetBool(text == "1")
	case int:
		n, err := strconv.Atoi(text)
		if err != nil || n > maxNumber || n < -1 || strconv.Itoa(n) != text {
			return bad(path, "want a number")
		}
		v.SetInt(int64(n))
	default:
		v.SetString(text)
	}
	return nil
}

// maxSummary is the length of a [Summary], in characters: one line of a log.
const maxSummary = 160

// Summary returns the message in one line, with what names a person masked.
func Summary(message any) string {
	v := reflect.Indirect(reflect.ValueOf(message))
	if v.Kind() != reflect.Struct {
		return ""
	}
	line := []rune(strings.Join(summary(v), " "))
	if len(line) > maxSummary {
		line = append(line[:maxSummary], '…')
	}
	return string(line)
}

func summary(v reflect.Value) []string {
	var parts []string
	for _, f := range fields(v) {
		masked, secret := reflect.TypeAssert[interface{ Masked() string }](f.value)
		switch {
		case f.value.IsZero():
		case f.item != "":
			parts = append(parts, fmt.Sprintf("%s×%d", f.item, f.value.Len()))
		case secret:
			parts = append(parts, f.name+"="+masked.Masked())
		case f.value.Kind() == reflect.Pointer:
			parts = append(parts, summary(f.value.Elem())...)
		case f.value.Kind() == reflect.Struct && !isValue(f.value):
			parts = append(parts, summary(f.value)...)
		default:
			parts = append(parts, f.name+"="+format(f.value))
		}
	}
	return parts
}
