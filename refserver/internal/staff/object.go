package staff

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/wxhospital/hospital"
)

// object is a kind of thing that the desk shows: one page that lists, one that
// shows one, and what can be done about it.
type object struct {
	Path    string
	Label   string
	Purpose string
	Read    Act

	// List fills the page that lists. What it was asked for came by GET, so it
	// holds nothing personal.
	List func(ctx context.Context, who session, ask values, v *view) error
	Asks []field // of List
	// Find fills the page for what was asked by POST, such as a patient.
	Find  func(ctx context.Context, who session, ask values, v *view) (to string, err error)
	Finds []field // of Find
	// Show fills the page of one, and says which acts are offered.
	Show func(ctx context.Context, who session, id string, v *view) ([]offer, error)
	Acts []act
	// Blank returns what stands in the forms of a new one; nil for nothing.
	Blank func(ctx context.Context) (values, error)
}

// offer is an act on the page of one object, with what stands in its fields.
type offer struct {
	Act    Act
	Values values
	Choose map[string][]choice
}

// act is one thing that can be done about an object.
type act struct {
	Act     Act
	Name    string // in its path
	Label   string
	Explain string
	Danger  bool
	Fields  []field // besides the reason
	New     bool    // makes an object: it is about none that is there
	// Ask marks an act without effect: it needs no reason.
	Ask bool
	// Whole marks an act whose command writes the audit row with the reason in
	// the transaction of its effect. For all others a row with the reason is
	// written before.
	Whole bool
	// Subject returns whose data the act is about, "" for nobody's; NotFound when
	// the object does not exist.
	Subject func(ctx context.Context, who session, id string, in values) (hospital.PatientID, error)
	Run     func(ctx context.Context, who session, id string, in values) (result, error)
}

// result is what an act came to.
type result struct {
	To     string // where to look now, below the object's path; "" is the object
	Done   string // a key of dones
	Notice string // instead, on a page that is shown at once
	Secret *secret
	Facts  []fact
	Tables []table
	Values values // what stands in the form again
}

// dones are the sentences after an act; the address carries the key.
//
//nolint:gochecknoglobals // an immutable table
var dones = map[string]string{
	"done":     "操作已完成。",
	"checking": "操作已受理，正在与医院系统核实，请稍后刷新查看结果，不要重复操作。",
}

func (a act) fields() []field {
	fields := slices.Clone(a.Fields)
	if !a.Ask {
		fields = append(fields, reasonField())
	}
	return fields
}

func (o object) act(name Act) (act, bool) {
	for _, a := range o.Acts {
		if a.Act == name {
			return a, true
		}
	}
	return act{}, false
}

func (d *Desk) at(parts ...string) string {
	var path strings.Builder
	path.WriteString(d.cfg.Prefix)
	for _, part := range parts {
		path.WriteString("/" + url.PathEscape(part))
	}
	return path.String()
}

// maxID is longer than any identifier of ours or of a HIS.
const maxID = 200

// plainID reports whether a store can be asked for the id, and the audit trail
// can hold it.
func plainID(id string) bool {
	return len(id) <= maxID && utf8.ValidString(id) && !strings.ContainsFunc(id, unicode.IsControl)
}

// ownForm refuses a form that no page of this session carried.
func (d *Desk) ownForm(who session, sent url.Values) error {
	if len(sent[tokenField]) != 1 || !sameToken(sent[tokenField][0], formToken(who.token)) {
		return &hospital.Error{Kind: hospital.Denied, Op: "staff", Code: "form_token", Message: "页面已过期，请返回刷新后重新提交。"}
	}
	return nil
}

func (d *Desk) list(o object) func(http.ResponseWriter, *http.Request, session) {
	return func(w http.ResponseWriter, r *http.Request, who session) {
		if !May(who.Roles, o.Read) {
			d.refused(w, r, who, o.Read, "")
			return
		}
		query := r.URL.Query()
		v := d.base(who, o.Label, o.Path)
		v.Notice = dones[query.Get("done")]
		query.Del("done")
		ask, shown, good := decode(o.Asks, query)
		d.addSearch(&v, o, shown)
		if !good {
			v.Problem = "请检查查询条件。"
			d.render(w, r, http.StatusBadRequest, v)
			return
		}
		if err := d.cfg.Store.record(r.Context(), d.entry(who, "staff."+string(o.Read), "", "list")); err != nil {
			d.failed(w, r, who, err)
			return
		}
		if err := o.List(r.Context(), who, ask, &v); err != nil {
			d.failed(w, r, who, err)
			return
		}
		for _, a := range o.Acts { // those that make a new one
			if offered := d.offered(o, a, fresh, who, offer{}); o.Show == nil && a.New && offered != nil {
				v.Forms = append(v.Forms, *offered)
			}
		}
		d.render(w, r, http.StatusOK, v)
	}
}

