package histest

import (
	"context"
	"sync"
	"time"
)

// ServiceFault is a way in which the wire to a [Service] fails.
type ServiceFault int

// The faults. All but Dead let the request be read.
const (
	Dead        ServiceFault = iota + 1 // the connection is closed at once
	RequestLost                         // the connection is cut and nothing happened
	AnswerLost                          // it happened, then the connection is cut
	Truncated                           // it happened, and half of the answer comes
	Garbage                             // it happened, and the answer is no SOAP
	ErrorPage                           // it happened, and a web page with status 500 comes
	InGBK                               // the answer is right, in GBK under a header that says so
	Slow                                // it happened, and the answer waits
)

// String returns the fault's name in snake case, as switches and logs show it.
func (f ServiceFault) String() string {
	names := [...]string{"ok", "dead", "request_lost", "answer_lost", "truncated", "garbage", "error_page", "gbk", "slow"}
	if f < 0 || int(f) >= len(names) {
		return "unknown"
	}
	return names[f]
}

// Any stands for every operation of a [Service].
const Any Op = ""

// Switch is one fault as it is set.
type Switch struct {
	Fault ServiceFault
	Times int             // how many calls it meets; 0 means until cleared
	Delay time.Duration   // of Slow: how long the answer waits
	Until <-chan struct{} // of Slow, in place of Delay: the answer waits until it is closed
}

// Faults are the switches of a [Service]: they can be set while it runs and
// are safe for concurrent use. The zero Faults lets everything pass.
type Faults struct {
	mu       sync.Mutex
	switches map[Op][]Switch
}

// Set puts a switch behind those the operation has; the first one acts until
// its times are used up. [Any] acts on operations that have none of their own.
func (f *Faults) Set(op Op, s Switch) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.switches == nil {
		f.switches = map[Op][]Switch{}
	}
	f.switches[op] = append(f.switches[op], s)
}

// Clear takes away the operation's switches.
func (f *Faults) Clear(op Op) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.switches, op)
}

// ClearAll takes away all switches.
func (f *Faults) ClearAll() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.switches = nil
}

// Active returns what acts on the next call of each operation that has a
// switch.
func (f *Faults) Active() map[Op]Switch {
	f.mu.Lock()
	defer f.mu.Unlock()
	active := map[Op]Switch{}
	for op, list := range f.switches {
		active[op] = list[0]
	}
	return active
}

// take returns what acts on this call of the operation and counts it.
func (f *Faults) take(op Op) Switch {
	f.mu.Lock()
	defer f.mu.Unlock()
	list, own := f.switches[op]
	if !own {
		op = Any
		if list, own = f.switches[Any]; !own {
			return Switch{}
		}
	}
	acting := list[0]
	if acting.Times == 0 {
		return acting
	}
	list[0].Times--
	if list[0].Times == 0 {
		list = list[1:]
	}
	if len(list) == 0 {
		delete(f.switches, op)
	} else {
		f.switches[op] = list
	}
	return acting
}

// dead reports whether every connection is to be closed unread, and counts it.
func (f *Faults) dead() bool {
	f.mu.Lock()
	list := f.switches[Any]
	is := len(list) > 0 && list[0].Fault == Dead
	f.mu.Unlock()
	return is && f.take(Any).Fault == Dead
}

// wait holds a slow answer back, at most until the caller is gone.
func (s Switch) wait(ctx context.Context) {
	if s.Until != nil {
		select {
		case <-s.Until:
		case <-ctx.Done():
		}
		return
	}
	timer := time.NewTimer(s.Delay)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
