package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// json asks for something, and decodes the answer.
func (s site) json(method, path, body string, status int, into any) {
	s.t.Helper()
	response, text := s.do(method, path, body)
	if response.StatusCode != status {
		s.t.Fatalf("%s %s: %s: %s", method, path, response.Status, text)
	}
	if into != nil {
		if err := json.Unmarshal([]byte(text), into); err != nil {
			s.t.Fatalf("%s %s: %v in %s", method, path, err, text)
		}
	}
}

type pulled struct {
	Messages []struct {
		Token      string
		Deliveries uint64
		Sequence   uint64
		Subject    string
		Payload    string
	}
}

func (s site) pull(query string) (p pulled) {
	s.t.Helper()
	s.json("POST", "/consumers/jobs/c/pull"+query, "", http.StatusOK, &p)
	return p
}

// jobs makes a stream with so many messages, and a consumer of it.
func (s site) jobs(count int, wishes string) {
	s.t.Helper()
	s.json("PUT", "/streams/jobs", "", http.StatusCreated, nil)
	for i := range count {
		s.publish(fmt.Sprintf("/streams/jobs/jobs.%d", i+1), fmt.Sprintf("job %d", i+1))
	}
	s.json("PUT", "/consumers/jobs/c", wishes, http.StatusCreated, nil)
}

// TestAConsumerOverHTTP: it is made, asked, acknowledged, paused, changed and deleted.
func TestAConsumerOverHTTP(t *testing.T) {
	s := startSite(t, BrokerConfig{Dir: t.TempDir()})
	s.jobs(4, `{"filters":["jobs.*"],"ackWait":"1h","maxDeliver":5,"orderPerSubject":true}`)
	first := s.pull("?batch=2")
	if len(first.Messages) != 2 || first.Messages[0].Payload != "job 1" || first.Messages[1].Subject != "jobs.2" || first.Messages[0].Deliveries != 1 {
		t.Fatalf("%+v", first)
	}
	s.json("POST", "/consumers/jobs/c/ack", fmt.Sprintf(`{"tokens":[%q]}`, first.Messages[0].Token), http.StatusOK, nil)
	s.json("POST", "/consumers/jobs/c/ack", fmt.Sprintf(`{"tokens":[%q]}`, first.Messages[0].Token), http.StatusConflict, nil)
	s.json("POST", "/consumers/jobs/c/nak", fmt.Sprintf(`{"tokens":[%q]}`, first.Messages[1].Token), http.StatusOK, nil)
	again := s.pull("?batch=1")
	if len(again.Messages) != 1 || again.Messages[0].Sequence != 2 || again.Messages[0].Deliveries != 2 {
		t.Fatalf("%+v", again)
	}
	s.json("POST", "/consumers/jobs/c/progress", fmt.Sprintf(`{"tokens":[%q]}`, again.Messages[0].Token), http.StatusOK, nil)
	s.json("POST", "/consumers/jobs/c/nak", fmt.Sprintf(`{"tokens":[%q],"delay":"1h"}`, again.Messages[0].Token), http.StatusOK, nil)
	third := s.pull("?batch=1")
	s.json("POST", "/consumers/jobs/c/term", fmt.Sprintf(`{"tokens":[%q]}`, third.Messages[0].Token), http.StatusOK, nil)

	var paused consumerInfo
	s.json("POST", "/consumers/jobs/c/pause", `{"for":"1h"}`, http.StatusOK, &paused)
	if paused.PausedUntil == nil || len(s.pull("").Messages) != 0 {
		t.Fatalf("%+v", paused)
	}
	s.json("POST", "/consumers/jobs/c/pause", "", http.StatusOK, nil)
	var list struct{ Consumers []consumerInfo }
	s.json("GET", "/consumers/jobs", "", http.StatusOK, &list)
	if len(list.Consumers) != 1 {
		t.Fatalf("%+v", list)
	}
	info := list.Consumers[0]
	if info.Lag != 1 || info.Pending != 1 || info.Redelivered != 1 || info.Acked != 1 || info.Terminated != 1 || info.MaxDeliver != 5 || !info.OrderPerSubject {
		t.Errorf("%+v", info)
	}
	s.json("PUT", "/consumers/jobs/c", `{"maxDeliver":9}`, http.StatusOK, &info)
	if info.MaxDeliver != 9 || time.Duration(info.AckWait) != time.Hour || info.Acked != 1 {
		t.Errorf("%+v", info)
	}
	s.json("PUT", "/consumers/jobs/c", `{"filters":["jobs.x"]}`, http.StatusConflict, nil)
	s.json("DELETE", "/consumers/jobs/c", "", http.StatusOK, nil)
	s.json("DELETE", "/consumers/jobs/c", "", http.StatusNotFound, nil)
	s.json("GET", "/consumers/jobs/c", "", http.StatusNotFound, nil)
	s.json("GET", "/consumers/jobs", "", http.StatusOK, &list)
	if len(list.Consumers) != 0 {
		t.Errorf("%+v", list)
	}
}

