package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestEvalPrintsTheFiguresAndWritesThePredictions(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cases, preds := filepath.Join(dir, "cases.jsonl"), filepath.Join(dir, "preds.jsonl")
	require.NoError(t, os.WriteFile(cases, []byte(`{"id":"a","source":"own","tier":"main","label":"ORTH","gold":["ORTH"],"text":"膝盖疼","chief":"膝盖疼"}
{"id":"b","source":"own","tier":"main","label":"OPHT","gold":["OPHT"],"text":"肛门疼，便血","chief":""}
`), 0o600))
	var out bytes.Buffer
	require.NoError(t, run([]string{"eval", "-cases", cases, "-out", preds}, &out))
	require.Contains(t, out.String(), "own/main: n=2 top-1 50.00 (1)")
	require.Contains(t, out.String(), "OPHT > ANOR")
	written, err := os.ReadFile(preds)
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(string(written), `{"id":"a","departments":["ORTH"`))
}

func TestEvalOfRedFlagsNamesWhatWasMissed(t *testing.T) {
	t.Parallel()
	cases := filepath.Join(t.TempDir(), "cases.jsonl")
	require.NoError(t, os.WriteFile(cases, []byte(`{"id":"a","expect":"call_120","category":"x","text":"昏迷叫不醒"}
{"id":"b","expect":"none","category":"x","text":"膝盖疼"}
{"id":"c","expect":"call_120","category":"planted","text":"膝盖疼"}
`), 0o600))
	var out bytes.Buffer
	require.NoError(t, run([]string{"eval", "-redflags", "-cases", cases}, &out))
	require.Contains(t, out.String(), "missed c call_120 (planted)")
	require.Contains(t, out.String(), "recall 50.00 (1 of 2) specificity 100.00 (1 of 1)")
}

func TestExplainLintAndCover(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	require.NoError(t, run([]string{"explain", "-age", "60", "胸口压榨样疼，大汗，没有发烧"}, &out))
	require.Contains(t, out.String(), "EMERGENCY call_120")
	require.Contains(t, out.String(), "(denied)")

	out.Reset()
	require.NoError(t, run([]string{"lint"}, &out))
	require.Contains(t, out.String(), "clean")

	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "rules.json"), []byte("{\n\"kind\":}"), 0o600))
	require.ErrorContains(t, run([]string{"lint", "-overlay", dir}, &out), "overlay/rules.json:2")

	out.Reset()
	require.NoError(t, run([]string{"cover", "../../triage/testdata/redflags.jsonl"}, &out))
	require.Contains(t, out.String(), "flag      RF02")
}

func TestAnUnknownCommandIsRefused(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{nil, {"diagnose"}, {"eval"}, {"explain"}, {"cover"}} {
		require.Error(t, run(args, &bytes.Buffer{}), "%v", args)
	}
}
