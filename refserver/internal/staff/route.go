package staff

import (
	"errors"
	"net/http"

	"github.com/wxhospital/hospital"
)

// Handler serves the desk below its prefix.
func (d *Desk) Handler() http.Handler {
	mux := http.NewServeMux()
	p := d.cfg.Prefix
	mux.Handle("GET /{$}", http.RedirectHandler(p+"/", http.StatusSeeOther))
	mux.HandleFunc("GET "+p+"/style.css", d.serveStyle)
	mux.HandleFunc("GET "+p+"/login", d.showLogin)
	mux.HandleFunc("POST "+p+"/login", d.login)
	mux.HandleFunc("GET "+p+"/link/{token}", d.showLink)
	mux.HandleFunc("GET "+p+"/link/{token}/code.png", d.showPicture)
	mux.HandleFunc("POST "+p+"/link/{token}", d.takeLink)
	mux.HandleFunc("POST "+p+"/logout", d.inside(d.logout))
	mux.HandleFunc("GET "+p+"/{$}", d.inside(d.home))
	for _, o := range d.objects {
		at := p + "/" + o.Path
		mux.HandleFunc("GET "+at, d.inside(d.list(o)))
		mux.HandleFunc("GET "+at+"/{id}", d.inside(d.detail(o)))
		if o.Find != nil {
			mux.HandleFunc("POST "+at, d.inside(d.find(o)))
		}
		for _, a := range o.Acts {
			mux.HandleFunc("POST "+at+"/{id}/"+a.Name, d.inside(d.perform(o, a)))
		}
	}
	mux.HandleFunc("/", d.inside(func(w http.ResponseWriter, r *http.Request, who session) { d.notFound(w, r, who) }))
	return uncached(http.NewCrossOriginProtection().Handler(mux))
}

func (d *Desk) serveStyle(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/css; charset=utf-8")
	if _, err := w.Write(d.style); err != nil {
		d.cfg.Logger.DebugContext(r.Context(), "style not sent", "error", err)
	}
}

// inside lets through who is logged in; everybody else is led to the log-in.
func (d *Desk) inside(next func(http.ResponseWriter, *http.Request, session)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		cookie, err := r.Cookie(cookieName)
		if err != nil {
			http.Redirect(w, r, d.cfg.Prefix+"/login", http.StatusSeeOther)
			return
		}
		account, err := d.cfg.Store.session(r.Context(), cookie.Value)
		switch {
		case errors.Is(err, errSession):
			d.putCookie(w, "")
			http.Redirect(w, r, d.cfg.Prefix+"/login", http.StatusSeeOther)
		case err != nil:
			d.failed(w, r, session{}, err)
		default:
			next(w, r, session{Account: account, token: cookie.Value})
		}
	}
}

// base is what every page of the session has.
func (d *Desk) base(who session, title, here string) view {
	v := view{Title: title}
	if who.Login == "" {
		return v
	}
	v.Who, v.Token = who.Name+"（"+who.Login+" · "+roleLabels(who.Roles)+"）", formToken(who.token)
	for _, o := range d.objects {
		if May(who.Roles, o.Read) {
			v.Nav = append(v.Nav, link{Label: o.Label, To: d.cfg.Prefix + "/" + o.Path, Here: o.Path == here})
		}
	}
	return v
}

func (d *Desk) home(w http.ResponseWriter, r *http.Request, who session) {
	v := d.base(who, "工作台", "")
	v.Tables = []table{{Heads: []string{"栏目", "用途"}, Empty: "您的账号没有任何角色，请联系管理员。"}}
	for _, o := range d.objects {
		if May(who.Roles, o.Read) {
			v.Tables[0].Rows = append(v.Tables[0].Rows, []cell{{o.Label, d.cfg.Prefix + "/" + o.Path}, text(o.Purpose)})
		}
	}
	d.render(w, r, http.StatusOK, v)
}

// notFound is the one answer for what does not exist, whatever was asked for.
func (d *Desk) notFound(w http.ResponseWriter, r *http.Request, who session) {
	v := d.base(who, "没有找到", "")
	v.Problem = "没有找到相关内容，请返回后重试。"
	d.render(w, r, http.StatusNotFound, v)
}

// failed shows an error on a page of its own.
func (d *Desk) failed(w http.ResponseWriter, r *http.Request, who session, err error) {
	if hospital.KindOf(err) == hospital.NotFound {
		d.notFound(w, r, who)
		return
	}
	if hospital.KindOf(err) == hospital.Internal {
		d.cfg.Logger.ErrorContext(r.Context(), "staff page failed", "error", err)
	}
	v := d.base(who, "暂时无法完成", "")
	v.Problem = explain(err)
	d.render(w, r, statusOf(err), v)
}

// refused is the answer to somebody whose role may not.
func (d *Desk) refused(w http.ResponseWriter, r *http.Request, who session, act Act, object string) {
	denied := &hospital.Error{Kind: hospital.Denied, Op: "staff", Code: "role", Detail: string(act), Message: "您的角色没有此项权限，如有需要请联系管理员。"}
	row := d.entry(who, "staff."+string(act), object, "")
	row.Outcome = outcome(denied)
	if err := d.cfg.Store.record(r.Context(), row); err != nil {
		d.cfg.Logger.ErrorContext(r.Context(), "refusal not written to the audit trail", "act", act, "error", err)
	}
	d.failed(w, r, who, denied)
}
