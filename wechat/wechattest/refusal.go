package wechattest

import (
	"fmt"
	"net/netip"
	"time"
)

// refusal is an answer with an errcode. The rid is added when it is written.
type refusal struct {
	code  int
	text  string
	msgID int64 // of 45065
}

// refuse returns the refusal with WeChat's own words for the code.
func refuse(code int) *refusal { return &refusal{code: code, text: wording(code)} }

// refusef is refuse where the words name something.
func refusef(code int, format string, args ...any) *refusal {
	return &refusal{code: code, text: fmt.Sprintf(format, args...)}
}

// wording is the errmsg of a code, as it is seen in the field.
func wording(code int) string {
	switch code {
	case -1:
		return "system error"
	case 40001:
		return "invalid credential, access_token is invalid or not latest, could get access_token by getStableAccessToken, more details at https://mmbizurl.cn/s/JtxxFh33r"
	case 40002:
		return "invalid grant_type"
	case 40003:
		return "invalid openid"
	case 40004:
		return "invalid media type"
	case 40005:
		return "invalid file type"
	case 40006:
		return "invalid meida size"
	case 40007:
		return "invalid media_id"
	case 40008:
		return "invalid message type"
	case 40009:
		return "invalid image size"
	case 40013:
		return "invalid appid"
	case 40016:
		return "invalid button size"
	case 40017:
		return "invalid button type"
	case 40018:
		return "invalid button name size"
	case 40019:
		return "invalid button key size"
	case 40020:
		return "invalid button url size"
	case 40023:
		return "invalid sub button size"
	case 40024:
		return "invalid sub button type"
	case 40025:
		return "invalid sub button name size"
	case 40026:
		return "invalid sub button key size"
	case 40027:
		return "invalid sub button url size"
	case 40029:
		return "invalid code"
	case 40030:
		return "invalid refresh_token"
	case 40031:
		return "invalid openid list"
	case 40032:
		return "invalid openid list size"
	case 40033:
		return "invalid charset. please check your request, if include \\uxxxx will create fail!"
	case 40035:
		return "invalid parameter"
	case 40036:
		return "invalid template_id size"
	case 40037:
		return "invalid template_id"
	case 40048:
		return "invalid url domain"
	case 40052:
		return "invalid action name"
	case 40053:
		return "invalid action info, please check document"
	case 40054:
		return "invalid sub button url domain"
	case 40055:
		return "invalid button url domain"
	case 40059:
		return "invalid msg id"
	case 40060:
		return "invalid article_idx"
	case 40066:
		return "invalid url"
	case 40073:
		return "invalid card id"
	case 40092:
		return "invalid remark name"
	case 40097:
		return "invalid args"
	case 40102:
		return "invalid industry id"
	case 40114:
		return "invalid index value"
	case 40125:
		return "invalid appsecret"
	case 40130:
		return "invalid openid list size, at least two openid"
	case 40132:
		return "invalid username"
	case 40163:
		return "code been used"
	case 40165:
		return "invalid weapp pagepath"
	case 40166:
		return "invalid weapp appid"
	case 40201:
		return "invalid url"
	case 40202:
		return "invalid action"
	case 40203:
		return "invalid check_operator"
	case 40226:
		return "code blocked"
	case 40246:
		return "keyword name invalid"
	case 41001:
		return "access_token missing"
	case 41002:
		return "appid missing"
	case 41003:
		return "refresh_token missing"
	case 41004:
		return "appsecret missing"
	case 41005:
		return "media data missing"
	case 41006:
		return "missing media_id"
	case 41008:
		return "missing code"
	case 41009:
		return "missing openid"
	case 41030:
		return "invalid page"
	case 42001:
		return "access_token expired"
	case 42002:
		return "refresh_token expired"
	case 42003:
		return "code expired"
	case 43001:
		return "require GET method"
	case 43002:
		return "require POST method"
	case 43004:
		return "require subscribe"
	case 43100:
		return "change template too frequently"
	case 43019:
		return "require remove blacklist"
	case 43101:
		return "user refuse to accept the msg"
	case 44002:
		return "empty post data"
	case 44003:
		return "empty news data"
	case 44004:
		return "empty content"
	case 45001:
		return "media size out of limit"
	case 45002:
		return "content size out of limit"
	case 45003:
		return "title size out of limit"
	case 45004:
		return "description size out of limit"
	case 45005:
		return "url size out of limit"
	case 45007:
		return "playtime out of limit"
	case 45008:
		return "article size out of limit"
	case 45009:
		return "reach max api daily quota limit"
	case 45010:
		return "create menu limit"
	case 45011:
		return "api minute-quota reach limit must slower retry next minute"
	case 45015:
		return "response out of time limit or subscription is canceled"
	case 45026:
		return "template num exceeds limit"
	case 45028:
		return "has no masssend quota"
	case 45029:
		return "qrcode count out of limit"
	case 45047:
		return "out of response count limit"
	case 45056:
		return "create too many tags"
	case 45058:
		return "can't modify sys tag"
	case 45059:
		return "can not tag user with more than 20 tags"
	case 45065:
		return "clientmsgid exist"
	case 45066:
		return "same clientmsgid retry too fast"
	case 45067:
		return "clientmsgid size out of limit"
	case 45072:
		return "invalid command"
	case 45080:
		return "need sending message to user, or recving message from user in the last 30 seconds before typing"
	case 45081:
		return "already in typing state, don't type again"
	case 45083:
		return "the speed out of range"
	case 45084:
		return "No speed message"
	case 45110:
		return "author size out of limit"
	case 45157:
		return "invalid tag name"
	case 45158:
		return "invalid tag name length"
	case 45159:
		return "invalid tag id"
	case 45166:
		return "invalid content"
	case 46003:
		return "menu no exist"
	case 47001:
		return "data format error"
	case 47003:
		return "argument invalid!"
	case 48001:
		return "api unauthorized"
	case 48002:
		return "user block message"
	case 48006:
		return "forbid to clear quota because of reaching the limit"
	case 49003:
		return "not match openid with appid"
	case 53503:
		return "draft does not pass the check"
	case 53600:
		return "invalid article_id"
	case 65301:
		return "menuid not exist"
	case 65302:
		return "no user found"
	case 65303:
		return "there is no selfmenu, please create selfmenu first"
	case 65304:
		return "match rule empty"
	case 65316:
		return "out of domain size limit"
	case 65320:
		return "private info is not supported any more"
	case 65401:
		return "invalid custom service account"
	case 65402:
		return "the custom service account is not bound with a wechat user"
	case 65403:
		return "illegal nickname"
	case 65404:
		return "illegal custom service account"
	case 65405:
		return "custom service account number reach limit"
	case 65406:
		return "custom service account exists"
	case 65407:
		return "the wechat user have been one of your workers"
	case 65408:
		return "you have already invited the wechat user"
	case 65409:
		return "wechat account invalid"
	case 65411:
		return "a effective invitation to bind the custom service account exists"
	case 65412:
		return "the custom service account have been bound by a wechat user"
	case 65413:
		return "no session between the user and the custom service account"
	case 65414:
		return "the user is accepted by another custom service account"
	case 65415:
		return "the custom service account is not online"
	case 65416:
		return "param invalid, please check"
	case 65417:
		return "time span out of limit"
	case 76001:
		return "rid not found"
	case 76002:
		return "rid is error"
	case 76003:
		return "cgi_path format error"
	case 76021:
		return "cgi_path not found, please check"
	case 76022:
		return "could not use this cgi_path, no permission"
	case 200012:
		return "private template count out of limit"
	case 200014:
		return "tid does not exist"
	case 200016:
		return "invalid start"
	case 200017:
		return "invalid limit"
	case 200018:
		return "missing ids"
	case 200019:
		return "invalid ids"
	case 200020:
		return "invalid keywords"
	case 200021:
		return "invalid sceneDesc"
	case 9410010:
		return "long_data size out of limit"
	case 9410011:
		return "expire_seconds out of limit"
	case 9410012:
		return "short_key not exist or expired"
	}
	return "request refused"
}

// notListed is the refusal of an address outside the IP allow list.
func notListed(peer netip.Addr) *refusal {
	return refusef(40164, "invalid ip %s ipv6 %s, not in whitelist", peer.Unmap(), netip.AddrFrom16(peer.As16()))
}

// newRID is the number of a request. Its first group is the Unix time in hex.
func newRID(now time.Time) string {
	return fmt.Sprintf("%08x-%s-%s", uint32(now.Unix()), randomHex(4), randomHex(4)) //nolint:gosec // eight hex digits, as WeChat writes it
}
