module candor.invalid/benches/httputil_proxy

go 1.19
