package promise_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// crashLife is what a child did until it ended.
type crashLife struct {
	points []string
	acks   []crashAck
	report *crashReport
	killed bool // at the point it was told to die at
}

// crashLive runs a child to its end.
func crashLive(ctx context.Context, orders crashOrders) (crashLife, error) {
	var life crashLife
	told, err := json.Marshal(orders)
	if err != nil {
		return life, err
	}
	ctx, cancel := context.WithTimeout(ctx, crashPatience)
	defer cancel()
	child := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestCrashChild$")
	child.Env = append(os.Environ(), crashEnv+"="+string(told))
	var out bytes.Buffer
	child.Stdout, child.Stderr = &out, &out
	ended := child.Run()
	said := out.String()
	lines := bufio.NewScanner(&out)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		word, rest, _ := strings.Cut(strings.TrimPrefix(lines.Text(), "crash "), " ")
		switch word {
		case "point":
			life.points = append(life.points, rest)
		case "ack":
			what, id, _ := strings.Cut(rest, " ")
			life.acks = append(life.acks, crashAck{what, id})
		case "report":
			life.report = &crashReport{}
			if err := json.Unmarshal([]byte(rest), life.report); err != nil {
				return life, err
			}
		}
	}
	mayDie := orders.KillAt != "" || orders.KillNo > 0
	life.killed = ctx.Err() == nil && child.ProcessState.String() == "signal: killed" && life.told(orders)
	switch {
	case mayDie && life.killed:
		return life, nil
	case orders.KillAt != "":
		return life, fmt.Errorf("the child was to die at %s and did not (%s)\n%s", orders.KillAt, child.ProcessState, said)
	case ended != nil || life.report == nil:
		return life, fmt.Errorf("the child failed: %w\n%s", ended, said)
	}
	return life, nil
}

// told reports whether the last step was the one to die at.
func (l crashLife) told(orders crashOrders) bool {
	if orders.KillNo > 0 {
		return len(l.points) == orders.KillNo
	}
	return len(l.points) > 0 && l.points[len(l.points)-1] == orders.KillAt
}
