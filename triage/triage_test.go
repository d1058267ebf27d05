package triage_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/triage"
)

func ids(a *triage.Advice) []string {
	var out []string
	for _, c := range a.Departments {
		out = append(out, c.Department.ID)
	}
	return out
}

func advise(t *testing.T, set *triage.Set, c triage.Complaint) *triage.Advice {
	t.Helper()
	a, err := set.Advise(c)
	require.NoError(t, err)
	return a
}

func TestShippedKnowledgeIsClean(t *testing.T) {
	t.Parallel()
	set := load(t)
	require.Empty(t, set.Lint())
	require.Len(t, set.Departments(), 41)
	require.Len(t, set.Regions(triage.FrontView), 13)
	require.Len(t, set.Regions(triage.BackView), 12)
}

func TestADenialNamesTheOrganAndRaisesNothing(t *testing.T) {
	t.Parallel()
	set := load(t)
	for text, want := range map[string]triage.Level{
		"老人没有呼吸":           triage.Call120, // the phrase carries its own 没有
		"没有呼吸困难，就是有点咳":     triage.NoEmergency,
		"叫不醒":              triage.Call120,
		"没有昏迷，没有抽搐":        triage.NoEmergency,
		"没有发烧、昏迷和抽搐":       triage.NoEmergency,
		"不小心被狗咬了，出血":       triage.EmergencyDepartment,
		"没戴头盔被车撞了，昏迷不醒":    triage.Call120,
		"没喝过酒的人昏迷不醒了":      triage.Call120, // a bare 没 reaches the next word only
		"没有胸痛，但是突然叫不醒了":    triage.Call120,
		"吃了没炒熟的四季豆，一直呕吐":   triage.EmergencyDepartment,
		"如果昏迷叫不醒怎么办":       triage.NoEmergency,
		"胸口压榨样疼，大汗，急诊挂什么科": triage.Call120, // asking the way is no excuse
	} {
		a := advise(t, set, triage.Complaint{Text: text})
		require.Equal(t, want, a.Level(), text)
	}
	a := advise(t, set, triage.Complaint{Text: "没有胸闷"})
	i := slices.IndexFunc(a.Understood, func(f triage.Finding) bool { return f.Phrase == "胸闷" })
	require.GreaterOrEqual(t, i, 0)
	require.True(t, a.Understood[i].Denied)
}

func TestHistoryAndHypothesesLowerAnAlarmToAQuestion(t *testing.T) {
	t.Parallel()
	set := load(t)
	for _, text := range []string{"去年昏迷叫不醒过一次", "要是老人叫不醒该怎么办", "如果被毒蛇咬了怎么处理"} {
		a := advise(t, set, triage.Complaint{Text: text})
		require.Equal(t, triage.NoEmergency, a.Level(), text)
		require.NotEmpty(t, a.Checks, "%s: never silently nothing", text)
		require.NotEmpty(t, a.Checks[0].Ask, text)
		require.Equal(t, triage.Call120, a.Checks[0].IfYes.Level, text)
	}
}

// TestNoNoticeNamesADisease: a patient reads signs. What staff call them, 疑似…,
// would be a diagnosis made by a machine.
func TestNoNoticeNamesADisease(t *testing.T) {
	t.Parallel()
	var file struct {
		Flags []struct{ ID, Notice, Advice, Ask string }
	}
	data, err := fs.ReadFile(triage.Shipped(), "redflags.json")
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(data, &file))
	require.NotEmpty(t, file.Flags)
	disease := regexp.MustCompile(`疑似|诊断|排除|梗死|心梗|卒中|中风|脑梗|休克|衰竭|综合征|夹层|栓塞|癌|瘤|炎|疝|套叠|梗阻|子痫|早剥|宫外孕|青光眼|脱离|扭转|脱水|中毒|热射病|酮症|高渗|低血糖|脓毒|急症|危象|缺血|癫痫|惊厥|紫癜|病`)
	for _, f := range file.Flags {
		require.NotEmpty(t, f.Notice, f.ID)
		require.Less(t, utf8.RuneCountInString(f.Notice), 50, f.ID)
		require.NotRegexp(t, disease, f.Notice, f.ID)
		require.NotRegexp(t, `疑似|诊断|排除`, f.Advice+f.Ask, f.ID)
	}
	heart := advise(t, load(t), triage.Complaint{Text: "胸口压榨样疼，大汗"}).Emergencies[0]
	require.Equal(t, "疑似心肌梗死", heart.Name, "for staff")
	require.Contains(t, heart.Notice, "出冷汗")
}

