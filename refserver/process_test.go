package refserver_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/internal/sqldb"
	"github.com/wxhospital/hospital/internal/sqltest"
	"github.com/wxhospital/hospital/internal/testclock"
	"github.com/wxhospital/hospital/refserver"
)

// processEnv carries the orders of a server that is a process of its own.
const processEnv = "HOSPITAL_TEST_SERVER"

// What a request to a server in another process says of the clocks.
const (
	clockHeader = "X-Test-Clock" // Unix milliseconds
	wallHeader  = "X-Test-Wall"
)

// processOrders is what a server in another process is told.
type processOrders struct {
	Wires       wiring
	DSN, Schema string
	Texts       string // where text messages go
	Clock, Wall int64
}

// phoneCompany sends text messages over a wire.
type phoneCompany struct{ at string }

func (c phoneCompany) Text(ctx context.Context, key hospital.Key, to hospital.Phone, text string) error {
	lost := func(err error) error {
		return &hospital.Error{Kind: hospital.Indeterminate, Op: "phoneCompany.Text", Code: "no_answer", Err: err}
	}
	form := url.Values{"key": {string(key)}, "to": {string(to)}, "text": {text}}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.at+"?"+form.Encode(), http.NoBody)
	if err != nil {
		return lost(err)
	}
	answer, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return lost(err)
	}
	if err := answer.Body.Close(); err != nil || answer.StatusCode != http.StatusNoContent {
		return lost(err)
	}
	return nil
}

// TestServerProcess is a server in a process of its own. It ends with its
// standard input, which the kernel sees to when the test's process dies.
func TestServerProcess(t *testing.T) { //nolint:paralleltest // it is the process
	told := os.Getenv(processEnv)
	if told == "" { // not a child: the tests of two processes say what it does
		return
	}
	var orders processOrders
	require.NoError(t, json.Unmarshal([]byte(told), &orders))
	clock, wall := testclock.At(time.UnixMilli(orders.Clock).In(hospital.CST)), testclock.At(time.UnixMilli(orders.Wall))
	db, err := sqldb.Open(t.Context(), sqldb.Config{
		DSN: orders.DSN, Schema: orders.Schema, Pool: 4, PseudonymKey: []byte(sqltest.PseudonymKey), Clock: wall.Now,
	})
	require.NoError(t, err)
	server := newServer(t, orders.Wires, refserver.Config{
		DB: db, Texter: phoneCompany{orders.Texts}, Now: clock.Now, Wall: wall.Now, Messages: refserver.Messages{Notices: notices()},
	})
	var mu sync.Mutex
	follow := func(c *testclock.Clock, header string) {
		ms, err := strconv.ParseInt(header, 10, 64)
		if err == nil && time.UnixMilli(ms).After(c.Now()) {
			c.Pass(time.UnixMilli(ms).Sub(c.Now()))
		}
	}
	handler := http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		mu.Lock()
		follow(clock, r.Header.Get(clockHeader))
		follow(wall, r.Header.Get(wallHeader))
		mu.Unlock()
		if r.URL.Path != "/advance" {
			server.Handler().ServeHTTP(rw, r)
			return
		}
		if err := server.Advance(r.Context()); err != nil {
			http.Error(rw, err.Error(), http.StatusInternalServerError)
		}
	})
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	listener := refserver.HTTPServer(handler)
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // nothing is ever said
		_ = listener.Close()                 // the parent is gone
	}()
	_, err = fmt.Fprintln(os.Stdout, "\nlistening at", l.Addr())
	require.NoError(t, err)
	require.ErrorIs(t, listener.Serve(l), http.ErrServerClosed)
}

// process is a server as the world sees it.
type process struct {
	cmd   *exec.Cmd
	life  io.Closer
	at    *url.URL
	front http.Handler // the way of patients and platforms to it
	dead  bool
}

// processes are the servers of one database. The world kills one of them at a
// moment.
type processes struct {
	*world

	orders processOrders

	mu      sync.Mutex
	all     []*process
	turn    int
	moment  *moment
	restart bool
}

// moment is a step that somebody outside the servers sees. The server that takes
// it is killed before it is done, or when it is done and nobody has heard of it.
type moment struct {
	step  string // "HIS Hold", "WeChat Pay POST /v3/pay/transactions/jsapi", "site POST /book"
	nth   int    // from 1
	after bool
}

func (m moment) String() string {
	when := "before"
	if m.after {
		when = "after"
	}
	return fmt.Sprintf("%s %s no %d", when, m.step, m.nth)
}

// newProcesses starts two servers on one PostgreSQL behind one address, which
// alternates between them. A third, in this process, only reads the books.
func newProcesses(t *testing.T, prefix string) *world {
	t.Helper()
	w := newFar(t, prefix)
	p := &processes{world: w}
	reader := sqltest.On(t, sqldb.PostgreSQL)(func(c *sqldb.Config) {
		p.orders.DSN, p.orders.Schema, c.Clock = c.DSN, c.Schema, w.wall.Now
	})
	w.add(reader)
	w.publish()
	texts := httptest.NewServer(http.HandlerFunc(p.text))
	t.Cleanup(texts.Close)
	p.orders.Texts = texts.URL
	w.processes = p
	for range 2 {
		p.all = append(p.all, p.start())
	}
	w.mux.HandleFunc(prefix+"/", func(rw http.ResponseWriter, r *http.Request) { p.next().front.ServeHTTP(rw, r) })
	return w
}

// text is the phone company: what it has carried once it does not carry again.
func (p *processes) text(rw http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	p.texts.once(hospital.Key(q.Get("key")), hospital.Phone(q.Get("to")), q.Get("text"))
	rw.WriteHeader(http.StatusNoContent)
}

