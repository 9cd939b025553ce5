package browser

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// A box is where something is on the screen.
type box struct{ Left, Right, Top, Bottom, Width, Height float64 }

func (w *world) box(selector string) box {
	w.t.Helper()
	return evaluate[box](w, fmt.Sprintf(`(() => {
		const {left, right, top, bottom, width, height} = document.querySelector(%q).getBoundingClientRect();
		return {Left: left, Right: right, Top: top, Bottom: bottom, Width: width, Height: height};
	})()`, selector))
}

// TestASmallScreenShowsRateAndSize without scrolling to the side, also of a stream with a long name.
func TestASmallScreenShowsRateAndSize(t *testing.T) {
	w, ok := open(t, t.TempDir(), 400, 800)
	if !ok {
		return
	}
	for _, name := range []string{"short", strings.Repeat("long", 16)} {
		w.publish("/streams/"+name+"/"+name, strings.Repeat("x", 100_000))
	}
	w.look()
	w.until(`document.querySelectorAll("#streams tr").length === 2`)
	if width := evaluate[float64](w, `document.documentElement.scrollWidth`); width > 400 {
		t.Errorf("the page is %v pixels wide", width)
	}
	for _, selector := range []string{
		"#streams tr:first-child td:nth-of-type(1)", "#streams tr:first-child td.size", "#streams tr:first-child button",
		"#streams tr:last-child td:nth-of-type(1)", "#streams tr:last-child td.size", "#total-stored", "#total-bytes", "#total-commit", "#pause", "#delete",
	} {
		if b := w.box(selector); b.Width == 0 || b.Height == 0 || b.Left < 0 || b.Right > 400 {
			t.Errorf("%s is at %+v", selector, b)
		}
	}
	if text := evaluate[string](w, `document.querySelector("#streams tr:first-child td.size").textContent`); !strings.Contains(text, "of 1.0 GiB") {
		t.Errorf("the size is %q", text)
	}
}

// TestAClickIsSeenToDoSomething with more streams than the screen has room for.
func TestAClickIsSeenToDoSomething(t *testing.T) {
	w, ok := open(t, t.TempDir(), 1280, 600)
	if !ok {
		return
	}
	for i := range 14 {
		w.publish(fmt.Sprintf("/streams/s%02d/s%02d", i, i), fmt.Sprintf("of stream %d", i))
	}
	w.look()
	w.until(`document.querySelectorAll("#streams tr").length === 14`)
	if b := w.box("#messages-heading"); b.Top < 600 {
		t.Fatalf("the heading is at %+v already: the test shows nothing", b)
	}
	w.run(chromedp.Click(`#streams tr[data-name="s03"] button`))
	w.until(`document.querySelector("#messages pre")?.textContent === "of stream 3"`)
	if b := w.box("#messages-heading"); b.Top < 0 || b.Bottom > 600 {
		t.Errorf("the heading is at %+v, out of sight", b)
	}
	if b := w.box("#messages pre"); b.Top < 0 || b.Bottom > 600 {
		t.Errorf("the message is at %+v, out of sight", b)
	}
	for expression, want := range map[string]string{
		`document.activeElement.id`:                                          "messages-heading",
		`document.querySelector("#messages-heading").textContent`:            "Last messages of s03",
		`document.querySelector("#chosen").textContent`:                      "The last messages of s03 are shown.",
		`document.querySelector("#streams [aria-pressed=true]").textContent`: "s03",
	} {
		if got := evaluate[string](w, expression); got != want {
			t.Errorf("%s is %q, want %q", expression, got, want)
		}
	}
}

// TestMessagesAreReadable: headers, JSON on lines of its own with all its digits, and nothing that hides or turns text.
func TestMessagesAreReadable(t *testing.T) {
	w, ok := open(t, t.TempDir(), 1280, 800)
	if !ok {
		return
	}
	w.publish("/streams/a/a.x%E2%80%AEy", `{"n":12345678901234567890,"list":[1,{"b":"c, {d}: \"e\""}],"none":[],"n":2}`, "Nats-Msg-Id", "one\u200btwo", "Nats-TTL", "1h")
	w.publish("/streams/a/a", "not JSON:\tpay\u202e\u2066bob\n<b>zero\u200bwidth</b>\x01")
	w.look()
	w.until(`document.querySelectorAll("#messages li").length === 2`)
	text := func(selector string) string {
		return evaluate[string](w, fmt.Sprintf(`document.querySelector(%q).textContent`, selector))
	}
	if got, want := text("#messages li:first-child pre"), "not JSON:\tpay\\u{202e}\\u{2066}bob\n<b>zero\\u{200b}width</b>\\u{1}"; got != want {
		t.Errorf("the payload is shown as %q, want %q", got, want)
	}
	want := "{\n  \"n\": 12345678901234567890,\n  \"list\": [\n    1,\n    {\n      \"b\": \"c, {d}: \\\"e\\\"\"\n    }\n  ],\n  \"none\": [],\n  \"n\": 2\n}"
	if got := text("#messages li:last-child pre"); got != want {
		t.Errorf("JSON is shown as %q, want %q", got, want)
	}
	if got := text("#messages li:last-child .subject"); got != `a.x\u{202e}y` {
		t.Errorf("the subject is shown as %q", got)
	}
	if got := text("#messages li:last-child .header"); got != `Nats-Msg-Idone\u{200b}twoNats-TTL1h` {
		t.Errorf("the headers are shown as %q", got)
	}
}

