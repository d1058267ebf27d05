package refserver

import "context"

// Route is a line of the route table, for tests.
type Route struct {
	Method, Path string
	Open         bool // anybody may come
}

// Routes is the route table.
func Routes() (all []Route) {
	for _, r := range table() {
		all = append(all, Route{r.method, r.path, r.need == anybody})
	}
	return all
}

// Undelivered lists what staff see of the messages that did not arrive:
// "appt.booked waiting".
func (s *Server) Undelivered(ctx context.Context) ([]string, error) {
	failed, err := undelivered{s.messages}.Failed(ctx, 100)
	var all []string
	for _, m := range failed {
		all = append(all, m.Scene+" "+m.State)
	}
	return all, err
}
