package wechat_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital/wechat"
)

func TestWhatIsRemembered(t *testing.T) {
	t.Parallel()
	at := func(seconds int) time.Time { return now.Add(time.Duration(seconds) * time.Second) }
	use := wechat.NewRecent(10*time.Second, 3)
	require.False(t, use("a", at(0), true))
	require.False(t, use("z", at(0), true))
	require.True(t, use("a", at(9), true), "another look does not prolong it")
	require.False(t, use("z", at(10), true), "it is forgotten after its time")
	require.False(t, use("a", at(10), true))

	require.True(t, use("a", at(11), false))
	require.False(t, use("a", at(12), true), "or when it is told to")
	require.True(t, use("a", at(21), true), "and lives its own time after that")
	require.False(t, use("a", at(22), true))

	use = wechat.NewRecent(time.Hour, 3)
	for _, key := range []string{"1", "2", "3", "4"} {
		require.False(t, use(key, at(0), true))
	}
	require.False(t, use("1", at(1), false), "of too many the oldest are forgotten")
	require.True(t, use("4", at(1), true))
}
