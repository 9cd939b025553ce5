package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// A scraper is a Prometheus that scrapes a broker.
type scraper struct {
	t   *testing.T
	url string
}

// startPrometheus starts one on a free port, with the rules for alerts; or returns false where there is none.
func startPrometheus(t *testing.T, target string, native bool) (*scraper, bool) {
	t.Helper()
	program, err := exec.LookPath("prometheus")
	if err != nil {
		t.Logf("skipped: %v (Debian: the prometheus package)", err)
		return nil, false
	}
	rules, err := filepath.Abs(alertsFolder)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	config := fmt.Sprintf(`global: {scrape_interval: 200ms, evaluation_interval: 500ms}
rule_files: [%q, %q, %q]
scrape_configs:
  - job_name: millrace
    static_configs: [{targets: [%q]}]
`, filepath.Join(rules, "millrace.yml"), filepath.Join(rules, "consumers.yml"), filepath.Join(rules, "broker.yml"), target)
	if err := os.WriteFile(filepath.Join(dir, "prometheus.yml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := free.Addr().String()
	if err := free.Close(); err != nil {
		t.Fatal(err)
	}
	arguments := []string{
		"--config.file=" + filepath.Join(dir, "prometheus.yml"), "--storage.tsdb.path=" + filepath.Join(dir, "data"),
		"--web.listen-address=" + address, "--log.level=warn",
	}
	if native {
		arguments = append(arguments, "--enable-feature=native-histograms")
	}
	ctx, stop := context.WithCancel(context.Background())
	command := exec.CommandContext(ctx, program, arguments...)
	var said bytes.Buffer
	command.Stdout, command.Stderr = &said, &said
	command.Cancel = func() error { return command.Process.Signal(os.Interrupt) }
	command.WaitDelay = 10 * time.Second
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stop()
		_ = command.Wait() // it was interrupted
		if t.Failed() {
			t.Logf("prometheus said:\n%s", said.String())
		}
	})
	return &scraper{t, "http://" + address}, true
}

// get returns the data of an answer, or an error, as while it starts.
func (p *scraper) get(path string, data any) error {
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Get(p.url + path)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	answer := struct {
		Status, Error string
		Data          any
	}{Data: data}
	if err := json.Unmarshal(content, &answer); err != nil {
		return fmt.Errorf("%w: %s", err, content)
	}
	if answer.Status != "success" {
		return fmt.Errorf("%s: %s", path, answer.Error)
	}
	return nil
}

// query returns how many series a query has a number for.
func (p *scraper) query(query string) (int, error) {
	var data struct {
		Result []struct{ Value []any }
	}
	err := p.get("/api/v1/query?query="+url.QueryEscape(query), &data)
	numbers := 0
	for _, r := range data.Result {
		if len(r.Value) == 2 && r.Value[1] != "NaN" {
			numbers++
		}
	}
	return numbers, err
}

// until asks until a query has an answer that is not empty.
func (p *scraper) until(query string) bool {
	deadline, again := time.After(30*time.Second), time.NewTicker(100*time.Millisecond)
	defer again.Stop()
	for {
		n, err := p.query(query)
		if err == nil && n > 0 {
			return true
		}
		select {
		case <-again.C:
		case <-deadline:
			p.t.Errorf("%s has no answer: %v", query, err)
			return false
		}
	}
}

// serving runs what `make serve` runs, with somebody who publishes, reads and takes messages as a consumer all the time, and
// returns its address.
func serving(t *testing.T) string {
	t.Helper()
	dir := t.TempDir() // removed after the broker has stopped
	reader, writer := io.Pipe()
	ctx, stop := context.WithCancel(context.Background())
	var all sync.WaitGroup
	all.Go(func() {
		options := serveOptions{
			dir: dir, listen: "127.0.0.1:0", maxBytes: 1 << 30, maxMessage: 1 << 20, maxStreams: 8, followers: 8, create: true, drain: time.Second,
		}
		if err := runServer(ctx, options, writer, slog.New(slog.DiscardHandler)); err != nil {
			t.Error(err)
		}
		_ = writer.Close()
	})
	t.Cleanup(all.Wait)
	t.Cleanup(stop)
	line := make([]byte, 1024)
	n, err := reader.Read(line)
	address := regexp.MustCompile(`http://(\S+)`).FindStringSubmatch(string(line[:n]))
	if err != nil || address == nil {
		t.Fatalf("the broker says %q: %v", line[:n], err)
	}
	all.Go(func() {
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
		again := time.NewTicker(20 * time.Millisecond)
		defer again.Stop()
		for i := 0; ; i++ {
			path := fmt.Sprintf("http://%s/streams/orders/orders.%d", address[1], i%10)
			response, err := client.Post(path, "text/plain", strings.NewReader("one coffee"))
			if err == nil {
				_ = response.Body.Close()
			}
			takeOne(client, fmt.Sprintf("http://%s/consumers/orders/mail", address[1]))
			select {
			case <-again.C:
			case <-ctx.Done():
				return
			}
		}
	})
	return address[1]
}

