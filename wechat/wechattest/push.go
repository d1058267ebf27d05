package wechattest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/wechat"
)

const (
	// deliveries is how often a push without an answer is made, in all.
	// API: 被动回复用户消息, "断掉连接 … 重新发起请求，总共重试三次".
	deliveries = 3
	// maxReplyBytes caps a reply; a sealed news message has about 4 kB.
	maxReplyBytes = 64 << 10
	// firstPushID keeps MsgId above what fits 32 bits, as it is.
	firstPushID = 24_000_000_000_000_000
)

// pushClient follows no redirect: a push goes to the address of the console.
func pushClient(lent *http.Client) *http.Client {
	client := &http.Client{}
	if lent != nil {
		*client = *lent
	}
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return client
}

// event returns an event of the user.
func (t *turn) event(u user, name string, fields ...field) []field {
	return append([]field{
		text("ToUserName", t.ours().OriginalID), text("FromUserName", u.OpenID), number("CreateTime", t.now.Unix()),
		text("MsgType", "event"), text("Event", name),
	}, fields...)
}

// pushEvent queues an event. The user of one that talks waits for a reply.
func (t *turn) pushEvent(u user, talks bool, name string, fields ...field) string {
	return t.queue(job{Kind: pushJob, Due: t.now, OpenID: u.OpenID, Talks: talks, Fields: t.event(u, name, fields...)})
}

// pushMessage queues a message of the user.
func (t *turn) pushMessage(u user, kind string, fields ...field) string {
	all := append([]field{
		text("ToUserName", t.ours().OriginalID), text("FromUserName", u.OpenID), number("CreateTime", t.now.Unix()), text("MsgType", kind),
	}, fields...)
	all = append(all, number("MsgId", firstPushID+t.next("push")))
	return t.queue(job{Kind: pushJob, Due: t.now, OpenID: u.OpenID, Talks: true, Fields: all})
}

// push delivers a job until it is answered, three times in all, and lets the
// phone show what came of it.
func (p *Platform) push(ctx context.Context, id string, j job) error {
	for {
		var envelope *http.Request
		var under secrets
		err := p.act(func(t *turn) error {
			address := t.settings.rows[callbackSetting]
			if address == "" {
				t.jobs.drop(t, id) // the account has no server: nothing is pushed
				return nil
			}
			if j.Tries >= deliveries {
				t.jobs.drop(t, id)
				t.complain(j)
				return nil
			}
			j.Tries++
			t.jobs.put(t, id, j)
			var err error
			under = secrets{t.ours().Token, t.cipher}
			envelope, err = t.envelope(ctx, address, j)
			return err
		})
		if err != nil || envelope == nil {
			return err
		}
		body, answered := p.deliver(envelope)
		if !answered && ctx.Err() != nil {
			return ctx.Err() // cut by us: the push stays due
		}
		outcome := "no answer"
		if answered {
			outcome = p.settle(id, j, under, body)
		}
		p.config.Log(Exchange{At: p.config.Now(), Push: true, Path: kindOf(j.Fields), Outcome: outcome})
		if answered {
			return nil
		}
	}
}

// secrets are what a push was signed and sealed with, and its reply must be.
type secrets struct {
	token  string
	cipher *wechat.Cipher
}

// Rotate changes the account's Token and EncodingAESKey in its console and
// returns the account as it is from now on. A push that is under way is
// answered under the old ones.
func (p *Platform) Rotate() (Account, error) {
	var after Account
	err := p.act(func(t *turn) error {
		after = t.ours()
		after.Token, after.AESKey = randomText(secretLetters, 24), randomText(secretLetters, 43)
		cipher, err := wechat.NewCipher(after.AESKey, after.AppID)
		if err != nil {
			return err
		}
		t.account.put(t, "", after)
		p.cipher = cipher
		return nil
	})
	return after, err
}

