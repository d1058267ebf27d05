package wechat

import (
	"context"
	"net/netip"
	"slices"

	"github.com/tidwall/gjson"
)

// CallbackCheck says how the platform is to look for our callback. The zero value
// does everything, from the network that it thinks best.
type CallbackCheck struct {
	Action   string // "dns", "ping" or "all". Default "all".
	Operator string // "CHINANET", "UNICOM", "CAP" or "DEFAULT". Default "DEFAULT".
}

// validate returns Invalid with code bad_check, and the detail names the field as
// the platform does.
func (k CallbackCheck) validate() error {
	switch {
	case !slices.Contains([]string{"", "dns", "ping", "all"}, k.Action):
		return invalid("wechat.CallbackCheck", "bad_check", "action: want dns, ping or all")
	case !slices.Contains([]string{"", "CHINANET", "UNICOM", "CAP", "DEFAULT"}, k.Operator):
		return invalid("wechat.CallbackCheck", "bad_check", "check_operator: want CHINANET, UNICOM, CAP or DEFAULT")
	}
	return nil
}

// CallbackReport is what the platform found: one line for each address of the
// callback's name.
type CallbackReport struct {
	Resolved []ResolvedIP
	Pinged   []PingedIP
}

// ResolvedIP is an address of the callback, and whose network it is in.
type ResolvedIP struct {
	IP       netip.Addr
	Operator string
}

// PingedIP is what became of one ping.
type PingedIP struct {
	IP      netip.Addr
	From    string // the network that the ping came from
	Arrived bool
	Took    string // "23.079ms", as the platform writes it
}

// CheckCallback lets the platform look for the account's callback: where its name
// leads, and whether a ping arrives. An account without a callback has code 40201.
// It returns Invalid with code bad_check before anything is sent.
// API: POST /cgi-bin/callback/check.
func (c *Client) CheckCallback(ctx context.Context, k CallbackCheck) (CallbackReport, error) {
	if err := k.validate(); err != nil {
		return CallbackReport{}, err
	}
	if k.Action == "" {
		k.Action = "all"
	}
	if k.Operator == "" {
		k.Operator = "DEFAULT"
	}
	body := struct {
		Action   string `json:"action"`
		Operator string `json:"check_operator"`
	}{k.Action, k.Operator}
	ask := call{op: "wechat.CheckCallback", path: "/cgi-bin/callback/check", body: body}
	answer, err := c.do(ctx, ask)
	if err != nil {
		return CallbackReport{}, err
	}
	var report CallbackReport
	address := func(row gjson.Result) (ip netip.Addr) {
		if err == nil {
			ip, err = netip.ParseAddr(row.Get("ip").String())
		}
		return ip
	}
	for _, row := range answer.Get("dns").Array() {
		report.Resolved = append(report.Resolved, ResolvedIP{address(row), row.Get("real_operator").String()})
	}
	for _, row := range answer.Get("ping").Array() {
		report.Pinged = append(report.Pinged, PingedIP{
			address(row), row.Get("from_operator").String(), row.Get("package_loss").String() == "0%", row.Get("time").String(),
		})
	}
	if err != nil {
		return CallbackReport{}, ask.bad("dns or ping: ip")
	}
	return report, nil
}
