package wechattest

import (
	"context"
	"crypto/md5" //nolint:gosec // WeChat's own digest of a picture, no secret
	"encoding/hex"
	"strings"

	"github.com/wxhospital/hospital"
)

// send lets the person send a message other than a text. Only a follower can.
func (f *Follower) send(ctx context.Context, verb, kind string, fields func(*turn) (shown string, all []field, err error)) error {
	return f.verb(ctx, func(t *turn, u user) ([]string, error) {
		if !u.Subscribed {
			return nil, verbError(hospital.Rejected, verb, "not_following", "only a follower can write")
		}
		shown, all, err := fields(t)
		if err != nil {
			return nil, err
		}
		t.spoken(u, Bubble{Kind: kind, Text: shown})
		return []string{t.pushMessage(u, kind, all...)}, nil
	})
}

// keepOf keeps a file that the person sends, for the account to fetch by its
// media id.
func (t *turn) keepOf(verb, kind string, data []byte) (id string, err error) {
	rule, _ := temporaryRule(kind)
	contentType, no := rule.check(data)
	if no != nil {
		return "", verbError(hospital.Invalid, verb, "bad_file", no.text)
	}
	return t.keepMedium(kind, contentType, data), nil
}

// SendImage sends a picture: PNG, JPEG or GIF. The account fetches it by its
// media id; the PicUrl beside it is WeChat's own and answers nothing here.
func (f *Follower) SendImage(ctx context.Context, data []byte) error {
	return f.send(ctx, "SendImage", imageFile, func(t *turn) (string, []field, error) {
		id, err := t.keepOf("SendImage", imageFile, data)
		return id, []field{text("PicUrl", "http://mmbiz.qpic.cn/mmbiz_jpg/"+id+"/0"), text("MediaId", id)}, err
	})
}

// SendVoice sends a voice, AMR or MP3. words is what the account's speech
// recognition makes of it, "" where that is switched off.
func (f *Follower) SendVoice(ctx context.Context, data []byte, words string) error {
	return f.send(ctx, "SendVoice", voiceFile, func(t *turn) (string, []field, error) {
		id, err := t.keepOf("SendVoice", voiceFile, data)
		if err != nil {
			return "", nil, err
		}
		format := strings.TrimPrefix(strings.Replace(t.media.rows[id].Type, "mpeg", "mp3", 1), "audio/")
		all := []field{text("MediaId", id), text("Format", format)}
		if words != "" {
			all = append(all, text("Recognition", words))
		}
		return id, all, nil
	})
}

// SendVideo sends a film, MP4, with a JPEG as its cover; short is one that was
// taken in the chat (小视频).
func (f *Follower) SendVideo(ctx context.Context, data, cover []byte, short bool) error {
	kind := "video"
	if short {
		kind = "shortvideo"
	}
	return f.send(ctx, "SendVideo", kind, func(t *turn) (string, []field, error) {
		id, err := t.keepOf("SendVideo", videoFile, data)
		if err != nil {
			return "", nil, err
		}
		thumb, err := t.keepOf("SendVideo", thumbFile, cover)
		return id, []field{text("MediaId", id), text("ThumbMediaId", thumb)}, err
	})
}

// SendLocation sends a place, in degrees.
func (f *Follower) SendLocation(ctx context.Context, latitude, longitude, label string) error {
	return f.send(ctx, "SendLocation", "location", func(*turn) (string, []field, error) {
		return label, []field{text("Location_X", latitude), text("Location_Y", longitude), text("Scale", "16"), text("Label", label)}, nil
	})
}

// SendLink sends a link.
func (f *Follower) SendLink(ctx context.Context, title, description, address string) error {
	return f.send(ctx, "SendLink", "link", func(*turn) (string, []field, error) {
		return title, []field{text("Title", title), text("Description", description), text("Url", address)}, nil
	})
}

// ReportPosition tells the account where the phone is, as it does on entering
// the chat when the person has agreed to that (上报地理位置).
func (f *Follower) ReportPosition(ctx context.Context, latitude, longitude, precision string) error {
	return f.verb(ctx, func(t *turn, u user) ([]string, error) {
		if !u.Subscribed {
			return nil, verbError(hospital.Rejected, "ReportPosition", "not_following", "")
		}
		return []string{t.pushEvent(u, true, "LOCATION", text("Latitude", latitude), text("Longitude", longitude), text("Precision", precision))}, nil
	})
}

// press taps a button of one of the types and pushes what it made the person do.
func (f *Follower) press(ctx context.Context, name string, fields func() []field, types ...string) error {
	return f.verb(ctx, func(t *turn, u user) ([]string, error) {
		if !u.Subscribed {
			return nil, verbError(hospital.Rejected, "Tap", "not_following", "only a follower sees the menu")
		}
		b, found := t.menus.rows[""].find(name)
		if !found {
			return nil, verbError(hospital.NotFound, "Tap", "no_button", "the menu has no such button")
		}
		for _, kind := range types {
			if b.Type == kind {
				if strings.HasPrefix(kind, "scancode_") {
					t.open48(u, tapped)
				}
				return []string{t.pushEvent(u, true, kind, append([]field{text("EventKey", b.Key)}, fields()...)...)}, nil
			}
		}
		return nil, verbError(hospital.Rejected, "Tap", "no_tap", "the button is of another type")
	})
}

// ScanFromMenu taps a button of the type scancode_push or scancode_waitmsg and
// scans what it says: kind is "qrcode" or "barcode".
func (f *Follower) ScanFromMenu(ctx context.Context, button, kind, result string) error {
	return f.press(ctx, button, func() []field {
		return []field{nest("ScanCodeInfo", text("ScanType", kind), text("ScanResult", result))}
	}, "scancode_push", "scancode_waitmsg")
}

// PicturesFromMenu taps a button of the types pic_… and sends pictures. Each
// comes as a message too, after the event.
func (f *Follower) PicturesFromMenu(ctx context.Context, button string, pictures ...[]byte) error {
	if len(pictures) == 0 {
		return verbError(hospital.Invalid, "PicturesFromMenu", "bad_file", "no picture")
	}
	err := f.press(ctx, button, func() []field {
		var items []field
		for _, picture := range pictures {
			sum := md5.Sum(picture) //nolint:gosec // as above
			items = append(items, nest("item", text("PicMd5Sum", hex.EncodeToString(sum[:]))))
		}
		return []field{nest("SendPicsInfo", number("Count", int64(len(pictures))), nest("PicList", items...))}
	}, "pic_sysphoto", "pic_photo_or_album", "pic_weixin")
	for _, picture := range pictures {
		if err == nil {
			err = f.SendImage(ctx, picture)
		}
	}
	return err
}

// PlaceFromMenu taps a button of the type location_select and chooses a place.
// It comes as a message too, after the event.
func (f *Follower) PlaceFromMenu(ctx context.Context, button, latitude, longitude, label string) error {
	err := f.press(ctx, button, func() []field {
		return []field{nest("SendLocationInfo", text("Location_X", latitude), text("Location_Y", longitude), text("Scale", "16"), text("Label", label), text("Poiname", ""))}
	}, "location_select")
	if err != nil {
		return err
	}
	return f.SendLocation(ctx, latitude, longitude, label)
}
