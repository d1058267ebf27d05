package main

import (
	"context"
	"database/sql"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/booking"
	"github.com/wxhospital/hospital/internal/sqltest"
)

var update = flag.Bool("update", false, "write the golden files anew")

// monday is the business time at which the tests begin.
const monday = "2026-11-23 07:30"

func noEnv(string) string { return "" }

// terminal collects what a run prints, and may act on a line once it stands
// there. It may be read while the run goes on.
type terminal struct {
	on  string
	act func()

	mu   sync.Mutex
	text strings.Builder
}

func (t *terminal) Write(text []byte) (int, error) {
	t.mu.Lock()
	n, err := t.text.Write(text)
	met := t.on != "" && strings.Contains(string(text), t.on)
	if met {
		t.on = ""
	}
	t.mu.Unlock()
	if met {
		t.act()
	}
	return n, err
}

func (t *terminal) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text.String()
}

func play(t *testing.T, args ...string) string {
	t.Helper()
	var out terminal
	require.NoError(t, run(t.Context(), append([]string{"-story"}, args...), noEnv, &out))
	return out.String()
}

// engines are the databases to play on: a file of its own, and a schema of its
// own on PostgreSQL.
func engines() map[string]func(*testing.T) string {
	return map[string]func(*testing.T) string{
		"sqlite": func(t *testing.T) string {
			t.Helper()
			return filepath.Join(t.TempDir(), "own.db")
		},
		"postgres": func(t *testing.T) string {
			t.Helper()
			dsn := sqltest.Postgres(t)
			pool, err := sql.Open("pgx", dsn)
			require.NoError(t, err)
			name := "demo_" + strings.ToLower(hospital.NewID("", time.Now()))
			_, err = pool.ExecContext(t.Context(), "CREATE SCHEMA "+name)
			require.NoError(t, err)
			t.Cleanup(func() {
				_, err := pool.ExecContext(context.WithoutCancel(t.Context()), "DROP SCHEMA "+name+" CASCADE")
				require.NoError(t, err)
				require.NoError(t, pool.Close())
			})
			sign := "?"
			if strings.Contains(dsn, "?") {
				sign = "&"
			}
			return dsn + sign + "search_path=" + name
		},
	}
}

func TestTheMainJobIsPlayedTwiceOnOneFolder(t *testing.T) {
	t.Parallel()
	for name, dsn := range engines() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data, db := t.TempDir(), dsn(t)
			first := play(t, "-data", data, "-db", db, "-now", monday)
			milestones(t, first,
				"就诊卡 ******0001 已绑定", "您选了针灸科", "石怀瑾 主任医师", "预约成功", "→ HIS  Hold", "→ HIS  Confirm",
				"手机  预约成功通知", "您付了 30.00元", "← 支付 Notify", "TRANSACTION.SUCCESS", "手机  缴费成功通知",
				"您取消了这次预约", "手机  预约取消通知", "30.00元 已原路退回", "REFUND.SUCCESS", "手机  退款成功通知",
				"号已为您锁定", "请在 08:21", "您付了 12.05元", "医院已收费", "手机  预约成功通知", "手机  缴费成功通知", "医生看过了",
				"您没有来，记爽约第 1 次",
				"预约 针灸科 已取消     30.00  -30.00│   30.00  -30.00│   30.00  -30.00│    0.00",
				"合计                   42.05  -30.00│   42.05  -30.00│   42.05  -30.00│    0.00",
				"账平：三本账净额都是 12.05元")
			require.NotContains(t, first, "上次运行")

			second := play(t, "-data", data, "-db", db)
			milestones(t, second,
				"上次运行留下 3 笔预约：已取消 1，已就诊 1，爽约 1", "业务时钟停在 2026-11-24 22:00；HIS 记得 3 笔登记，微信支付记得 2 笔交易",
				"业务时间  2026-11-25（星期三）07:30", "就诊卡 ******0004 已绑定", "预约成功",
				"以前的订单 2 笔        42.05  -30.00│   42.05  -30.00│   42.05  -30.00│    0.00", "账平：三本账净额都是 24.10元")
		})
	}
}

// milestones requires the parts in this order.
func milestones(t *testing.T, text string, parts ...string) {
	t.Helper()
	rest := text
	for _, part := range parts {
		_, after, found := strings.Cut(rest, part)
		require.True(t, found, "%q is missing, or in the wrong place, in\n%s", part, text)
		rest = after
	}
}

// chance is what differs from run to run, each with what stands for it. Both
// have the same width, so the columns stay.
var chance = []struct {
	pattern *regexp.Regexp
	instead string
}{
	{regexp.MustCompile(`127\.0\.0\.1:\d+`), "127.0.0.1:PORT"},
	{regexp.MustCompile(`([a-z]{1,2})…[0-9a-z]{4}`), "$1…xxxx"},
	{regexp.MustCompile(` [ \d]{3}\.\dms`), "   0.0ms"},
}

