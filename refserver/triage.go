package refserver

import (
	"context"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/refserver/internal/guide"
	"github.com/wxhospital/hospital/refserver/internal/page"
	"github.com/wxhospital/hospital/triage"
)

// The bounds of one complaint from a page.
const (
	maxTicked    = 20  // symptoms
	maxWords     = 500 // characters of the box
	maxAnswers   = 4   // follow-up questions
	maxHits      = 12  // of the search
	shownFirst   = 12  // symptoms of a part before 其他
	shownClinics = 3   // of a department
	leastShare   = 5   // percent: below it a second department is noise
	mostShare    = 99  // percent: an advice is never certain
	maxAdvised   = 3   // departments
	maxWhy       = 4   // reasons for one
	maxSigns     = 3   // red flags told of on one page
	maxSaid      = 5   // of the phrases that raised them
	leastSaid    = 2   // characters of such a phrase: 头 alone says nothing
)

func (s *Server) openTriage(ctx context.Context) error {
	if s.config.Triage == nil {
		return nil
	}
	var err error
	s.guide, err = guide.New(ctx, guide.Config{
		DB: s.config.DB, Files: s.config.Triage.Knowledge, Now: s.config.Now, Wall: s.config.Wall, Logger: s.config.Logger,
		House: func(ctx context.Context) ([]hospital.Department, error) {
			all, _, err := s.catalog.departments(ctx)
			return all, err
		},
	})
	return err
}

func figureOf(q url.Values) page.Figure {
	f := page.Figure{Sex: page.Male, Age: page.Adult, Side: page.Front}
	if q.Get("sex") == string(page.Female) {
		f.Sex = page.Female
	}
	if q.Get("age") == string(page.Child) {
		f.Age = page.Child
	}
	if q.Get("view") == string(page.Back) {
		f.Side = page.Back
	}
	return f
}

// pick is a symptom that was ticked.
type pick struct {
	part    triage.BodyPart
	symptom triage.PartSymptom
}

// picks looks up what was ticked and lets go of what this figure does not have.
// stale: an id is unknown to the knowledge, which has changed since the page was
// made.
func picks(set *triage.Set, f page.Figure, ids []string) (all []pick, stale bool) {
	sex, child := f.Person()
	for _, id := range ids[:min(len(ids), maxTicked)] {
		part, x, ok := set.Ticked(id)
		if !ok {
			return nil, true
		}
		offered := set.In([]string{part.ID}, sex, child)
		has := len(offered) > 0 && slices.ContainsFunc(offered[0].Symptoms, func(s triage.PartSymptom) bool { return s.ID == id })
		if has && !slices.ContainsFunc(all, func(p pick) bool { return p.symptom.ID == id }) {
			all = append(all, pick{part, x})
		}
	}
	return all, false
}

// guided begins every page of triage: with the knowledge, the figure and what
// was ticked so far. done: the answer has been given.
func (v *visit) guided(q url.Values) (know guide.Knowledge, f page.Figure, picked []pick, done bool, err error) {
	if v.s.guide == nil {
		return know, f, nil, true, v.redirect(v.s.links.Departments())
	}
	know, f = v.s.guide.Knowledge(v.r.Context()), figureOf(q)
	picked, stale := picks(know.Set, f, q["s"])
	if stale {
		v.flash(page.ToneWarn, "症状列表刚刚更新，请重新选择。")
		return know, f, nil, true, v.redirect(v.s.links.Body(f))
	}
	for _, p := range picked {
		f.Picked = append(f.Picked, p.symptom.ID)
	}
	return know, f, picked, false, nil
}

// triage is the body map, and below it what was searched.
func (v *visit) triage() error {
	q := v.r.URL.Query()
	know, f, picked, done, err := v.guided(q)
	if done {
		return err
	}
	view := page.EntryOf(know.Set, f)
	view.Nonce = v.nonce()
	for _, p := range picked {
		view.Picked = append(view.Picked, p.symptom.Name)
	}
	if typed, ok := v.left("found"); ok && q.Get("found") == "1" {
		view.Query, view.Hits = string(typed), search(know.Set, f, string(typed))
	}
	return v.render(view)
}

// triageSearch takes what is searched, and leads to where it is found: the words
// stay out of the address.
func (v *visit) triageSearch() error {
	_, f, _, done, err := v.guided(v.form())
	if done {
		return err
	}
	typed := written(v.form().Get("q"))
	if typed == "" || len(typed) > maxQuery || !v.leave("found", []byte(typed)) {
		return v.redirect(v.s.links.Body(f) + "#find")
	}
	return v.redirect(v.s.links.Body(f) + "&found=1#find")
}