// TestAPullWaitsForAMessage, and ends when the broker shuts down.
func TestAPullWaitsForAMessage(t *testing.T) {
	s := startSite(t, BrokerConfig{Dir: t.TempDir()})
	s.jobs(0, `{"start":"new"}`)
	if got := s.pull("?expires=1ms"); len(got.Messages) != 0 {
		t.Fatalf("%+v", got)
	}
	waiting := func(query string) chan pulled {
		answers := make(chan pulled, 1)
		go func() { answers <- s.pull(query) }()
		for info := (consumerInfo{}); info.Waiting == 0; {
			s.json("GET", "/consumers/jobs/c", "", http.StatusOK, &info)
		}
		return answers
	}
	answers := waiting("?expires=50s")
	s.publish("/streams/jobs/jobs.late", "late")
	if got := <-answers; len(got.Messages) != 1 || got.Messages[0].Payload != "late" {
		t.Fatalf("%+v", got)
	}
	status := make(chan int, 1)
	go func() {
		response, _ := s.do("POST", "/consumers/jobs/c/pull?expires=50s", "")
		status <- response.StatusCode
	}()
	for info := (consumerInfo{}); info.Waiting == 0; {
		s.json("GET", "/consumers/jobs/c", "", http.StatusOK, &info)
	}
	s.handler.drain()
	if got := <-status; got != http.StatusServiceUnavailable {
		t.Errorf("a pull ended with %d", got)
	}
}

// TestAConsumerIsThereAfterARestart, with what it knows; one of a deleted stream is not.
func TestAConsumerIsThereAfterARestart(t *testing.T) {
	dir := t.TempDir()
	s := startSite(t, BrokerConfig{Dir: dir})
	s.jobs(3, `{"ackWait":"1h"}`)
	got := s.pull("?batch=2")
	s.json("POST", "/consumers/jobs/c/ack", fmt.Sprintf(`{"tokens":[%q]}`, got.Messages[0].Token), http.StatusOK, nil)
	s.server.Close()
	if err := s.handler.broker.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	s = startSite(t, BrokerConfig{Dir: dir})
	if _, text := s.do("GET", "/metrics", ""); !strings.Contains(text, `millrace_consumer_lag_messages{consumer="c",stream="jobs"} 1`+"\n") {
		t.Errorf("the lag of a consumer that nobody has asked for is not shown:\n%s", text)
	}
	if more := s.pull("?batch=5"); len(more.Messages) != 1 || more.Messages[0].Sequence != 3 {
		t.Fatalf("%+v", more)
	}
	s.json("POST", "/consumers/jobs/c/ack", fmt.Sprintf(`{"tokens":[%q]}`, got.Messages[1].Token), http.StatusOK, nil)

	var streams struct{ Streams []streamInfo }
	s.json("GET", "/streams", "", http.StatusOK, &streams)
	if len(streams.Streams) != 1 {
		t.Errorf("the stream with the state is shown: %+v", streams)
	}
	s.json("DELETE", "/streams/jobs", "", http.StatusOK, nil)
	s.json("GET", "/consumers/jobs/c", "", http.StatusNotFound, nil)
	s.jobs(1, "")
	if anew := s.pull(""); len(anew.Messages) != 1 || anew.Messages[0].Deliveries != 1 {
		t.Errorf("%+v", anew)
	}
}

