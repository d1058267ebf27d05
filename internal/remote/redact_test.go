package remote_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital/internal/remote"
)

// canaries are what must never be seen outside of the wire.
var canaries = []string{
	"canarytoken0001", "oCANARY0openid_abcdefghijk12", "王金丝雀", "110101199003070011", "13800138000", "canarypass",
}

func TestCanary(t *testing.T) {
	t.Parallel()
	leak := strings.Join(canaries, " ")
	raw := func(head string) func(net.Conn) { return says(head + leak + "\r\n\r\n" + leak) }
	scripts := map[string]func(net.Conn){
		"no connection":          nil,
		"silence":                silent,
		"closed":                 says(""),
		"a malformed status":     raw("HTTP/1.1 "),
		"a malformed header":     raw("HTTP/1.1 200 OK\r\n"),
		"a body cut short":       raw("HTTP/1.1 200 OK\r\nContent-Length: 99999\r\nX: "),
		"a server error":         raw("HTTP/1.1 500 "),
		"a redirect":             says("HTTP/1.1 302 X\r\nLocation: /?" + url.QueryEscape(leak) + "\r\nContent-Length: 0\r\n\r\n"),
		"a bad redirect":         says("HTTP/1.1 302 X\r\nLocation: ://" + leak + "\r\nContent-Length: 0\r\n\r\n"),
		"a bad chunk":            raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
		"an unknown compression": raw("HTTP/1.1 200 OK\r\nContent-Encoding: "),
		"damaged gzip":           says("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 15\r\n\r\ncanarytoken0001"),
		"an answer":              says(ok),
	}
	for name, script := range scripts {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var log bytes.Buffer
				far := &farSide{scripts: []func(net.Conn){script}}
				client := newClient(t, far, func(c *remote.Config) {
					c.BaseURL = "http://u:canarypass@his.test/ws?CachePassword=canarypass"
					c.Logger = slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
					c.Sign = func(r *http.Request, _ []byte) error {
						r.Header.Set("Authorization", "Bearer canarytoken0001")
						return nil
					}
				})
				_, err := client.Do(t.Context(), remote.Call{
					Op: "x", Path: "/" + url.PathEscape(canaries[1]), Query: url.Values{"access_token": canaries},
					Body: []byte(leak), Idempotent: true,
				})
				seen := log.String()
				if err != nil {
					for at := err; at != nil; at = errors.Unwrap(at) {
						seen += at.Error()
					}
				}
				require.NotEmpty(t, seen)
				for _, canary := range canaries {
					require.NotContains(t, seen, canary)
					require.NotContains(t, seen, url.QueryEscape(canary))
				}
			})
		})
	}
}

func TestRedact(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, in, want string }{
		{"a plain sentence stays", "号源已被占用，请另选时段", "号源已被占用，请另选时段"},
		{"a .NET fault stays readable", "Server was unable to process request. ---> ORA-12514: no listener", "Server was unable to process request. ---> ORA-12514: no listener"},
		{"a query string goes", "Get \"https://api.test/cgi?access_token=abc&x=1\": EOF", "Get \"https://api.test/cgi?***\": EOF"},
		{"credentials in an address go", "http://user:pw@his/ws", "http://***@his/ws"},
		{"a bearer token goes", "Authorization: Bearer abc.def", "Authorization: Bearer ***"},
		{"a JSON name goes", `{"name":"张三","errcode":40001}`, `{"name":***,"errcode":40001}`},
		{"an XML name goes", "<ResultCode>1</ResultCode><Name>张三</Name>", "<ResultCode>1</ResultCode><Name>***</Name>"},
		{"an escaped XML number goes", "&lt;IDNumber&gt;110101&lt;/IDNumber&gt;", "&lt;IDNumber&gt;***&lt;/IDNumber&gt;"},
		{"an XML name in CDATA goes", "<Name><![CDATA[张三]]></Name>", "<Name>***</Name>"},
		{"an XML name in CDATA that was cut goes", "<Name><![CDATA[张三", "<Name>***"},
		{"an escaped XML name in CDATA goes", "&lt;Name&gt;&lt;![CDATA[张三]]&gt;&lt;/Name&gt;", "&lt;Name&gt;***&lt;/Name&gt;"},
		{"an XML name with entities goes", "<Name>张&#x4E09;&amp;</Name>", "<Name>***</Name>"},
		{"a JSON name inside a JSON text goes", `{"msg":"{\"name\":\"张三\",\"code\":1}"}`, `{"msg":"{\"name\":***,\"code\":1}"}`},
		{"a name under its initials goes", "<RES><CODE>1</CODE><BRXM>张三</BRXM><SFZH>X1</SFZH></RES>", "<RES><CODE>1</CODE><BRXM>***</BRXM><SFZH>***</SFZH></RES>"},
		{"a JSON name under its initials goes", `{"hzxm":"张三","lxdh":"021-6512","code":1}`, `{"hzxm":***,"lxdh":***,"code":1}`},
		{"an announced name goes", "姓名：张三，已存在", "姓名：***，已存在"},
		{"a person after the word patient goes", "患者 张三 有未缴费", "患者 *** 有未缴费"},
		{"an identity number goes", "证号110101199003070011重复", "证号***重复"},
		{"a phone number goes", "call 138 0013 8000 or 13800138000", "call *** or ***"},
		{"an openid goes", "user oABCDEFGHIJKLMNOPQRSTUVWXY12 blocked", "user *** blocked"},
		{"control characters go", "a\r\nb\x00c", "a b c"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, test.want, remote.Redact(test.in))
		})
	}

	t.Run("a known value goes wherever it stands", func(t *testing.T) {
		t.Parallel()
		require.Equal(t, "不允许***挂号", remote.Redact("不允许张三挂号", "张三"))
	})
	t.Run("a long text is cut", func(t *testing.T) {
		t.Parallel()
		require.Len(t, []rune(remote.Redact(strings.Repeat("栈 ", 500))), 201)
	})
	t.Run("a logged text redacts itself", func(t *testing.T) {
		t.Parallel()
		var log bytes.Buffer
		slog.New(slog.NewTextHandler(&log, nil)).LogAttrs(context.WithoutCancel(t.Context()), slog.LevelInfo, "x",
			slog.Any("fault", remote.Text("姓名：张三")), slog.Duration("took", time.Second))
		require.NotContains(t, log.String(), "张三")
	})
}

func FuzzRedact(f *testing.F) {
	for _, canary := range canaries {
		f.Add(canary)
	}
	f.Add("<Name>&lt;a</Name>?x=\xff")
	f.Fuzz(func(t *testing.T, text string) {
		out := remote.Redact(text, "王金丝雀")
		require.LessOrEqual(t, len([]rune(out)), 201)
		require.NotContains(t, out, "王金丝雀")
		require.NotRegexp(t, `\d{11}`, out)
	})
}
