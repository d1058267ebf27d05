package message_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/internal/sqldb"
	"github.com/wxhospital/hospital/internal/sqltest"
	"github.com/wxhospital/hospital/internal/testclock"
	"github.com/wxhospital/hospital/refserver/internal/message"
	"github.com/wxhospital/hospital/wechat"
	"github.com/wxhospital/hospital/wechat/wechattest"
)

const template = "tpl-0000000000000000000000000000000000001"

// holder is the user who holds the patient.
var holder = message.Reader{User: "U1", Patients: []hospital.PatientID{"P1"}}

type world struct {
	*testclock.Clock
	db     *sqldb.DB
	site   *wechattest.Site
	phone  *wechattest.Follower
	client *wechat.Client
	fact   message.Fact
	texts  []string
	after  func(error) error // what becomes of a notice's answer
	gone   bool              // another user holds the patient by now
	early  string            // the result that comes before the answer
	m      *message.Messenger
}

func (w *world) Fact(context.Context, string, string) (message.Fact, error) { return w.fact, nil }
func (w *world) OpenID(context.Context, hospital.UserID) (wechat.OpenID, error) {
	return wechat.OpenID(w.phone.OpenID()), nil
}

func (w *world) Holds(context.Context, hospital.UserID, hospital.PatientID) (bool, error) {
	return !w.gone, nil
}

func (w *world) Phone(context.Context, hospital.UserID, hospital.PatientID) (hospital.Phone, error) {
	return "13800000001", nil
}

func (w *world) Notify(ctx context.Context, n wechat.Notice) (wechat.Sent, error) {
	sent, err := w.client.Notify(ctx, n)
	if w.early != "" {
		err = errors.Join(err, w.m.Sent(ctx, sent.MsgID, w.early))
	}
	if w.after != nil {
		return sent, w.after(err)
	}
	return sent, err
}

func (w *world) Text(_ context.Context, _ hospital.Key, _ hospital.Phone, text string) error {
	w.texts = append(w.texts, text)
	return nil
}

func open(t *sqltest.T, edit func(*message.Config)) *world {
	t.Helper()
	w := &world{Clock: testclock.At(time.Date(2026, 11, 23, 9, 0, 0, 0, hospital.CST)), db: t.Open()}
	w.site = wechattest.Start(t, wechattest.Config{Now: w.Now, Templates: []wechattest.Template{{ID: template, Title: "通知", Content: "科室:{{thing1.DATA}}\n提示:{{thing2.DATA}}"}}})
	account := w.site.Account()
	var err error
	w.client, err = wechat.New(wechat.Config{AppID: account.AppID, Secret: account.Secret, BaseURL: w.site.URL, Now: w.Now})
	require.NoError(t, err)
	t.Cleanup(w.client.CloseIdle)
	w.phone = w.site.Follower(t.Context(), "u")
	w.fact = message.Fact{Users: []hospital.UserID{"U1"}, Patient: "P1", Name: "张三丰", Object: "A1", Department: "K1", DepartmentIs: "脾胃病科", Start: w.Now().Add(48 * time.Hour), Number: 7, Live: true}
	cfg := message.Config{DB: w.db, Facts: w, Recipients: w, WeChat: w, Now: w.Now, Wall: w.Now, Templates: map[message.Scene]message.Template{}}
	for _, scene := range []message.Scene{message.Booked, message.Cancelled, message.ReminderD1, message.ReminderH2} {
		cfg.Templates[scene] = message.Template{ID: template, Fields: map[string]string{"thing1": "department", "thing2": "note"}}
	}
	if edit != nil {
		edit(&cfg)
	}
	w.m, err = message.New(t.Context(), cfg)
	require.NoError(t, err)
	return w
}

func (w *world) tell(t *sqltest.T, kinds ...string) {
	t.Helper()
	for _, kind := range kinds {
		require.NoError(t, w.db.Write(t.Context(), func(tx *sqldb.Tx) error {
			return sqldb.AppendEvents(tx, []hospital.Event{{Kind: kind, ID: "A1"}}, w.Now())
		}))
	}
	w.advance(t)
}

func (w *world) advance(t *sqltest.T) {
	t.Helper()
	_, err := w.m.Advance(t.Context())
	require.NoError(t, err)
}

