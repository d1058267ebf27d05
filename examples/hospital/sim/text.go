package sim

import (
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/internal/simverb"
)

// Texts is the carrier of text messages: it takes them over HTTP and shows what
// the phones got. It keeps nothing over a restart, as a code is soon worthless.
type Texts struct {
	now func() time.Time

	mu   sync.Mutex
	keys map[string]Text // what came under a key
	kept []Text
}

// Text is a text message as the phone shows it.
type Text struct {
	At   time.Time `json:"at"`
	To   string    `json:"to"` // masked
	Text string    `json:"text"`
}

// Bounds of the carrier: what it shows, what it remembers against repetitions,
// and how long a text may be. Source: GB carriers join up to 500 characters.
const (
	maxTexts    = 20
	maxTextKeys = 10_000
	maxText     = 500
	maxTextBody = 4 << 10
)

// textOrder is what the carrier is asked to bring.
type textOrder struct {
	Key  string `json:"key"`
	To   string `json:"to"`
	Text string `json:"text"`
}

var mobile = regexp.MustCompile(`^1[3-9]\d{9}$`)

// ServeHTTP takes one text message: POST {"key","to","text"} with the key that
// is the same on every attempt. 200 it is on its way, also for a repetition;
// 409 the key brought something else; 400 it is malformed.
func (t *Texts) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var o textOrder
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxTextBody))
	decoder.DisallowUnknownFields()
	switch err := decoder.Decode(&o); {
	case !simverb.Local(r):
		answer(w, http.StatusForbidden, map[string]string{"code": "forbidden"})
	case r.Method != http.MethodPost:
		answer(w, http.StatusMethodNotAllowed, map[string]string{"code": "method"})
	case err != nil || !hospital.Key(o.Key).Valid() || !mobile.MatchString(o.To) || o.Text == "" || utf8.RuneCountInString(o.Text) > maxText:
		answer(w, http.StatusBadRequest, map[string]string{"code": "malformed"})
	case !t.take(o):
		answer(w, http.StatusConflict, map[string]string{"code": "key_reused"})
	default:
		answer(w, http.StatusOK, map[string]string{"code": "ok"})
	}
}

// take keeps a message once, and says no to another one under its key.
func (t *Texts) take(o textOrder) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	text := Text{At: t.now(), To: hospital.Phone(o.To).Masked(), Text: o.Text}
	if old, again := t.keys[o.Key]; again {
		return old.To == text.To && old.Text == text.Text
	}
	if t.keys == nil || len(t.keys) >= maxTextKeys {
		t.keys = map[string]Text{}
	}
	t.keys[o.Key] = text
	t.kept = append(t.kept, text)
	t.kept = t.kept[max(0, len(t.kept)-maxTexts):]
	return true
}

// Shown are the newest messages, the newest last.
func (t *Texts) Shown() []Text {
	t.mu.Lock()
	defer t.mu.Unlock()
	return append([]Text{}, slices.Clone(t.kept)...)
}
