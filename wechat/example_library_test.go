package wechat_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/wechat"
	"github.com/wxhospital/hospital/wechat/wechattest"
)

// shelf is an account with a permanent image, a draft and an article that is
// published.
type shelf struct {
	*wechat.Client

	image, draft string
	published    wechat.Published
	publishID    string
	stop         func()
}

func openShelf() shelf {
	must := func(err error) {
		if err != nil {
			panic(err)
		}
	}
	now, ctx := time.Date(2026, 11, 23, 7, 30, 0, 0, hospital.CST), context.Background()
	p, err := wechattest.New(wechattest.Config{Now: func() time.Time { return now }})
	must(err)
	server := httptest.NewServer(p.Handler())
	l := shelf{stop: func() { server.Close(); must(p.Close()) }}
	l.Client, err = wechat.New(wechat.Config{AppID: p.Account().AppID, Secret: p.Account().Secret, BaseURL: server.URL, Now: func() time.Time { return now }})
	must(err)
	cover, err := l.AddMaterial(ctx, wechat.NewMaterial{Upload: wechat.Upload{Kind: wechat.ImageMedia, Name: "cover.png", Content: strings.NewReader(examplePNG)}})
	must(err)
	l.image = cover.ID
	article := wechat.DraftArticle{Title: "冬病夏治", Content: "<p>三伏贴开始预约</p>", ThumbID: cover.ID}
	shown, err := l.AddDraft(ctx, []wechat.DraftArticle{article})
	must(err)
	l.publishID, err = l.PublishDraft(ctx, shown)
	must(err)
	now = now.Add(time.Minute)
	_, err = p.Advance(ctx)
	must(err)
	l.published, err = l.FindPublication(ctx, l.publishID)
	must(err)
	article.Title = "秋冬养生"
	l.draft, err = l.AddDraft(ctx, []wechat.DraftArticle{article})
	must(err)
	return l
}

func ExampleClient_FetchMaterial() {
	l := openShelf()
	defer l.stop()
	cover, err := l.FetchMaterial(context.Background(), l.image)
	fmt.Println(cover.Type, string(cover.Data) == examplePNG, err)
	// Output: image/png true <nil>
}

func ExampleClient_CountMaterials() {
	l := openShelf()
	defer l.stop()
	count, err := l.CountMaterials(context.Background())
	fmt.Println(count.Images, count.Videos, err)
	// Output: 1 0 <nil>
}

func ExampleClient_ListMaterials() {
	l := openShelf()
	defer l.stop()
	list, err := l.ListMaterials(context.Background(), wechat.ImageMedia, wechat.Page{})
	fmt.Println(list.Total, list.Entries[0].Name, list.Entries[0].ID == l.image, err)
	// Output: 1 cover.png true <nil>
}

func ExampleClient_DeleteMaterial() {
	l := openShelf()
	defer l.stop()
	fmt.Println(l.DeleteMaterial(context.Background(), l.image))
	fmt.Println(hospital.CodeOf(l.DeleteMaterial(context.Background(), l.image)))
	// Output:
	// <nil>
	// 40007
}

func ExampleClient_FetchDraft() {
	l := openShelf()
	defer l.stop()
	articles, err := l.FetchDraft(context.Background(), l.draft)
	fmt.Println(articles[0].Title, articles[0].Content, err)
	// Output: 秋冬养生 <p>三伏贴开始预约</p> <nil>
}

func ExampleClient_UpdateDraft() {
	l := openShelf()
	defer l.stop()
	article := wechat.DraftArticle{Title: "秋冬养生：膏方", Content: "<p>膏方门诊</p>", ThumbID: l.image}
	fmt.Println(l.UpdateDraft(context.Background(), wechat.DraftChange{ID: l.draft, Article: article}))
	// Output: <nil>
}

func ExampleClient_CountDrafts() {
	l := openShelf()
	defer l.stop()
	n, err := l.CountDrafts(context.Background()) // what is published is no draft any more
	fmt.Println(n, err)
	// Output: 1 <nil>
}

func ExampleClient_ListDrafts() {
	l := openShelf()
	defer l.stop()
	list, err := l.ListDrafts(context.Background(), wechat.ContentQuery{Bare: true})
	fmt.Println(list.Total, list.Entries[0].Articles[0].Title, err)
	// Output: 1 秋冬养生 <nil>
}

func ExampleClient_DeleteDraft() {
	l := openShelf()
	defer l.stop()
	fmt.Println(l.DeleteDraft(context.Background(), l.draft))
	// Output: <nil>
}

func ExampleClient_FindPublication() {
	l := openShelf()
	defer l.stop()
	state, err := l.FindPublication(context.Background(), l.publishID)
	fmt.Println(state.Status == wechat.PublishDone, len(state.Articles), err)
	// Output: true 1 <nil>
}

func ExampleClient_FetchPublished() {
	l := openShelf()
	defer l.stop()
	articles, err := l.FetchPublished(context.Background(), l.published.ArticleID)
	fmt.Println(articles[0].Title, articles[0].URL != "", err)
	// Output: 冬病夏治 true <nil>
}

func ExampleClient_ListPublished() {
	l := openShelf()
	defer l.stop()
	list, err := l.ListPublished(context.Background(), wechat.ContentQuery{})
	fmt.Println(list.Total, list.Entries[0].Articles[0].Title, err)
	// Output: 1 冬病夏治 <nil>
}

func ExampleClient_DeletePublished() {
	l := openShelf()
	defer l.stop()
	fmt.Println(l.DeletePublished(context.Background(), wechat.PublishedArticle{ArticleID: l.published.ArticleID}))
	list, err := l.ListPublished(context.Background(), wechat.ContentQuery{})
	fmt.Println(list.Total, err)
	// Output:
	// <nil>
	// 0 <nil>
}