func (d *Desk) addSearch(v *view, o object, shown []field) {
	if len(o.Asks) > 0 {
		v.Search = append(v.Search, form{To: d.at(o.Path), Look: true, Button: "查询", Fields: shown})
	}
	if o.Find != nil {
		v.Search = append(v.Search, form{To: d.at(o.Path), Button: "按患者查询", Fields: slices.Clone(o.Finds)})
	}
}

func (d *Desk) find(o object) func(http.ResponseWriter, *http.Request, session) {
	return func(w http.ResponseWriter, r *http.Request, who session) {
		if !May(who.Roles, o.Read) {
			d.refused(w, r, who, o.Read, "")
			return
		}
		sent, err := readForm(w, r)
		if err == nil {
			err = d.ownForm(who, sent)
		}
		if err != nil {
			d.failed(w, r, who, err)
			return
		}
		v := d.base(who, o.Label, o.Path)
		ask, shown, good := decode(o.Finds, sent)
		d.addSearch(&v, o, slices.Clone(o.Asks))
		v.Search[len(v.Search)-1].Fields = shown
		if !good {
			v.Problem = "请检查查询条件。"
			d.render(w, r, http.StatusBadRequest, v)
			return
		}
		to, err := o.Find(r.Context(), who, ask, &v)
		switch {
		case err != nil:
			d.failed(w, r, who, err)
		case to != "":
			http.Redirect(w, r, to, http.StatusSeeOther)
		default:
			d.render(w, r, http.StatusOK, v)
		}
	}
}

func (d *Desk) detail(o object) func(http.ResponseWriter, *http.Request, session) {
	return func(w http.ResponseWriter, r *http.Request, who session) {
		if !May(who.Roles, o.Read) {
			d.refused(w, r, who, o.Read, "")
			return
		}
		if !plainID(r.PathValue("id")) {
			d.notFound(w, r, who)
			return
		}
		v, err := d.shown(r.Context(), o, who, r.PathValue("id"), nil)
		if err != nil {
			d.failed(w, r, who, err)
			return
		}
		v.Notice = dones[r.URL.Query().Get("done")]
		d.render(w, r, http.StatusOK, v)
	}
}

// tried is a form that was sent and comes back.
type tried struct {
	act    Act
	fields []field
}

// shown makes the page of one object; again is a form that comes back.
func (d *Desk) shown(ctx context.Context, o object, who session, id string, again *tried) (view, error) {
	v := d.base(who, o.Label, o.Path)
	if id == fresh {
		return v, d.blank(ctx, &v, o, who, again)
	}
	if o.Show == nil {
		return v, errAccount
	}
	offers, err := o.Show(ctx, who, id, &v)
	if err != nil {
		return v, err
	}
	for _, of := range offers {
		a, known := o.act(of.Act)
		if !known {
			continue
		}
		if again != nil && a.Act == again.act {
			fields := slices.Clone(again.fields)
			for i := range fields {
				if choices, ok := of.Choose[fields[i].Name]; ok {
					fields[i].Choices = choices
				}
			}
			v.Forms = append(v.Forms, d.formOf(o, a, id, fields))
			continue
		}
		if f := d.offered(o, a, id, who, of); f != nil {
			v.Forms = append(v.Forms, *f)
		}
	}
	return v, nil
}

// fresh stands for the object that is not there yet.
const fresh = "new"

// blank fills the page on which a new one is made.
func (d *Desk) blank(ctx context.Context, v *view, o object, who session, again *tried) error {
	var begin values
	if o.Blank != nil && again == nil {
		var err error
		if begin, err = o.Blank(ctx); err != nil {
			return err
		}
	}
	for _, a := range o.Acts {
		if !a.New || !May(who.Roles, a.Act) {
			continue
		}
		fields := a.fields()
		for i := range fields {
			fields[i].Value = begin[fields[i].Name]
		}
		if again != nil { // what was sent in one form stands in the others too
			for i := range fields {
				for _, sent := range again.fields {
					if sent.Name == fields[i].Name && (a.Act == again.act || sent.Kind == kindArea) {
						fields[i].Value = sent.Value
						if a.Act == again.act {
							fields[i].Problem = sent.Problem
						}
					}
				}
			}
		}
		v.Forms = append(v.Forms, d.formOf(o, a, fresh, fields))
	}
	if len(v.Forms) == 0 {
		return errAccount
	}
	return nil
}

// offered is the form of an act, nil when the session may not.
func (d *Desk) offered(o object, a act, id string, who session, of offer) *form {
	if !May(who.Roles, a.Act) {
		return nil
	}
	fields := a.fields()
	for i := range fields {
		fields[i].Value = of.Values[fields[i].Name]
		if choices, ok := of.Choose[fields[i].Name]; ok {
			fields[i].Choices = choices
		}
	}
	f := d.formOf(o, a, id, fields)
	return &f
}

func (d *Desk) formOf(o object, a act, id string, fields []field) form {
	return form{To: d.at(o.Path, id, a.Name), Title: a.Label, Explain: a.Explain, Button: a.Label, Danger: a.Danger, Fields: fields, Parts: slices.ContainsFunc(fields, func(f field) bool { return f.Upload })}
}

