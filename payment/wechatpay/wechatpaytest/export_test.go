package wechatpaytest

import (
	"net/http"

	"github.com/wxhospital/hospital/internal/journal"
)

// NewKeyless is a platform that can carry out and sign nothing: making keys
// takes a fuzzing worker longer than all else.
func NewKeyless() *Platform {
	config, err := Config{}.complete()
	if err != nil {
		panic(err)
	}
	return &Platform{config: config, wake: make(chan struct{}, 1), journal: &journal.Journal{}, state: newState(), faults: map[Call][]Switch{}}
}

// CarryOut is what follows a good signature: the call's effect and its answer.
func (p *Platform) CarryOut(call Call, subject string, body []byte) (status int, code, message string, err error) {
	r := &http.Request{Header: http.Header{"Content-Type": {"application/json"}}}
	content, err := p.carryOut(&Exchange{}, route{call: call, subject: subject}, request{body: body}, r, None)
	a, err := render(content, err)
	if err != nil {
		return 0, "", "", err
	}
	return a.status, a.code, string(a.body), nil
}
