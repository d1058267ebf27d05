//go:build !race

package promise_test

// raceDetector says that this run is several times slower, so it draws less.
const raceDetector = false
