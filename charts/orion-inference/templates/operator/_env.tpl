{{/* Where the operator is: flags of its own, as environment variables (--node-name is ORION_NODE_NAME). */}}
{{- define "orion.operatorEnv" -}}
- name: ORION_NAMESPACE
  valueFrom:
    fieldRef:
      fieldPath: metadata.namespace
- name: ORION_POD_NAME
  valueFrom:
    fieldRef:
      fieldPath: metadata.name
- name: ORION_NODE_NAME
  valueFrom:
    fieldRef:
      fieldPath: spec.nodeName
- name: ORION_DEPLOYMENT
  value: {{ include "orion.fullname" . }}-operator
- name: ORION_RELEASE
  value: {{ .Release.Name }}
{{- include "orion.doctorEnv" (dict "root" . "role" "operator") | trim | nindent 0 }}
{{- with include "orion.storeEnv" . | trim }}
{{- . | nindent 0 }}
{{- end }}
{{- end -}}
