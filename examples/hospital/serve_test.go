package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital/booking/bookingsql"
)

// served is the program as an operator runs it.
type served struct {
	*testing.T

	Addresses map[string]string
	screen    *terminal
	stop      func()
}

// startServer runs the program until it says that it is ready.
func startServer(t *testing.T, args ...string) *served {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ready, ended := make(chan struct{}), make(chan error, 1)
	file := filepath.Join(t.TempDir(), "ready.json")
	s := &served{T: t, screen: &terminal{on: "按 Ctrl-C 停下", act: func() { close(ready) }}}
	go func() {
		ended <- run(ctx, append([]string{"-addr", "127.0.0.1:0", "-staff-addr", "127.0.0.1:0", "-ready-file", file}, args...), noEnv, s.screen)
	}()
	s.stop = sync.OnceFunc(func() {
		cancel()
		require.NoError(t, <-ended)
		require.NoFileExists(t, file, "the addresses are gone with the program")
	})
	t.Cleanup(s.stop)
	select {
	case <-ready:
	case err := <-ended:
		ended <- err
		require.FailNow(t, "the server ended", "%v", err)
	}
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &s.Addresses))
	return s
}

// get reads one address, without following where it sends.
func (s *served) get(address string) (status int, body string) {
	s.Helper()
	r, err := http.NewRequestWithContext(s.Context(), http.MethodGet, address, nil)
	require.NoError(s, err)
	answer, err := http.DefaultTransport.RoundTrip(r)
	require.NoError(s, err)
	text, err := io.ReadAll(answer.Body)
	require.NoError(s, err)
	require.NoError(s, answer.Body.Close())
	return answer.StatusCode, string(text)
}

// press presses a button of the test bed.
func (s *served) press(order string) (status int, said string) {
	s.Helper()
	r, err := http.NewRequestWithContext(s.Context(), http.MethodPost, s.Addresses["sim"]+"/hospital", strings.NewReader(order))
	require.NoError(s, err)
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	answer, err := http.DefaultTransport.RoundTrip(r)
	require.NoError(s, err)
	text, err := io.ReadAll(answer.Body)
	require.NoError(s, err)
	require.NoError(s, answer.Body.Close())
	return answer.StatusCode, string(text)
}

func TestTheProgramWithoutFlagsRunsTheServerAndSaysWhereEverythingIs(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	s := startServer(t, "-data", data, "-now", monday)
	for _, name := range []string{"sim", "patient", "staff", "health", "metrics", "his", "wechat_api", "wechat_open", "wechat_pay", "text"} {
		require.Contains(t, s.Addresses, name)
	}
	banner := s.screen.String()
	milestones(t, banner, "模拟台", s.Addresses["sim"], "先打开这个", "患者页面", s.Addresses["patient"], "工作人员", "一次性链接", "已装载", "个科室 · ", "位医生 · ", "14 天排班", "试一试", data)
	require.NotContains(t, banner, "\x1b", "a banner for every terminal")

	status, _ := s.get(s.Addresses["health"])
	require.Equal(t, http.StatusNoContent, status)
	status, _ = s.get(strings.Replace(s.Addresses["health"], "healthz", "readyz", 1))
	require.Equal(t, http.StatusNoContent, status)
	status, text := s.get(s.Addresses["metrics"])
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, text, `hospital_far_calls_total{system="his",op="Departments",outcome="2xx"}`)
	require.Contains(t, text, `hospital_far_calls_total{system="wechat",op="PublishMenu",outcome="ok"} 1`)
	status, page := s.get(s.Addresses["patient"])
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, page, "示范中医医院")
	status, page = s.get(s.Addresses["sim"])
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, page, "五分钟体验")
}

func TestARestartContinuesWhereTheServerStopped(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	s := startServer(t, "-data", data, "-now", monday)
	status, said := s.press(`{"verb":"sell","schedule":"` + s.clinic("2026-11-24") + `"}`)
	require.Equal(t, http.StatusOK, status, said)
	status, said = s.press(`{"verb":"tomorrow"}`)
	require.Equal(t, http.StatusOK, status, said)
	before := s.state()
	s.stop()

	again := startServer(t, "-data", data)
	after := again.state()
	require.Equal(t, "2026-11-24 07:30", after.Now)
	require.Equal(t, before.Visits, after.Visits, "the HIS remembers what the window sold")
	require.NotEmpty(t, after.Chat, "the phone still follows, and its chat is kept")
	db, err := bookingsql.OpenDB(t.Context(), bookingsql.Config{DSN: filepath.Join(data, "hospital.db"), PseudonymKey: []byte("TESTING KEY TESTING")})
	require.ErrorContains(t, err, "database_locked", "and one process has the database")
	require.Nil(t, db)
}