func TestTheFirstRunReadsAsInTheGoldenFile(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	out := strings.ReplaceAll(play(t, "-data", data, "-now", monday), data, "hospital-data")
	for _, c := range chance {
		out = c.pattern.ReplaceAllString(out, c.instead)
	}
	for line := range strings.Lines(out) {
		require.LessOrEqual(t, width(strings.TrimSuffix(line, "\n")), screenColumns, line)
	}
	const golden = "testdata/first-run.golden"
	if *update {
		require.NoError(t, os.WriteFile(golden, []byte(out), 0o600))
	}
	want, err := os.ReadFile(golden)
	require.NoError(t, err)
	require.Equal(t, string(want), out)
}

func TestALostAnswerIsAskedForAndNothingIsDoneTwice(t *testing.T) {
	t.Parallel()
	out := play(t, "-data", t.TempDir(), "-now", monday, "-fault", "lost-answer")
	milestones(t, out, "当日挂号", "您付了 12.05元", "医院还没有回答", "answer_lost", "问到了", "→ HIS  Find", "医院已收费", "账平")
	require.Equal(t, 1, strings.Count(out, "answer_lost"))
	require.Equal(t, 1, strings.Count(out, "Paid=12.05"), "one confirmation that carries the money")
	require.Equal(t, 1, strings.Count(out, "缴费金额 12.05元"), "and one notice")
}

// TestARunThatIsToldToStopIsFinishedByTheNext stops at a sentence, between two
// steps, wherever that leaves the appointment and the money.
func TestARunThatIsToldToStopIsFinishedByTheNext(t *testing.T) {
	t.Parallel()
	for name, stop := range map[string]struct {
		at   string
		says string
	}{
		"before anything was booked":          {"您选了针灸科", "还没有人来过"},
		"after the booking":                   {"预约成功：", "已预约 1"},
		"while the paid fee is not delivered": {"您付了 30.00元", "已预约 1"},
		"after the cancellation":              {"已原路退回", "已取消 1"},
		"while a number is held, unpaid":      {"号已为您锁定", "待付款 → 超时未付"},
		"when the held number was just paid":  {"您付了 12.05元", "待付款 → "},
		"while the HIS's answer is lost":      {"医院还没有回答", "确认中 → "},
		"before the evening of a no-show":     {"第 1 号，12.05元", "已预约 → 爽约"},
		"while the ledgers are shown":         {"四、三本账", "爽约 1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data := t.TempDir()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			out := terminal{on: stop.at, act: cancel}
			require.NoError(t, run(ctx, []string{"-story", "-data", data, "-now", monday, "-fault", "lost-answer"}, noEnv, &out))
			require.Contains(t, out.String(), "已停下")

			second := play(t, "-data", data)
			milestones(t, second, "上次运行留下", stop.says, "业务时间", "账平：")
			require.NotContains(t, second, "到时接着办")
		})
	}
}

func TestErrorsNameTheFlagAndTheNextStep(t *testing.T) {
	t.Parallel()
	used := t.TempDir()
	play(t, "-data", used, "-now", monday)
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	torn := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(torn, "wechatpay.journal"), []byte("{\n{}\n"), 0o600))
	clockless := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(clockless, "clock.json"), []byte("7:30"), 0o600))
	for name, c := range map[string]struct {
		args []string
		says []string
	}{
		"a flag that does not exist":  {[]string{"-x"}, []string{"-x", "-h"}},
		"a word too many":             {[]string{"now"}, []string{`"now"`, "-h"}},
		"a time nobody can read":      {[]string{"-now", "soon"}, []string{"-now", "2026-11-23 07:30"}},
		"a time before the last stop": {[]string{"-data", used, "-now", "2026-11-23 07:31"}, []string{"-now", "2026-11-24 22:00", "-data"}},
		"an unknown fault":            {[]string{"-fault", "fire"}, []string{"-fault", "lost-answer"}},
		"no folder":                   {[]string{"-data", ""}, []string{"-data", "hospital-data"}},
		"a folder that is a file":     {[]string{"-data", file}, []string{"-data", file}},
		"a torn journal":              {[]string{"-data", torn}, []string{"-data", torn, "line 1"}},
		"a clock that is none":        {[]string{"-data", clockless}, []string{"-data", "clock.json"}},
		"a server that is not there": {
			[]string{"-data", t.TempDir(), "-db", "postgres://u:secret@127.0.0.1:1/x"}, []string{"-db", "postgres://u:xxxxx@127.0.0.1:1/x", "PostgreSQL"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := run(t.Context(), append([]string{"-story"}, c.args...), noEnv, &terminal{})
			require.Error(t, err)
			require.NotContains(t, err.Error(), "secret")
			for _, part := range c.says {
				require.ErrorContains(t, err, part)
			}
		})
	}
}

func TestASecondProcessOnTheSameFolderIsRefused(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	set, err := parse([]string{"-data", data}, noEnv, &terminal{})
	require.NoError(t, err)
	w, err := open(t.Context(), set)
	require.NoError(t, err)
	err = run(t.Context(), []string{"-story", "-data", data}, noEnv, &terminal{})
	require.ErrorContains(t, err, "-db")
	require.ErrorContains(t, err, "另一个进程")
	require.NoError(t, w.Close())
}

