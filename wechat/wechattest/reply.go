package wechattest

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/wechat"
)

// How many articles answer a message, and how many an event.
// API: 被动回复用户消息, 回复图文消息 "只能回复1条图文消息；其余场景最多可回复8条".
const (
	articlesToMessage = 1
	articlesToEvent   = 8
)

// read takes a reply apart as strictly as the phone shows it. Without a reply
// to show, bubble is nil; why says what is wrong, "" for nothing.
func (t *turn) read(j job, under secrets, body []byte) (bubble *Bubble, why string) {
	body = bytes.TrimSpace(body)
	switch {
	case len(body) > maxReplyBytes:
		return nil, "longer than 64 KB"
	case len(body) == 0, string(body) == "success":
		return nil, ""
	case !utf8.Valid(body):
		return nil, "not UTF-8"
	}
	outer, err := t.parse(body)
	if err != nil {
		return nil, err.Error()
	}
	sealed, is := outer.one("Encrypt")
	switch {
	case t.config.Mode == wechat.Plain && is:
		return nil, "sealed in plain mode"
	case t.config.Mode == wechat.Safe && !is:
		return nil, "bare in safe mode"
	case !is:
		return t.bubble(j, outer)
	}
	inner, why := under.unseal(outer, sealed)
	if why != "" {
		return nil, why
	}
	if len(inner) == 0 {
		return nil, ""
	}
	message, err := t.parse(inner)
	if err != nil {
		return nil, "inside: " + err.Error()
	}
	return t.bubble(j, message)
}

// unseal checks a sealed reply and opens it.
func (s secrets) unseal(outer node, sealed string) (message []byte, why string) {
	signature, _ := outer.one("MsgSignature")
	stamp, _ := outer.one("TimeStamp")
	nonce, _ := outer.one("Nonce")
	switch _, err := strconv.ParseInt(stamp, 10, 64); {
	case err != nil:
		return nil, "TimeStamp is no number"
	case nonce == "":
		return nil, "Nonce is missing"
	case !wechat.Signed(signature, s.token, stamp, nonce, sealed):
		return nil, "MsgSignature does not fit"
	}
	message, err := s.cipher.Open(sealed)
	if err != nil {
		return nil, "Encrypt does not open: " + hospital.CodeOf(err)
	}
	return message, ""
}

// transferReply hands the conversation to the customer-service desk.
const transferReply = "transfer_customer_service"

// bubble checks the bare message.
func (t *turn) bubble(j job, m node) (bubble *Bubble, why string) {
	to, _ := m.one("ToUserName")
	from, _ := m.one("FromUserName")
	created, _ := m.one("CreateTime")
	kind, _ := m.one("MsgType")
	switch _, err := strconv.ParseInt(created, 10, 64); {
	case to != j.OpenID:
		return nil, "ToUserName is not the user"
	case from != t.ours().OriginalID:
		return nil, "FromUserName is not the account"
	case err != nil:
		return nil, "CreateTime is no number"
	}
	b := &Bubble{From: Ours, Kind: kind}
	switch kind {
	case "text":
		b.Text, _ = m.one("Content")
		if b.Text == "" || len(b.Text) > maxTextBytes {
			return nil, "Content: want 1 to 2048 bytes"
		}
	case "image", "voice", "video":
		b.Text, _ = m.child(strings.ToUpper(kind[:1]) + kind[1:]).one("MediaId")
		if b.Text == "" {
			return nil, "MediaId is missing"
		}
	case "music":
		b.Text, _ = m.child("Music").one("ThumbMediaId")
		if b.Text == "" {
			return nil, "ThumbMediaId is missing"
		}
	case "news":
		return news(m, b, j)
	case transferReply:
		b.Agent, _ = m.child("TransInfo").one("KfAccount")
	default:
		return nil, "MsgType is unknown"
	}
	return b, ""
}