// search finds symptoms by characters, pinyin, its initials, or a saying of the
// lexicon.
func search(set *triage.Set, f page.Figure, typed string) (hits []page.TriageHit) {
	if strings.TrimSpace(typed) == "" {
		return nil
	}
	called, known := set.Called(typed)
	sex, child := f.Person()
	seen := map[string]bool{}
	try := func(region string, side page.Side, parts []string) {
		for _, part := range set.In(parts, sex, child) {
			for _, x := range part.Symptoms {
				name, ok := set.Called(x.Name)
				same := known && ok && name == called
				if len(hits) == maxHits || seen[x.ID] || !same && !matches(x.Name, typed) {
					continue
				}
				seen[x.ID] = true
				to := f
				to.Side, to.Picked = side, append(slices.Clone(f.Picked), x.ID)
				hits = append(hits, page.TriageHit{Name: x.Name, Where: part.Name, Region: region, Figure: to})
			}
		}
	}
	for _, r := range set.Regions(triage.FrontView) {
		try(r.Key, page.Front, r.Parts)
	}
	for _, c := range set.Chips(sex, child) {
		try(c.Key, page.Front, c.Parts)
	}
	for _, r := range set.Regions(triage.BackView) {
		try(r.Key, page.Back, r.Parts)
	}
	return hits
}

// regionOf is a shape of the shown side or a chip of the figure.
func regionOf(set *triage.Set, f page.Figure, key string) (label string, parts []string, ok bool) {
	if r, ok := set.Region(f.View(), key); ok {
		return r.Label, r.Parts, true
	}
	sex, child := f.Person()
	chips := set.Chips(sex, child)
	if i := slices.IndexFunc(chips, func(c triage.Chip) bool { return c.Key == key }); i >= 0 {
		return chips[i].Label, chips[i].Parts, true
	}
	return "", nil, false
}

func (v *visit) triagePart() error {
	know, f, picked, done, err := v.guided(v.r.URL.Query())
	if done {
		return err
	}
	return v.showPart(know.Set, f, picked, v.r.PathValue("part"), page.Fields{})
}

// showPart asks for the symptoms of a region; fields come back with what was
// wrong.
func (v *visit) showPart(set *triage.Set, f page.Figure, picked []pick, key string, fields page.Fields) error {
	label, ids, ok := regionOf(set, f, key)
	if !ok {
		return absent()
	}
	if len(ids) == 0 { // 体检·开药·复诊: no complaint
		return v.redirect(v.s.links.Departments())
	}
	sex, child := f.Person()
	parts := set.In(ids, sex, child)
	view := page.TriagePart{Fields: fields, Figure: f, Part: key, Label: label, Nonce: v.nonce()}
	here := map[string]bool{}
	ticked := func(id string) bool {
		return slices.ContainsFunc(picked, func(p pick) bool { return p.symptom.ID == id })
	}
	for _, part := range parts {
		group := page.SymptomGroup{Name: part.Name, Open: len(parts) <= 2}
		for i, x := range part.Symptoms {
			here[x.ID] = true
			item := page.Symptom{ID: x.ID, Name: x.Name, Checked: ticked(x.ID)}
			group.Open = group.Open || item.Checked
			if i < shownFirst || item.Checked {
				group.Symptoms = append(group.Symptoms, item)
			} else {
				group.More = append(group.More, item)
			}
		}
		view.Groups = append(view.Groups, group)
	}
	for _, p := range picked {
		if !here[p.symptom.ID] {
			view.Others = append(view.Others, page.Symptom{ID: p.symptom.ID, Name: p.symptom.Name, Checked: true})
		}
	}
	return v.render(view)
}

// triageSay takes a complaint in the patient's words, and leads to the address
// of its answer. The words travel in a sealed cookie alone. A guest's form
// carries no session's token and needs none: it changes nothing, and another
// site's form is refused by its origin.
func (v *visit) triageSay() error {
	q := v.form()
	know, f, picked, done, err := v.guided(q)
	if done {
		return err
	}
	_, fields := complaintOf(q, f, picked)
	if len(fields.Errors) == 0 {
		nonce := q.Get("n")
		if !aNonce(nonce) {
			nonce = v.nonce()
		}
		told := toldIn(q)
		ref := v.s.consultation(nonce, told)
		if v.leave("told", told.encode(ref)) {
			return v.redirect(v.s.links.TriageAnswer(ref))
		}
		fields.Errors[""], fields.Errors["text"] = tooMuch, tooMuch
	}
	view := page.EntryOf(know.Set, f)
	view.Nonce, view.Fields = v.nonce(), fields
	return v.render(view)
}

