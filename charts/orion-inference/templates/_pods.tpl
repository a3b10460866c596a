{{/*
Parts that the pods share.

  orion.pod           (dict "root" $ "priority" "core")  the first lines of a pod's spec
  orion.container     $                                   image, security context of a container of ours
  orion.restricted    security context of a container under Pod Security's "restricted"
  orion.anywhere      $                                   where operator, hooks and test may run
  orion.boards        (dict "root" $ "classes" (list))    affinity to boards of these classes that are ours
  orion.storeArgs     (dict "root" $ "role" "router")     how a process reaches the store
  orion.doctorEnv     (dict "root" $ "role" "operator")   the same for `orion`, which people run in a pod
  orion.storeMount    (dict "root" $ "role" "router")     the password's file, and nothing else of the Secret
  orion.storeVolume   (dict "root" $ "role" "router")
*/}}

{{- define "orion.pod" -}}
enableServiceLinks: false
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- $own := include "orion.clusterName" .root }}
{{- with (ternary (printf "%s-%s" $own .priority) (index .root.Values.priorityClasses .priority) .root.Values.priorityClasses.create) }}
priorityClassName: {{ . }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 64000
  runAsGroup: 64000
  fsGroup: 64000
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile:
    type: RuntimeDefault
{{- end -}}

{{- define "orion.restricted" -}}
securityContext:
  runAsNonRoot: true
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
{{- end -}}

{{- define "orion.container" -}}
image: {{ include "orion.image" (dict "root" . "image" .Values.image) }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
{{ include "orion.restricted" . }}
{{- end -}}

{{- define "orion.anywhere" -}}
{{- with .Values.scheduling.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
affinity:
  nodeAffinity:
    requiredDuringSchedulingIgnoredDuringExecution:
      nodeSelectorTerms:
        - matchExpressions:
            - key: inference.orion.dev/class
              operator: NotIn
              values: [excluded]
tolerations:
  {{- include "orion.leaveDeadBoards" . | nindent 2 }}
  {{- with .Values.scheduling.tolerations }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{- define "orion.boards" -}}
nodeAffinity:
  requiredDuringSchedulingIgnoredDuringExecution:
    nodeSelectorTerms:
      - matchExpressions:
          - key: inference.orion.dev/class
            operator: In
            values: {{- toYaml .classes | nindent 14 }}
          - key: inference.orion.dev/owner
            operator: In
            values: [{{ .root.Release.Namespace | quote }}]
{{- end -}}

{{/* Names of the classes with this role, as JSON: fromJsonArray. */}}
{{- define "orion.classesWith" -}}
{{- $found := list -}}
{{- range $name, $class := .root.Values.nodeClasses -}}
{{- if has $.role $class.roles -}}{{- $found = append $found $name -}}{{- end -}}
{{- end -}}
{{- $found | sortAlpha | toJson -}}
{{- end -}}

{{- define "orion.storeSecret" -}}
{{- if .Values.externalRedis.address -}}
{{ .Values.externalRedis.auth.existingSecret }}
{{- else -}}
{{ .Values.store.auth.existingSecret | default (printf "%s-store" (include "orion.fullname" .)) }}
{{- end -}}
{{- end -}}

{{- define "orion.storeKey" -}}
{{- $external := .root.Values.externalRedis -}}
{{- if and $external.address (not $external.auth.perRole) -}}
password
{{- else -}}
{{ .role }}-password
{{- end -}}
{{- end -}}

{{- define "orion.storeAddress" -}}
{{- $scheme := ternary "rediss://" "" (ne .Values.store.tls.secretName "") -}}
{{- .Values.externalRedis.address | default (printf "%s%s-store:6379" $scheme (include "orion.fullname" .)) -}}
{{- end -}}

{{- define "orion.storeArgs" -}}
{{- $external := .root.Values.externalRedis }}
- --redis-addr={{ include "orion.storeAddress" .root }}
{{- if include "orion.storeSecret" .root }}
{{- if and $external.address (not $external.auth.perRole) }}
{{- with $external.auth.username }}
- --redis-username={{ . }}
{{- end }}
{{- else }}
- --redis-username={{ .role }}
{{- end }}
- --redis-password-file=/etc/orion/store/{{ include "orion.storeKey" . }}
{{- end }}
{{- end -}}

{{/* So that `kubectl exec … -- orion doctor` needs no flags. */}}
{{- define "orion.doctorEnv" -}}
{{- $external := .root.Values.externalRedis }}
- name: ORION_URL
  value: {{ ternary "http://127.0.0.1:8080" (printf "http://%s-router" (include "orion.fullname" .root)) (eq .role "router") }}
- name: ORION_REDIS_ADDR
  value: {{ include "orion.storeAddress" .root }}
{{- if include "orion.storeSecret" .root }}
- name: ORION_REDIS_USERNAME
  value: {{ ternary $external.auth.username .role (and (ne $external.address "") (not $external.auth.perRole)) | quote }}
- name: ORION_REDIS_PASSWORD_FILE
  value: /etc/orion/store/{{ include "orion.storeKey" . }}
{{- end }}
{{- end -}}

{{/* The Secret with the authority that signed the store's certificate; empty: none, or a public one. */}}
{{- define "orion.storeCa" -}}
{{- ternary .Values.externalRedis.caSecret .Values.store.tls.secretName (ne .Values.externalRedis.address "") -}}
{{- end -}}

{{/* An authority of one's own for rediss://: Python's ssl reads SSL_CERT_FILE. */}}
{{- define "orion.storeEnv" -}}
{{- if include "orion.storeCa" . }}
- name: SSL_CERT_FILE
  value: /etc/orion/ca/ca.crt
{{- end }}
{{- end -}}

{{- define "orion.storeMount" -}}
{{- if include "orion.storeSecret" .root }}
- name: store-password
  mountPath: /etc/orion/store
  readOnly: true
{{- end }}
{{- if include "orion.storeCa" .root }}
- name: store-ca
  mountPath: /etc/orion/ca
  readOnly: true
{{- end }}
{{- end -}}

{{- define "orion.storeVolume" -}}
{{- if include "orion.storeSecret" .root }}
- name: store-password
  secret:
    secretName: {{ include "orion.storeSecret" .root }}
    defaultMode: 0440
    items:
      - key: {{ include "orion.storeKey" . }}
        path: {{ include "orion.storeKey" . }}
{{- end }}
{{- with include "orion.storeCa" .root }}
- name: store-ca
  secret:
    secretName: {{ . }}
    defaultMode: 0444
    items:
      - key: ca.crt
        path: ca.crt
{{- end }}
{{- end -}}

{{- define "orion.tmpVolume" -}}
- name: tmp
  emptyDir:
    sizeLimit: 64Mi
{{- end -}}

{{/* Boards die without warning: pods that can go elsewhere do so after 20 s, not after 5 minutes. */}}
{{- define "orion.leaveDeadBoards" -}}
- key: node.kubernetes.io/not-ready
  operator: Exists
  effect: NoExecute
  tolerationSeconds: 20
- key: node.kubernetes.io/unreachable
  operator: Exists
  effect: NoExecute
  tolerationSeconds: 20
{{- end -}}
