module pgha.local/tools/external-secrets

go 1.26.4

require github.com/external-secrets/external-secrets v0.20.4