// triageResult advises on what was ticked, which stands in the address, or on
// what was written, which the browser keeps. Showing it again changes nothing:
// the consultation is recorded once, see [Server.consultation].
func (v *visit) triageResult() error {
	q, ref := v.r.URL.Query(), ""
	if q.Get("c") != "" {
		told, ok := v.told(q.Get("c"))
		if !ok {
			v.flash(page.ToneWarn, "您写的话 30 分钟后自动清除，已经不在了。请再写一次。")
			return v.redirect(v.s.links.Triage() + "#say")
		}
		ref, q = q.Get("c"), told.with(q)
	}
	know, f, picked, done, err := v.guided(q)
	if done {
		return err
	}
	c, fields := complaintOf(q, f, picked)
	part := q.Get("part")
	switch {
	case len(fields.Errors) > 0 && part != "":
		return v.showPart(know.Set, f, picked, part, fields)
	case len(fields.Errors) > 0:
		return v.redirect(v.s.links.Body(f))
	case ref == "" && !aNonce(q.Get("n")): // an address without one: it gets its own, so that it can be loaded again
		q.Set("n", v.nonce())
		return v.redirect(v.s.links.TriageResult() + "?" + q.Encode())
	case ref == "":
		ref = v.s.consultation(q.Get("n"), toldIn(q))
	}
	advice, err := know.Set.Advise(c)
	if err != nil {
		return err
	}
	note := know.Note(hospital.DateOf(v.now), c, f.Picked, advice)
	if err := v.s.guide.Record(v.r.Context(), v.s.recordID(ref), note); err != nil { // the patient's answer does not wait for our statistics
		v.s.config.Logger.WarnContext(v.r.Context(), "a consultation is not recorded", "error", err)
	}
	retold := retell(c.Text != "", ref, q)
	if len(advice.Emergencies) > 0 {
		v.s.config.Logger.WarnContext(v.r.Context(), "triage alarm", "flag", advice.Emergencies[0].ID, "level", string(advice.Level()), "set", advice.Set)
		if q.Get("seen") != "1" {
			return v.render(emergencyOf(f, advice.Emergencies, retold))
		}
	}
	view := page.TriageResult{Figure: f, Notes: advice.Notes, Unsure: !advice.Sure, Nothing: advice.Nothing, Retold: retold}
	if _, _, ok := regionOf(know.Set, f, part); ok {
		view.Part = part
	}
	for _, p := range picked {
		view.Chosen = append(view.Chosen, p.symptom.Name)
	}
	if c.Text != "" {
		view.Heard = heard(advice)
	}
	for _, x := range advice.Checks {
		view.Checks = append(view.Checks, page.TriageCheck{Flag: x.ID, Ask: x.Ask})
	}
	if x := advice.Question; x != nil && len(c.Answers) < maxAnswers {
		view.FollowUp.Ask = x.Ask
		for i, say := range x.Options {
			view.FollowUp.Options = append(view.FollowUp.Options, page.FollowOption{Value: x.ID + "." + strconv.Itoa(i), Say: say})
		}
	}
	for i, choice := range advice.Departments {
		if advice.Nothing || i == maxAdvised { // of nothing understood no department follows
			break
		}
		if i > 0 && choice.Share < leastShare && !tickedFor(choice) {
			continue
		}
		view.Advice = append(view.Advice, v.advise(choice))
	}
	return v.render(view)
}

// tickedFor reports whether something that was ticked speaks for a department:
// who ticks head and knee may need both, however sure the knee is.
func tickedFor(c triage.Choice) bool {
	return slices.ContainsFunc(c.Reasons, func(r triage.Reason) bool { return strings.HasPrefix(r.Rule, "人体图") })
}

