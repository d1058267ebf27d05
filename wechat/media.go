package wechat

import (
	"bytes"
	"context"
	"io"
	"mime"
	"mime/multipart"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/internal/remote"
)

const (
	// filePatience is how long a file may take: 10 MB at 2 Mbit/s.
	filePatience = time.Minute
	// maxFile bounds a file that the platform gives out, in bytes; the largest
	// that it takes has 10 MB.
	maxFile = 12 << 20
	// maxFileName bounds a file's name, in bytes; longer ones no system has.
	maxFileName = 255
	// maxBodyImage is the largest image for the text of an article.
	// API: POST /cgi-bin/media/uploadimg, "大小必须在1MB以下".
	maxBodyImage = 1<<20 - 1
)

// MediaKind is a kind of file.
type MediaKind string

// The kinds, with the platform's limits. NewsMaterial is in lists only.
// API: POST /cgi-bin/media/upload, 上传限制.
const (
	ImageMedia   MediaKind = "image" // PNG, JPEG, GIF; 10 MB
	VoiceMedia   MediaKind = "voice" // AMR, MP3; 2 MB and 60 s
	VideoMedia   MediaKind = "video" // MP4; 10 MB
	ThumbMedia   MediaKind = "thumb" // JPEG; 64 KB
	NewsMaterial MediaKind = "news"  // articles of the time before drafts
)

// most is how long a file of the kind may be, in bytes; 0 for no kind of file.
func (k MediaKind) most() int64 {
	switch k {
	case ImageMedia, VideoMedia:
		return 10 << 20
	case VoiceMedia:
		return 2 << 20
	case ThumbMedia:
		return 64 << 10
	case NewsMaterial:
	}
	return 0
}

// Upload is a file on its way to the platform.
type Upload struct {
	Kind MediaKind
	// Name is the file's name, such as "map.png"; it should say nothing of a
	// patient. The platform wants one, and goes by the bytes.
	Name string
	// Content is read to its end, which must come before the limit of the kind.
	// The whole file is held in memory once while it is sent.
	Content io.Reader
}

// validate checks all but the content. It returns Invalid with code bad_media,
// and the detail names the field as the platform does: "type", "media".
func (u Upload) validate() error {
	switch {
	case u.Kind.most() == 0:
		return badMedia("type: want image, voice, video or thumb")
	case !fileName(u.Name):
		return badMedia("media: want a file name of 1 to 255 bytes, without quotes, slashes and control characters")
	case u.Content == nil:
		return badMedia("media: missing")
	}
	return nil
}

func fileName(name string) bool {
	return name != "" && name != "." && name != ".." && len(name) <= maxFileName && utf8.ValidString(name) &&
		!strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f || strings.ContainsRune(`"\/`, r) })
}

func badMedia(detail string) error { return invalid("wechat.Upload", "bad_media", detail) }

// form is a multipart body.
type form struct {
	contentType string
	body        []byte
}

// newForm writes the file straight into the body, so that it stands in memory
// once. Fields are pairs. The content is read while ctx lasts: a source that
// trickles must not hold the caller longer than it wants to wait.
func (u Upload) newForm(ctx context.Context, most int64, fields ...string) (*form, error) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for i := 0; i < len(fields); i += 2 {
		if err := w.WriteField(fields[i], fields[i+1]); err != nil {
			return nil, &hospital.Error{Kind: hospital.Internal, Op: "wechat.Upload", Err: err}
		}
	}
	part, err := w.CreateFormFile("media", u.Name)
	if err != nil {
		return nil, &hospital.Error{Kind: hospital.Internal, Op: "wechat.Upload", Err: err}
	}
	n, err := io.Copy(part, io.LimitReader(patient{ctx, u.Content}, most+1))
	switch {
	case err != nil && ctx.Err() != nil:
		return nil, &hospital.Error{Kind: hospital.Unavailable, Op: "wechat.Upload", Code: "deadline", Err: ctx.Err()}
	case err != nil:
		return nil, &hospital.Error{Kind: hospital.Invalid, Op: "wechat.Upload", Code: "bad_media", Detail: "media: the content cannot be read", Err: err}
	case n == 0:
		return nil, badMedia("media: empty")
	case n > most:
		return nil, badMedia("media: above the limit of its type")
	}
	if err := w.Close(); err != nil {
		return nil, &hospital.Error{Kind: hospital.Internal, Op: "wechat.Upload", Err: err}
	}
	return &form{w.FormDataContentType(), b.Bytes()}, nil
}

// patient reads as long as its context lasts.
type patient struct {
	ctx    context.Context //nolint:containedctx // it lives for one copy
	source io.Reader
}