func TestASuicideRiskIsGentleAndCarriesTheHotline(t *testing.T) {
	t.Parallel()
	a := advise(t, load(t), triage.Complaint{Text: "我不想活了，挂号多少钱"})
	require.Equal(t, triage.Call120, a.Level())
	require.Equal(t, "12356", a.Emergencies[0].Hotline)
	require.True(t, a.Emergencies[0].Gentle)
}

func TestAnInfantsFeverDependsOnTheAge(t *testing.T) {
	t.Parallel()
	set := load(t)
	for _, c := range []struct {
		text string
		age  triage.Age
		want triage.Level
	}{
		{"宝宝发烧38.2", triage.AgeMonths(2), triage.EmergencyDepartment},
		{"宝宝发烧38.2，精神好", triage.AgeYears(3), triage.NoEmergency},
		{"两个月宝宝发烧38.2", triage.Age{}, triage.EmergencyDepartment},
		{"宝宝发烧", triage.Age{}, triage.NoEmergency}, // the age is unknown: it is asked, not guessed
		{"高烧39度5", triage.AgeMonths(5), triage.EmergencyDepartment},
	} {
		require.Equal(t, c.want, advise(t, set, triage.Complaint{Text: c.text, Age: c.age}).Level(), "%s %d", c.text, c.age.Months())
	}
}

func TestAChildOfUnknownAgeCountsAsSmall(t *testing.T) {
	t.Parallel()
	set := load(t)
	require.Equal(t, triage.EmergencyDepartment, advise(t, set, triage.Complaint{Text: "宝宝吐绿水"}).Level())
	require.Equal(t, triage.NoEmergency, advise(t, set, triage.Complaint{Text: "吐绿水"}).Level())
}

func TestTickedSymptomsAlsoRaiseAlarms(t *testing.T) {
	t.Parallel()
	a := advise(t, load(t), triage.Complaint{Parts: []string{"EYE"}, Symptoms: []string{"突然失明"}, Sex: triage.Male, Age: triage.AgeYears(60)})
	require.Equal(t, triage.EmergencyDepartment, a.Level())
	require.Equal(t, "OPHT", a.Departments[0].Standard)
}

func TestTheSameComplaintHasTheSameAnswer(t *testing.T) {
	t.Parallel()
	c := triage.Complaint{Text: "咳嗽一周，有痰，晚上喘，胸口疼，膝盖也疼", Sex: triage.Female, Age: triage.AgeYears(40)}
	want := advise(t, load(t), c)
	for range 5 { // freshly loaded: no order of a map may show
		require.Equal(t, want, advise(t, load(t), c))
	}
}

func TestThePickedFigureDecidesBetweenChildAndAdult(t *testing.T) {
	t.Parallel()
	set := load(t)
	require.Equal(t, "RESP", advise(t, set, triage.Complaint{Text: "咳嗽有痰", Adult: true}).Departments[0].Standard)
	require.Equal(t, "PEDI", advise(t, set, triage.Complaint{Text: "咳嗽有痰", Child: true}).Departments[0].Standard)
	require.Equal(t, "PEDI", advise(t, set, triage.Complaint{Text: "宝宝咳嗽有痰"}).Departments[0].Standard)
	require.NotEmpty(t, advise(t, set, triage.Complaint{Text: "咳嗽", Adult: true, Age: triage.AgeYears(3)}).Notes)
	require.NotEmpty(t, advise(t, set, triage.Complaint{Text: "我怀孕三个月了", Sex: triage.Male}).Notes, "a contradiction is shown")
}

func TestReasonsLeadFromThePhraseToTheWeight(t *testing.T) {
	t.Parallel()
	a := advise(t, load(t), triage.Complaint{Text: "膝盖疼，上下楼明显", Sex: triage.Female, Age: triage.AgeYears(50)})
	require.Equal(t, "ORTH", a.Departments[0].Standard)
	require.True(t, a.Sure)
	r := a.Departments[0].Reasons[0]
	require.NotEmpty(t, r.Phrase)
	require.NotEmpty(t, r.Symptom)
	require.NotEmpty(t, r.Rule)
	require.Positive(t, r.Points)
	for _, choice := range a.Departments {
		for _, r := range choice.Reasons {
			require.NotRegexp(t, "^[a-z]", r.Symptom, "a patient reads the reasons")
		}
	}
}

