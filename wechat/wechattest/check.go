package wechattest

import (
	"net/netip"
	"net/url"
	"slices"
)

// apiIPs lists where calls go to.
func (t *turn) apiIPs(*request) (any, *refusal) {
	return struct {
		IPs []string `json:"ip_list"`
	}{t.config.APIIPs}, nil
}

// checkCallback answers callback/check. This platform lives on one machine, so
// every name leads to it and every ping arrives.
// API: POST /cgi-bin/callback/check, 40201 "开发者未设置回调URL", 40202, 40203.
func (t *turn) checkCallback(r *request) (any, *refusal) {
	var in struct {
		Action   string `json:"action"`
		Operator string `json:"check_operator"`
	}
	if no := r.decodeWhole(&in); no != nil {
		return nil, no
	}
	address, err := url.Parse(t.settings.rows[callbackSetting])
	switch {
	case !slices.Contains([]string{"dns", "ping", "all"}, in.Action):
		return nil, refuse(40202)
	case !slices.Contains([]string{"CHINANET", "UNICOM", "CAP", "DEFAULT"}, in.Operator):
		return nil, refuse(40203)
	case err != nil, address.Hostname() == "":
		return nil, refuse(40201)
	}
	ip := "127.0.0.1"
	if addr, err := netip.ParseAddr(address.Hostname()); err == nil {
		ip = addr.String()
	}
	from := in.Operator
	if from == "DEFAULT" {
		from = "CAP"
	}
	type resolved struct {
		IP       string `json:"ip"`
		Operator string `json:"real_operator"`
	}
	type pinged struct {
		IP   string `json:"ip"`
		From string `json:"from_operator"`
		Loss string `json:"package_loss"`
		Time string `json:"time"`
	}
	var out struct {
		DNS  []resolved `json:"dns,omitempty"`
		Ping []pinged   `json:"ping,omitempty"`
	}
	if in.Action != "ping" {
		out.DNS = []resolved{{ip, "CAP"}}
	}
	if in.Action != "dns" {
		out.Ping = []pinged{{ip, from, "0%", "0.021ms"}}
	}
	return out, nil
}
