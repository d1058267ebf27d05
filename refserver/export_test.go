package refserver

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