func TestWhatIsNotUnderstoodIsSaidPlainly(t *testing.T) {
	t.Parallel()
	set := load(t)
	for _, text := range []string{"", "哈哈哈", "？？？", "qwerty"} {
		a := advise(t, set, triage.Complaint{Text: text})
		require.True(t, a.Nothing, text)
		require.False(t, a.Sure, text)
		require.Nil(t, a.Question, text)
	}
}

func TestAFollowUpQuestionMovesTheAnswer(t *testing.T) {
	t.Parallel()
	set := load(t)
	asked := 0
	for _, text := range []string{"头晕", "失眠", "关节疼", "胸闷", "便血", "腰疼", "包块", "发烧", "乏力", "没来月经"} {
		c := triage.Complaint{Text: text, Age: triage.AgeYears(40)}
		a := advise(t, set, c)
		if a.Question == nil {
			continue
		}
		asked++
		tops := map[string]bool{}
		for option := range a.Question.Options {
			c.Answers = []triage.Answer{{Question: a.Question.ID, Option: option}}
			after := advise(t, set, c)
			tops[fmt.Sprint(after.Departments[0].Standard, after.Departments[0].Share)] = true
			require.True(t, after.Question == nil || after.Question.ID != a.Question.ID, "a question is asked once")
		}
		require.Greater(t, len(tops), 1, "%s: %s splits nothing", text, a.Question.ID)
	}
	require.GreaterOrEqual(t, asked, 2)
}

func TestAComplaintIsBounded(t *testing.T) {
	t.Parallel()
	set := load(t)
	for name, c := range map[string]triage.Complaint{
		"text":     {Text: strings.Repeat("疼", 6000)},
		"parts":    {Parts: []string{"NOWHERE"}},
		"symptoms": {Symptoms: []string{strings.Repeat("疼", 100)}},
		"child":    {Child: true, Adult: true},
		"severity": {Severity: 9},
		"answers":  {Answers: []triage.Answer{{Question: "nobody", Option: 1}}},
	} {
		_, err := set.Advise(c)
		require.Equal(t, hospital.Invalid, hospital.KindOf(err), name)
		require.Contains(t, hospital.CodeOf(err), name)
		require.NotContains(t, err.Error(), "疼", "no word of the patient stands in an error")
	}
}

