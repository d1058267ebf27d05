// Package wechat speaks with the WeChat Official Account platform (微信公众平台):
// it receives the platform's pushes and calls its interfaces.
package wechat