// cards counts the notices that the phone shows a moment later.
func (w *world) cards(t *sqltest.T) (n int) {
	t.Helper()
	w.Pass(2 * time.Second)
	_, err := w.site.Advance(t.Context())
	require.NoError(t, err)
	for _, b := range w.phone.Chat() {
		n += len(b.Cards)
	}
	return n
}

func TestEachEventArrivesOnce(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *sqltest.T) {
		w := open(t, nil)
		w.tell(t, "appt.booked", "appt.forgotten", "appt.cancelled")
		w.advance(t)
		_, err := w.site.Advance(t.Context())
		require.NoError(t, err)
		w.Pass(2 * time.Second)
		_, err = w.site.Advance(t.Context())
		require.NoError(t, err)
		require.Equal(t, 2, w.cards(t))
		list, err := w.m.List(t.Context(), holder, "", 10)
		require.NoError(t, err)
		require.Len(t, list, 2)
		for _, one := range list {
			require.NotContains(t, one.Body, "三丰")
			require.NotContains(t, one.Body, "{")
		}
		unread, err := w.m.Unread(t.Context(), holder)
		require.NoError(t, err)
		require.Equal(t, 2, unread)
		for _, other := range []message.Reader{{User: "U2", Patients: holder.Patients}, {User: "U1"}, {User: "U1", Patients: []hospital.PatientID{"P2"}}} {
			_, err = w.m.Read(t.Context(), other, list[0].ID)
			require.Equal(t, hospital.NotFound, hospital.KindOf(err), "%v", other)
			none, err := w.m.List(t.Context(), other, "", 10)
			require.NoError(t, err)
			require.Empty(t, none, "who holds the patient no longer sees nothing of him")
		}
		one, err := w.m.Read(t.Context(), holder, list[0].ID)
		require.NoError(t, err)
		require.Equal(t, list[0].ID, one.ID)
		unread, err = w.m.Unread(t.Context(), holder)
		require.NoError(t, err)
		require.Equal(t, 1, unread)
	})
}

func TestASensitiveDepartmentHasAnAlias(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *sqltest.T) {
		w := open(t, func(c *message.Config) { c.Aliases = map[hospital.DepartmentID]string{"K1": "门诊"} })
		w.tell(t, "appt.booked")
		list, err := w.m.List(t.Context(), holder, "", 10)
		require.NoError(t, err)
		require.Len(t, list, 1)
		require.NotContains(t, list[0].Body, "脾胃病科")
		require.Contains(t, list[0].Body, "门诊")
	})
}

func TestWhatWeChatDidNotTakeIsVisibleAndArrivesLater(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *sqltest.T) {
		w := open(t, nil)
		w.after = func(error) error { return &hospital.Error{Kind: hospital.Unavailable, Code: "down"} }
		client := w.client
		w.client, _ = wechat.New(wechat.Config{AppID: "wx0000000000000000", Secret: "TESTING KEY", BaseURL: w.site.URL, Now: w.Now})
		w.tell(t, "appt.booked")
		failed, err := w.m.Failed(t.Context(), 10)
		require.NoError(t, err)
		require.Len(t, failed, 1)
		require.Equal(t, "unavailable: down", failed[0].Failure)
		w.client, w.after = client, nil
		w.Pass(time.Hour)
		w.advance(t)
		require.Equal(t, 1, w.cards(t))
		failed, err = w.m.Failed(t.Context(), 10)
		require.NoError(t, err)
		require.Empty(t, failed)
	})
}

func TestALostAnswerIsNeverSentTwice(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *sqltest.T) {
		w := open(t, nil)
		lost := &hospital.Error{Kind: hospital.Indeterminate, Code: "lost"}
		w.after = func(error) error { return lost }
		w.tell(t, "appt.booked")
		w.Pass(3 * time.Second)
		w.advance(t)
		require.Equal(t, 1, w.cards(t), "the same key within ten minutes")
		w.Pass(time.Hour)
		w.after = nil
		w.advance(t)
		require.Equal(t, 1, w.cards(t), "not again after that")
		failed, err := w.m.Failed(t.Context(), 10)
		require.NoError(t, err)
		require.Len(t, failed, 1)
		require.Equal(t, "unknown", failed[0].State)
		audit := hospital.AuditEntry{At: w.Now(), Actor: hospital.Actor{Kind: hospital.ActorStaff, ID: "7"}, Purpose: "the patient asks", Action: "message.repeat", Outcome: "ok"}
		require.Equal(t, hospital.Invalid, hospital.KindOf(w.m.Repeat(t.Context(), failed[0].ID, hospital.AuditEntry{})))
		require.NoError(t, w.m.Repeat(t.Context(), failed[0].ID, audit))
		w.advance(t)
		require.Equal(t, 2, w.cards(t), "staff decided")
		rows, err := w.db.Trail(t.Context(), sqldb.AuditQuery{Action: "message.repeat"})
		require.NoError(t, err)
		require.Len(t, rows, 1)
	})
}

