{{- define "orion.storeConfig" -}}
{{- if .Values.store.tls.secretName -}}
port 0
tls-port 6379
tls-cert-file /etc/orion/tls/tls.crt
tls-key-file /etc/orion/tls/tls.key
tls-ca-cert-file /etc/orion/tls/ca.crt
tls-auth-clients no
{{- else -}}
port 6379
{{- end }}
bind * -::*
protected-mode yes
dir /data
aclfile /etc/orion/acl/users.acl
# Every accepted request is on disk before its sender hears so; one file, appended to: cards wear.
appendonly yes
appendfsync {{ .Values.store.appendfsync }}
auto-aof-rewrite-min-size 64mb
save ""
# Full: new requests are refused, those that were accepted stay.
maxmemory {{ .Values.store.maxMemory }}
maxmemory-policy noeviction
maxmemory-clients 0
# The slow log would keep prompts.
slowlog-log-slower-than -1
slowlog-max-len 0
tcp-keepalive 60
loglevel notice
{{- end -}}