// overlay is a hospital's own files.
func overlay(files map[string]string) fs.FS {
	out := fstest.MapFS{}
	for name, text := range files {
		out[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return out
}

func TestAHousesDepartmentsAndRulesComeFirst(t *testing.T) {
	t.Parallel()
	set, err := triage.Load(overlay(map[string]string{
		"set.json": `{"kind":"set","version":"house-1"}`,
		"hospital.json": `{"kind":"hospital","child_years":18,"departments":[
			{"id":"RESP","local":"0301","name":"肺病科","campus":"north"},
			{"id":"BREA","absent":true},{"id":"GSUR","absent":true,"instead":"GIM"}]}`,
		"symptoms.json": `{"kind":"symptoms","symptoms":[{"name":"冲任失调","weights":{"TCM":60}}]}`,
		"rules.json": `{"kind":"rules","rules":[{"id":"house-knee","priority":500,"why":"膝痛先看中医骨伤",
			"when":{"symptoms_any":["膝盖疼"],"min_age_months":720},"first":"TCM"}]}`,
	}))
	require.NoError(t, err)
	require.Empty(t, set.Lint())
	require.Equal(t, "2026.11.3+house-1", set.Version())

	cough := advise(t, set, triage.Complaint{Text: "咳嗽咳痰半个月", Age: triage.AgeYears(50)})
	require.Equal(t, "肺病科", cough.Departments[0].Department.Name)
	require.Equal(t, "0301", cough.Departments[0].Department.Local)
	require.Equal(t, "north", cough.Departments[0].Department.Campus)

	breast := advise(t, set, triage.Complaint{Text: "乳房有硬块", Sex: triage.Female, Age: triage.AgeYears(40)})
	require.Equal(t, "BREA", breast.Departments[0].Standard)
	require.Equal(t, "GIM", breast.Departments[0].Department.ID, "over the absent general surgery")
	require.NotContains(t, ids(breast), "BREA")

	require.Equal(t, "TCM", advise(t, set, triage.Complaint{Text: "膝盖疼", Age: triage.AgeYears(65)}).Departments[0].Standard)
	require.Equal(t, "ORTH", advise(t, set, triage.Complaint{Text: "膝盖疼", Age: triage.AgeYears(30)}).Departments[0].Standard)
	require.Equal(t, "TCM", advise(t, set, triage.Complaint{Text: "冲任失调"}).Departments[0].Standard)
	require.Equal(t, "PEDI", advise(t, set, triage.Complaint{Text: "咳嗽发烧", Age: triage.AgeYears(16)}).Departments[0].Standard)
}

// TestAFaultyFileIsRefusedWithItsLine plants one fault each.
func TestAFaultyFileIsRefusedWithItsLine(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ file, text, want string }{
		"a comma is missing":          {"rules.json", "{\"kind\":\"rules\",\n\"rules\":[{\"id\":\"a\" \"x\":1}]}", "overlay/rules.json:2: want ',' or '}'"},
		"a key stands twice":          {"rules.json", "{\"kind\":\"rules\",\n\n\"kind\":\"rules\"}", "overlay/rules.json:3: key \"kind\" stands twice"},
		"text after the end":          {"set.json", "{\"kind\":\"set\",\"version\":\"1\"}\n{}", "overlay/set.json:2: text after the end"},
		"an unknown department":       {"symptoms.json", "{\"kind\":\"symptoms\",\"symptoms\":[\n{\"name\":\"新词\",\"weights\":{\"NEURO\":9}}]}", "overlay/symptoms.json:2: unknown department \"NEURO\""},
		"a weight that is a fraction": {"symptoms.json", "{\"kind\":\"symptoms\",\"symptoms\":[\n{\"name\":\"新词\",\"weights\":{\"NEUR\":9.5}}]}", "overlay/symptoms.json:2: 9.5 is not a whole number"},
		"a weight beyond the bound":   {"symptoms.json", "{\"kind\":\"symptoms\",\"symptoms\":[\n{\"name\":\"新词\",\"weights\":{\"NEUR\":900}}]}", "overlay/symptoms.json:2: 900 is not within"},
		"a saying with two meanings":  {"symptoms.json", "{\"kind\":\"symptoms\",\"symptoms\":[\n{\"name\":\"新词\",\"say\":[\"膝盖疼\"]}]}", "\"膝盖疼\" already says"},
		"an unknown field":            {"rules.json", "{\"kind\":\"rules\",\"rules\":[\n{\"id\":\"a\",\"why\":\"x\",\"add\":{\"GI\":1},\n\"when\":{\"symptom_any\":[\"咳嗽\"]}}]}", "overlay/rules.json:3: unknown field \"symptom_any\""},
		"an unknown symptom":          {"rules.json", "{\"kind\":\"rules\",\"rules\":[\n{\"id\":\"a\",\"why\":\"x\",\"add\":{\"GI\":1},\n\"when\":{\"symptoms_any\":[\"无此症状\"]}}]}", "overlay/rules.json:3: unknown symptom"},
		"an unknown part":             {"figure.json", "{\"kind\":\"figure\",\"chips\":[\n{\"key\":\"x\",\"label\":\"x\",\"parts\":[\"ELBOW\"]}]}", "overlay/figure.json:2: unknown part \"ELBOW\""},
		"a flag without a source":     {"redflags.json", "{\"kind\":\"redflags\",\"flags\":[\n{\"id\":\"X1\",\"name\":\"x\",\"level\":\"call_120\",\"advice\":\"x\",\"action\":\"x\",\"ask\":\"x\",\"sources\":[],\"when\":[{\"all\":[[\"某词\"]]}]}]}", "overlay/redflags.json:2: red flag X1 has no source"},
		"a flag without advice":       {"redflags.json", "{\"kind\":\"redflags\",\"flags\":[\n{\"id\":\"X1\",\"name\":\"x\",\"level\":\"call_120\",\"action\":\"x\",\"ask\":\"x\",\"sources\":[\"y\"],\"when\":[{\"all\":[[\"某词\"]]}]}]}", "overlay/redflags.json:2: field \"advice\" is missing"},
		"a removal of nothing":        {"rules.json", "{\"kind\":\"rules\",\"rules\":[\n{\"id\":\"nobody\",\"remove\":true}]}", "overlay/rules.json:2: \"nobody\" cannot be removed"},
		"a file of another name":      {"symptom.json", "{}", "overlay/symptom.json: is no knowledge file"},
		"a wrong kind":                {"rules.json", "{\"kind\":\"rule\",\"rules\":[]}", "overlay/rules.json:1: kind is \"rule\""},
		"no department left":          {"hospital.json", "{\"kind\":\"hospital\",\"complete\":true}", "no department is left"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := triage.Load(overlay(map[string]string{c.file: c.text}))
			require.ErrorIs(t, err, triage.ErrKnowledge)
			problems, ok := errors.AsType[triage.Problems](err)
			require.True(t, ok)
			require.Contains(t, problems.Error(), c.want)
		})
	}
}

