package browser

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// patience is how long a test waits for what should come soon, on a machine that may be busy.
const patience = 2 * time.Minute

// chromium returns the browser of this machine, or "" when there is none.
func chromium() string {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return ""
}

// built is the folder of the program; "" before it is built.
var built string

// buildBroker builds the program once for all tests.
var buildBroker = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "millrace-browser-*")
	if err != nil {
		return "", err
	}
	built = dir
	program := filepath.Join(dir, "broker")
	if runtime.GOOS == "windows" {
		program += ".exe"
	}
	build := exec.Command("go", "build", "-o", program, ".")
	build.Dir = ".." // the root module's
	if output, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, output)
	}
	return program, nil
})

func TestMain(m *testing.M) {
	status := m.Run()
	if built != "" {
		_ = os.RemoveAll(built) // what is left is in the folder for such things
	}
	os.Exit(status)
}

// A world is a broker and a browser that looks at its page.
type world struct {
	t   *testing.T
	url string
	ctx context.Context // of the browser's tab
}

// open starts both, or reports false where there is no browser.
func open(t *testing.T, dir string, width, height int64) (*world, bool) {
	t.Helper()
	browser := chromium()
	if browser == "" {
		t.Log("nothing was tested: there is no Chromium on this machine (Debian: the package chromium)")
		return nil, false
	}
	w := &world{t: t, url: serve(t, dir)}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(browser), chromedp.Flag("headless", "new"), chromedp.WSURLReadTimeout(patience))
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox) // Chromium refuses root otherwise
	}
	allocator, cancel := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(cancel)
	tab, cancel := chromedp.NewContext(allocator)
	t.Cleanup(cancel)
	w.ctx = tab
	w.run(chromedp.EmulateViewport(width, height))
	return w, true
}

// serve runs the broker until the test ends, and returns its address.
func serve(t *testing.T, dir string) string {
	t.Helper()
	program, err := buildBroker()
	if err != nil {
		t.Fatal(err)
	}
	broker := exec.Command(program, "serve", "-create", "-listen", "127.0.0.1:0", "-dir", dir)
	broker.Stderr = os.Stderr
	output, err := broker.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := broker.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = broker.Process.Signal(os.Interrupt)
		if err := broker.Wait(); err != nil {
			t.Errorf("the broker ended with %v", err)
		}
	})
	line, err := bufio.NewReader(output).ReadString('\n')
	_, rest, found := strings.Cut(line, "http://")
	if err != nil || !found {
		t.Fatalf("%q, %v", line, err)
	}
	address, _, _ := strings.Cut(rest, " ")
	return "http://" + address
}

func (w *world) run(actions ...chromedp.Action[chromedp.Void]) {
	w.t.Helper()
	if err := chromedp.Do(w.ctx, actions...); err != nil {
		w.t.Fatal(err)
	}
}

// look opens the page, and returns when it shows the streams.
func (w *world) look() {
	w.t.Helper()
	w.run(chromedp.Navigate(w.url))
	w.until(`document.querySelector("#status").textContent === "Live"`)
}

// until waits until an expression is true on the page. The page allows no script of others to be made from text, which
// chromedp.Poll would need.
func (w *world) until(expression string) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.ctx, patience)
	defer cancel()
	script := `new Promise((done) => { const look = () => (` + expression + `) ? done(true) : setTimeout(look, 20); look(); })`
	if _, err := chromedp.Run(ctx, chromedp.Evaluate[bool](script, chromedp.EvalAwaitPromise)); err != nil {
		w.t.Fatalf("%s: %v", expression, err)
	}
}

// evaluate returns what an expression is on the page.
func evaluate[T any](w *world, expression string) T {
	w.t.Helper()
	value, err := chromedp.Run(w.ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		w.t.Fatalf("%s: %v", expression, err)
	}
	return value
}

// publish stores a message; headers are pairs.
func (w *world) publish(path, body string, headers ...string) {
	w.t.Helper()
	request, err := http.NewRequestWithContext(w.t.Context(), http.MethodPost, w.url+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		w.t.Fatal(err)
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusCreated {
		w.t.Fatalf("POST %s: %s", path, response.Status)
	}
}