// perform is the way of every act: the role, the form's token, the fields and
// the reason, the row in the audit trail, then the act.
func (d *Desk) perform(o object, a act) func(http.ResponseWriter, *http.Request, session) {
	return func(w http.ResponseWriter, r *http.Request, who session) {
		id := r.PathValue("id")
		if !plainID(id) {
			d.notFound(w, r, who)
			return
		}
		if !May(who.Roles, a.Act) {
			d.refused(w, r, who, a.Act, id)
			return
		}
		if a.New != (id == fresh) {
			d.notFound(w, r, who)
			return
		}
		sent, err := readForm(w, r, a.Fields...)
		if err == nil {
			err = d.ownForm(who, sent)
		}
		if err != nil {
			d.failed(w, r, who, err)
			return
		}
		in, fields, good := decode(a.fields(), sent)
		if !good {
			d.again(w, r, who, o, id, tried{a.Act, fields}, &hospital.Error{Kind: hospital.Invalid, Op: "staff", Message: "请检查填写的内容。"})
			return
		}
		done, err := d.do(r.Context(), who, a, id, in)
		switch {
		case err == nil && (done.Notice != "" || done.Secret != nil):
			d.show(w, r, who, o, id, done, tried{a.Act, refill(fields, done.Values)})
		case err == nil:
			http.Redirect(w, r, d.after(o, id, done, "done"), http.StatusSeeOther)
		case hospital.KindOf(err) == hospital.Indeterminate:
			http.Redirect(w, r, d.after(o, id, done, "checking"), http.StatusSeeOther)
		default:
			d.again(w, r, who, o, id, tried{a.Act, fields}, err)
		}
	}
}

// refill keeps what the act wants to stand in its form again.
func refill(fields []field, keep values) []field {
	for i := range fields {
		fields[i].Value = keep[fields[i].Name]
	}
	return fields
}

func (d *Desk) after(o object, id string, done result, fallback string) string {
	key := done.Done
	if key == "" {
		key = fallback
	}
	if done.To != "" {
		id = done.To
	}
	if id == fresh {
		return d.at(o.Path) + "?done=" + key
	}
	return d.at(o.Path, id) + "?done=" + key
}

// do writes the act down and does it. What cannot be written down is not done.
func (d *Desk) do(ctx context.Context, who session, a act, id string, in values) (result, error) {
	row := d.entry(who, "staff."+string(a.Act), id, in["reason"])
	if a.Subject != nil {
		patient, err := a.Subject(ctx, who, id, in)
		if err != nil {
			return result{}, err
		}
		row.Patient = patient
	}
	if !a.Whole && !a.Ask {
		row.Outcome = "asked"
		if err := d.cfg.Store.record(ctx, row); err != nil {
			return result{}, &hospital.Error{Kind: hospital.Unavailable, Op: "staff", Code: "audit_unavailable", Err: err}
		}
	}
	done, err := a.Run(ctx, who, id, in)
	if err == nil || a.Ask {
		return done, err
	}
	row.Outcome, row.At = outcome(err), d.cfg.Now()
	if failed := d.cfg.Store.record(context.WithoutCancel(ctx), row); failed != nil {
		d.cfg.Logger.ErrorContext(ctx, "outcome not written to the audit trail", "act", a.Act, "error", failed)
	}
	return done, err
}

// again shows the object with the form that was sent and what was wrong.
func (d *Desk) again(w http.ResponseWriter, r *http.Request, who session, o object, id string, sent tried, cause error) {
	if hospital.KindOf(cause) == hospital.NotFound || !May(who.Roles, o.Read) {
		d.failed(w, r, who, cause)
		return
	}
	v, err := d.shown(r.Context(), o, who, id, &sent)
	if err != nil {
		d.failed(w, r, who, err)
		return
	}
	v.Problem = explain(cause)
	d.render(w, r, statusOf(cause), v)
}

// show answers an act at once, for what is to be seen once only.
func (d *Desk) show(w http.ResponseWriter, r *http.Request, who session, o object, id string, done result, sent tried) {
	v, err := d.shown(r.Context(), o, who, id, &sent)
	if err != nil {
		d.failed(w, r, who, err)
		return
	}
	v.Notice, v.Secret = done.Notice, done.Secret
	v.Facts = append(v.Facts, done.Facts...)
	v.Tables = append(v.Tables, done.Tables...)
	if done.Secret != nil {
		v.Forms = nil // no second one by a second press
	}
	d.render(w, r, http.StatusOK, v)
}

// open writes a read of a patient's data down before it is made.
func (d *Desk) open(ctx context.Context, who session, patient hospital.PatientID, action, object string) (hospital.PatientScope, error) {
	scope, err := d.cfg.Gate.Open(ctx, who.actor(), patient)
	if err != nil {
		return scope, err
	}
	_, err = scope.Use(ctx, hospital.Access{Purpose: "service", Action: action, Object: object})
	return scope, err
}
