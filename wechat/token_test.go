package wechat_test

import (
	"testing"

	"github.com/wxhospital/hospital/wechat"
	"github.com/wxhospital/hospital/wechat/wechattest"
)

func TestMemoryTokensConform(t *testing.T) {
	t.Parallel()
	wechattest.ConformTokenStore(t, func(*testing.T) wechat.TokenStore { return &wechat.MemoryTokens{} })
}
