package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/wxhospital/hospital/examples/hospital/sim"
)

// readyFile tells another program, in JSON, where everything is. It appears as
// a whole once everything listens, and goes when the program ends.
type readyFile string

// clear removes what an earlier run left: its addresses are wrong by now.
func (f readyFile) clear() error {
	if f == "" {
		return nil
	}
	if err := os.RemoveAll(string(f)); err != nil {
		return fmt.Errorf("-ready-file：删不了旧的 %s：%w", f, err)
	}
	return nil
}

// write says where everything is, by name.
func (f readyFile) write(addresses map[string]string) error {
	if f == "" {
		return nil
	}
	text, err := json.MarshalIndent(addresses, "", "  ")
	if err != nil {
		return err
	}
	fresh := string(f) + ".new"
	if err = os.WriteFile(fresh, append(text, '\n'), 0o600); err == nil { //nolint:gosec // the operator names the file
		err = os.Rename(fresh, string(f))
	}
	if err != nil {
		return errors.Join(fmt.Errorf("-ready-file：写不了 %s：%w", f, err), os.RemoveAll(fresh))
	}
	return nil
}

// farAddresses are the far sides in the ready file.
func farAddresses(w *sim.World) map[string]string {
	return map[string]string{
		"wechat_api": w.WeChatURL, "wechat_open": w.WeChatOpenURL, "wechat_pay": w.WeChatPayURL, "his": w.HISURL, "text": w.TextURL,
	}
}