// TestWhatIsWrongIsShown with what to do, a stream that cannot be opened among those that are.
func TestWhatIsWrongIsShown(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "bad", "msgs"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "bad", "meta.inf"), []byte("no configuration"), 0o600); err != nil {
		t.Fatal(err)
	}
	w, ok := open(t, dir, 1280, 800)
	if !ok {
		return
	}
	w.publish("/streams/good/good", "x")
	w.look()
	w.until(`document.querySelectorAll("#streams tr").length === 2`)
	if text := evaluate[string](w, `document.querySelector("#alerts").textContent`); !strings.Contains(text, "bad cannot be opened: its configuration") || !strings.Contains(text, "-recreate-meta") {
		t.Errorf("the banner says %q", text)
	}
	if b := w.box("#alerts"); b.Height == 0 || b.Bottom > 800 {
		t.Errorf("the banner is at %+v", b)
	}
	if text := evaluate[string](w, `document.querySelector("#streams tr[data-name=bad]").textContent`); !strings.Contains(text, "cannot be opened") {
		t.Errorf("its row says %q", text)
	}
	for stream, says := range map[string]string{
		`{name: "a", failed: true}`: "The disk of a has failed.", `{name: "a", failed: true, full: "the disk is full"}`: "There is no room in a: the disk is full.",
		`{name: "a", lostMessages: 2}`: "Messages are lost: 2 of a.",
	} {
		text := evaluate[string](w, `showAlerts([`+stream+`]), document.querySelector("#alerts").hidden ? "" : document.querySelector("#alerts").textContent`)
		if !strings.HasPrefix(text, says) {
			t.Errorf("%s: the banner says %q", stream, text)
		}
	}
	if !evaluate[bool](w, `showAlerts([{name: "a"}]), document.querySelector("#alerts").hidden`) {
		t.Error("there is a banner although nothing is wrong")
	}
}

// TestRatesSurviveAReload: the broker keeps them.
func TestRatesSurviveAReload(t *testing.T) {
	w, ok := open(t, t.TempDir(), 1280, 800)
	if !ok {
		return
	}
	w.publish("/streams/a/a", "x")
	w.look()
	for i := 0; ; i++ { // until a sample has some of it
		w.publish("/streams/a/a", strings.Repeat("x", 1000))
		if i%20 == 19 && evaluate[bool](w, `document.querySelector("#total-stored").textContent !== "0" && document.querySelector("#total-bytes").textContent !== "0 B"`) {
			break
		}
	}
	if commit := evaluate[string](w, `document.querySelector("#total-commit").textContent`); !strings.HasSuffix(commit, "s") {
		t.Errorf("the commit time is %q", commit)
	}
	const chart = `document.querySelector("#streams polyline").getAttribute("points").split(" ").length`
	w.until(chart + " >= 3")
	w.run(chromedp.Reload())
	w.until(`document.querySelector("#status")?.textContent === "Live"`)
	if points := evaluate[int](w, chart); points < 3 {
		t.Errorf("%d points after a reload, want those from before", points)
	}
	if !evaluate[bool](w, `document.querySelector("#streams polyline").getAttribute("points").split(" ").some((point) => Number(point.split(",")[1]) < 19)`) {
		t.Error("the chart shows nothing of what was")
	}
}

// TestMessagesAndStreamsAreRemovedOnThePage, when whoever clicks says that it is meant.
func TestMessagesAndStreamsAreRemovedOnThePage(t *testing.T) {
	w, ok := open(t, t.TempDir(), 1280, 800)
	if !ok {
		return
	}
	for i := range 3 {
		w.publish("/streams/a/a", fmt.Sprint(i))
	}
	w.publish("/streams/b/b", "x")
	w.look()
	w.until(`document.querySelectorAll("#messages li").length === 3`)
	w.run(chromedp.Click(`#messages li:nth-child(2) button`))
	w.until(`document.querySelectorAll("#messages li").length === 2 && document.querySelector("#removed").textContent === "1 removed from a"`)
	w.run(chromedp.Evaluate[chromedp.Void](`confirm = () => false`), chromedp.Click(`#delete`))
	w.run(chromedp.Evaluate[chromedp.Void](`confirm = (words) => words.startsWith("Delete the stream a ")`), chromedp.Click(`#delete`))
	w.until(`document.querySelectorAll("#streams tr").length === 1 && document.querySelector("#removed").textContent === "The stream a is deleted."`)
	w.until(`document.querySelector("#messages-heading").textContent === "Last messages of b"`)
}

// TestARefusalIsNoSilence: the page tells the two apart.
func TestARefusalIsNoSilence(t *testing.T) {
	w, ok := open(t, t.TempDir(), 1280, 800)
	if !ok {
		return
	}
	w.publish("/streams/a/a", "x")
	w.look()
	w.run(chromedp.Evaluate[chromedp.Void](`fetch = async () => new Response('{"error":"too much is under way; try again"}', {status: 429}); tick()`))
	w.until(`document.querySelector("#status").textContent === "The broker refuses: too much is under way; try again (429)"`)
	w.run(chromedp.Evaluate[chromedp.Void](`fetch = async () => { throw new TypeError("no connection"); }; tick()`))
	w.until(`document.querySelector("#status").textContent.startsWith("The broker does not answer")`)
}