func TestARefusedSetLeavesTheOldOneActive(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	desk, err := triage.New(triage.Config{Logger: slog.New(slog.NewJSONHandler(&log, nil))})
	require.NoError(t, err)
	first := desk.Set()
	_, err = desk.Rollback()
	require.ErrorIs(t, err, triage.ErrNoEarlierSet)

	_, err = desk.Publish(overlay(map[string]string{"rules.json": "{"}))
	require.ErrorIs(t, err, triage.ErrKnowledge)
	require.Same(t, first, desk.Set())

	second, err := desk.Publish(overlay(map[string]string{"set.json": `{"kind":"set","version":"v2"}`}))
	require.NoError(t, err)
	require.Same(t, second, desk.Set())
	require.NotEqual(t, first.Hash(), second.Hash())
	back, err := desk.Rollback()
	require.NoError(t, err)
	require.Same(t, first, back)

	_, err = desk.Advise(t.Context(), triage.Complaint{Text: "我叫张三，老婆昏迷叫不醒"})
	require.NoError(t, err)
	require.Contains(t, log.String(), "RF02")
	require.NotContains(t, log.String(), "张三")
	require.NotContains(t, log.String(), "昏迷")
}

func TestADeskIsSharedWhileSetsChange(t *testing.T) {
	t.Parallel()
	desk, err := triage.New(triage.Config{})
	require.NoError(t, err)
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			for range 50 {
				_, err := desk.Advise(t.Context(), triage.Complaint{Text: "膝盖疼"})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	other := load(t)
	for range 30 {
		desk.Activate(other)
	}
	wait.Wait()
	for range 10 {
		_, err = desk.Rollback()
		require.NoError(t, err)
	}
	_, err = desk.Rollback()
	require.ErrorIs(t, err, triage.ErrNoEarlierSet, "eleven sets are kept and no more")
}

func TestLintNamesWhatDeservesALook(t *testing.T) {
	t.Parallel()
	rule := func(id, priority, when, first string) string {
		return fmt.Sprintf(`{"id":%q,"priority":%s,"why":"x","when":%s,"first":%q}`, id, priority, when, first)
	}
	rules := func(list ...string) map[string]string {
		return map[string]string{"rules.json": `{"kind":"rules","rules":[` + strings.Join(list, ",") + `]}`}
	}
	flagged := func(notice string) map[string]string {
		return map[string]string{"redflags.json": `{"kind":"redflags","flags":[{"id":"a","name":"疑似心肌梗死",` + notice +
			`"level":"call_120","when":[{"all":[["心口像压着石头"]]}],"advice":"x","action":"x","sources":["x"],"ask":"x"}]}`}
	}
	for name, c := range map[string]struct {
		files map[string]string
		want  string
	}{
		"a flag without notice":  {flagged(""), "red flag a has no notice"},
		"a notice with a name":   {flagged(`"notice":"心肌梗死的样子",`), "red flag a: the notice names a disease"},
		"a notice that suspects": {flagged(`"notice":"疑似中风",`), "red flag a: the notice names a disease"},
		"a pregnant man":         {rules(rule("a", "500", `{"sex":"M","traits":["pregnant"]}`, "GI")), "rule a can never fire: the sexes"},
		"ages the wrong way":     {rules(rule("a", "500", `{"min_age_months":90,"max_age_months":10}`, "GI")), "rule a can never fire: a lower bound"},
		"a conflict":             {rules(rule("a", "500", `{"symptoms_any":["膝盖疼"]}`, "GI"), rule("b", "500", `{"symptoms_any":["膝盖疼"]}`, "ENT")), "put different departments first at one priority"},
		"a rule never reached":   {rules(rule("a", "501", `{"symptoms_any":["膝盖疼"]}`, "GI"), rule("b", "500", `{"symptoms_any":["膝盖疼"],"sex":"F"}`, "ENT")), "rule b is never reached"},
		"a symptom to nowhere":   {map[string]string{"symptoms.json": `{"kind":"symptoms","symptoms":[{"name":"某某"}]}`}, "symptom 某某 has no department"},
		"a part for nobody":      {map[string]string{"bodymap.json": `{"kind":"bodymap","parts":[{"id":"KNEE","name":"膝部","side":"both","symptoms":[{"name":"膝痛","age":"child","departments":{"ORTH":9}}]}]}`}, "part KNEE has no symptom for sex M, child false"},
		"a part nobody can pick": {map[string]string{"bodymap.json": `{"kind":"bodymap","parts":[{"id":"NEW","name":"新","side":"both","symptoms":[{"name":"新痛","departments":{"ORTH":9}}]}]}`}, "part NEW is on no region and no chip"},
		"a department alone":     {map[string]string{"departments.json": `{"kind":"departments","departments":[{"id":"NEW","name":"新科"}]}`}, "department NEW is never reached"},
		"a question for nothing": {map[string]string{"questions.json": `{"kind":"questions","questions":[{"id":"q","ask":"?","between":["GI","ENT"],"options":[{"say":"a"},{"say":"b"}]}]}`}, "question q: no option moves"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			set, err := triage.Load(overlay(c.files))
			require.NoError(t, err)
			require.Contains(t, set.Lint().Error(), c.want)
		})
	}
}

