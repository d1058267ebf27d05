package triage

// Parse shows the strict reader to its fuzz test.
func Parse(data []byte) error {
	_, err := parseNode(data)
	return err
}
