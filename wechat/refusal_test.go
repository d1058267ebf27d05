package wechat_test

import (
	"errors"
	"fmt"
	"strconv"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/wechat"
)

const (
	busyWords    = "微信服务暂时繁忙，请稍后重试。"
	brokenWords  = "微信服务暂时不可用，请稍后重试；如仍有问题请联系医院服务台。"
	missedWords  = "这条消息无法通过微信送达，请联系医院服务台。"
	loginWords   = "登录已过期，请返回重新进入。"
	followWords  = "请先关注本公众号，再重新操作。"
	consentWords = "您还没有同意接收这类通知，请在弹出的提示中选择“允许”。"
	blockedWords = "微信没有允许这次登录，请联系医院服务台办理。"
)

// TestRefusalsAreSorted has every code that the platform's list of global codes
// and its interfaces name and that a hospital meets.
// Source: developers.weixin.qq.com, 全局返回码说明.
func TestRefusalsAreSorted(t *testing.T) {
	t.Parallel()
	type sorted struct {
		class   wechat.Class
		kind    hospital.Kind // of a call that changes something
		advice  wechat.Advice
		message string
	}
	token := sorted{wechat.ClassToken, hospital.Unavailable, wechat.AdviceRepeat, busyWords}
	config := sorted{wechat.ClassConfig, hospital.Internal, wechat.AdviceOperator, brokenWords}
	permission := sorted{wechat.ClassPermission, hospital.Denied, wechat.AdviceOperator, brokenWords}
	quota := sorted{wechat.ClassQuota, hospital.Unavailable, wechat.AdviceTomorrow, busyWords}
	user := sorted{wechat.ClassUser, hospital.Rejected, wechat.AdviceOtherWay, missedWords}
	follower := sorted{wechat.ClassUser, hospital.Rejected, wechat.AdviceOtherWay, followWords}
	request := sorted{wechat.ClassRequest, hospital.Invalid, wechat.AdviceCorrect, brokenWords}
	full := sorted{wechat.ClassRequest, hospital.Invalid, wechat.AdviceOperator, brokenWords}
	oauth := sorted{wechat.ClassOAuth, hospital.Denied, wechat.AdviceLogin, loginWords}
	const known = "医院系统暂时繁忙，请稍后重试。" // what MessageFor says by itself
	cases := map[int]sorted{
		-1:    {wechat.ClassBusy, hospital.Indeterminate, wechat.AdviceFindOut, "正在与医院系统核实，请稍后查看结果，不要重复操作。"},
		61450: {wechat.ClassBusy, hospital.Indeterminate, wechat.AdviceFindOut, "正在与医院系统核实，请稍后查看结果，不要重复操作。"},
		45009: quota, 45028: quota,
		45011: {wechat.ClassQuota, hospital.Unavailable, wechat.AdviceNextMinute, busyWords},
		48006: {wechat.ClassQuota, hospital.Unavailable, wechat.AdviceOperator, busyWords},
		43004: follower, 43019: follower,
		43101: {wechat.ClassUser, hospital.Rejected, wechat.AdviceOtherWay, consentWords},
		40226: {wechat.ClassUser, hospital.Rejected, wechat.AdviceOtherWay, blockedWords},
		45065: {wechat.ClassRepeat, hospital.Conflict, wechat.AdviceDone, "信息刚刚发生了变化，请刷新后重试。"},
		45066: {wechat.ClassRepeat, hospital.Unavailable, wechat.AdviceNextMinute, known},
		46003: {wechat.ClassRequest, hospital.NotFound, wechat.AdviceCorrect, brokenWords},
		99999: {wechat.ClassUnknown, hospital.Rejected, wechat.AdviceAsk, brokenWords},
		-2:    {wechat.ClassUnknown, hospital.Rejected, wechat.AdviceAsk, brokenWords},
	}
	for want, codes := range map[*sorted][]int{
		&token:      {40001, 40014, 41001, 42001},
		&config:     {40013, 40125, 40164, 40243, 61004, 89503, 48017},
		&permission: {48001, 48004, 50001, 50002, 61007, 45109, 65400, 200011},
		&user:       {40003, 46004, 48002, 50005, 45015, 45047, 61458, 61459, 65402, 65413, 65414, 65415},
		&request: {
			40007, 40035, 40036, 40037, 40097, 41030, 43002, 44002, 44003,
			45001, 45002, 45003, 45004, 45005, 45006, 45007, 45008, 45067, 47001, 47003,
			61451, 61457, 65401, 65403, 65404, 65406, 65407, 65408, 65409, 65410, 65411, 65412, 65416, 65417,
			200013, 200014, 200016, 200017, 200018, 200019, 200020, 200021,
		},
		&full:  {45026, 45029, 45056, 61456, 65405, 200012},
		&oauth: {40029, 40163, 41008, 42002, 42003, 40030},
	} {
		for _, code := range codes {
			cases[code] = *want
		}
	}
	require.Len(t, cases, 4+7+8+12+42+6+6+15)
	for code, want := range cases {
		t.Run(strconv.Itoa(code), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { // -1 waits before it is repeated
				answer := fmt.Sprintf(`{"errcode":%d,"errmsg":"words of %s rid: 6743d0a1-0a1b2c3d-4e5f6071"}`, code, testOpenID)
				_, err := scripted(t, []string{answer, answer, answer}).Notify(t.Context(), report(testOpenID))
				refusal, ok := errors.AsType[*wechat.Refusal](err)
				require.True(t, ok)
				require.Equal(t, &wechat.Refusal{Code: code, Class: want.class, Words: "words of ***", RID: "6743d0a1-0a1b2c3d-4e5f6071"}, refusal)
				require.Equal(t, want.kind, hospital.KindOf(err))
				require.Equal(t, want.advice, wechat.AdviceOf(err))
				require.Equal(t, want.message, hospital.MessageFor(err))
				require.Equal(t, strconv.Itoa(code), hospital.CodeOf(err), "verbatim")
				require.Contains(t, err.Error(), want.class.String()+": words of *** (rid 6743d0a1-0a1b2c3d-4e5f6071)")
				require.NotContains(t, err.Error(), testOpenID)
			})
		})
	}
}

