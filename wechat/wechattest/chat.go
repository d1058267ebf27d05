package wechattest

import (
	"fmt"
	"time"

	"github.com/wxhospital/hospital"
)

// chatLength is how many bubbles of a chat are kept.
const chatLength = 500

// serviceFault is what a phone shows when the account's server gave no usable
// answer.
const serviceFault = "该公众号提供的服务出现故障，请稍后再试"

// Speaker says who put a bubble into the chat.
type Speaker string

// The speakers.
const (
	Patient Speaker = "user"    // the person who holds the phone
	Ours    Speaker = "account" // the account
	Notice  Speaker = "notice"  // WeChat itself, in gray
)

// Bubble is one thing that the phone shows in the account's chat.
type Bubble struct {
	At   time.Time `json:"at"`
	From Speaker   `json:"from"`
	// Kind is the type of the message: "text", "news", "image", "template",
	// "subscription", …
	Kind string `json:"kind"`
	// Text is what a text says, or the media id of what has one.
	Text string `json:"text,omitempty"`
	// Choices are the entries of a menu message, which [Follower.Choose] taps.
	Choices []Choice `json:"choices,omitempty"`
	// Agent is who wrote it at the customer-service desk, "" for the account.
	Agent string `json:"agent,omitempty"`
	// Cards are the articles of a news message, or the one card of a template.
	Cards []Card `json:"cards,omitempty"`
}

// Choice is an entry of a menu message (菜单消息).
type Choice struct {
	ID      string `json:"id"`
	Content string `json:"content"`
}

// Card is a template message or an article.
type Card struct {
	Title string `json:"title"`
	Lines []Line `json:"lines,omitempty"` // of a template, in its order
	Text  string `json:"text,omitempty"`  // of an article
	URL   string `json:"url,omitempty"`   // where a tap leads
	// MiniProgram is "appid/path" when a tap opens a mini program instead.
	MiniProgram string `json:"mini_program,omitempty"`
}

// Line is one field of a template as the phone shows it.
type Line struct {
	Name  string `json:"name"` // 就诊人
	Key   string `json:"key"`  // thing1
	Value string `json:"value"`
}

// show puts a bubble into the user's chat.
func (t *turn) show(openID string, b Bubble) {
	u, known := t.users.rows[openID]
	if !known {
		return
	}
	b.At = t.now
	t.bubbles.put(t, bubbleKey(openID, u.Bubbles), b)
	t.bubbles.drop(t, bubbleKey(openID, u.Bubbles-chatLength))
	u.Bubbles++
	t.users.put(t, openID, u)
}

// chat returns what the user's phone shows, oldest first.
func (t *turn) chat(openID string) []Bubble {
	u := t.users.rows[openID]
	all := []Bubble{}
	for n := max(0, u.Bubbles-chatLength); n < u.Bubbles; n++ {
		b := t.bubbles.rows[bubbleKey(openID, n)]
		b.At = b.At.In(hospital.CST) // a restart knows the offset, not its name
		all = append(all, b)
	}
	return all
}

func bubbleKey(openID string, n int64) string { return fmt.Sprintf("%s/%08d", openID, n) }
