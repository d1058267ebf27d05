// Package testneed says what a test needs from outside Go.
package testneed

import (
	"os"
	"testing"
)

// Missing ends a test that cannot run without tool. The test is skipped,
// unless HOSPITAL_TEST_REQUIRE is "all": then it fails, so that a CI run
// that promises everything cannot pass by skipping.
func Missing(t testing.TB, tool string) {
	t.Helper()
	if os.Getenv("HOSPITAL_TEST_REQUIRE") == "all" {
		t.Fatalf("needs %s", tool)
	}
	t.Skipf("needs %s", tool)
}
