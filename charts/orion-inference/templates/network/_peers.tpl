{{/*
Rules that several policies share.

  orion.toStore     $                       egress of a process that uses the store
  orion.fromMetrics (dict "root" $ "port" 9090)   ingress of Prometheus, where there is one
  orion.ours        (dict "root" $ "components" (list "router"))  a peer: pods of ours
*/}}

{{- define "orion.ours" -}}
- podSelector:
    matchLabels:
      app.kubernetes.io/name: {{ .root.Chart.Name }}
      app.kubernetes.io/instance: {{ .root.Release.Name }}
    matchExpressions:
      - key: app.kubernetes.io/component
        operator: In
        values: {{- toYaml .components | nindent 10 }}
{{- end -}}

{{- define "orion.toStore" -}}
{{- if .Values.externalRedis.address -}}
- {{- with .Values.externalRedis.cidrs }}
  to:
    {{- range . }}
    - ipBlock:
        cidr: {{ . }}
    {{- end }}
  {{- end }}
  ports:
    - {protocol: TCP, port: {{ .Values.externalRedis.port }}}
{{- else -}}
- to:
    {{- include "orion.ours" (dict "root" . "components" (list "store")) | nindent 4 }}
  ports:
    - {protocol: TCP, port: 6379}
{{- end -}}
{{- end -}}

{{- define "orion.fromMetrics" -}}
{{- $monitoring := .root.Values.monitoring -}}
{{- if or $monitoring.serviceMonitor.enabled $monitoring.namespace }}
- from:
    {{- if $monitoring.namespace }}
    - namespaceSelector:
        matchLabels:
          kubernetes.io/metadata.name: {{ $monitoring.namespace }}
    {{- else }}
    - namespaceSelector: {}
    {{- end }}
  ports:
    - {protocol: TCP, port: {{ .port }}}
{{- end }}
{{- end -}}
