package wechat

import "log/slog"

// OpenID is a user as one account knows them; another account knows the same
// person under another. It identifies a person and masks itself in logs.
type OpenID string

// LogValue returns the last four characters only.
func (id OpenID) LogValue() slog.Value {
	if len(id) < 12 {
		return slog.StringValue("***")
	}
	return slog.StringValue("***" + string(id[len(id)-4:]))
}
