package wechatpay_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"time"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/payment"
	"github.com/wxhospital/hospital/payment/paymenttest"
	"github.com/wxhospital/hospital/payment/wechatpay"
	"github.com/wxhospital/hospital/payment/wechatpay/wechatpaytest"
)

// desk settles bills at the HIS; here it believes everything.
type desk struct{}

func (desk) Deliver(_ context.Context, d hospital.Delivery) error {
	_, err := fmt.Fprintln(os.Stdout, "HIS:", d.Purpose.ID, "paid", d.Amount)
	return err
}

func (desk) Withdraw(context.Context, hospital.Key) error { return nil }

// A patient pays a bill in WeChat and gets the money back, against a simulated
// WeChat Pay. With the real one only the Config is another.
func Example() {
	ctx := context.Background()
	platform, err := wechatpaytest.New(wechatpaytest.Config{})
	if err != nil {
		panic(err)
	}
	far := httptest.NewServer(platform)
	defer far.Close()
	mux := http.NewServeMux()
	near := httptest.NewServer(mux)
	defer near.Close()

	is := platform.Credentials()
	channel, err := wechatpay.New(wechatpay.Config{
		AppID: is.AppID, MerchantID: is.MerchantID, MerchantKey: is.MerchantKey, MerchantSerial: is.MerchantSerial,
		APIv3Key: []byte(is.APIv3Key), PublicKey: is.PublicKey, PublicKeyID: is.PublicKeyID,
		NotifyURL: near.URL + "/pay/notify", BaseURL: far.URL,
	})
	if err != nil {
		panic(err)
	}
	cashier, err := payment.New(payment.Config{
		Store:      paymenttest.NewMemory(time.Now),
		Channels:   map[string]payment.Channel{"wechatpay": channel},
		Deliverers: map[hospital.PurposeKind]payment.Deliverer{hospital.ForBill: desk{}},
	})
	if err != nil {
		panic(err)
	}
	mux.Handle("POST /pay/notify", channel.Notifications(cashier))

	charge := hospital.Charge{
		Key: "bill-20261121-7", Purpose: hospital.Purpose{Kind: hospital.ForBill, ID: "20261121-7"},
		Amount: 12550, Description: "门诊缴费", Expires: time.Now().Add(30 * time.Minute),
	}
	if err := cashier.Open(ctx, charge); err != nil {
		panic(err)
	}
	sheet, err := cashier.Pay(ctx, payment.PayRequest{Charge: charge.Key, Channel: "wechatpay", Payer: "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"})
	if err != nil {
		panic(err)
	}
	fmt.Println(sheet.Kind, sheet.Params["signType"], len(sheet.Params)) // the page hands sheet.Params to WeixinJSBridge

	if _, err := platform.Pay(wechatpaytest.Payment{OutTradeNo: string(sheet.TradeNo)}); err != nil { // the patient pays
		panic(err)
	}
	if _, err := platform.Advance(ctx); err != nil { // WeChat Pay notifies
		panic(err)
	}
	if _, err := cashier.Advance(ctx); err != nil { // Run does this by itself
		panic(err)
	}
	order, err := cashier.Find(ctx, charge.Key)
	if err != nil {
		panic(err)
	}
	fmt.Println(order.State)
	// Output:
	// jsapi RSA 6
	// HIS: 20261121-7 paid 125.50元
	// delivered
}

// A wrong configuration names its field.
func ExampleNew() {
	_, err := wechatpay.New(wechatpay.Config{AppID: "wx8888888888888888", MerchantID: "1900000109"})
	fmt.Println(err)
	// Output: wechatpay.New: invalid [bad_config]: Config.MerchantKey is missing or has less than 2048 bits
}

func ExampleFiles_Fill() {
	_, err := wechatpay.Files{MerchantKey: "testdata/vectors.json"}.Fill(wechatpay.Config{})
	fmt.Println(err)
	// Output: wechatpay.Files: invalid [bad_config]: Files.MerchantKey is not what it should be: no_pem_private_key
}

// What to do about an error is WeChat Pay's own advice.
func ExampleAdviceOn() {
	err := &hospital.Error{Kind: hospital.Rejected, Op: "wechatpay.Refund", Code: "NOT_ENOUGH"}
	advice, known := wechatpay.AdviceOn(err)
	fmt.Println(known, advice.Repeat, "-", advice.Next)
	// Output: true later - top up the merchant account: the refund goes on under its number
}

// A request is signed over five lines and carries the signature in a header.
func ExampleAuthorization() {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	stamp := wechatpay.Stamp{Unix: 1554208460, Nonce: "593BEC0C930BF1AFEB40B4A08C8FB242"}
	message := wechatpay.RequestMessage("GET", "/v3/certificates", stamp, nil)
	fmt.Printf("%q\n", message)
	signature, err := wechatpay.Sign(key, message)
	if err != nil {
		panic(err)
	}
	header := wechatpay.Authorization{Stamp: stamp, MerchantID: "1900000109", Serial: "5157F09E", Signature: signature}.String()
	read, err := wechatpay.ParseAuthorization(header)
	if err != nil {
		panic(err)
	}
	fmt.Println(read.MerchantID, read.Serial, wechatpay.Verify(&key.PublicKey, message, read.Signature))
	// Output:
	// "GET\n/v3/certificates\n1554208460\n593BEC0C930BF1AFEB40B4A08C8FB242\n\n"
	// 1900000109 5157F09E <nil>
}

// What WeChat Pay seals under the APIv3 key opens with it alone.
func ExampleCipher() {
	cipher, err := wechatpay.NewCipher([]byte("TESTING KEY 0123456789abcdefghij"))
	if err != nil {
		panic(err)
	}
	sealed := cipher.Seal("transaction", []byte(`{"trade_state":"SUCCESS"}`))
	plain, err := cipher.Open(sealed)
	fmt.Println(string(plain), err)
	sealed.Nonce = "short"
	_, err = cipher.Open(sealed)
	fmt.Println(err)
	// Output:
	// {"trade_state":"SUCCESS"} <nil>
	// wechatpay.Open: denied [not_opened]: nonce has not 12 bytes
}