// news checks the articles.
func news(m node, b *Bubble, j job) (bubble *Bubble, why string) {
	most := articlesToMessage
	if strings.HasPrefix(kindOf(j.Fields), "event.") {
		most = articlesToEvent
	}
	items := m.articles()
	count, _ := m.one("ArticleCount")
	if count != strconv.Itoa(len(items)) || len(items) < 1 || len(items) > most {
		return nil, "ArticleCount: want 1 to " + strconv.Itoa(most) + " articles"
	}
	for _, item := range items {
		card := Card{}
		card.Title, _ = item.one("Title")
		card.Text, _ = item.one("Description")
		card.URL, _ = item.one("Url")
		if card.Title == "" || card.URL != "" && !webAddress(card.URL) {
			return nil, "Articles: want a Title and an Url"
		}
		b.Cards = append(b.Cards, card)
	}
	return b, ""
}

// articles returns the items: in XML below Articles, in JSON a list of that
// name.
func (n node) articles() []node {
	var items []node
	for _, c := range n.Children {
		if c.Name != "Articles" {
			continue
		}
		below := false
		for _, item := range c.Children {
			if item.Name == "item" {
				items, below = append(items, item), true
			}
		}
		if !below {
			items = append(items, c)
		}
	}
	return items
}

// node is an element of a reply.
type node struct {
	Name     string
	Text     string
	Children []node
}

// one returns the text of the only child of that name.
func (n node) one(name string) (value string, there bool) {
	for _, c := range n.Children {
		if c.Name == name {
			if there {
				return "", false // twice is as bad as never
			}
			value, there = c.Text, true
		}
	}
	return value, there
}

func (n node) child(name string) node {
	for _, c := range n.Children {
		if c.Name == name {
			return c
		}
	}
	return node{}
}

// parse reads a reply: XML, or JSON where the account has chosen it.
func (t *turn) parse(body []byte) (node, error) {
	if t.config.Format == wechat.JSON && body[0] == '{' {
		return parseJSON(body)
	}
	return parseXML(body)
}

// maxDepth bounds how deep a reply nests: xml, Articles, item, Title.
const maxDepth = 8

var (
	errNotXML  = errors.New("not one xml element")
	errNotJSON = errors.New("not one JSON object")
)

// parseXML reads one element xml and nothing else.
func parseXML(body []byte) (node, error) {
	decoder := xml.NewDecoder(bytes.NewReader(body))
	var root *node
	var path []*node
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) && root != nil && len(path) == 0 {
			return *root, nil
		}
		if err != nil {
			return node{}, errNotXML
		}
		switch token := token.(type) {
		case xml.StartElement:
			next := &node{Name: token.Name.Local}
			if len(path) == 0 && (root != nil || next.Name != "xml") || len(path) == maxDepth {
				return node{}, errNotXML
			}
			if root == nil {
				root = next
			}
			path = append(path, next)
		case xml.EndElement:
			ended := path[len(path)-1]
			if path = path[:len(path)-1]; len(path) > 0 {
				above := path[len(path)-1]
				above.Children = append(above.Children, *ended)
			}
		case xml.CharData:
			if len(path) > 0 {
				path[len(path)-1].Text += string(token)
			} else if len(bytes.TrimSpace(token)) > 0 {
				return node{}, errNotXML
			}
		case xml.Directive:
			return node{}, errNotXML
		}
	}
}

// parseJSON reads one object.
func parseJSON(body []byte) (node, error) {
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	var tree map[string]any
	if err := decoder.Decode(&tree); err != nil {
		return node{}, errNotJSON
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return node{}, errNotJSON
	}
	return object("", tree, 0), nil
}

func object(name string, value any, depth int) node {
	n := node{Name: name}
	switch value := value.(type) {
	case string:
		n.Text = value
	case json.Number:
		n.Text = value.String()
	case map[string]any:
		for key, member := range value {
			if list, is := member.([]any); is && depth < maxDepth {
				for _, item := range list {
					n.Children = append(n.Children, object(key, item, depth+1))
				}
				continue
			}
			if depth < maxDepth {
				n.Children = append(n.Children, object(key, member, depth+1))
			}
		}
	}
	return n
}