// bed is what the test bed shows.
type bed struct {
	Now    string           `json:"now"`
	Chat   []map[string]any `json:"chat"`
	Visits []struct {
		HISNo  string `json:"his_no"`
		State  string `json:"state"`
		Clinic string `json:"clinic"`
	} `json:"visits"`
	People []struct {
		ID   string `json:"id"`
		Name string `json:"name"`
	} `json:"people"`
	Bills []struct {
		ID     string `json:"id"`
		Amount string `json:"amount"`
	} `json:"bills"`
	Faults []string `json:"faults"`
}

func (s *served) state() bed {
	s.Helper()
	status, text := s.get(s.Addresses["sim"] + "/state")
	require.Equal(s, http.StatusOK, status, text)
	var b bed
	require.NoError(s, json.Unmarshal([]byte(text), &b))
	return b
}

// clinic is the first clinic of a day.
func (s *served) clinic(day string) string {
	s.Helper()
	status, text := s.get(s.Addresses["sim"] + "/clinics?day=" + day)
	require.Equal(s, http.StatusOK, status, text)
	var said struct {
		Clinics []struct {
			ID string `json:"id"`
		} `json:"clinics"`
	}
	require.NoError(s, json.Unmarshal([]byte(text), &said))
	require.NotEmpty(s, said.Clinics)
	return said.Clinics[0].ID
}

// TestEveryButtonOfTheHospitalSaysWhatHappenedOrWhyNot presses all of them.
func TestEveryButtonOfTheHospitalSaysWhatHappenedOrWhyNot(t *testing.T) {
	t.Parallel()
	s := startServer(t, "-data", t.TempDir(), "-now", monday)
	clinic, person := s.clinic("2026-11-23"), s.state().People[0].ID
	yes := func(order, says string) {
		t.Helper()
		status, said := s.press(order)
		require.Equal(t, http.StatusOK, status, said)
		require.Contains(t, said, says)
	}
	no := func(order, says string) {
		t.Helper()
		status, said := s.press(order)
		require.Equal(t, http.StatusConflict, status, said)
		require.Contains(t, said, says)
	}
	on := `"schedule":"` + clinic + `"}`
	yes(`{"verb":"release",`+on, "共 14 个")
	yes(`{"verb":"sell",`+on, "第 1 号")
	sold := s.state().Visits[0].HISNo
	yes(`{"verb":"arrive","his_no":"`+sold+`"}`, "已取号")
	no(`{"verb":"noshow","his_no":"`+sold+`"}`, "还没取号")
	yes(`{"verb":"see","his_no":"`+sold+`"}`, "已就诊")
	yes(`{"verb":"suspend",`+on, "0 笔挂号失效")
	no(`{"verb":"suspend",`+on, "停诊")
	no(`{"verb":"release",`+on, "停诊")
	no(`{"verb":"sell",`+on, "没有号可卖")

	yes(`{"verb":"bill","patient":"`+person+`"}`, "213.00 元")
	bill := s.state().Bills[0]
	require.Equal(t, "213.00", bill.Amount)
	yes(`{"verb":"rebill","bill":"`+bill.ID+`"}`, "168.00 元")
	yes(`{"verb":"rebill","bill":"`+bill.ID+`"}`, "213.00 元")
	yes(`{"verb":"settle","bill":"`+bill.ID+`"}`, "213.00 元")
	no(`{"verb":"settle","bill":"`+bill.ID+`"}`, "已支付")
	no(`{"verb":"rebill","bill":"`+bill.ID+`"}`, "已支付")

	yes(`{"verb":"slow"}`, "变慢")
	yes(`{"verb":"dead"}`, "断开")
	require.Equal(t, []string{"HIS 断开"}, s.state().Faults, "one fault replaces the other")
	yes(`{"verb":"lose"}`, "丢掉回答")
	yes(`{"verb":"wechat-dead"}`, "系统繁忙")
	yes(`{"verb":"wechat-lose"}`, "丢掉回答")
	require.Equal(t, []string{"HIS 丢一次回答", "微信丢一次回答"}, s.state().Faults)
	yes(`{"verb":"heal"}`, "恢复正常")
	require.Empty(t, s.state().Faults)

	yes(`{"verb":"quarter"}`, "07:4")
	yes(`{"verb":"sell","schedule":"`+s.clinic("2026-11-25")+`"}`, "收")
	later := s.state().Visits[0]
	no(`{"verb":"see","his_no":"`+later.HISNo+`"}`, "就诊当日")
	yes(`{"verb":"evening"}`, "22:00")
	yes(`{"verb":"quarter"}`, "22:15")
	no(`{"verb":"evening"}`, "不能倒流")
	yes(`{"verb":"tomorrow"}`, "11月24日 07:30")
	yes(`{"verb":"noshow","his_no":"`+later.HISNo+`"}`, "11月25日 22:00")
	no(`{"verb":"fly"}`, "none of that name")
	status, said := s.press(`{"verb":"heal","fault":"fire"}`)
	require.Equal(t, http.StatusBadRequest, status, said)
}

