package sim

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
)

// account is wechat.json: what the account's console shows.
type account struct {
	AppID      string `json:"appid"`
	Secret     string `json:"secret"`
	Token      string `json:"token"`
	AESKey     string `json:"aes_key"`
	OriginalID string `json:"original_id"`
}

// WriteCredentials puts what a server needs to know into a folder, with mode
// 0600: wechat.json for the account; wechatpay.json, merchant_key.pem,
// merchant_cert.pem, wechatpay_public_key.pem and platform_cert.pem for the
// merchant.
func (w *World) WriteCredentials(dir string) error {
	a := w.WeChat.Account()
	about, err := json.MarshalIndent(account{a.AppID, a.Secret, a.Token, a.AESKey, a.OriginalID}, "", "  ") //nolint:gosec // that is what the file is for, and its mode is 0600
	if err != nil {
		return err
	}
	if err := w.WeChatPay.Credentials().Write(dir); err != nil {
		return err
	}
	return replace(filepath.Join(dir, "wechat.json"), about)
}

func replace(file string, data []byte) error {
	fresh := file + ".new"
	err := os.RemoveAll(fresh) // an old one keeps its mode
	if err == nil {
		err = os.WriteFile(fresh, data, 0o600)
	}
	if err == nil {
		err = os.Rename(fresh, file)
	}
	if err != nil {
		return errors.Join(err, os.RemoveAll(fresh))
	}
	return nil
}
