package wechatpaytest_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"time"

	"github.com/wxhospital/hospital/payment"
	"github.com/wxhospital/hospital/payment/wechatpay"
	"github.com/wxhospital/hospital/payment/wechatpay/wechatpaytest"
)

// A stranger's project tests its own WeChat Pay code: three lines for the far
// side, then its client at server.URL with these credentials.
func Example() {
	far, err := wechatpaytest.New(wechatpaytest.Config{})
	server := httptest.NewServer(far)
	credentials := far.Credentials()

	defer server.Close()
	if err != nil {
		fmt.Println(err)
		return
	}
	client, err := wechatpay.New(wechatpay.Config{ // or whatever the project has
		BaseURL: server.URL, AppID: credentials.AppID, MerchantID: credentials.MerchantID,
		MerchantKey: credentials.MerchantKey, MerchantSerial: credentials.MerchantSerial, APIv3Key: []byte(credentials.APIv3Key),
		PublicKey: credentials.PublicKey, PublicKeyID: credentials.PublicKeyID, NotifyURL: server.URL + "/nowhere",
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	attempt := payment.Attempt{
		TradeNo: "DEMO-0001", Channel: "wechatpay", Payer: "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o", Amount: 1250,
		Description: "挂号费", Expires: time.Now().Add(10 * time.Minute),
	}
	if attempt.Request, err = client.Compose(attempt); err != nil {
		fmt.Println(err)
		return
	}
	sheet, err := client.Prepay(ctx, attempt)
	if err != nil {
		fmt.Println(err)
		return
	}
	// The payer's phone checks the signature that the page hands over.
	_, err = far.Pay(wechatpaytest.Payment{Sheet: &wechatpaytest.Sheet{
		AppID: sheet.Params["appId"], Timestamp: sheet.Params["timeStamp"], Nonce: sheet.Params["nonceStr"],
		Package: sheet.Params["package"], SignType: sheet.Params["signType"], PaySign: sheet.Params["paySign"],
	}})
	if err != nil {
		fmt.Println(err)
		return
	}
	trade, err := client.Query(ctx, attempt.TradeNo)
	fmt.Println(trade.State, trade.Amount.Yuan(), err)
	// Output: success 12.50 <nil>
}
