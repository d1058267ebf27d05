package interop_test

import (
	"encoding/json"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

func ticketOf(t *testing.T, answer []byte) string {
	t.Helper()
	var got struct {
		Ticket string `json:"ticket"`
	}
	require.NoError(t, json.Unmarshal(answer, &got))
	return got.Ticket
}

func decimal(n int64) string { return strconv.FormatInt(n, 10) }
