// Package browser tests the broker's page in a real browser: Chromium without a window, driven by chromedp. It is a
// module of its own, so that nobody else downloads that. Where there is no Chromium (Debian: the package chromium), the
// tests pass and say that they have tested nothing.
package browser