// TestEventsOfAConsumer: messages come as server-sent events, whose ids are tokens, and more than may be pending do not.
func TestEventsOfAConsumer(t *testing.T) {
	s := startSite(t, BrokerConfig{Dir: t.TempDir()})
	s.jobs(3, `{"maxAckPending":2,"ackWait":"1h"}`)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/consumers/jobs/c/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := s.client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if kind := response.Header.Get("Content-Type"); kind != "text/event-stream" {
		t.Errorf("Content-Type %q", kind)
	}
	lines := bufio.NewScanner(response.Body)
	next := func() (id, data string) {
		for data == "" && lines.Scan() {
			if text, is := strings.CutPrefix(lines.Text(), "id: "); is {
				id = text
			}
			if text, is := strings.CutPrefix(lines.Text(), "data: "); is {
				data = text
			}
		}
		return id, data
	}
	first, text := next()
	if !strings.Contains(text, `"payload":"job 1"`) {
		t.Fatalf("%s: %s", first, text)
	}
	next()
	s.json("POST", "/consumers/jobs/c/ack", fmt.Sprintf(`{"tokens":[%q]}`, first), http.StatusOK, nil)
	if id, text := next(); !strings.Contains(text, `"payload":"job 3"`) || !strings.HasPrefix(id, "3.") {
		t.Fatalf("%s: %s", id, text)
	}
	s.handler.drain()
	for lines.Scan() {
	}
}

// TestAHeadOfEventsDeliversNothing: it shows what a GET would be, and ends.
func TestAHeadOfEventsDeliversNothing(t *testing.T) {
	s := startSite(t, BrokerConfig{Dir: t.TempDir()})
	s.jobs(1, `{"ackWait":"1h"}`)
	response, _ := s.do("HEAD", "/consumers/jobs/c/events", "")
	if kind := response.Header.Get("Content-Type"); response.StatusCode != http.StatusOK || kind != "text/event-stream" {
		t.Errorf("%s, Content-Type %q", response.Status, kind)
	}
	if got := s.pull(""); len(got.Messages) != 1 || got.Messages[0].Deliveries != 1 {
		t.Errorf("%+v", got)
	}
}

