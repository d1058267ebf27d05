package wechattest

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"slices"
	"time"
)

// mediaLife is how long a temporary file is kept.
// API: POST /cgi-bin/media/upload, "媒体文件在微信后台保存时间为3天".
const mediaLife = 3 * 24 * time.Hour

const (
	// maxUploadBytes caps the body of an upload: the largest file and its
	// envelope. A file above its own limit gets a code, a body above this 413.
	maxUploadBytes = 12 << 20
	// maxFormField caps a field of an upload that is no file.
	maxFormField = 64 << 10
	// maxVoice is the longest voice.
	// API: POST /cgi-bin/media/upload, "播放长度不超过60s".
	maxVoice = 60 * time.Second
	// mediaPage is where files lie that the platform gives out by address: in
	// the field mmbiz.qpic.cn and mpvideo.qpic.cn.
	mediaPage = "/_media/"
)

// The kinds of files.
const (
	imageFile = "image"
	voiceFile = "voice"
	videoFile = "video"
	thumbFile = "thumb"
)

// medium is a file that was uploaded for a while (临时素材), or came from a user.
type medium struct {
	Kind  string
	Type  string // Content-Type
	Data  []byte // in the journal as well: a restart must be able to give it out
	Until time.Time
}

func mediaEndpoints() []endpoint {
	return []endpoint{
		{http.MethodPost, "/cgi-bin/media/upload", withToken, Quota{Day: 100_000}, (*turn).uploadMedia},
		{http.MethodGet, "/cgi-bin/media/get", withToken, Quota{Day: 200_000}, (*turn).getMedia},
	}
}

// upload is a multipart form: the file of the field "media", and other fields.
type upload struct {
	name   string // the file's
	data   []byte
	fields map[string]string
}

// readUpload reads the form. A file without a name is no file, as on the real
// platform.
func readUpload(contentType string, body []byte) (upload, *refusal) {
	form := upload{fields: map[string]string{}}
	kind, parameters, err := mime.ParseMediaType(contentType)
	if err != nil || kind != "multipart/form-data" || parameters["boundary"] == "" {
		return form, refuse(41005)
	}
	reader := multipart.NewReader(bytes.NewReader(body), parameters["boundary"])
	for {
		part, err := reader.NextPart()
		switch {
		case errors.Is(err, io.EOF):
			if form.name == "" {
				return form, refuse(41005)
			}
			return form, nil
		case err != nil:
			return form, refuse(41005)
		}
		data, err := io.ReadAll(part)
		switch isFile := part.FileName() != ""; {
		case err != nil:
			return form, refuse(41005)
		case isFile && part.FormName() == "media" && form.name == "":
			form.name, form.data = part.FileName(), data
		case !isFile && len(data) <= maxFormField:
			form.fields[part.FormName()] = string(data)
		}
	}
}

// fileRule is what a file of a kind must be.
type fileRule struct {
	most  int // bytes
	types []string
}

// temporaryRule returns the rule for temporary files.
// API: POST /cgi-bin/media/upload, "图片 10M，支持PNG\JPEG\JPG\GIF；语音 2M，60s，AMR\MP3；
// 视频 10MB，MP4；缩略图 64KB，JPG".
func temporaryRule(kind string) (rule fileRule, known bool) {
	switch kind {
	case imageFile:
		return fileRule{10 << 20, []string{"image/png", "image/jpeg", "image/gif"}}, true
	case voiceFile:
		return fileRule{2 << 20, []string{"audio/amr", "audio/mpeg"}}, true
	case videoFile:
		return fileRule{10 << 20, []string{"video/mp4"}}, true
	case thumbFile:
		return fileRule{64 << 10, []string{"image/jpeg"}}, true
	}
	return fileRule{}, false
}

// check returns the file's Content-Type, which its bytes say and not its name.
func (rule fileRule) check(data []byte) (contentType string, no *refusal) {
	switch {
	case len(data) == 0:
		return "", refuse(40006)
	case len(data) > rule.most:
		return "", refuse(45001)
	}
	contentType = sniff(data)
	for _, allowed := range rule.types {
		if contentType == allowed {
			if contentType == "audio/amr" && amrLength(data) > maxVoice {
				return "", refuse(45007)
			}
			return contentType, nil
		}
	}
	return "", refuse(40005)
}

const amrMagic = "#!AMR\n"

