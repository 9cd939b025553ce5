package main

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// onlyCleanPaths refuses paths with an empty part or with dots, which http.ServeMux would redirect: a POST would come
// back as another request, and whoever does not follow it would take the redirection for an answer.
func onlyCleanPaths(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.URL.Path, "/") {
			refuse(w, http.StatusBadRequest, "the request has no path; try GET /")
			return
		}
		parts := strings.Split(strings.TrimPrefix(r.URL.EscapedPath(), "/"), "/")
		for i, part := range parts {
			switch {
			case part == "" && i < len(parts)-1:
				refuse(w, http.StatusBadRequest, "the path %q has two slashes in a row", r.URL.Path)
				return
			case part == "." || part == "..":
				refuse(w, http.StatusBadRequest, "the path %q has the part %q, which leads to another place; say that place", r.URL.Path, part)
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

// nothingHere answers what no route takes: 405 where another method would do, 404 elsewhere.
func nothingHere(routes *http.ServeMux) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var allowed []string
		for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodDelete} {
			other := &http.Request{Method: method, URL: r.URL, Host: r.Host}
			if _, pattern := routes.Handler(other); pattern != "" && pattern != "/" && (method != http.MethodPost || takesMessages(r.URL.Path)) {
				allowed = append(allowed, method)
			}
		}
		if len(allowed) == 0 {
			refuse(w, http.StatusNotFound, "there is nothing at %s; try GET /", r.URL.Path)
			return
		}
		w.Header().Set("Allow", strings.Join(allowed, ", "))
		if r.Method == http.MethodOptions {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		refuse(w, http.StatusMethodNotAllowed, "%s does not go with %s; these do: %s", r.Method, r.URL.Path, strings.Join(allowed, ", "))
	}
}

// takesMessages reports whether a path that a POST would reach is that of a stream, or of a subject of it: the others,
// such as /streams/a/messages, look like a subject and are none.
func takesMessages(path string) bool {
	if !strings.HasPrefix(path, "/streams/") {
		return true
	}
	stream, subject, more := strings.Cut(strings.TrimPrefix(path, "/streams/"), "/")
	return !more || validateSubject(stream, strings.ReplaceAll(subject, "/", ".")) == nil
}

// parameters parses a query that may have these parameters, each once.
func parameters(raw string, known ...string) (map[string]string, error) {
	values, err := url.ParseQuery(raw)
	if err != nil {
		return nil, fmt.Errorf("the query does not parse: %w", err)
	}
	given := map[string]string{}
	for name, all := range values {
		if !slices.Contains(known, name) {
			return nil, fmt.Errorf("there is no parameter %q; %s", name, knownWords(known))
		}
		if len(all) != 1 {
			return nil, fmt.Errorf("parameter %q is there %d times", name, len(all))
		}
		given[name] = all[0]
	}
	return given, nil
}

func knownWords(known []string) string {
	switch n := len(known); n {
	case 0:
		return "this request has none"
	case 1:
		return known[0] + " is known"
	default:
		return strings.Join(known[:n-1], ", ") + " and " + known[n-1] + " are known"
	}
}

// withoutParameters reports whether a request has none, and refuses it when it has.
func withoutParameters(w http.ResponseWriter, r *http.Request) bool {
	_, err := parameters(r.URL.RawQuery)
	if err != nil {
		refuse(w, http.StatusBadRequest, "%v", err)
	}
	return err == nil
}
