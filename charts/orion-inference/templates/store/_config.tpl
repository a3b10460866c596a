{{- define "orion.storeConfig" -}}
port 6379
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