func TestAWorkerKilledBetweenSendAndCommitDoesNotSendTwice(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *sqltest.T) {
		w := open(t, func(c *message.Config) { c.Lease = 600 * time.Millisecond })
		ctx, kill := context.WithCancel(t.Context())
		w.after = func(err error) error { kill(); return err }
		require.NoError(t, w.db.Write(t.Context(), func(tx *sqldb.Tx) error {
			return sqldb.AppendEvents(tx, []hospital.Event{{Kind: "appt.booked", ID: "A1"}}, w.Now())
		}))
		_, err := w.m.Advance(ctx)
		require.ErrorIs(t, err, context.Canceled, "%v", err)
		require.Equal(t, 1, w.cards(t))
		w.after = nil
		require.Eventually(t, func() bool {
			_, err := w.m.Advance(t.Context())
			failed, listErr := w.m.Failed(t.Context(), 10)
			next, nextErr := w.m.Advance(t.Context())
			return err == nil && listErr == nil && nextErr == nil && len(failed) == 0 && next.After(w.Now())
		}, 5*time.Second, 20*time.Millisecond)
		require.Equal(t, 1, w.cards(t))
	})
}

func TestWhoDoesNotFollowGetsATextMessage(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *sqltest.T) {
		w := open(t, func(c *message.Config) { c.Texter = c.WeChat.(message.Texter) }) //nolint:errcheck // both are the same simulated phone
		require.NoError(t, w.phone.Unfollow(t.Context()))
		w.tell(t, "appt.booked")
		w.advance(t)
		require.Len(t, w.texts, 1)
		require.NotContains(t, w.texts[0], "三丰")
		require.Zero(t, w.cards(t))
	})
}

func TestWhoLostThePatientBeforeTheNoticeWasSentHearsOfTheLossAlone(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *sqltest.T) {
		w := open(t, func(c *message.Config) { c.Templates[message.TakenOver] = c.Templates[message.Booked] })
		client := w.client
		w.after = func(error) error { return &hospital.Error{Kind: hospital.Unavailable, Code: "down"} }
		w.client, _ = wechat.New(wechat.Config{AppID: "wx0000000000000000", Secret: "TESTING KEY", BaseURL: w.site.URL, Now: w.Now})
		w.tell(t, "appt.booked")
		w.client, w.after, w.gone = client, nil, true
		w.Pass(time.Hour)
		w.advance(t)
		require.Zero(t, w.cards(t))
		w.tell(t, "patient.taken_over")
		require.Equal(t, 1, w.cards(t))
		failed, err := w.m.Failed(t.Context(), 10)
		require.NoError(t, err)
		require.Len(t, failed, 1)
		require.Equal(t, "rejected: not_held", failed[0].Failure)
	})
}

func TestRemindersComeWhileTheAppointmentStands(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *sqltest.T) {
		w := open(t, nil)
		w.tell(t, "appt.booked")
		w.Pass(33*time.Hour - time.Minute)
		w.advance(t)
		require.Equal(t, 1, w.cards(t))
		w.Pass(time.Minute) // 18:00 on the day before
		w.advance(t)
		require.Equal(t, 2, w.cards(t))
		w.fact.Live = false
		w.Pass(13 * time.Hour) // two hours before
		w.advance(t)
		require.Equal(t, 2, w.cards(t))
	})
}

func TestAResultMayComeBeforeItsAnswer(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *sqltest.T) {
		w := open(t, nil)
		w.early = "failed: system failed"
		w.tell(t, "appt.booked")
		require.Equal(t, hospital.Invalid, hospital.KindOf(w.m.Sent(t.Context(), 0, "success")))
		failed, err := w.m.Failed(t.Context(), 10)
		require.NoError(t, err)
		require.Len(t, failed, 1)
		require.Equal(t, "rejected: not_delivered", failed[0].Failure)
	})
}