func TestHelpIsPrintedAndTheEnvironmentNamesTheDatabase(t *testing.T) {
	t.Parallel()
	var out terminal
	require.NoError(t, run(t.Context(), []string{"-h"}, noEnv, &out))
	require.Equal(t, usage, out.String())
	set, err := parse(nil, func(name string) string { return map[string]string{"HOSPITAL_DB": "postgres://db"}[name] }, &out)
	require.NoError(t, err)
	require.Equal(t, settings{data: "hospital-data", db: "postgres://db", addr: "127.0.0.1:8080", staffAddr: "127.0.0.1:8081"}, set)
	set, err = parse([]string{"-now", "2026-11-23T07:30:00+08:00"}, noEnv, &out)
	require.NoError(t, err)
	require.Equal(t, filepath.Join("hospital-data", "hospital.db"), set.db)
	require.True(t, set.now.Equal(time.Date(2026, 11, 22, 23, 30, 0, 0, time.UTC)))
}

// TestAPatientWhoWasLockedOutIsLetInAgainAtTheServiceDesk lets one patient stay
// away until the rules close the door.
func TestAPatientWhoWasLockedOutIsLetInAgainAtTheServiceDesk(t *testing.T) {
	t.Parallel()
	set, err := parse([]string{"-data", t.TempDir(), "-now", monday}, noEnv, &terminal{})
	require.NoError(t, err)
	w, err := open(t.Context(), set)
	require.NoError(t, err)
	defer func() { require.NoError(t, w.Close()) }()
	var out terminal
	s := &story{world: w, screen: &screen{out: &out}, set: set}
	require.NoError(t, s.opening(t.Context()))
	_, err = s.chooseDepartment(t.Context())
	require.NoError(t, err)
	for range 4 {
		require.NoError(t, s.noShow(t.Context()))
	}
	milestones(t, out.String(), "爽约第 1 次", "爽约第 2 次", "爽约第 3 次", "暂停网上预约", "网上预约已恢复", "预约成功", "爽约第 1 次")
}

func TestTheVerdictNamesTheDifference(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		total   row
		pending hospital.Fen
		says    string
	}{
		"all agree":                      {row{ours: sum{1205, 0}, channel: sum{1205, 0}, his: sum{1205, 0}}, 0, "账平：三本账净额都是 12.05元"},
		"the channel has more":           {row{ours: sum{1205, 0}, channel: sum{1205, 0}}, 0, "多 12.05元（长款）"},
		"the HIS has more":               {row{ours: sum{1205, -1205}, channel: sum{1205, -1205}, his: sum{1205, 0}}, 0, "少 12.05元（短款）"},
		"only we differ":                 {row{channel: sum{1205, 0}, his: sum{1205, 0}}, 0, "我方与渠道相差 12.05元"},
		"money on its way":               {row{ours: sum{1205, 0}, channel: sum{1205, 0}, his: sum{1205, 0}}, 1205, "12.05元 挂账在途"},
		"equal nets over unequal sums":   {row{ours: sum{1205, -1205}, channel: sum{1205, -1205}}, 0, "收退笔数不同"},
		"nothing was paid and all agree": {row{}, 0, "账平"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Contains(t, ledgers{total: c.total, pending: c.pending}.verdict(), c.says)
		})
	}
}

func TestALineKnowsThatAHanCharacterTakesTwoColumns(t *testing.T) {
	t.Parallel()
	require.Equal(t, 9, width("赵𠮷祥 GH"))
	require.Equal(t, "骨伤科  ", left("骨伤科", 8))
	require.Equal(t, "骨伤… ", left("骨伤科脾胃", 6))
	require.Equal(t, "  12.05", right("12.05", 7))
	require.Equal(t, []string{"一二三", "四五，", "六"}, wrap("一二三四五，六", 6))
	require.Equal(t, []string{"一二三。", "四"}, wrap("一二三。四", 6), "no line begins with a full stop")
	require.Equal(t, []string{"一", "（二）"}, wrap("一（二）", 4), "no line ends with an opening bracket")
	require.Equal(t, "A=1 B=2 …  ", fit("A=1 B=2 CC=3", 11))
	require.Equal(t, "AAAAAAAA…", fit("AAAAAAAAAAAA", 9))
}

func TestTheNextMorningIsAWorkingDay(t *testing.T) {
	t.Parallel()
	friday := time.Date(2026, 11, 27, 22, 0, 0, 0, hospital.CST)
	require.Equal(t, "2026-11-30 07:30", nextMorning(friday).Format("2006-01-02 15:04"))
	require.Equal(t, "2026-11-27 07:30", nextMorning(friday.AddDate(0, 0, -1)).Format("2006-01-02 15:04"))
}

func TestEveryStateHasAWordForThePatient(t *testing.T) {
	t.Parallel()
	for _, state := range []booking.State{
		booking.Holding, booking.Held, booking.Confirming, booking.Booked, booking.Settling, booking.Arrived, booking.Cancelling,
		booking.Fulfilled, booking.Refused, booking.Expired, booking.Cancelled, booking.NoShow, booking.Manual,
	} {
		require.NotEqual(t, string(state), stateName(state))
	}
	require.Equal(t, "new", stateName("new"))
}
