package wechattest_test

import (
	"io"
	"net/http"
	"net/url"
	"sync"
)

// inbox is an account's server that keeps what it is told and says "success".
type inbox struct {
	mu      sync.Mutex
	bodies  []string
	queries []url.Values
	headers []http.Header
}

func (i *inbox) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	i.mu.Lock()
	defer i.mu.Unlock()
	i.bodies = append(i.bodies, string(body))
	i.queries = append(i.queries, r.URL.Query())
	i.headers = append(i.headers, r.Header)
	_, _ = io.WriteString(w, "success")
}

func (i *inbox) last() string {
	i.mu.Lock()
	defer i.mu.Unlock()
	if len(i.bodies) == 0 {
		return ""
	}
	return i.bodies[len(i.bodies)-1]
}

func (i *inbox) count() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return len(i.bodies)
}