func TestEveryRegionLeadsToADepartment(t *testing.T) {
	t.Parallel()
	set := load(t)
	shown := map[string]bool{}
	for _, who := range []struct {
		sex   triage.Sex
		child bool
	}{{triage.Male, false}, {triage.Female, false}, {triage.Male, true}, {triage.Female, true}} {
		for _, view := range []triage.View{triage.FrontView, triage.BackView} {
			for _, region := range set.Regions(view) {
				parts := set.In(region.Parts, who.sex, who.child)
				require.NotEmpty(t, parts, "%s/%s", view, region.Key)
				for _, part := range parts {
					shown[part.ID] = true
					a := advise(t, set, triage.Complaint{Sex: who.sex, Child: who.child, Parts: []string{part.ID}, Symptoms: []string{part.Symptoms[0].Name}})
					require.False(t, a.Nothing, "%s %s", part.ID, part.Symptoms[0].Name)
					require.NotEmpty(t, a.Departments)
				}
			}
		}
		for _, chip := range set.Chips(who.sex, who.child) {
			for _, id := range chip.Parts {
				shown[id] = true
			}
		}
	}
	require.Len(t, shown, 33)
}

func TestCoverCountsWhatFired(t *testing.T) {
	t.Parallel()
	uses, err := load(t).Cover([]triage.Complaint{{Text: "昏迷叫不醒"}, {Text: "膝盖疼"}})
	require.NoError(t, err)
	require.Contains(t, uses, triage.Use{Kind: "flag", Name: "RF02", Times: 1})
	require.Contains(t, uses, triage.Use{Kind: "flag", Name: "RF61", Times: 0})
	require.Contains(t, uses, triage.Use{Kind: "symptom", Name: "膝盖疼", Times: 1})
}

