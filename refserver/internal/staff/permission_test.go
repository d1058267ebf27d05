package staff_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/booking"
	"github.com/wxhospital/hospital/internal/sqldb"
	"github.com/wxhospital/hospital/internal/sqltest"
	"github.com/wxhospital/hospital/refserver/internal/staff"
)

// ways is how each act is asked for.
func ways() map[staff.Act]struct{ method, path string } {
	type way = struct{ method, path string }
	return map[staff.Act]way{
		staff.ReadAppointments: {http.MethodGet, "/appointments"}, staff.CancelAppointment: {http.MethodPost, "/appointments/x/cancel"},
		staff.ResolveAppointment: {http.MethodPost, "/appointments/x/resolve"},
		staff.ReadLockouts:       {http.MethodGet, "/lockouts"}, staff.Unlock: {http.MethodPost, "/lockouts/x/unlock"},
		staff.ReadSchedules: {http.MethodGet, "/schedules"}, staff.SuspendSchedule: {http.MethodPost, "/schedules/x/suspend"},
		staff.TryPolicy: {http.MethodPost, "/schedules/x/try"}, staff.ReadOrders: {http.MethodGet, "/orders"},
		staff.ReadCases: {http.MethodGet, "/cases"}, staff.ResolveCase: {http.MethodPost, "/cases/x/resolve"},
		staff.ReadUnreadable: {http.MethodGet, "/unreadable"}, staff.Readmit: {http.MethodPost, "/unreadable/x/readmit"},
		staff.ReadMessages: {http.MethodGet, "/messages"}, staff.RepeatMessage: {http.MethodPost, "/messages/x/repeat"},
		staff.ReadJobs: {http.MethodGet, "/jobs"}, staff.ReviveJob: {http.MethodPost, "/jobs/x/revive"},
		staff.ReadBindings: {http.MethodGet, "/bindings"}, staff.Unbind: {http.MethodPost, "/bindings/x/unbind"},
		staff.ReadCodes: {http.MethodGet, "/codes"}, staff.MakeCode: {http.MethodPost, "/codes/new/make"},
		staff.ReadAudit: {http.MethodGet, "/audit"}, staff.ReadPolicies: {http.MethodGet, "/policies"},
		staff.CheckPolicy: {http.MethodPost, "/policies/new/check"}, staff.PublishPolicy: {http.MethodPost, "/policies/new/publish"},
		staff.ReadKnowledge: {http.MethodGet, "/knowledge"}, staff.CheckKnowledge: {http.MethodPost, "/knowledge/new/check"},
		staff.PublishKnowledge: {http.MethodPost, "/knowledge/new/publish"}, staff.RestoreKnowledge: {http.MethodPost, "/knowledge/x/restore"},
		staff.ReadConsultations: {http.MethodGet, "/consultations"},
		staff.ReadAccounts:      {http.MethodGet, "/accounts"}, staff.CreateAccount: {http.MethodPost, "/accounts/new/create"},
		staff.ChangeRoles: {http.MethodPost, "/accounts/x/roles"}, staff.ResetAccount: {http.MethodPost, "/accounts/x/reset"},
		staff.DisableAccount: {http.MethodPost, "/accounts/x/disable"}, staff.EnableAccount: {http.MethodPost, "/accounts/x/enable"},
	}
}

func TestEveryActIsRefusedToEveryRoleThatMayNot(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sqltest.On(t, sqldb.SQLite))
	zhao := w.first()
	require.Len(w, ways(), len(staff.Acts()), "every act has a way")
	refused, allowed := 0, 0
	for _, role := range staff.Roles() {
		b := zhao.colleague("c-"+string(role), role)
		token := b.get("/staff/").Find("header input[name=token]").AttrOr("value", "")
		require.NotEmpty(w, token)
		for act, way := range ways() {
			may := slices.Contains(staff.Permitted(act), role)
			require.Equal(w, may, staff.May([]staff.Role{role}, act))
			var reply page
			if way.method == http.MethodGet {
				reply = b.get("/staff" + way.path)
			} else {
				reply = b.post("/staff"+way.path, url.Values{"token": {token}, "reason": {"试一试"}})
			}
			if may {
				require.NotEqual(w, http.StatusForbidden, reply.status, "%s may %s", role, act)
				allowed++
				continue
			}
			require.Equal(w, http.StatusForbidden, reply.status, "%s may not %s", role, act)
			require.Contains(w, reply.text(), "没有此项权限")
			require.Contains(w, w.trail(sqldb.AuditQuery{ActorID: "c-" + string(role), Action: "staff." + string(act), Limit: 1}),
				"c-"+string(role)+" staff."+string(act)+" denied role ", "the refusal is in the trail")
			refused++
			if slices.Contains([]string{"/appointments", "/lockouts", "/orders", "/bindings", "/audit"}, way.path) {
				search := b.post("/staff"+way.path, url.Values{"token": {token}, "patient": {string(w.patient())}})
				require.Equal(w, http.StatusForbidden, search.status, "%s may not search %s", role, way.path)
			}
		}
	}
	require.Positive(w, allowed)
	require.Greater(w, refused, allowed)
	require.False(w, staff.May(staff.Roles(), "appointment.invented"), "an act that nobody listed nobody may")
}

func TestAFormOfAnotherSessionOrSiteIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sqltest.On(t, sqldb.SQLite))
	a := w.book(w.patient(), hospital.Insured, 2)
	zhao := w.first()
	other := zhao.colleague("qian", staff.RoleDesk)
	foreign := other.get("/staff/").Find("header input[name=token]").AttrOr("value", "")
	at := "/staff/appointments/" + a.ID + "/cancel"
	for name, sent := range map[string]url.Values{
		"no token":              {"reason": {"x"}},
		"of another session":    {"reason": {"x"}, "token": {foreign}},
		"the right one, doubly": {"reason": {"x"}, "token": {foreign, foreign}},
	} {
		require.Equal(w, http.StatusForbidden, zhao.post(at, sent).status, name)
	}
	own := zhao.get("/staff/").Find("header input[name=token]").AttrOr("value", "")
	r, err := http.NewRequestWithContext(w.Context(), http.MethodPost, w.server.URL+at, strings.NewReader(url.Values{"token": {own}, "reason": {"x"}}.Encode()))
	require.NoError(w, err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	require.Equal(w, http.StatusForbidden, zhao.do(r).status, "another site sent it")
	require.Equal(w, booking.Booked, w.find(a.ID).State)
	require.Equal(w, http.StatusOK, zhao.post(at, url.Values{"token": {own}, "reason": {"x"}}).status)
	require.Equal(w, booking.Cancelled, w.find(a.ID).State)
}

func TestWhatDoesNotExistAnswersAlike(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sqltest.On(t, sqldb.SQLite))
	b := w.first()
	a := w.book(w.patient(), hospital.Insured, 2) // is there, but is no lockout
	want := b.get("/staff/appointments/absent").raw
	for _, path := range []string{
		"/staff/appointments/" + strings.Repeat("9", 500), "/staff/appointments/%00", "/staff/lockouts/" + a.ID, "/staff/orders/absent",
		"/staff/orders/%2e%2e%2f", "/staff/cases/a%2Fb", "/staff/bindings/x", "/staff/jobs/-1", "/staff/unreadable/x", "/staff/policies/x",
		"/staff/accounts/x", "/staff/messages/x", "/staff/codes/x", "/staff/none", "/staff/appointments/x/y/z",
	} {
		page := b.get(path)
		require.Equal(w, http.StatusNotFound, page.status, path)
		require.Equal(w, want, page.raw, path)
	}
	require.Equal(w, "/staff/login", w.browser().get("/staff/appointments/"+a.ID).at, "a stranger learns nothing")
}

func TestNothingIsReadOrDoneWithoutATrace(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sqltest.On(t, sqldb.SQLite))
	a := w.book(w.patient(), hospital.Insured, 2)
	b := w.first()
	b.get("/staff/appointments/" + a.ID)
	w.grants.broken = true
	reply := b.get("/staff/appointments/" + a.ID)
	require.Equal(w, http.StatusServiceUnavailable, reply.status)
	require.NotContains(w, reply.raw, string(w.patient()))
	require.Equal(w, http.StatusServiceUnavailable, b.submitSearch("/staff/appointments", w.patient()).status)
}

func TestEveryPageIsUncachedAndUnframedAndRunsNoScript(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sqltest.On(t, sqldb.SQLite))
	b := w.first()
	for _, path := range []string{"/staff/login", "/staff/", "/staff/audit", "/staff/none", "/staff/style.css"} {
		page := b.get(path)
		require.Equal(w, "private, no-store", page.header.Get("Cache-Control"), path)
		require.Contains(w, page.header.Get("Content-Security-Policy"), "default-src 'none'", path)
		require.NotContains(w, page.header.Get("Content-Security-Policy"), "unsafe", path)
		require.Equal(w, "DENY", page.header.Get("X-Frame-Options"), path)
		require.Zero(w, page.Find("script, [style], [onclick]").Length(), path)
	}
}
