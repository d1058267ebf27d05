package wechat_test

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/wechat"
	"github.com/wxhospital/hospital/wechat/wechattest"
)

// exampleClient is a client of the simulated platform. Against the real one only
// the addresses and the credentials differ.
func exampleClient() (*wechat.Client, *wechattest.Follower, *wechattest.Platform, func()) {
	account, api, follower, p, stop := platform()
	client, err := wechat.New(wechat.Config{AppID: account.AppID, Secret: account.Secret, BaseURL: api, MPURL: api})
	if err != nil {
		panic(err)
	}
	return client, follower, p, stop
}

const examplePNG = "\x89PNG\r\n\x1a\n…"

func ExampleClient_UploadMedia() {
	client, _, _, stop := exampleClient()
	defer stop()
	ctx := context.Background()
	media, err := client.UploadMedia(ctx, wechat.Upload{Kind: wechat.ImageMedia, Name: "map.png", Content: strings.NewReader(examplePNG)})
	fmt.Println(len(media.ID), err)
	_, err = client.UploadMedia(ctx, wechat.Upload{Kind: wechat.ThumbMedia, Name: "map.png", Content: strings.NewReader(strings.Repeat("a", 65<<10))})
	fmt.Println(err)
	// Output:
	// 64 <nil>
	// wechat.Upload: invalid [bad_media]: media: above the limit of its type
}

func ExampleClient_FetchMedia() {
	client, _, _, stop := exampleClient()
	defer stop()
	ctx := context.Background()
	media, err := client.UploadMedia(ctx, wechat.Upload{Kind: wechat.ImageMedia, Name: "map.png", Content: strings.NewReader(examplePNG)})
	if err != nil {
		fmt.Println(err)
		return
	}
	file, err := client.FetchMedia(ctx, media.ID)
	fmt.Println(file.Type, string(file.Data) == examplePNG, err)
	_, err = client.FetchMedia(ctx, "of last week")
	fmt.Println(hospital.CodeOf(err))
	// Output:
	// image/png true <nil>
	// 40007
}

func ExampleClient_UploadImage() {
	client, _, _, stop := exampleClient()
	defer stop()
	address, err := client.UploadImage(context.Background(), "herb.png", strings.NewReader(examplePNG))
	fmt.Println(strings.HasPrefix(address, "http"), err) // for <img src> in an article
	// Output: true <nil>
}

func ExampleClient_AddMaterial() {
	client, _, _, stop := exampleClient()
	defer stop()
	ctx := context.Background()
	film := wechat.NewMaterial{
		Upload: wechat.Upload{Kind: wechat.VideoMedia, Name: "way.mp4", Content: strings.NewReader("\x00\x00\x00\x18ftypmp42…")},
		Title:  "导诊", Introduction: "从大门到门诊三楼",
	}
	added, err := client.AddMaterial(ctx, film)
	if err != nil {
		fmt.Println(err)
		return
	}
	material, err := client.FetchMaterial(ctx, added.ID)
	fmt.Println(material.Title, material.Introduction, err)
	count, err := client.CountMaterials(ctx)
	fmt.Println(count.Videos, err)
	list, err := client.ListMaterials(ctx, wechat.VideoMedia, wechat.Page{})
	fmt.Println(list.Total, list.Entries[0].Name, err)
	fmt.Println(client.DeleteMaterial(ctx, added.ID))
	// Output:
	// 导诊 从大门到门诊三楼 <nil>
	// 1 <nil>
	// 1 导诊 <nil>
	// <nil>
}

func ExampleClient_PublishDraft() {
	client, _, p, stop := exampleClient()
	defer stop()
	ctx := context.Background()
	cover, err := client.AddMaterial(ctx, wechat.NewMaterial{
		Upload: wechat.Upload{Kind: wechat.ImageMedia, Name: "cover.png", Content: strings.NewReader(examplePNG)},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	article := wechat.DraftArticle{Title: "冬病夏治", Content: "<p>三伏贴开始预约</p>", ThumbID: cover.ID}
	draft, err := client.AddDraft(ctx, []wechat.DraftArticle{article})
	if err != nil {
		fmt.Println(err)
		return
	}
	article.Title = "冬病夏治：三伏贴"
	fmt.Println(client.UpdateDraft(ctx, wechat.DraftChange{ID: draft, Article: article}))
	n, err := client.CountDrafts(ctx)
	fmt.Println(n, err)
	id, err := client.PublishDraft(ctx, draft)
	if err != nil {
		fmt.Println(err)
		return
	}
	state, err := client.FindPublication(ctx, id)
	fmt.Println(state.Status == wechat.PublishRunning, err)
	for next := time.Now(); !next.IsZero(); { // the platform takes its second
		<-time.After(time.Until(next))
		if next, err = p.Advance(ctx); err != nil {
			fmt.Println(err)
			return
		}
	}
	state, err = client.FindPublication(ctx, id)
	fmt.Println(state.Status == wechat.PublishDone, len(state.Articles), err)
	list, err := client.ListPublished(ctx, wechat.ContentQuery{Bare: true})
	fmt.Println(list.Entries[0].Articles[0].Title, err)
	fmt.Println(client.DeletePublished(ctx, wechat.PublishedArticle{ArticleID: state.ArticleID}))
	shown, err := client.FetchPublished(ctx, state.ArticleID)
	fmt.Println(shown[0].Deleted, err)
	// Output:
	// <nil>
	// 1 <nil>
	// true <nil>
	// true 1 <nil>
	// 冬病夏治：三伏贴 <nil>
	// <nil>
	// true <nil>
}

func ExampleClient_AddDraft() {
	client, _, _, stop := exampleClient()
	defer stop()
	ctx := context.Background()
	image, err := client.AddMaterial(ctx, wechat.NewMaterial{
		Upload: wechat.Upload{Kind: wechat.ImageMedia, Name: "a.png", Content: strings.NewReader(examplePNG)},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	id, err := client.AddDraft(ctx, []wechat.DraftArticle{{Kind: wechat.PictureArticle, Title: "新门诊楼", Content: "今天启用", ImageIDs: []string{image.ID}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	articles, err := client.FetchDraft(ctx, id)
	fmt.Println(articles[0].Title, len(articles[0].ImageIDs), err)
	list, err := client.ListDrafts(ctx, wechat.ContentQuery{})
	fmt.Println(list.Total, err)
	fmt.Println(client.DeleteDraft(ctx, id))
	_, err = client.AddDraft(ctx, []wechat.DraftArticle{{Title: strings.Repeat("长", 33)}})
	fmt.Println(err)
	// Output:
	// 新门诊楼 1 <nil>
	// 1 <nil>
	// <nil>
	// wechat.DraftArticle: invalid [bad_article]: articles[0].title: want 1 to 32 characters
}
