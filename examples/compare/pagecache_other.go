//go:build !linux

package main

import "errors"

// canDropPages says whether dropPages works on this system.
const canDropPages = false

func dropPages(string) error { return errors.New("the page cache cannot be dropped on this system") }
