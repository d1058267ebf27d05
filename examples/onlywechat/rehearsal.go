package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http/httptest"
	"time"

	"github.com/wxhospital/hospital/wechat/wechattest"
)

// rehearse lets a patient follow the account and write to it, on a platform in
// this process, and prints what the phone shows.
func rehearse(ctx context.Context, out io.Writer) (err error) {
	platform, err := wechattest.New(wechattest.Config{
		Templates: []wechattest.Template{{ID: "visit", Title: "就诊提醒", Content: "地点:{{thing1.DATA}}\n时间:{{time2.DATA}}"}},
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, platform.Close()) }()
	api := httptest.NewServer(platform.Handler())
	defer api.Close()
	console := platform.Account()
	handler, err := open(settings{
		appID: console.AppID, secret: console.Secret, originalID: console.OriginalID, token: console.Token, aesKey: console.AESKey,
		template: "visit", api: api.URL,
	})
	if err != nil {
		return err
	}
	ours := httptest.NewServer(handler)
	defer ours.Close()
	if err := platform.SetCallback(ours.URL); err != nil {
		return err
	}
	if err := platform.Verify(ctx); err != nil { // as the console does when the address is saved
		return err
	}
	patient, err := platform.Join("陈素心")
	if err != nil {
		return err
	}
	if err := patient.Follow(ctx); err != nil {
		return err
	}
	for _, words := range []string{"怎么挂号？", "提醒我", "你好"} {
		if err := patient.Say(ctx, words); err != nil {
			return err
		}
	}
	for platform.Pending() > 0 { // the notice arrives a second after it was sent
		next, err := platform.Advance(ctx)
		if err != nil {
			return err
		}
		select {
		case <-time.After(time.Until(next)):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	for _, bubble := range patient.Chat() {
		who := map[wechattest.Speaker]string{wechattest.Patient: "患者", wechattest.Ours: "医院", wechattest.Notice: "微信"}[bubble.From]
		words := bubble.Text
		if len(bubble.Cards) > 0 {
			card := bubble.Cards[0]
			words = "［" + card.Title + "］" + card.Lines[0].Name + " " + card.Lines[0].Value
		}
		_, err := fmt.Fprintf(out, "%s：%s\n", who, words)
		if err != nil {
			return err
		}
	}
	return nil
}
