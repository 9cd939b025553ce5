// This file lets the package declare functions without a body, which filestore.go binds by linkname.
