package main

import (
	"io/fs"
	"net/netip"
	"time"

	"github.com/wxhospital/hospital/booking"
	"github.com/wxhospital/hospital/examples/hospital/sim"
	"github.com/wxhospital/hospital/his"
	"github.com/wxhospital/hospital/payment/wechatpay"
	"github.com/wxhospital/hospital/refserver"
	"github.com/wxhospital/hospital/wechat"
)

// partners are the far sides as the server is told of them. Whether they are
// simulated or real shows in nothing but the addresses.
type partners struct {
	names   refserver.Names
	base    string // where patients reach the server, "" for where it listens
	proxies []netip.Prefix
	// anyIP takes pushes from any address; keepMenu leaves the menu alone.
	anyIP, keepMenu bool
	// metricsToken lets whoever has it read the metrics, "" this machine only.
	metricsToken string
	overlay      fs.FS
	rules        booking.PolicyVersion
	notices      map[string]refserver.NoticeTemplate // by scene
	now          func() time.Time                    // business time
	pollEvery    time.Duration                       // how often the HIS is asked for news, zero as the server likes

	his     his.Config
	account wechat.Config
	pushes  wechat.CallbackConfig
	pay     wechatpay.Config
	text    texterConfig
}

// demoNames are those of the simulated hospital.
func demoNames() refserver.Names {
	return refserver.Names{Name: "示范中医医院", Phone: "0510-88888888", Address: "示范路 1 号", Emergency: "门诊楼一楼东侧"}
}

// simulatedPoll is how often a simulated HIS is asked for new bills and 停诊:
// whoever presses a button at the test bed looks at the phone next, and the HIS
// has nothing else to do.
const simulatedPoll = 5 * time.Second

// simulated are the far sides of this process.
func simulated(far *sim.World, clock *clock) (partners, error) {
	console, merchant := far.WeChat.Account(), far.WeChatPay.Credentials()
	p := partners{
		names: demoNames(), now: clock.Now, pollEvery: simulatedPoll,
		his:     his.Config{BaseURL: far.HISURL},
		account: wechat.Config{AppID: console.AppID, Secret: console.Secret, BaseURL: far.WeChatURL, OpenURL: far.WeChatOpenURL},
		pushes: wechat.CallbackConfig{
			AppID: console.AppID, OriginalID: console.OriginalID, Mode: wechat.Safe, Tokens: []string{console.Token}, AESKeys: []string{console.AESKey},
		},
		pay: wechatpay.Config{
			AppID: merchant.AppID, MerchantID: merchant.MerchantID, MerchantKey: merchant.MerchantKey, MerchantSerial: merchant.MerchantSerial,
			APIv3Key: []byte(merchant.APIv3Key), PublicKey: merchant.PublicKey, PublicKeyID: merchant.PublicKeyID,
			PlatformCertificates: merchant.Certificates, BaseURL: far.WeChatPayURL,
		},
		text: texterConfig{URL: far.TextURL}, notices: map[string]refserver.NoticeTemplate{},
	}
	for scene, notice := range sim.Notices() {
		p.notices[scene] = refserver.NoticeTemplate{ID: notice.Template, Fields: notice.Fields}
	}
	rules, err := booking.Preset("wuxi2018")
	if err != nil {
		return p, err
	}
	p.rules, err = booking.NewPolicyVersion(rules, "preset", clock.opened().At(0, 0))
	return p, err
}
