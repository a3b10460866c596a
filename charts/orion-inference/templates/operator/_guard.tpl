{{/*
Guards: admission policies that say of the operator's account what RBAC cannot, which part of an object it may change.

  orion.guards        $                                 "true" where there are any
  orion.guardName     (dict "root" $ "guard" "node")    of policy and binding
  orion.guardMatch    $                                 requests of that account alone
  orion.guardBinding  (dict "root" $ "guard" "node")    the policy's binding
  orion.sameBut       (list "object.spec" "KEY" …)      in CEL: that part is as it was, those keys left aside
*/}}

{{- define "orion.guards" -}}
{{- if and .Values.nodeGuard.enabled (semverCompare ">=1.30.0-0" .Capabilities.KubeVersion.Version) -}}true{{- end -}}
{{- end -}}

{{- define "orion.guardName" -}}
{{ include "orion.clusterName" .root }}-{{ .guard }}-guard
{{- end -}}

{{- define "orion.guardMatch" -}}
matchConditions:
  - name: operator
    expression: request.userInfo.username == 'system:serviceaccount:{{ .Release.Namespace }}:{{ include "orion.fullname" . }}-operator'
{{- end -}}

{{- define "orion.guardBinding" -}}
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata:
  name: {{ include "orion.guardName" . }}
  labels: {{- include "orion.labels" (dict "root" .root "component" "operator") | nindent 4 }}
spec:
  policyName: {{ include "orion.guardName" . }}
  validationActions: [Deny]
{{- end -}}

{{/* Both ways, so that nothing is changed, added or taken away. dyn: objects with known fields are maps, too. */}}
{{- define "orion.sameBut" -}}
{{- $new := printf "dyn(%s)" (first .) -}}
{{- $old := printf "dyn(oldO%s)" (first . | trimPrefix "o") -}}
{{- $but := printf "['%s']" (rest . | join "', '") -}}
{{ $new }}.all(k, k in {{ $but }} || (k in {{ $old }} && {{ $old }}[k] == {{ $new }}[k])) && {{ $old }}.all(k, k in {{ $but }} || k in {{ $new }})
{{- end -}}
