package wechattest

import (
	"context"
	"time"

	"github.com/wxhospital/hospital"
)

// FaultKind is a way in which a call to the platform fails.
type FaultKind int

// The faults. The first three act before anything happens, the others after it
// has.
const (
	Dead        FaultKind = iota + 1 // the connection is closed at once
	ServerError                      // HTTP 502 without a body
	Busy                             // errcode -1, system error
	AnswerLost                       // it happened, then the connection is cut
	Truncated                        // it happened, and half of the JSON comes
	Page                             // it happened, and a web page comes with status 200
	Slow                             // it happened, and the answer waits
)

// faultNames are the names in snake case, as switches and logs show them.
func faultNames() []string {
	return []string{"ok", "dead", "server_error", "busy", "answer_lost", "truncated", "page", "slow"}
}

// String returns the fault's name in snake case.
func (k FaultKind) String() string {
	if names := faultNames(); k >= 0 && int(k) < len(names) {
		return names[k]
	}
	return "unknown"
}

// Fault is one switch.
type Fault struct {
	Kind  FaultKind
	Path  string          // for example "/cgi-bin/menu/create"; "" means every path
	Times int             // how many calls it meets; 0 means until mended
	Wait  time.Duration   // of Slow: how long the answer waits
	Until <-chan struct{} // of Slow, in place of Wait: the answer waits until it is closed
}

// Break sets a switch. Switches act in the order they were set, each until its
// times are used up. Invalid: no such fault, or a Slow one that waits for
// nothing.
func (p *Platform) Break(f Fault) error {
	switch {
	case f.Kind < Dead || f.Kind > Slow || f.Times < 0:
		return verbError(hospital.Invalid, "Break", "bad_fault", "unknown kind or negative times")
	case f.Kind == Slow && f.Wait <= 0 && f.Until == nil:
		return verbError(hospital.Invalid, "Break", "bad_fault", "slow needs Wait or Until")
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults = append(p.faults, f)
	return nil
}

// Mend takes all switches away.
func (p *Platform) Mend() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults = nil
}

// takeFault returns what acts on this call and counts it.
func (p *Platform) takeFault(path string) Fault {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, f := range p.faults {
		if f.Path != "" && f.Path != path {
			continue
		}
		switch f.Times {
		case 0:
		case 1:
			p.faults = append(p.faults[:i:i], p.faults[i+1:]...)
		default:
			p.faults[i].Times--
		}
		return f
	}
	return Fault{}
}

// hold lets a slow answer wait.
func (p *Platform) hold(ctx context.Context, f Fault) {
	until := f.Until
	if until == nil {
		timer := time.NewTimer(f.Wait)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
		case <-p.done:
		}
		return
	}
	select {
	case <-until:
	case <-ctx.Done():
	case <-p.done:
	}
}
