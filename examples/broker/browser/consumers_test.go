package browser

import (
	"net/http"
	"strings"
	"testing"
)

// ask sends a request about a consumer.
func (w *world) ask(method, path, body string) {
	w.t.Helper()
	request, err := http.NewRequestWithContext(w.t.Context(), method, w.url+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		w.t.Fatal(err)
	}
	_ = response.Body.Close()
	if response.StatusCode >= http.StatusBadRequest {
		w.t.Fatalf("%s %s: %s", method, path, response.Status)
	}
}

// TestThePageShowsConsumers: what they have not delivered, what is pending, and what came again; and none when there is none.
func TestThePageShowsConsumers(t *testing.T) {
	w, ok := open(t, t.TempDir(), 1200, 900)
	if !ok {
		return
	}
	for range 3 {
		w.publish("/streams/jobs/jobs.a", "work")
	}
	w.look()
	w.until(`document.querySelectorAll("#streams tr").length === 1`)
	if !evaluate[bool](w, `document.querySelector("#consumers-section").hidden`) {
		t.Error("consumers are shown where there is none")
	}
	w.ask("PUT", "/consumers/jobs/mail", `{"ackWait":"1h"}`)
	w.ask("POST", "/consumers/jobs/mail/pull?batch=2", "")
	w.ask("POST", "/consumers/jobs/mail/ack", `{"tokens":["1.1"]}`)
	w.ask("POST", "/consumers/jobs/mail/nak", `{"tokens":["2.2"]}`)
	w.ask("POST", "/consumers/jobs/mail/pull?batch=1", "")
	const figures = `[...document.querySelectorAll("#consumers tr:first-child > *")].map((cell) => cell.textContent).join(",")`
	w.until(figures + ` === "mail,1,1,1,1,0,"`) // lag, pending, redelivered, acknowledged, waiting
	w.ask("POST", "/consumers/jobs/mail/pause", `{"for":"1h"}`)
	w.until(figures + `.includes("paused until")`)
	w.ask("DELETE", "/consumers/jobs/mail", "")
	w.until(`document.querySelector("#consumers-section").hidden`)
}
