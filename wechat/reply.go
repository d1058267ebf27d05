package wechat

import (
	"strconv"
	"strings"
	"time"

	"github.com/wxhospital/hospital"
)

const (
	maxText     = 2048 // bytes of a text message; the platform cuts or refuses more
	maxArticles = 8    // of a news reply; most pushes take one only
)

// Reply is 被动回复: what a push is answered with inside five seconds. It is one
// of the types below; nil answers without a word.
type Reply interface {
	// fields returns the reply's own fields in the order of the documentation.
	fields() (kind string, body []field, err error)
}

// field is a name with a text, or with fields below it.
type field struct {
	name string
	text string
	sub  []field
	list bool // JSON: sub are the entries of an array
}

// TextReply answers with a text of at most 2048 bytes.
type TextReply struct{ Content string }

// ImageReply answers with an uploaded picture.
type ImageReply struct{ MediaID string }

// VoiceReply answers with an uploaded sound.
type VoiceReply struct{ MediaID string }

// VideoReply answers with an uploaded film.
type VideoReply struct{ MediaID, Title, Description string }

// MusicReply answers with a piece of music. ThumbMediaID is required.
type MusicReply struct{ Title, Description, URL, HQURL, ThumbMediaID string }

// Article is one entry of a [NewsReply].
type Article struct{ Title, Description, PictureURL, URL string }

// NewsReply answers with 图文消息, 1 to 8 articles. The platform shows only the
// first in answer to most pushes.
type NewsReply struct{ Articles []Article }

// TransferReply hands the conversation to a person at the customer-service
// desk: the one named ("test1@account"), or whoever is free.
type TransferReply struct{ Account string }

func (r TextReply) fields() (string, []field, error) {
	if r.Content == "" || len(r.Content) > maxText {
		return "", nil, badReply("Content: want 1 to 2048 bytes")
	}
	return "text", []field{{name: "Content", text: r.Content}}, nil
}

func (r ImageReply) fields() (string, []field, error) { return media("image", "Image", r.MediaID) }

func (r VoiceReply) fields() (string, []field, error) { return media("voice", "Voice", r.MediaID) }

func media(kind, name, id string, rest ...field) (string, []field, error) {
	if id == "" {
		return "", nil, badReply("MediaID: missing")
	}
	return kind, []field{{name: name, sub: append([]field{{name: "MediaId", text: id}}, rest...)}}, nil
}

func (r VideoReply) fields() (string, []field, error) {
	return media("video", "Video", r.MediaID, field{name: "Title", text: r.Title}, field{name: "Description", text: r.Description})
}

func (r MusicReply) fields() (string, []field, error) {
	if r.ThumbMediaID == "" {
		return "", nil, badReply("ThumbMediaID: missing")
	}
	return "music", []field{{name: "Music", sub: []field{
		{name: "Title", text: r.Title},
		{name: "Description", text: r.Description},
		{name: "MusicUrl", text: r.URL},
		{name: "HQMusicUrl", text: r.HQURL},
		{name: "ThumbMediaId", text: r.ThumbMediaID},
	}}}, nil
}

func (r NewsReply) fields() (string, []field, error) {
	if len(r.Articles) == 0 || len(r.Articles) > maxArticles {
		return "", nil, badReply("Articles: want 1 to 8")
	}
	items := make([]field, 0, len(r.Articles))
	for _, a := range r.Articles {
		items = append(items, field{name: "item", sub: []field{
			{name: "Title", text: a.Title},
			{name: "Description", text: a.Description},
			{name: "PicUrl", text: a.PictureURL},
			{name: "Url", text: a.URL},
		}})
	}
	return "news", []field{
		{name: "ArticleCount", text: strconv.Itoa(len(items))},
		{name: "Articles", sub: items, list: true},
	}, nil
}

func (r TransferReply) fields() (string, []field, error) {
	var desk []field
	switch {
	case r.Account == "":
	case !strings.Contains(r.Account, "@"):
		return "", nil, badReply("Account: want name@account")
	default:
		desk = []field{{name: "TransInfo", sub: []field{{name: "KfAccount", text: r.Account}}}}
	}
	return "transfer_customer_service", desk, nil
}

func badReply(detail string) error {
	return &hospital.Error{Kind: hospital.Invalid, Op: "wechat.Reply", Code: "bad_reply", Detail: detail}
}

// render writes the reply in the clear, in the format of the push.
func render(reply Reply, push Push, now time.Time) (string, error) {
	kind, body, err := reply.fields()
	if err != nil {
		return "", err
	}
	all := append([]field{
		{name: "ToUserName", text: string(push.From)},
		{name: "FromUserName", text: push.To},
		{name: "CreateTime", text: strconv.FormatInt(now.Unix(), 10)},
		{name: "MsgType", text: kind},
	}, body...)
	return write(all, push.Format)
}

// envelope writes what carries an encrypted reply.
func envelope(encrypt, signature, timestamp, nonce string, format Format) (string, error) {
	return write([]field{
		{name: "Encrypt", text: encrypt},
		{name: "MsgSignature", text: signature},
		{name: "TimeStamp", text: timestamp},
		{name: "Nonce", text: nonce},
	}, format)
}

func write(all []field, format Format) (string, error) {
	var b strings.Builder
	if format == JSON {
		err := writeJSON(&b, all, false)
		return b.String(), err
	}
	b.WriteString("<xml>")
	writeXML(&b, all)
	b.WriteString("</xml>")
	return b.String(), nil
}

// numeric are the fields that stand without quotes in JSON and without CDATA
// in XML.
func numeric(name string) bool {
	return name == "CreateTime" || name == "ArticleCount" || name == "TimeStamp"
}

func writeXML(b *strings.Builder, all []field) {
	for _, f := range all {
		b.WriteString("<" + f.name + ">")
		switch {
		case f.sub != nil:
			writeXML(b, f.sub)
		case numeric(f.name):
			b.WriteString(f.text)
		default: // the one thing that CDATA cannot hold is its own end
			b.WriteString("<![CDATA[")
			b.WriteString(strings.ReplaceAll(legible(f.text), "]]>", "]]]]><![CDATA[>"))
			b.WriteString("]]>")
		}
		b.WriteString("</" + f.name + ">")
	}
}

func writeJSON(b *strings.Builder, all []field, list bool) error {
	open, end := byte('{'), byte('}')
	if list {
		open, end = '[', ']'
	}
	b.WriteByte(open)
	for i, f := range all {
		if i > 0 {
			b.WriteByte(',')
		}
		if !list {
			b.WriteString(strconv.Quote(f.name) + ":")
		}
		switch {
		case f.sub != nil:
			if err := writeJSON(b, f.sub, f.list); err != nil {
				return err
			}
		case numeric(f.name):
			b.WriteString(f.text)
		default:
			text, err := encodeJSON(legible(f.text))
			if err != nil {
				return err
			}
			b.Write(text)
		}
	}
	b.WriteByte(end)
	return nil
}
