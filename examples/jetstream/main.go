// Command jetstream checks Millrace's files against a real nats-server.
package main

func main() {}