// heard is what was understood, in the patient's words: the longest phrases,
// denied ones with 没有 before them.
func heard(a *triage.Advice) (phrases []string) {
	const most = 12
	for _, f := range a.Understood {
		inside := func(other triage.Finding) bool {
			return other.Phrase != f.Phrase && strings.Contains(other.Phrase, f.Phrase)
		}
		phrase := f.Phrase
		if f.Denied {
			phrase = "没有" + phrase
		}
		if !slices.ContainsFunc(a.Understood, inside) && !slices.Contains(phrases, phrase) && len(phrases) < most {
			phrases = append(phrases, phrase)
		}
	}
	return phrases
}

// advise shows a department with its next clinics.
func (v *visit) advise(c triage.Choice) page.Advice {
	short, _, _ := strings.Cut(c.Department.Name, "(")
	out := page.Advice{Department: c.Department.Local, Name: short, Absent: c.Absent, Emergency: c.Standard == "EMER" && c.Department.Local == ""}
	out.For, _, _ = strings.Cut(c.For, "(")
	out.Reasons = why(c.Reasons)
	if c.Share >= leastShare {
		out.Share = min(c.Share, mostShare)
	}
	id := hospital.DepartmentID(out.Department)
	department, err := v.s.catalog.department(v.r.Context(), id)
	if err != nil { // not in the HIS's list today: the window knows
		out.Department = ""
		return out
	}
	out.Location = department.Location
	policy, all, _, err := v.upcoming()
	if err != nil {
		return out
	}
	out.Next, out.Left = v.nextFree(func(s hospital.Schedule) bool { return s.Department == id })
	soonest := slices.SortedStableFunc(slices.Values(all), func(a, b hospital.Schedule) int { return b.Date.DaysUntil(a.Date) })
	for _, s := range soonest {
		if s.Department != id || v.sale(&policy, s) != page.SaleOpen || len(out.Clinics) == shownClinics {
			continue
		}
		doctor, err := v.s.catalog.doctor(v.r.Context(), id, s.Doctor)
		if err != nil {
			continue
		}
		out.Clinics = append(out.Clinics, v.scheduleRow(&policy, department.Name, doctor, s))
	}
	return out
}

// why puts the evidence in words: what was said → what it means → where the
// weight stands.
func why(reasons []triage.Reason) (lines []string) {
	for _, r := range reasons {
		line := r.Symptom
		if r.Phrase != "" && r.Phrase != r.Symptom {
			line = "“" + r.Phrase + "” → " + r.Symptom
		}
		if line == "" {
			line = r.Rule
		} else {
			line += "（" + r.Rule + "）"
		}
		if !slices.Contains(lines, line) && len(lines) < maxWhy {
			lines = append(lines, line)
		}
	}
	return lines
}

// retell is the complaint again, for a form that adds an answer to it: of what
// was written the reference alone.
func retell(wrote bool, ref string, q url.Values) (fields []page.Hidden) {
	names := append(toldNames(), "part", "n", "a", "seen")
	if wrote {
		names, q["c"] = []string{"c", "a", "seen"}, []string{ref}
	}
	for _, name := range names {
		for _, value := range q[name] {
			if value != "" && len(fields) < maxTicked+maxAnswers+14 {
				fields = append(fields, page.Hidden{Name: name, Value: value})
			}
		}
	}
	return fields
}

func emergencyOf(f page.Figure, all []triage.Emergency, retold []page.Hidden) page.TriageEmergency {
	view := page.TriageEmergency{Figure: f, Call120: all[0].Level == triage.Call120, Gentle: all[0].Gentle, Retold: retold}
	var said []string
	for i, e := range all {
		if i < maxSigns {
			view.Alarms = append(view.Alarms, page.Alarm{Notice: e.Notice, Advice: e.Advice, Action: e.Action, Hotline: e.Hotline})
		}
		said = append(said, e.Phrases...)
	}
	for _, phrase := range said {
		longer := func(other string) bool { return other != phrase && strings.Contains(other, phrase) }
		if utf8.RuneCountInString(phrase) >= leastSaid && !slices.ContainsFunc(said, longer) && !slices.Contains(view.Said, phrase) && len(view.Said) < maxSaid {
			view.Said = append(view.Said, phrase)
		}
	}
	return view
}

// triageEmergency is the way to the emergency department, for one red flag when
// the address names it.
func (v *visit) triageEmergency() error {
	view := page.TriageEmergency{Figure: figureOf(v.r.URL.Query()), Call120: true}
	if id := v.r.URL.Query().Get("flag"); id != "" && v.s.guide != nil {
		if e, ok := v.s.guide.Knowledge(v.r.Context()).Set.Flag(id); ok {
			view = emergencyOf(view.Figure, []triage.Emergency{e}, nil)
		}
	}
	return v.render(view)
}