// envelope signs and seals a push. Each delivery has its own timestamp and
// nonce; the message is the same.
func (t *turn) envelope(ctx context.Context, address string, j job) (*http.Request, error) {
	ours := t.ours()
	stamp, nonce := decimal(t.now.Unix()), randomDigits()
	query := url.Values{
		"signature": {wechat.Sign(ours.Token, stamp, nonce)}, "timestamp": {stamp}, "nonce": {nonce}, "openid": {j.OpenID},
	}
	write, contentType := xmlBody, "text/xml"
	if t.config.Format == wechat.JSON {
		write, contentType = jsonBody, "application/json"
	}
	body := write(j.Fields)
	if t.config.Mode != wechat.Plain {
		sealed := t.cipher.Seal(body)
		query.Set("encrypt_type", "aes")
		query.Set("msg_signature", wechat.Sign(ours.Token, stamp, nonce, sealed))
		outer := []field{text("ToUserName", ours.OriginalID), text("Encrypt", sealed)}
		if t.config.Mode == wechat.Compatible {
			outer = append(append([]field{}, j.Fields...), text("Encrypt", sealed))
		}
		body = write(outer)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, withQuery(address, query), bytes.NewReader(body))
	if err != nil {
		return nil, verbError(hospital.Invalid, "push", "bad_callback", "the callback is no address")
	}
	request.Header.Set("Content-Type", contentType)
	request.Header.Set("User-Agent", "Mozilla/4.0")
	return request, nil
}

func withQuery(address string, query url.Values) string {
	separator := "?"
	if strings.Contains(address, "?") {
		separator = "&"
	}
	return address + separator + query.Encode()
}

func randomDigits() string { return randomText("0123456789", 9) }

// deliver makes one delivery. Without a whole answer of status 200 within the
// time-out there was none.
func (p *Platform) deliver(request *http.Request) (body []byte, answered bool) {
	ctx, cancel := context.WithTimeout(request.Context(), p.config.PushTimeout)
	defer cancel()
	response, err := p.client.Do(request.WithContext(ctx)) //nolint:gosec // the account's owner says where its server is
	if err != nil {
		return nil, false
	}
	body, err = io.ReadAll(io.LimitReader(response.Body, maxReplyBytes+1))
	if err = errors.Join(err, response.Body.Close()); err != nil || response.StatusCode != http.StatusOK {
		return nil, false
	}
	return body, true
}

// settle ends a push with the reply to it.
func (p *Platform) settle(id string, j job, under secrets, body []byte) (outcome string) {
	err := p.act(func(t *turn) error {
		t.jobs.drop(t, id)
		reply, why := t.read(j, under, body)
		switch {
		case why != "":
			outcome = "malformed reply: " + why
			t.settings.put(t, lastReplySetting, outcome)
			t.complain(j)
		case reply == nil:
			outcome = "ok"
		case !j.Talks || !t.users.rows[j.OpenID].Subscribed:
			outcome = "reply to nobody"
		default:
			outcome = "replied " + reply.Kind
			t.show(j.OpenID, *reply)
			if reply.Kind == transferReply {
				t.transfer(j.OpenID, reply.Agent)
			}
		}
		return nil
	})
	if err != nil {
		return "journal failed"
	}
	return outcome
}

const lastReplySetting = "malformed reply"

// MalformedReply says what was wrong with the last reply that the platform
// could not read, "" if there was none.
func (p *Platform) MalformedReply() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.settings.rows[lastReplySetting]
}

// complain tells the user that the account's server failed.
func (t *turn) complain(j job) {
	if j.Talks && t.users.rows[j.OpenID].Subscribed {
		t.show(j.OpenID, Bubble{From: Notice, Kind: "text", Text: serviceFault})
	}
}

// Verify does what the console does when a server address is saved: it asks the
// callback to return a random echostr. Rejected: the callback did not return
// exactly that; Unavailable: it did not answer.
func (p *Platform) Verify(ctx context.Context) error {
	echo := randomDigits() + randomDigits()
	var request *http.Request
	err := p.act(func(t *turn) error {
		stamp, nonce := decimal(t.now.Unix()), randomDigits()
		address := t.settings.rows[callbackSetting]
		if address == "" {
			return verbError(hospital.Invalid, "Verify", "no_callback", "the account has no server address")
		}
		var err error
		request, err = http.NewRequestWithContext(ctx, http.MethodGet, withQuery(address, url.Values{
			"signature": {wechat.Sign(t.ours().Token, stamp, nonce)}, "timestamp": {stamp}, "nonce": {nonce}, "echostr": {echo},
		}), nil)
		return err
	})
	if err != nil {
		return err
	}
	body, answered := p.deliver(request)
	if !answered {
		return verbError(hospital.Unavailable, "Verify", "no_answer", "the callback did not answer with status 200 in time")
	}
	if string(body) != echo {
		return verbError(hospital.Rejected, "Verify", "token_invalid", "the callback did not return the echostr alone")
	}
	return nil
}

// Pending returns how many jobs wait.
func (p *Platform) Pending() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.jobs.rows)
}