// TestSchemasKnowTheFilesFields keeps schema and reader in step.
func TestSchemasKnowTheFilesFields(t *testing.T) {
	t.Parallel()
	files, err := fs.Glob(triage.Schemas(), "*.schema.json")
	require.NoError(t, err)
	require.Len(t, files, 12)
	for _, name := range files {
		data, err := fs.ReadFile(triage.Schemas(), name)
		require.NoError(t, err)
		var schema struct {
			Schema     string         `json:"$schema"`
			Properties map[string]any `json:"properties"`
		}
		require.NoError(t, json.Unmarshal(data, &schema), name)
		require.NotEmpty(t, schema.Schema, name)
		kind := strings.TrimSuffix(name, ".schema.json")
		if kind == "hospital" {
			continue
		}
		file, err := fs.ReadFile(triage.Shipped(), kind+".json")
		require.NoError(t, err)
		var top map[string]any
		require.NoError(t, json.Unmarshal(file, &top))
		for key := range top {
			require.Contains(t, schema.Properties, key, name)
		}
	}
}

// TestAHouseIsFoundByNamesAndAliases: the HIS's departments take the places of
// the standard ones, hospital.json has the last word, and nobody is sent to a
// department that is not there.
func TestAHouseIsFoundByNamesAndAliases(t *testing.T) {
	t.Parallel()
	house := []hospital.Department{
		{ID: "D1", Name: "骨伤科"},
		{ID: "D2", Name: "皮肤科", Campus: "C2"},
		{ID: "D3", Name: "脑病科"},
		{ID: "D4", Name: "膏方门诊"},
		{ID: "D5", Name: "针灸科"},
		{ID: "D6", Name: "推拿科"},
	}
	set, err := triage.Overlay{House: house, Files: overlay(map[string]string{
		"hospital.json": `{"kind":"hospital","departments":[{"id":"TCM","local":"D4","name":"膏方门诊"},{"id":"PSYC","instead":"TCM"},{"id":"GI","local":"D9"}]}`,
	})}.Load()
	require.NoError(t, err)
	local := map[string]string{}
	for _, d := range set.Departments() {
		local[d.ID] = d.Local
	}
	require.Equal(t, "D1", local["ORTH"])
	require.Equal(t, "D2", local["DERM"])
	require.Equal(t, "D5", local["ACUP"], "the first of two")
	for text, want := range map[string]string{"膝盖疼": "D1", "湿疹": "D2", "失眠焦虑": "D4", "烫伤留疤": "D2"} {
		require.Equal(t, want, advise(t, set, triage.Complaint{Text: text}).Departments[0].Department.Local, text)
	}
	for _, text := range []string{"反酸", "耳鸣", "牙疼"} {
		a := advise(t, set, triage.Complaint{Text: text})
		for _, c := range a.Departments {
			require.True(t, c.Absent || slices.ContainsFunc(house, func(d hospital.Department) bool { return string(d.ID) == c.Department.Local }), "%s: %v", text, c)
		}
	}
	require.True(t, advise(t, set, triage.Complaint{Text: "牙疼"}).Departments[0].Absent, "a toothache is nobody's here")
	require.True(t, advise(t, set, triage.Complaint{Text: "反酸"}).Departments[0].Absent, "D9 is not in the HIS")
}

// TestAFaultOfABundleNamesItsLine in the one document that was sent.
func TestAFaultOfABundleNamesItsLine(t *testing.T) {
	t.Parallel()
	for bundle, want := range map[string]string{
		"{\n\"set\": 1,\n}": "overlay:3: want a key",
		"[]":                "overlay:1: want an object, got an array",
		"{\"sets\": {}}":    "overlay:1: \"sets\" is no kind",
		"{\"set\":\n{\"kind\": \"set\", \"version\": 1}}":  "overlay/set.json:2: want a string",
		"{\"rules\":{\"kind\":\"rules\",\n\"rules\": {}}}": "overlay/rules.json:2: want an array",
	} {
		_, err := triage.Overlay{Bundle: []byte(bundle)}.Load()
		require.ErrorIs(t, err, triage.ErrKnowledge, bundle)
		var problems triage.Problems
		require.ErrorAs(t, err, &problems)
		require.Contains(t, problems.Error(), want)
	}
}

