package interop_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/wxhospital/hospital/wechat/wechattest"
)

// npmLibrary is a family of npm packages in a process of its own, node/wechat.js,
// which takes a call a line and answers with a line.
type npmLibrary struct {
	without    []string
	to         io.Writer
	from       *bufio.Reader
	complained bytes.Buffer
}

// npmLimit ends a process that hangs; a platform's whole trial takes seconds.
const npmLimit = 2 * time.Minute

// openNpm makes an opener of the family whose packages, "name@version", must be
// there.
func openNpm(family string, packages ...string) opener {
	return func(t *testing.T, site *wechattest.Site, account wechattest.Account) library {
		t.Helper()
		var node, modules string
		for _, p := range packages {
			name, version, _ := strings.Cut(p, "@")
			node, modules = npmPackage(t, name, version)
		}
		command := exec.CommandContext(context.WithoutCancel(t.Context()), node, filepath.Join("node", "wechat.js"), family, site.URL)
		command.Env = append(os.Environ(), "NODE_PATH="+modules, "NODE_NO_WARNINGS=1")
		l := new(npmLibrary)
		command.Stderr = &l.complained
		to, err := command.StdinPipe()
		require.NoError(t, err)
		from, err := command.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, command.Start())
		hung := time.AfterFunc(npmLimit, func() { _ = command.Process.Kill() }) // the test sees the end of its output
		l.to, l.from = to, bufio.NewReader(from)
		t.Cleanup(func() {
			hung.Stop()
			_ = to.Close() // a process that has ended has closed it
			err := command.Wait()
			if t.Failed() {
				t.Logf("%s: %v\n%s", family, err, l.complained.Bytes())
				return
			}
			require.NoError(t, err)
		})
		l.write(t, account)
		var first struct{ Lacks []string }
		line, err := l.from.ReadBytes('\n')
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(line, &first), "%s", line)
		l.without = first.Lacks
		return l
	}
}

func (l *npmLibrary) write(t *testing.T, value any) {
	t.Helper()
	line, err := json.Marshal(value)
	require.NoError(t, err)
	_, err = l.to.Write(append(line, '\n'))
	require.NoError(t, err)
}

func (l *npmLibrary) lacks(call string) bool {
	return slices.Contains(l.without, call)
}

func (l *npmLibrary) do(call string, ask question) (answer, error) {
	line, err := json.Marshal(map[string]any{"call": call, "args": ask})
	if err != nil {
		return answer{}, err
	}
	if _, err := l.to.Write(append(line, '\n')); err != nil {
		return answer{}, err
	}
	if line, err = l.from.ReadBytes('\n'); err != nil {
		return answer{}, err
	}
	var got struct {
		Value answer
		Code  int
		Text  string
	}
	if err := json.Unmarshal(line, &got); err != nil {
		return answer{}, err
	}
	if got.Text != "" {
		return answer{}, &refused{got.Code, got.Text}
	}
	return got.Value, nil
}
