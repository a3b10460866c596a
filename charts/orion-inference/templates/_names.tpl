{{/*
Names and labels. Every object is called <fullname>-<component>; the component is the folder of its template.

  orion.fullname      the release's name, unless overridden
  orion.labels        (dict "root" $ "component" "router")  labels of an object
  orion.selector      (dict "root" $ "component" "router")  labels that select its pods
  orion.image         (dict "root" $ "image" .Values.image)  reference by digest or tag
*/}}

{{- define "orion.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride -}}
{{- else if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "orion.selector" -}}
app.kubernetes.io/name: {{ .root.Chart.Name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{- define "orion.labels" -}}
{{ include "orion.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/part-of: orion
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end -}}

{{- define "orion.image" -}}
{{- $tag := .image.tag | default .root.Chart.AppVersion -}}
{{- if .image.digest -}}
{{ .image.repository }}@{{ .image.digest }}
{{- else -}}
{{ .image.repository }}:{{ $tag }}
{{- end -}}
{{- end -}}

{{/* The name of a cluster-scoped object: two releases in two namespaces must not meet. */}}
{{- define "orion.clusterName" -}}
{{- printf "%s-%s" .Release.Namespace (include "orion.fullname" .) -}}
{{- end -}}
