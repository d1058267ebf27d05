// Package simverb serves the control surface that simulators have below
// /_sim/, for a demo page or a test in another process: one verb a path, its
// values in the query, its answer in JSON.
//
// It answers this machine only, and only under its own name, so that no web
// page elsewhere can reach it through a browser.
package simverb

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"time"

	"github.com/wxhospital/hospital"
)

// Prefix is where the verbs are.
const Prefix = "/_sim/"

// Verb is what one path does. It reads its values from the order before it
// acts, and does nothing when [Order.Err] is not nil. A nil answer is "null".
type Verb func(ctx context.Context, o *Order) (any, error)

// Verbs are the verbs by method and name: "POST suspend".
type Verbs map[string]Verb

// Order is what a verb was asked, and the first thing that is wrong with it.
type Order struct {
	query url.Values
	read  map[string]bool
	err   error
}

// Text returns a value, "" when there is none.
func (o *Order) Text(name string) string {
	o.read[name] = true
	return o.query.Get(name)
}

// Want returns a value that must be there.
func (o *Order) Want(name string) string {
	text := o.Text(name)
	if text == "" {
		o.fail(name + " is missing")
	}
	return text
}

// Number returns a whole number, 0 when there is none.
func (o *Order) Number(name string) int64 {
	text := o.Text(name)
	if text == "" {
		return 0
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		o.fail(name + ": want a whole number")
	}
	return n
}

// Duration returns a duration such as "15s", 0 when there is none.
func (o *Order) Duration(name string) time.Duration {
	text := o.Text(name)
	if text == "" {
		return 0
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		o.fail(name + ": want a duration, for example 15s")
	}
	return d
}

// Err returns what is wrong with the order. A value that no verb read is
// wrong too: a misspelled fault would be no fault.
func (o *Order) Err() error {
	for name, values := range o.query {
		if !o.read[name] || len(values) != 1 {
			o.fail("unknown or repeated value " + strconv.Quote(name))
		}
	}
	return o.err
}

func (o *Order) fail(detail string) {
	if o.err == nil {
		o.err = &hospital.Error{Kind: hospital.Invalid, Op: "simverb", Code: "bad_order", Detail: detail}
	}
}

// ServeHTTP answers one verb. An error is {"kind","code","detail"} with the
// status of its kind.
func (v Verbs) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !Local(r) {
		w.WriteHeader(http.StatusForbidden)
		return
	}
	name := r.URL.Path[min(len(Prefix), len(r.URL.Path)):]
	verb, known := v[r.Method+" "+name]
	if !known {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	o := &Order{read: map[string]bool{}}
	var err error
	if o.query, err = url.ParseQuery(r.URL.RawQuery); err != nil {
		o.fail("the query is torn")
	}
	answer, err := verb(r.Context(), o)
	w.Header().Set("Content-Type", "application/json")
	if err != nil {
		w.WriteHeader(statusOf(hospital.KindOf(err)))
		detail := ""
		if e, is := errors.AsType[*hospital.Error](err); is {
			detail = e.Detail
		}
		answer = map[string]string{"kind": hospital.KindOf(err).String(), "code": hospital.CodeOf(err), "detail": detail}
	}
	_ = json.NewEncoder(w).Encode(answer) // whoever is gone asks again
}

func statusOf(kind hospital.Kind) int {
	switch kind {
	case hospital.Invalid:
		return http.StatusBadRequest
	case hospital.Denied:
		return http.StatusForbidden
	case hospital.NotFound:
		return http.StatusNotFound
	case hospital.Conflict, hospital.Rejected:
		return http.StatusConflict
	case hospital.Internal, hospital.Unavailable, hospital.Indeterminate:
	}
	return http.StatusInternalServerError
}

// Local reports whether a request comes from this machine and names it, and
// from no page of elsewhere: a browser that does not send Sec-Fetch-Site to a
// plain address still says in Origin whose page posts.
func Local(r *http.Request) bool {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil || !peer.Addr().Unmap().IsLoopback() || r.Header.Get("Sec-Fetch-Site") == "cross-site" {
		return false
	}
	for _, origin := range r.Header.Values("Origin") {
		if page, err := url.Parse(origin); err != nil || !loopback(page.Hostname()) {
			return false
		}
	}
	host, _, err := net.SplitHostPort(r.Host)
	if err != nil {
		host = r.Host
	}
	return loopback(host)
}

func loopback(host string) bool {
	named, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && named.IsLoopback()
}