// sniff reads the magic bytes of what the platform takes; "" for anything else.
func sniff(data []byte) string {
	switch {
	case bytes.HasPrefix(data, []byte("\x89PNG\r\n\x1a\n")):
		return "image/png"
	case bytes.HasPrefix(data, []byte("\xff\xd8\xff")):
		return "image/jpeg"
	case bytes.HasPrefix(data, []byte("GIF87a")), bytes.HasPrefix(data, []byte("GIF89a")):
		return "image/gif"
	case bytes.HasPrefix(data, []byte("BM")):
		return "image/bmp"
	case bytes.HasPrefix(data, []byte(amrMagic)):
		return "audio/amr"
	case bytes.HasPrefix(data, []byte("ID3")), len(data) > 1 && data[0] == 0xff && data[1]&0xe0 == 0xe0:
		return "audio/mpeg"
	case len(data) >= 12 && string(data[4:8]) == "ftyp":
		return "video/mp4"
	}
	return ""
}

const frameLength = 20 * time.Millisecond

// amrLength counts the frames of an AMR file: 20 ms each, of a size that the
// mode in the frame's first byte tells.
// Source: RFC 4867 §5, 3GPP TS 26.101.
func amrLength(data []byte) time.Duration {
	size := [16]int{12, 13, 15, 17, 19, 20, 26, 31, 5}
	frames := 0
	for at := len(amrMagic); at < len(data); frames++ {
		at += 1 + size[data[at]>>3&15]
	}
	return time.Duration(frames) * frameLength
}

const idLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

// keepMedium keeps a file for its three days and returns its media id.
func (t *turn) keepMedium(kind, contentType string, data []byte) string {
	t.media.sweep(t, func(m medium) bool { return !t.now.Before(m.Until) })
	id := randomText(idLetters, 64)
	t.media.put(t, id, medium{Kind: kind, Type: contentType, Data: data, Until: t.now.Add(mediaLife)})
	return id
}

// medium finds a file that a message may carry: a temporary one that still
// lives, or a permanent one, of one of the kinds.
func (t *turn) medium(id string, kinds ...string) (m medium, no *refusal) {
	m, there := t.media.rows[id]
	if !there || !t.now.Before(m.Until) {
		kept, permanent := t.materials.rows[id]
		if !permanent {
			return medium{}, refuse(40007)
		}
		m = kept.medium
	}
	if !slices.Contains(kinds, m.Kind) {
		return medium{}, refuse(40007)
	}
	return m, nil
}

// uploadMedia answers media/upload.
func (t *turn) uploadMedia(r *request) (any, *refusal) {
	kind := r.query.Get("type")
	rule, known := temporaryRule(kind)
	if !known {
		return nil, refuse(40004)
	}
	contentType, no := rule.check(r.form.data)
	if no != nil {
		return nil, no
	}
	out := struct {
		Type    string `json:"type"`
		ID      string `json:"media_id,omitempty"`
		ThumbID string `json:"thumb_media_id,omitempty"`
		Created int64  `json:"created_at"`
	}{Type: kind, Created: t.now.Unix()}
	if id := t.keepMedium(kind, contentType, r.form.data); kind == thumbFile {
		out.ThumbID = id
	} else {
		out.ID = id
	}
	return out, nil
}

// getMedia answers media/get: a video by its address, anything else itself.
func (t *turn) getMedia(r *request) (any, *refusal) {
	id := r.query.Get("media_id")
	m, there := t.media.rows[id]
	switch {
	case !there, !t.now.Before(m.Until):
		return nil, refuse(40007)
	case m.Kind == videoFile:
		return struct {
			URL string `json:"video_url"`
		}{mediaAddress(r.host, id)}, nil
	}
	return m.file(id), nil
}

// mediaAddress is where a browser finds the file.
func mediaAddress(host, id string) string { return "http://" + host + mediaPage + id }

// file is the medium as the platform sends it.
func (m medium) file(id string) file {
	extension := map[string]string{
		"image/png": ".png", "image/jpeg": ".jpg", "image/gif": ".gif", "image/bmp": ".bmp", "audio/amr": ".amr", "audio/mpeg": ".mp3", "video/mp4": ".mp4",
	}
	return file{name: id + extension[m.Type], kind: m.Type, data: m.Data}
}

// serveMedium answers a browser that follows an address of [mediaAddress].
func (p *Platform) serveMedium(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	p.mu.Lock()
	m, there := p.media.rows[id]
	there = there && p.config.Now().Before(m.Until)
	if !there {
		var kept material
		kept, there = p.materials.rows[id]
		m = kept.medium
	}
	p.mu.Unlock()
	if !there || m.Type == "" {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", m.Type)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write(m.Data) // a browser that is gone asks again
}
