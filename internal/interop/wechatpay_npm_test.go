package interop_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/wxhospital/hospital/internal/testneed"
	"github.com/wxhospital/hospital/payment/wechatpay/wechatpaytest"
)

// npmPackage ends the test unless node and the package are there, and returns
// the folder of the packages. HOSPITAL_NODE_MODULES names it.
func npmPackage(t *testing.T, name, version string) (node, modules string) {
	t.Helper()
	modules = os.Getenv("HOSPITAL_NODE_MODULES")
	if modules == "" {
		modules = filepath.Join("..", "..", ".bin", "npm", "node_modules")
	}
	modules, err := filepath.Abs(modules)
	require.NoError(t, err)
	node, err = exec.LookPath("node")
	if err != nil {
		testneed.Missing(t, "node")
	}
	about, err := os.ReadFile(filepath.Join(modules, name, "package.json"))
	if err != nil || !strings.Contains(string(about), `"version": "`+version+`"`) {
		testneed.Missing(t, "npm "+name+"@"+version+" (set HOSPITAL_NODE_MODULES)")
	}
	return node, modules
}

// TestNpmPlugin lets a Node client judge the simulator, from its own process.
func TestNpmPlugin(t *testing.T) {
	t.Parallel()
	node, modules := npmPackage(t, "wechatpay-axios-plugin", "0.9.6")
	for _, mode := range wechatPayModes {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			platform, base := wechatPay(t, mode)
			credentials := t.TempDir()
			require.NoError(t, platform.Credentials().Write(credentials))
			running, stop := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() { ended <- platform.Run(running) }()
			t.Cleanup(func() {
				stop()
				require.NoError(t, <-ended)
			})
			limit, cancel := context.WithTimeout(t.Context(), time.Minute)
			t.Cleanup(cancel)
			command := exec.CommandContext(limit, node, filepath.Join("node", "wechatpay.js"), base.String(), credentials)
			command.Env = append(os.Environ(), "NODE_PATH="+modules)
			said, err := command.CombinedOutput()
			require.NoError(t, err, "%s", said)
			first := "no certificates"
			if mode != wechatpaytest.PublicKeyMode {
				first = "certificates"
			}
			require.Equal(t, []string{
				first, "prepay and the same again", "prepay changed", "pay, notification and query", "close", "refund and the same number again",
				"refund notification and query",
			}, strings.Split(strings.TrimSpace(string(said)), "\n"))
			ledger, err := platform.Ledger()
			require.NoError(t, err)
			require.EqualValues(t, 1250, ledger.Paid)
			require.EqualValues(t, 1000, ledger.Refunded)
		})
	}
}
