package main

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/internal/remote"
)

// texterConfig says where the gateway of text messages is.
type texterConfig struct {
	URL        string
	Token      string // of the header Authorization: Bearer; "" for none
	HTTPClient *http.Client
}

// texter sends text messages through an HTTP gateway: POST {"key","to","text"},
// where the same key brings one message however often it is asked. A hospital
// puts the few lines between this and its carrier's product.
type texter struct {
	remote *remote.Client
	header http.Header
}

func newTexter(c texterConfig) (texter, error) {
	header := http.Header{"Content-Type": {"application/json"}}
	if c.Token != "" {
		header.Set("Authorization", "Bearer "+c.Token)
	}
	caller, err := remote.New(remote.Config{Name: "text", BaseURL: c.URL, HTTPClient: c.HTTPClient})
	return texter{caller, header}, err
}

// Text implements refserver.Texter.
func (t texter) Text(ctx context.Context, key hospital.Key, to hospital.Phone, text string) error {
	body, err := json.Marshal(map[string]string{"key": string(key), "to": string(to), "text": text})
	if err != nil {
		return &hospital.Error{Kind: hospital.Invalid, Op: "text.Send", Code: "bad_text", Err: err}
	}
	answer, err := t.remote.Do(ctx, remote.Call{Op: "text.Send", Method: http.MethodPost, Header: t.header, Body: body, Idempotent: true})
	switch {
	case err != nil:
		return err
	case answer.Status == http.StatusTooManyRequests:
		return &hospital.Error{Kind: hospital.Unavailable, Op: "text.Send", Code: "busy"}
	case answer.Status != http.StatusOK:
		return &hospital.Error{Kind: hospital.Rejected, Op: "text.Send", Code: "refused"}
	}
	return nil
}