// TestWrongRequestsAboutConsumers are refused with a sentence.
func TestWrongRequestsAboutConsumers(t *testing.T) {
	s := startSite(t, BrokerConfig{Dir: t.TempDir()})
	s.json("PUT", "/streams/jobs", "", http.StatusCreated, nil)
	s.json("GET", "/consumers/jobs", "", http.StatusOK, nil)
	s.json("GET", "/consumers/jobs/c", "", http.StatusNotFound, nil)
	s.json("PUT", "/consumers/jobs/c", "", http.StatusCreated, nil)
	for _, row := range []struct {
		method, path, body string
		status             int
	}{
		{"PUT", "/consumers/jobs/d", `{"filters":["jobs.` + strings.Repeat("*.", 600) + `*"]}`, http.StatusBadRequest},
		{"PUT", "/consumers/jobs/d", `{"filters":["jobs.` + strings.Repeat("x", 1100) + `"]}`, http.StatusBadRequest},
		{"PUT", "/consumers/jobs/d", `{"filters":[` + strings.Repeat(`"jobs.aaaaaaaaaaaa",`, 4000) + `"jobs"]}`, http.StatusRequestEntityTooLarge},
		{"PUT", "/consumers/jobs/d", "{\"filters\":[\"\xff\"]}", http.StatusBadRequest},
		{"PUT", "/consumers/jobs/d", `{"start":"sequence"}`, http.StatusBadRequest},
		{"PUT", "/consumers/jobs/d", `{"startTime":"2030-01-01T00:00:00Z"}`, http.StatusBadRequest},
		{"PUT", "/consumers/jobs/d", `{"ackWait":-1}`, http.StatusBadRequest},
		{"PUT", "/consumers/jobs/d", `{"maxDeliver":1e400}`, http.StatusBadRequest},
		{"PUT", "/consumers/jobs/d", `{"filters":{"a":true}}`, http.StatusBadRequest},
		{"PUT", "/consumers/jobs/d", `{"filters":[` + strings.Repeat("[", 20_000), http.StatusBadRequest},
		{"PUT", "/consumers/jobs/d", `7`, http.StatusBadRequest},
		{"GET", "/consumers/jobs/d", ``, http.StatusNotFound},
		{"POST", "/consumers/jobs/c/nak", `{"tokens":["1.1"],"delay":"-1s"}`, http.StatusBadRequest},
		{"POST", "/consumers/jobs/c/ack", `{"tokens":["1.1","2.2"]}`, http.StatusConflict},
		{"PUT", "/consumers/none/c", "", http.StatusNotFound},
		{"GET", "/consumers/none", "", http.StatusNotFound},
		{"PUT", "/consumers/jobs/a.b", "", http.StatusBadRequest},
		{"GET", "/consumers/jobs/a.b", "", http.StatusBadRequest},
		{"PUT", "/consumers/jobs/c", `{"nonsense":1}`, http.StatusBadRequest},
		{"PUT", "/consumers/jobs/c", `{} {}`, http.StatusBadRequest},
		{"PUT", "/consumers/jobs/c", `{"start":"middle"}`, http.StatusBadRequest},
		{"PUT", "/consumers/jobs/c", `{"ackWait":"soon"}`, http.StatusBadRequest},
		{"PUT", "/consumers/jobs/c", `{"backOff":["0s"]}`, http.StatusBadRequest},
		{"PUT", "/consumers/jobs/c?x=1", ``, http.StatusBadRequest},
		{"POST", "/consumers/jobs/c/pull?batch=0", "", http.StatusBadRequest},
		{"POST", "/consumers/jobs/c/pull?batch=1001", "", http.StatusBadRequest},
		{"POST", "/consumers/jobs/c/pull?expires=51s", "", http.StatusBadRequest},
		{"POST", "/consumers/jobs/c/pull?expires=soon", "", http.StatusBadRequest},
		{"POST", "/consumers/jobs/c/pull?wait=1s", "", http.StatusBadRequest},
		{"POST", "/consumers/jobs/c/ack", `{"tokens":["x"]}`, http.StatusBadRequest},
		{"POST", "/consumers/jobs/c/ack", ``, http.StatusBadRequest},
		{"POST", "/consumers/jobs/c/ack", `{"tokens":["1.1"],"delay":"1s"}`, http.StatusBadRequest},
		{"POST", "/consumers/jobs/c/ack", `{"tokens":["1.1"]}`, http.StatusConflict},
		{"POST", "/consumers/jobs/none/ack", `{"tokens":["1.1"]}`, http.StatusNotFound},
		{"POST", "/consumers/jobs/c/pause", `{"for":"-1s"}`, http.StatusBadRequest},
		{"POST", "/consumers/jobs/c/pause", `{"for":"1s","until":"2030-01-01T00:00:00Z"}`, http.StatusBadRequest},
		{"GET", "/consumers/jobs/c/pull", "", http.StatusMethodNotAllowed},
		{"GET", "/consumers/jobs/none/events", "", http.StatusNotFound},
		{"GET", "/consumers", "", http.StatusNotFound},
	} {
		response, text := s.do(row.method, row.path, row.body)
		if response.StatusCode != row.status || !strings.Contains(text, `"error":"`) || strings.Contains(text, t.TempDir()) {
			t.Errorf("%s %s %s: %s, not %d: %s", row.method, row.path, row.body, response.Status, row.status, text)
		}
		for _, ours := range []string{"main.", "Go ", "verdict", "StartTime", `\n`} {
			if strings.Contains(text, ours) {
				t.Errorf("%s %s %s: %q is for us, and not for who asks: %s", row.method, row.path, row.body, ours, text)
			}
		}
	}
}
