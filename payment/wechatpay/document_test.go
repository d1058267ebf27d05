package wechatpay_test

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/payment/wechatpay"
)

func TestJSONIsReadStrictly(t *testing.T) {
	t.Parallel()
	full := wechatpay.Read{AppID: "wx1", OutTradeNo: "o1", Currency: "CNY", Total: 1250}
	for name, c := range map[string]struct {
		text string
		want wechatpay.Read
		ok   bool
	}{
		"as it comes":              {`{"appid":"wx1","out_trade_no":"o1","amount":{"total":1250,"currency":"CNY"}}`, full, true},
		"with blanks":              {" \n{ \"appid\" :\t\"wx1\" , \"out_trade_no\":\"o1\", \"amount\" : { \"total\" : 1250 , \"currency\":\"CNY\" } }\r\n ", full, true},
		"in another order":         {`{"amount":{"currency":"CNY","total":1250},"out_trade_no":"o1","appid":"wx1"}`, full, true},
		"with what we do not want": {`{"appid":"wx1","x":[{"a":"]}"},[1,2,-3.5e7],"\"}",true,null],"y":{"z":{}},"out_trade_no":"o1","amount":{"total":1250,"q":false,"currency":"CNY"}}`, full, true},
		"with escapes":             {`{"appid":"w\u00781","out_trade_no":"o1","amount":{"total":1250,"currency":"CN\u0059"}}`, full, true},
		"with nulls":               {`{"appid":null,"out_trade_no":null,"amount":{"total":null,"currency":null}}`, wechatpay.Read{}, true},
		"an amount that is null":   {`{"amount":null}`, wechatpay.Read{}, true},
		"empty":                    {`{}`, wechatpay.Read{}, true},
		"null":                     {`null`, wechatpay.Read{}, true},
		"below nothing":            {`{"amount":{"total":-1}}`, wechatpay.Read{Total: -1}, true},
		"another case is another":  {`{"AppID":"wx1","Amount":{"Total":1}}`, wechatpay.Read{}, true},
		"a name twice":             {`{"appid":"wx1","appid":"wx2"}`, wechatpay.Read{}, false},
		"an unwanted name twice":   {`{"x":1,"appid":"wx1","x":2}`, wechatpay.Read{}, false},
		"an amount twice":          {`{"amount":{"total":1},"amount":{"total":2}}`, wechatpay.Read{}, false},
		"a sum twice":              {`{"amount":{"total":1,"total":2}}`, wechatpay.Read{}, false},
		"a name in disguise":       {`{"\u0061ppid":"wx1"}`, wechatpay.Read{}, false},
		"a number for a text":      {`{"appid":1}`, wechatpay.Read{}, false},
		"a text for a number":      {`{"amount":{"total":"1"}}`, wechatpay.Read{}, false},
		"a fraction":               {`{"amount":{"total":1.0}}`, wechatpay.Read{}, false},
		"an exponent":              {`{"amount":{"total":1e2}}`, wechatpay.Read{}, false},
		"too large a number":       {`{"amount":{"total":9223372036854775808}}`, wechatpay.Read{}, false},
		"a list for an object":     {`{"amount":[]}`, wechatpay.Read{}, false},
		"true for a number":        {`{"amount":{"total":true}}`, wechatpay.Read{}, false},
		"a list":                   {`[]`, wechatpay.Read{}, false},
		"a text":                   {`"x"`, wechatpay.Read{}, false},
		"two":                      {`{}{}`, wechatpay.Read{}, false},
		"nothing":                  {``, wechatpay.Read{}, false},
		"half":                     {`{"appid":"wx1`, wechatpay.Read{}, false},
		"not UTF-8":                {"{\"appid\":\"\xff\"}", wechatpay.Read{}, false},
		"deep":                     {`{"x":` + strings.Repeat("[", 9000) + strings.Repeat("]", 9000) + `,"appid":"wx1"}`, wechatpay.Read{AppID: "wx1"}, true},
		"64 members":               {members(64), wechatpay.Read{}, true},
		"65 members":               {members(65), wechatpay.Read{}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, ok := wechatpay.ReadTransaction(c.text)
			require.Equal(t, c.ok, ok)
			if ok {
				require.Equal(t, c.want, got)
			}
		})
	}
}

func members(n int) string {
	var all []string
	for i := range n {
		all = append(all, `"m`+strconv.Itoa(i)+`":`+strconv.Itoa(i))
	}
	return "{" + strings.Join(all, ",") + "}"
}

// FuzzDocument compares the strict reader with encoding/json: what it accepts
// it reads alike.
func FuzzDocument(f *testing.F) {
	f.Add(told("SUCCESS"))
	f.Add(`{"amount":null,"x":[{"a":"]}"},"\\\"",[1,-2.5e7]],"appid":"a\u00e9\n"}`)
	f.Add(`{"amount":{"total":-0},"appid":""}`)
	f.Fuzz(func(t *testing.T, text string) {
		got, ok := wechatpay.ReadTransaction(text)
		if !ok {
			return
		}
		var names map[string]json.RawMessage
		require.NoError(t, json.Unmarshal([]byte(text), &names))
		var want wechatpay.Read
		take := func(from map[string]json.RawMessage, name string, into any) {
			if raw, there := from[name]; there {
				require.NoError(t, json.Unmarshal(raw, into), name)
			}
		}
		var amount map[string]json.RawMessage
		take(names, "appid", &want.AppID)
		take(names, "out_trade_no", &want.OutTradeNo)
		take(names, "amount", &amount)
		take(amount, "currency", &want.Currency)
		var total hospital.Fen
		take(amount, "total", &total)
		want.Total = total
		require.Equal(t, want, got)
	})
}