// TestSymptomsKeepTheirIDsFromSetToSet.
func TestSymptomsKeepTheirIDsFromSetToSet(t *testing.T) {
	t.Parallel()
	old := load(t)
	set, err := triage.Load(overlay(map[string]string{"bodymap.json": `{"kind":"bodymap","parts":[
		{"id":"KNEE","name":"膝部","side":"both","symptoms":[{"name":"膝盖发凉","departments":{"TCM":8}},{"name":"膝痛","departments":{"TCM":9}}]}]}`}))
	require.NoError(t, err)
	part, _ := old.Part("KNEE")
	_, x, ok := set.Ticked(part.Symptoms[0].ID)
	require.True(t, ok, "though it stands elsewhere now")
	require.Equal(t, "膝痛", x.Name)
	_, _, ok = set.Ticked(part.Symptoms[1].ID)
	require.False(t, ok)
	for _, id := range []string{"", "KNEE", "KNEE-", "NONE-1", "-"} {
		_, _, ok := set.Ticked(id)
		require.False(t, ok, id)
	}
}

func TestASpaceIsAComma(t *testing.T) {
	t.Parallel()
	set := load(t)
	for text, want := range map[string]triage.Level{
		"去年被蛇咬过 现在疤有点痒":       triage.NoEmergency, // 现在 belongs to the scar
		"没吐血也没黑便 就是反酸":        triage.NoEmergency,
		"胸 口 剧 痛 出 冷 汗 半 小 时": triage.Call120, // every character apart is no comma
		"胸口剧痛 出冷汗 半小时":        triage.Call120,
	} {
		advice, err := set.Advise(triage.Complaint{Text: text})
		require.NoError(t, err)
		require.Equal(t, want, advice.Level(), text)
	}
}

func TestSlipsOfTheInputMethodRaiseTheSameAlarm(t *testing.T) {
	t.Parallel()
	set := load(t)
	for _, text := range []string{"我爸胸囗疼 一身汗", "人混迷了 叫不醒", "孩子抽疯 口吐白沫", "喘的说不出话", "呼息困难 嘴唇发紫", "被马蜂蛰了 全身肿 喘不上气"} {
		advice, err := set.Advise(triage.Complaint{Text: text})
		require.NoError(t, err)
		require.Equal(t, triage.Call120, advice.Level(), text)
	}
}

// TestAWrongCaseNamesItsLine: whoever mends a file of cases is shown where.
func TestAWrongCaseNamesItsLine(t *testing.T) {
	t.Parallel()
	set := load(t)
	for text, want := range map[string]string{
		"{\"id\":\"1\",\"gold\":[\"GI\"]}\n\n{\"id\":\"2\",\"text\":\"疼\",\"parts\":[\"TAIL\"],\"gold\":[\"GI\"]}": "cases:3: case 2: complaint_parts",
		"\n{\"id\":\"1\",\"text\":\"疼\",\"gold\":[\"ORTO\"]}":                                                      "cases:2: case 1: unknown department \"ORTO\"",
		"{\"id\":\"1\",\"text\":\"疼\",\"gold\":[\"GI\"]}\n{\"id\":\"1\",\"text\":\"痛\",\"gold\":[\"GI\"]}":         "cases:2: the id stands in line 1 already",
		"{\"id\":\"1\",\"gold\":[\"GI\"],\"gold\":3}":                                                              "cases:1: ",
		"{\"id\":\"1\",\"text\":\"" + strings.Repeat("疼", 60_000) + "\",\"gold\":[\"GI\"]}":                        "cases:1: case 1: complaint_text",
	} {
		cases, err := triage.ReadCases([]byte(text))
		if err == nil {
			if cases[0].Text == "" {
				cases = cases[1:]
			}
			_, err = set.Score(cases)
		}
		require.Equal(t, hospital.Invalid, hospital.KindOf(err), want)
		var problems triage.Problems
		require.ErrorAs(t, err, &problems, want)
		require.Contains(t, problems.Error(), want)
	}
}

// TestNothingSilencesWhatIsHappening: words that tell of somebody's death or ask
// a question stand beside an emergency as well.
func TestNothingSilencesWhatIsHappening(t *testing.T) {
	t.Parallel()
	set := load(t)
	for _, text := range []string{"外公自杀 刚喝了药", "爷爷自杀了 还有气", "同事猝死了怎么办 刚倒下", "孩子溺水死了 没气了", "蛇咬了是不是要绑起来 腿肿了"} {
		advice, err := set.Advise(triage.Complaint{Text: text})
		require.NoError(t, err)
		require.Equal(t, triage.Call120, advice.Level(), text)
	}
}