// takeOne makes a consumer, if there is none, and has it deliver a message, which nobody acknowledges.
func takeOne(client *http.Client, consumer string) {
	made, err := http.NewRequest(http.MethodPut, consumer, nil)
	if err != nil {
		panic(err) // the address is that of the broker
	}
	if response, err := client.Do(made); err == nil {
		_ = response.Body.Close()
	}
	if response, err := client.Post(consumer+"/pull", "", nil); err == nil {
		_ = response.Body.Close()
	}
}

// emptyPanel has nothing to draw while nothing has gone wrong.
const emptyPanel = "Last failure"

// TestARealPrometheusDrawsEveryPanel of a broker that it scrapes, and evaluates all alerts. Where there is no prometheus
// nothing is tested.
func TestARealPrometheusDrawsEveryPanel(t *testing.T) {
	address := serving(t)
	p, ok := startPrometheus(t, address, false)
	if !ok {
		return
	}
	d, _ := readDashboard(t)
	chosen := strings.NewReplacer("$__rate_interval", "10s", "$job", "mill.*", "$instance", ".*", "$stream", "orders|none")
	if !p.until(`rate(millrace_stored_messages_total[10s]) > 0`) || !p.until(`millrace_disk_usage_bytes`) || !p.until(`rate(millrace_consumer_deliveries_total[10s]) > 0`) || !p.until(`rate(millrace_sync_duration_seconds_count[10s]) > 0`) {
		return
	}
	for _, panel := range d.Panels {
		for _, target := range panel.Targets {
			query := chosen.Replace(target.Expr)
			if n, err := p.query(query); err != nil || n == 0 && panel.Title != emptyPanel {
				t.Errorf("%s: %s has %d series: %v", panel.Title, query, n, err)
			}
		}
	}
	for _, v := range d.Templating.List {
		if text, ok := v.Query.(map[string]any); ok {
			match := regexp.MustCompile(`^label_values\((.+), (\w+)\)$`).FindStringSubmatch(fmt.Sprint(text["query"]))
			if match == nil {
				t.Errorf("%s: %v is no query", v.Name, v.Query)
			} else if n, err := p.query(fmt.Sprintf("count by (%s) (%s)", match[2], chosen.Replace(match[1]))); err != nil || n == 0 {
				t.Errorf("%s: %v has no values: %v", v.Name, v.Query, err)
			}
		}
	}
	var rules struct {
		Groups []struct {
			Rules []struct{ Name, Health, LastError string }
		}
	}
	if err := p.get("/api/v1/rules", &rules); err != nil || len(rules.Groups) != 3 {
		t.Fatalf("%d groups of rules: %v", len(rules.Groups), err)
	}
	for _, group := range rules.Groups {
		for _, rule := range group.Rules {
			if rule.Health == "err" {
				t.Errorf("%s: %s", rule.Name, rule.LastError)
			}
		}
	}
}

// TestARealPrometheusTakesNativeHistograms, if it wants them.
func TestARealPrometheusTakesNativeHistograms(t *testing.T) {
	address := serving(t)
	p, ok := startPrometheus(t, address, true)
	if !ok {
		return
	}
	for _, name := range []string{"millrace_ack_duration_seconds", "millrace_sync_duration_seconds", "millrace_group_records", "millrace_http_request_duration_seconds"} {
		p.until(fmt.Sprintf(`histogram_quantile(0.99, rate(%s[10s])) > 0`, name))
	}
}
