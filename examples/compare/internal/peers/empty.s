// This file lets the package declare functions without a body, which nats.go binds by linkname.
