package wechattest_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital/wechat"
	"github.com/wxhospital/hospital/wechat/wechattest"
)

// strangersHandler is WeChat code of another project that reads no push and
// therefore only says "success".
func strangersHandler(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "success") }

// A project tests its own WeChat code: it runs a platform, makes its handler
// the account's server, and lets a user write.
func ExampleStart() {
	// In a test file of your own: func TestReply(t *testing.T) { … }
	_ = func(t *testing.T) { //nolint:thelper // it stands for a test
		site := wechattest.Start(t, wechattest.Config{Mode: wechat.Plain})
		site.CallbackTo(http.HandlerFunc(strangersHandler))
		if err := site.Follower(t.Context(), "陈素心").Say(t.Context(), "在吗"); err != nil || site.MalformedReply() != "" {
			t.Error(err, site.MalformedReply())
		}
	}
	// Output:
}

func TestAStrangersProjectNeedsThreeLines(t *testing.T) {
	t.Parallel()
	site := wechattest.Start(t, wechattest.Config{Mode: wechat.Plain})
	site.CallbackTo(http.HandlerFunc(strangersHandler))
	patient := site.Follower(t.Context(), "陈素心")
	require.NoError(t, patient.Say(t.Context(), "在吗"))
	require.Empty(t, site.MalformedReply())
	require.Len(t, patient.Chat(), 1)
}

// A follower says hello to an account whose server does not understand WeChat,
// and the phone shows what a patient would see.
func ExamplePlatform() {
	platform, err := wechattest.New(wechattest.Config{
		Callback:   "http://hospital.example/wechat",
		HTTPClient: inProcess(says(http.StatusOK, `{"reply":"hello"}`)),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = platform.Close() }()
	ctx := context.Background()
	patient, err := platform.Join("陈素心")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(patient.Say(ctx, "在吗"))
	fmt.Println(patient.Follow(ctx))
	for _, bubble := range patient.Chat() {
		fmt.Println(bubble.From, bubble.Text)
	}
	fmt.Println(platform.MalformedReply())
	// Output:
	// wechattest.Say: rejected [not_following]: only a follower can write
	// <nil>
	// notice 该公众号提供的服务出现故障，请稍后再试
	// malformed reply: not one xml element
}
