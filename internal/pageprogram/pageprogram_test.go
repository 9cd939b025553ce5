package pageprogram

import "testing"

func TestFind(t *testing.T) {
	page := "# Page\n\n```text\nearly\n```\n\n```go\nx := 1\n```\n\n```go\npackage main\n\nfunc main() {}\n```\n\n```sh\nrun\n```\n\n```text\nlate\n```\n"
	program, printed := find(page)
	if program != "package main\n\nfunc main() {}\n" || printed != "late\n" {
		t.Errorf("%q %q", program, printed)
	}
	if program, printed := find("```go\nx := 1\n```\n\n```text\nlate\n```\n"); program != "" || printed != "" {
		t.Errorf("%q %q", program, printed)
	}
}
