package soap_test

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/his/soap"
	"github.com/wxhospital/hospital/internal/testneed"
)

// npmServer starts testdata/npm/server.js and returns its address.
func npmServer(t *testing.T) string {
	t.Helper()
	modules := os.Getenv("HOSPITAL_NODE_MODULES")
	if modules == "" {
		modules = filepath.Join("..", "..", ".bin", "npm", "node_modules")
	}
	modules, err := filepath.Abs(modules)
	require.NoError(t, err)
	node, err := exec.LookPath("node")
	if err != nil {
		testneed.Missing(t, "node")
	}
	if _, err := os.Stat(filepath.Join(modules, "soap", "package.json")); err != nil {
		testneed.Missing(t, "npm soap@1.13.0 (set HOSPITAL_NODE_MODULES)")
	}
	command := exec.CommandContext(t.Context(), node, filepath.Join("testdata", "npm", "server.js"))
	command.Env = append(os.Environ(), "NODE_PATH="+modules)
	command.Stderr = os.Stderr
	stdin, err := command.StdinPipe()
	require.NoError(t, err)
	stdout, err := command.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, command.Start())
	t.Cleanup(func() {
		_ = stdin.Close()
		_ = command.Wait()
	})
	port, err := bufio.NewReader(stdout).ReadString('\n')
	require.NoError(t, err)
	return "http://127.0.0.1:" + strings.TrimSpace(port)
}

func TestAgainstNpmSoap(t *testing.T) {
	t.Parallel()
	base := npmServer(t)
	dialect := soap.Dialect{Namespace: "http://tempuri.org/"}
	with := func(edit func(*soap.Dialect)) soap.Dialect {
		d := dialect
		edit(&d)
		return d
	}
	key := &soap.UsernameToken{Username: "his", Password: "TESTING KEY"}
	tests := []struct {
		name    string
		path    string
		dialect soap.Dialect
		token   *soap.UsernameToken
		input   string
		code    string
		kind    hospital.Kind
	}{
		{"SOAP 1.1 document/literal", "/doc11", dialect, nil, "张三 & 0.01 < 1", "", 0},
		{"SOAP 1.2", "/doc12", with(func(d *soap.Dialect) { d.Version = soap.V12 }), nil, "张三", "", 0},
		{"rpc/literal", "/rpc", with(func(d *soap.Dialect) { d.Style = soap.RPC }), nil, "张三", "", 0},
		{"a name and password are accepted", "/secure", dialect, key, "张三", "", 0},
		{"a call without them is refused", "/secure", dialect, nil, "张三", "soap_fault", hospital.Denied},
		{"a fault of the service leaves the outcome open", "/doc11", dialect, nil, "fault", "soap_fault", hospital.Indeterminate},
		{"so does one that blames the caller of a change", "/doc12", with(func(d *soap.Dialect) { d.Version = soap.V12 }), nil, "fault12", "soap_fault", hospital.Indeterminate},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			client, err := soap.NewClient(soap.Config{BaseURL: base + test.path, Dialect: test.dialect, Security: test.token})
			require.NoError(t, err)
			t.Cleanup(client.CloseIdle)
			result, err := client.Do(t.Context(), soap.Call{
				Op: "test.Query", Operation: "Query", Params: []soap.Param{{Name: "input", Value: test.input}},
				Personal: []string{"王金丝雀"},
			})
			if test.code != "" {
				require.Equal(t, test.code, hospital.CodeOf(err), "%v", err)
				require.Equal(t, test.kind, hospital.KindOf(err), "%v", err)
				require.NotContains(t, err.Error(), "王金丝雀")
				return
			}
			require.NoError(t, err)
			inner, err := soap.ParseDocument(result.Text())
			require.NoError(t, err)
			require.Equal(t, test.input, inner.Find("Echo").Text())
		})
	}
}