// said is what a process said, in whatever goroutine it arrives.
type said struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *said) Write(text []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(text)
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// start starts a server whose far sides are behind a tap of its own.
func (p *processes) start() *process {
	p.Helper()
	one, orders := &process{}, p.orders
	orders.Clock, orders.Wall = p.clock.Now().UnixMilli(), p.wall.Now().UnixMilli()
	orders.Wires = p.wire(func(side string, far http.Handler) http.Handler { return p.tap(one, side, far) })
	told, err := json.Marshal(orders)
	require.NoError(p, err)
	one.cmd = exec.CommandContext(context.WithoutCancel(p.Context()), os.Args[0], "-test.run=^TestServerProcess$", "-test.timeout=5m")
	one.cmd.Env = append(os.Environ(), processEnv+"="+string(told))
	var wrong said
	one.cmd.Stderr = &wrong
	one.life, err = one.cmd.StdinPipe()
	require.NoError(p, err)
	out, err := one.cmd.StdoutPipe()
	require.NoError(p, err)
	require.NoError(p, one.cmd.Start())
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if address, ok := strings.CutPrefix(lines.Text(), "listening at "); ok {
			one.at = &url.URL{Scheme: "http", Host: address}
			break
		}
		_, _ = io.WriteString(&wrong, lines.Text()+"\n") // said never fails
	}
	require.NotNil(p, one.at, "the server did not start: %s", &wrong)
	go io.Copy(io.Discard, out) //nolint:errcheck // until the server ends
	p.Cleanup(func() {
		p.mu.Lock()
		dead := one.dead
		p.mu.Unlock()
		if !dead {
			require.NoError(p, one.life.Close())
			require.NoError(p, one.cmd.Wait(), "%s", &wrong)
		}
	})
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(one.at)
			r.Out.Host = r.In.Host
			p.tell(r.Out)
		},
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
		ErrorLog:     nil,
	}
	one.front = p.tap(one, "site", proxy)
	return one
}

// tell says what time it is.
func (p *processes) tell(r *http.Request) {
	r.Header.Set(clockHeader, strconv.FormatInt(p.clock.Now().UnixMilli(), 10))
	r.Header.Set(wallHeader, strconv.FormatInt(p.wall.Now().UnixMilli(), 10))
}

// living are the servers that were not killed.
func (p *processes) living() []*process {
	p.mu.Lock()
	alive := slices.DeleteFunc(slices.Clone(p.all), func(one *process) bool { return one.dead })
	p.mu.Unlock()
	return alive
}

// next is whose turn it is.
func (p *processes) next() *process {
	alive := p.living()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.turn++
	return alive[p.turn%len(alive)]
}

// revive starts a server in place of the one that was killed.
func (p *processes) revive() {
	p.Helper()
	if !p.restart || len(p.living()) == 2 {
		return
	}
	again := p.start()
	p.mu.Lock()
	p.all = append(p.all, again)
	p.mu.Unlock()
}

// advance lets the living do what is due. One that is killed over it has not
// done it.
func (p *processes) advance() {
	p.Helper()
	for _, one := range p.living() {
		err := p.advanceOne(one)
		p.mu.Lock()
		dead := one.dead
		p.mu.Unlock()
		if !dead {
			require.NoError(p, err)
		}
	}
}

func (p *processes) advanceOne(one *process) error {
	r, err := http.NewRequestWithContext(p.Context(), http.MethodPost, one.at.String()+"/advance", http.NoBody)
	if err != nil {
		return err
	}
	p.tell(r)
	answer, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return err
	}
	body, err := io.ReadAll(answer.Body)
	if answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("advance: %d %s", answer.StatusCode, body)
	}
	return errors.Join(err, answer.Body.Close())
}

var operation = regexp.MustCompile(`<(?:\w+:)?Body[^>]*>\s*<(?:\w+:)?(\w+)`)

// stepOf names what a request asks for.
func stepOf(side string, r *http.Request, body []byte) string {
	if side == "HIS" {
		if found := operation.FindSubmatch(body); found != nil {
			return "HIS " + strings.TrimSuffix(string(found[1]), "Request")
		}
	}
	return side + " " + r.Method + " " + anyID.ReplaceAllString(r.URL.Path, "/ID")
}

// anyID is what addresses name their objects by.
var anyID = regexp.MustCompile(`/[A-Za-z0-9_.-]{16,}`)

// tap is where the world sees what a server does, and kills it.
func (p *processes) tap(one *process, side string, far http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		step := stepOf(side, r, body)
		if p.strikes(one, step, false) {
			panic(http.ErrAbortHandler) // the request was lost
		}
		answer := httptest.NewRecorder()
		far.ServeHTTP(answer, r)
		if p.strikes(one, step, true) {
			panic(http.ErrAbortHandler) // it was done, and nobody hears of it
		}
		maps.Copy(rw.Header(), answer.Header())
		rw.WriteHeader(answer.Code)
		_, _ = rw.Write(answer.Body.Bytes()) // whoever asked is gone
	})
}

// strikes kills the server when this is the moment.
func (p *processes) strikes(one *process, step string, after bool) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	m := p.moment
	if m == nil || m.step != step || m.after != after || one.dead {
		return false
	}
	if m.nth--; m.nth > 0 {
		return false
	}
	p.moment, one.dead = nil, true
	if err := one.cmd.Process.Kill(); err != nil {
		p.Errorf("kill: %v", err)
	}
	_ = one.cmd.Wait() // it was killed, which is what it says
	return true
}
