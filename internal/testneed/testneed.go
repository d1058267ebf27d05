// Package testneed says what a test needs from outside Go.
package testneed

import (
	"os"
	"testing"
)

// Missing ends a test that cannot run without tool. The test is skipped,
// unless HOSPITAL_TEST_REQUIRE is "all": then it fails, so that a CI run
// that promises everything cannot pass by skipping.
func Missing(tb testing.TB, tool string) {
	tb.Helper()
	if os.Getenv("HOSPITAL_TEST_REQUIRE") == "all" {
		tb.Fatalf("needs %s", tool)
	}
	tb.Skipf("needs %s", tool)
}