// complaintOf reads the fields of a form. Errors are by field, in the words of
// the page.
func complaintOf(q url.Values, f page.Figure, picked []pick) (triage.Complaint, page.Fields) {
	fields := page.Fields{Values: map[string]string{}, Errors: map[string]string{}}
	get := func(name string) string {
		value := written(q.Get(name))
		fields.Values[name] = value
		return value
	}
	number := func(name string, most int) int {
		value := get(name)
		if value == "" {
			return 0
		}
		n, err := strconv.Atoi(value)
		if err != nil || n < 1 || n > most {
			fields.Errors[name] = "请填 1 到 " + strconv.Itoa(most) + " 的整数"
			return 0
		}
		return n
	}
	c := triage.Complaint{Text: get("text")}
	for _, p := range picked {
		if !slices.Contains(c.Parts, p.part.ID) {
			c.Parts = append(c.Parts, p.part.ID)
		}
		c.Symptoms = append(c.Symptoms, p.symptom.Name)
	}
	if c.Text == "" || len(picked) > 0 { // the figure says for whom
		sex, child := f.Person()
		c.Sex, c.Child, c.Adult = sex, child, !child
	} else {
		c.Sex = triage.SexNamed(get("sex"))
	}
	var ok bool
	if c.Age, ok = ageOf(get("old")); !ok {
		fields.Errors["old"] = "请写数字和单位，如 35 岁、8 个月、20 天"
	}
	const year = 365
	c.Days, c.Severity, c.PregnantWeeks = number("days", year), number("severity", 3), number("weeks", 45)
	if c.TemperatureTenths, ok = temperatureOf(get("temperature")); !ok {
		fields.Errors["temperature"] = "请填 35 到 43 之间的体温，如 38.5"
	}
	c.Pregnant = c.Sex != triage.Male && get("pregnant") == "1"
	for _, a := range q["a"][:min(len(q["a"]), maxAnswers)] {
		id, option, _ := strings.Cut(a, ".")
		n, err := strconv.Atoi(option)
		if err != nil {
			fields.Errors[""] = "请重新回答"
			continue
		}
		c.Answers = append(c.Answers, triage.Answer{Question: id, Option: n})
	}
	switch {
	case utf8.RuneCountInString(c.Text) > maxWords:
		fields.Errors["text"] = tooMuch
	case c.Text == "" && len(c.Symptoms) == 0:
		fields.Errors[""] = "请至少选择一项，或用自己的话说"
	}
	if len(fields.Errors) > 0 && fields.Errors[""] == "" {
		fields.Errors[""] = "请检查填写的内容"
		if text := fields.Errors["text"]; text != "" {
			fields.Errors[""] = text
		}
	}
	return c, fields
}

// maxAgeDigits: nobody is 100,000 days old.
const maxAgeDigits = 5

// ageOf reads 35, 35 岁, 8 个月, 20 天, also in full-width digits. Nothing is an
// unknown age. 周 is refused: to one it is a week, to another a year.
func ageOf(text string) (age triage.Age, ok bool) {
	text = strings.Map(narrow, strings.Join(strings.Fields(text), ""))
	if text == "" {
		return age, true
	}
	at := strings.IndexFunc(text, func(r rune) bool { return r < '0' || r > '9' })
	if at < 0 {
		at = len(text)
	}
	n, err := strconv.Atoi(text[:at])
	if err != nil || at > maxAgeDigits {
		return age, false
	}
	switch text[at:] {
	case "", "岁", "周岁":
		age = triage.AgeYears(n)
	case "个月", "月", "个月大":
		age = triage.AgeMonths(n)
	case "天", "日", "天大":
		age = triage.AgeDays(n)
	}
	return age, age.Known()
}

// temperatureOf reads 38 or 38.5 in tenths of a degree, 0 for nothing.
func temperatureOf(text string) (tenths int, ok bool) {
	text = strings.TrimRight(text, "度℃")
	if text == "" {
		return 0, true
	}
	whole, tenth, _ := strings.Cut(text, ".")
	n, err := strconv.Atoi(whole + (tenth + "0")[:1])
	if err != nil || len(tenth) > 1 || n < 350 || n > 430 {
		return 0, false
	}
	return n, true
}