func (r patient) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.source.Read(p) //nolint:wrapcheck // as the source says it
}

// File is a file that the platform gave out.
type File struct {
	Name string // as the platform calls it; "" where it does not, or by no plain name
	Type string // Content-Type
	Data []byte
}

// take reads an answer that is a file. A refusal comes as JSON with the same
// status, whatever its Content-Type, and whatever else stands on the way answers with a page.
func (f *File) take(answer remote.Answer) bool {
	contentType, _, err := mime.ParseMediaType(answer.Header.Get("Content-Type"))
	family, _, _ := strings.Cut(contentType, "/")
	switch {
	case err != nil, len(answer.Body) == 0, bytes.HasPrefix(answer.Body, []byte(`{"errcode"`)):
		return false
	case family != "image" && family != "audio" && family != "video" && family != "voice" && contentType != "application/octet-stream":
		return false
	}
	f.Type, f.Data = contentType, answer.Body
	if _, parameters, err := mime.ParseMediaType(answer.Header.Get("Content-Disposition")); err == nil && fileName(parameters["filename"]) {
		f.Name = parameters["filename"]
	}
	return true
}

// Media is a temporary file (临时素材), which the platform keeps for three days.
type Media struct {
	Kind       MediaKind
	ID         string // media_id
	UploadedAt time.Time
}

// UploadMedia sends a temporary file. It returns Invalid with code bad_media
// before anything is sent, for a file that is empty or above the limit of its
// kind too. Indeterminate: the platform may hold the file, under an id that
// nobody knows; send it again.
// API: POST /cgi-bin/media/upload.
func (c *Client) UploadMedia(ctx context.Context, u Upload) (Media, error) {
	if err := u.validate(); err != nil {
		return Media{}, err
	}
	body, err := u.newForm(ctx, u.Kind.most())
	if err != nil {
		return Media{}, err
	}
	ask := call{
		op: "wechat.UploadMedia", path: "/cgi-bin/media/upload", query: url.Values{"type": {string(u.Kind)}}, upload: body, changes: true,
	}
	answer, err := c.do(ctx, ask)
	if err != nil {
		return Media{}, err
	}
	id := answer.Get("media_id").String()
	if id == "" {
		id = answer.Get("thumb_media_id").String() // of a thumb
	}
	seconds, err := integer(answer.Get("created_at"))
	switch {
	case id == "":
		return Media{}, ask.bad("media_id")
	case err != nil:
		return Media{}, ask.bad("created_at")
	}
	return Media{Kind: u.Kind, ID: id, UploadedAt: time.Unix(seconds, 0).In(hospital.CST)}, nil
}

// FetchedMedia is a temporary file that came back. A video comes as an address
// alone.
type FetchedMedia struct {
	File
	VideoURL string
}

// FetchMedia fetches a temporary file: one that was uploaded, or that a user
// sent. One that is unknown or older than three days is Invalid with code 40007.
// API: GET /cgi-bin/media/get.
func (c *Client) FetchMedia(ctx context.Context, id string) (FetchedMedia, error) {
	if id == "" {
		return FetchedMedia{}, invalid("wechat.FetchMedia", "bad_media", "media_id: missing")
	}
	var out FetchedMedia
	ask := call{op: "wechat.FetchMedia", path: "/cgi-bin/media/get", query: url.Values{"media_id": {id}}, into: &out.File, most: maxFile}
	answer, err := c.do(ctx, ask)
	if err != nil {
		return FetchedMedia{}, err
	}
	out.VideoURL = answer.Get("video_url").String()
	if out.Data == nil && !webAddress(out.VideoURL) {
		return FetchedMedia{}, ask.bad("video_url")
	}
	return out, nil
}

// UploadImage sends an image, PNG or JPEG and below 1 MB, for the text of
// articles, and returns its address: the only kind that a draft keeps. name is
// the file's, as in [Upload]. It returns Invalid with code bad_media before
// anything is sent.
// API: POST /cgi-bin/media/uploadimg.
func (c *Client) UploadImage(ctx context.Context, name string, image io.Reader) (address string, err error) {
	u := Upload{Kind: ImageMedia, Name: name, Content: image}
	if err := u.validate(); err != nil {
		return "", err
	}
	body, err := u.newForm(ctx, maxBodyImage)
	if err != nil {
		return "", err
	}
	ask := call{op: "wechat.UploadImage", path: "/cgi-bin/media/uploadimg", upload: body, changes: true}
	answer, err := c.do(ctx, ask)
	if err != nil {
		return "", err
	}
	if address = answer.Get("url").String(); !webAddress(address) {
		return "", ask.bad("url")
	}
	return address, nil
}