// TestTheConfigurationIsReadStrictly changes one thing of a file that is right.
func TestTheConfigurationIsReadStrictly(t *testing.T) {
	t.Parallel()
	f := startFar(t, t.TempDir())
	text, err := os.ReadFile(filepath.Join(f.files, configName))
	require.NoError(t, err)
	right := string(text)
	for name, c := range map[string]struct {
		file string
		says []string
	}{
		"a misspelled field":            {right + "\nbase_ulr: x\n", []string{"base_ulr"}},
		"a misspelled field inside":     {strings.Replace(right, "phone:", "fone:", 1), []string{"fone"}},
		"a required field is missing":   {strings.Replace(right, "url: "+f.Addresses["his"], "", 1), []string{"his.url"}},
		"a second document":             {right + "\n---\n{}\n", []string{"只能有一个文档"}},
		"nothing":                       {"", []string{"EOF"}},
		"larger than any configuration": {right + "#" + strings.Repeat("x", maxConfig), []string{"65536"}},
		"a key file that is not there":  {strings.Replace(right, "merchant_key.pem", "nowhere.pem", 1), []string{"wechatpay", "nowhere.pem"}},
		"rules that nobody ships":       {strings.Replace(right, "preset: wuxi2018", "preset: none", 1), []string{"rules", "none", "wuxi2018"}},
		"a scene that nobody knows":     {strings.Replace(right, "appt.booked:", "appt.bocked:", 1), []string{"appt.bocked"}},
		"a clock of another machine":    {strings.Replace(right, "simulated_clock: http://127.0.0.1", "simulated_clock: http://10.0.0.1", 1), []string{"simulated_clock"}},
		"patients over plain http":      {strings.Replace(right, "base_url: http://127.0.0.1:8080/m", "base_url: http://h.example.com/m", 1), []string{"https"}},
		"a proxy that is no network":    {strings.Replace(right, "trusted_proxies: []", "trusted_proxies: [everybody]", 1), []string{"everybody"}},
		"a short metrics token":         {strings.Replace(right, "metrics_token_file: \"\"", "metrics_token_file: short", 1), []string{"MetricsToken"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.NotEqual(t, right, c.file)
			file := filepath.Join(t.TempDir(), "hospital.yaml")
			require.NoError(t, os.WriteFile(file, []byte(c.file), 0o600))
			require.NoError(t, os.WriteFile(filepath.Join(filepath.Dir(file), "short"), []byte("short\n"), 0o600))
			for _, name := range []string{"wechat.json", "wechatpay.json", "merchant_key.pem", "merchant_cert.pem", "platform_cert.pem", "wechatpay_public_key.pem"} {
				require.NoError(t, os.Link(filepath.Join(f.files, name), filepath.Join(filepath.Dir(file), name)))
			}
			err := run(t.Context(), []string{"-config", file, "-data", t.TempDir(), "-addr", "127.0.0.1:0", "-staff-addr", "127.0.0.1:0"}, noEnv, &terminal{})
			require.Error(t, err)
			for _, part := range c.says {
				require.ErrorContains(t, err, part)
			}
			require.NotContains(t, err.Error(), f.secret("wechat.json")["secret"])
		})
	}
}

func TestFlagsThatDoNotGoTogetherAreRefused(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{"-story", "-far-only"},
		{"-story", "-addr", "127.0.0.1:1"},
		{"-story", "-config", "x"},
		{"-story", "-ready-file", "x"},
		{"-far-only", "-config", "x"},
		{"-far-only", "-staff-addr", "127.0.0.1:1"},
		{"-far-only", "-fault", "lost-answer"},
		{"-config", "x", "-now", monday},
		{"-config", "x", "-fault", "lost-answer"},
		{"-credentials", "x"},
	} {
		err := run(t.Context(), append(args, "-data", t.TempDir()), noEnv, &terminal{})
		for _, arg := range args {
			if strings.HasPrefix(arg, "-") {
				require.ErrorContains(t, err, arg, "%v", args)
			}
		}
	}
}

// TestAServerAloneFindsTheFarSidesByTheFileThatTheyWrote kills and restarts it.
func TestAServerAloneFindsTheFarSidesByTheFileThatTheyWrote(t *testing.T) {
	t.Parallel()
	f := startFar(t, t.TempDir())
	data := t.TempDir()
	for range 2 {
		s := startServer(t, "-config", filepath.Join(f.files, configName), "-data", data)
		require.NotContains(t, s.Addresses, "sim", "a phone is where the far sides are")
		require.Equal(t, "http://127.0.0.1:8080/m/", s.Addresses["patient"], "where -far-only says that patients come")
		milestones(t, s.screen.String(), "示范中医医院", "业务时间  2026-11-23", "14 天排班")
		status, _ := s.get(s.Addresses["health"])
		require.Equal(t, http.StatusNoContent, status)
		s.stop()
	}
	db, err := openDB(t.Context(), settings{data: data, db: filepath.Join(data, "hospital.db")})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	store, err := bookingsql.New(t.Context(), db)
	require.NoError(t, err)
	versions, err := store.PolicyVersions(t.Context())
	require.NoError(t, err)
	require.Len(t, versions, 1, "both starts published one version: %v", versions)
}