func TestABusyPlatformLeavesAQuestionUnanswered(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const busy = `{"errcode":-1,"errmsg":"system error"}`
		_, err := scripted(t, []string{busy, busy, busy}).CallbackIPs(t.Context())
		require.Equal(t, hospital.Unavailable, hospital.KindOf(err))
		require.Equal(t, busyWords, hospital.MessageFor(err))
		require.Equal(t, wechat.AdviceRepeat, wechat.AdviceOf(err))
	})
}

// What may have been done is not repeated on the advice of a later refusal.
func TestNoAdviceSendsASecondTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const busy, spent = `{"errcode":-1,"errmsg":"system error"}`, `{"errcode":45011,"errmsg":"slower"}`
		keyed := report(testOpenID)
		keyed.Kind, keyed.Key = wechat.TemplateMessage, "report-1"
		_, err := scripted(t, []string{busy, spent}).Notify(t.Context(), keyed)
		require.Equal(t, hospital.Indeterminate, hospital.KindOf(err))
		require.Equal(t, "45011", hospital.CodeOf(err))
		require.Equal(t, wechat.AdviceFindOut, wechat.AdviceOf(err))
	})
	_, err := scripted(t, nil).Notify(t.Context(), report(testOpenID))
	require.Equal(t, wechat.AdviceFindOut, wechat.AdviceOf(err), "the answer was lost")
	require.Empty(t, wechat.AdviceOf(nil))
	require.Empty(t, wechat.AdviceOf(&hospital.Error{Kind: hospital.NotFound}), "not the platform's")
}
