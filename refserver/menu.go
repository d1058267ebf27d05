package refserver

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/wxhospital/hospital/wechat"
)

// menuAgain is how soon a menu that could not be compared is compared again.
const menuAgain = time.Minute

// menu is the account's menu: the hospital's own, or the paper's three modules
// as far as this server has their pages.
func (s *Server) menu() wechat.Menu {
	if len(s.config.Menu) > 0 {
		return wechat.Menu{Buttons: s.config.Menu}
	}
	view := func(name, path string) wechat.Button {
		return wechat.Button{Type: "view", Name: name, URL: s.address(path)}
	}
	book := wechat.Button{Name: "导诊挂号"}
	if s.config.Triage != nil {
		book.Sub = append(book.Sub, view("智能导诊", s.links.Triage()))
	}
	book.Sub = append(book.Sub, view("预约挂号", s.links.Departments()), view("我的挂号", s.links.Appointments()), view("科室专家", s.links.Doctors()))
	visit := wechat.Button{Name: "诊疗服务"}
	if s.bills != nil {
		visit.Sub = append(visit.Sub, view("我的账单", s.links.Bills()))
	}
	visit.Sub = append(visit.Sub, view("就诊人管理", s.links.Patients()), view("我的消息", s.links.Messages()), view("我的信息", s.links.Me()))
	return wechat.Menu{Buttons: []wechat.Button{book, visit, {Name: "互动资讯", Sub: []wechat.Button{
		view("长辈版（大字）", s.links.Home()+"?mode=care"), view("帮助与客服", s.links.Help()),
	}}}}
}

// PublishMenu gives the account the menu of the configuration if it has another,
// and reports whether it had. It may be repeated. Errors are those of
// [wechat.Client.PublishMenu].
func (s *Server) PublishMenu(ctx context.Context) (changed bool, err error) {
	ours := s.menu()
	theirs, err := s.config.Account.Menu(ctx)
	switch {
	case errors.Is(err, wechat.ErrNoMenu):
	case err != nil:
		return false, err
	case slices.EqualFunc(ours.Buttons, theirs.Buttons, sameButton):
		return false, nil
	}
	if err := s.config.Account.PublishMenu(ctx, ours); err != nil {
		return false, err
	}
	s.config.Logger.InfoContext(ctx, "wechat menu published", "buttons", len(ours.Buttons))
	return true, nil
}

// sameButton reports whether two buttons lead to the same place under the same
// name: WeChat returns an empty list below a button that has none.
func sameButton(a, b wechat.Button) bool {
	return a.Type == b.Type && a.Name == b.Name && a.Key == b.Key && a.URL == b.URL && a.MediaID == b.MediaID && a.ArticleID == b.ArticleID &&
		a.AppID == b.AppID && a.Page == b.Page && slices.EqualFunc(a.Sub, b.Sub, sameButton)
}

// keepMenu publishes the menu at the start, again and again until WeChat can be
// asked.
func (s *Server) keepMenu(ctx context.Context) error {
	for {
		_, err := s.PublishMenu(ctx)
		if err == nil {
			return nil
		}
		s.config.Logger.WarnContext(ctx, "wechat menu not published", "error", err)
		if wechat.ClassOf(err) == wechat.ClassPermission {
			return nil // the account may have no menu of ours; asking again would not help
		}
		wait := time.NewTimer(menuAgain)
		select {
		case <-wait.C:
		case <-ctx.Done():
			wait.Stop()
			return ctx.Err()
		}
	}
}

// DeskQRCode makes the picture for the service desk: a permanent QR code whose
// scan is answered with the way to bind a patient. It is the same for everybody
// and proves nothing; the code that staff read out does. Make it once and print
// it: an account has a hundred thousand permanent codes.
func (s *Server) DeskQRCode(ctx context.Context) (wechat.File, error) {
	made, err := s.config.Account.CreateQRCode(ctx, wechat.QRCode{Scene: deskScene})
	if err != nil {
		return wechat.File{}, err
	}
	return s.config.Account.FetchQRCode(ctx, made.Ticket)
}
