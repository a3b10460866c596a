{{/*
The engine beside the agent: a native sidecar, which starts before the agent and stops after it. It listens on
127.0.0.1 only: Ollama asks nobody for a key.
*/}}

{{- define "orion.ollama" -}}
{{- $root := .root -}}
{{- $ollama := $root.Values.ollama -}}
{{- $class := .class -}}
- name: ollama
  restartPolicy: Always
  image: {{ include "orion.image" (dict "root" $root "image" $ollama.image) }}
  imagePullPolicy: {{ $ollama.image.pullPolicy }}
  {{- include "orion.restricted" $root | nindent 2 }}
  command: {{- toYaml $ollama.command | nindent 4 }}
  env:
    - name: OLLAMA_HOST
      value: 127.0.0.1:11434
    - name: HOME
      value: /home/ollama
    - name: OLLAMA_MODELS
      value: {{ include "orion.modelsPath" $root }}
    - name: OLLAMA_NUM_PARALLEL
      value: {{ $class.slots | quote }}
    - name: OLLAMA_MAX_LOADED_MODELS
      value: {{ $class.ollama.maxLoadedModels | quote }}
    - name: OLLAMA_MAX_QUEUE
      value: {{ $ollama.maxQueue | quote }}
    - name: OLLAMA_LOAD_TIMEOUT
      value: {{ $ollama.loadTimeout | quote }}
    - name: OLLAMA_CONTEXT_LENGTH
      value: {{ $class.ollama.contextLength | quote }}
    - name: LLAMA_ARG_CACHE_RAM
      value: {{ $class.ollama.promptCacheMiB | quote }}
    {{- /* One entry for each name: server-side apply refuses a list that has one twice. */}}
    {{- $defaults := dict "OLLAMA_KEEP_ALIVE" "24h" "OLLAMA_NO_CLOUD" "1" "OLLAMA_NOPRUNE" "1" }}
    {{- range $name, $value := merge (dict) $class.ollama.env $ollama.env $defaults }}
    - name: {{ $name }}
      value: {{ $value | quote }}
    {{- end }}
  {{- with $ollama.envSecret }}
  envFrom:
    - secretRef:
        name: {{ . }}
  {{- end }}
  # The agent leaves the mark while the engine hangs. No startup probe: the agent starts right after the engine.
  livenessProbe:
    exec:
      command: [test, "!", -e, /run/orion/engine-wedged]
    initialDelaySeconds: 30
    # An exec that is slow on a busy board (a load from an SD card) must not end a healthy engine.
    periodSeconds: 15
    timeoutSeconds: 15
    failureThreshold: 3
    terminationGracePeriodSeconds: 10
  # Limit = request: when a model grows beyond it, Ollama ends and not the board.
  resources:
    requests:
      cpu: {{ $class.ollama.cpuRequest }}
      memory: {{ $class.ollama.memory }}
    limits:
      cpu: {{ $class.ollama.cpuLimit }}
      memory: {{ $class.ollama.memory }}
  volumeMounts:
    - name: ollama-home
      mountPath: /home/ollama
    - name: ollama-tmp
      mountPath: /tmp
    - name: run
      mountPath: /run/orion
      readOnly: true
    {{- if ne $ollama.storage.mode "image" }}
    - name: models
      mountPath: {{ include "orion.modelsPath" $root }}
    {{- end }}
{{- end -}}

{{- define "orion.modelsPath" -}}
{{ ternary .Values.ollama.storage.imagePath "/var/lib/ollama/models" (eq .Values.ollama.storage.mode "image") }}
{{- end -}}

{{- define "orion.ollamaVolumes" -}}
- name: run
  emptyDir:
    sizeLimit: 1Mi
- name: ollama-home
  emptyDir:
    sizeLimit: 64Mi
- name: ollama-tmp
  emptyDir:
    sizeLimit: 256Mi
{{- if eq .Values.ollama.storage.mode "hostPath" }}
- name: models
  hostPath:
    path: {{ .Values.ollama.storage.path }}
    type: DirectoryOrCreate
- name: prepare
  configMap:
    name: {{ include "orion.fullname" . }}-prepare
{{- else if eq .Values.ollama.storage.mode "claim" }}
- name: models
  persistentVolumeClaim:
    claimName: {{ include "orion.fullname" . }}-models
{{- end }}
{{- end -}}

{{/* Gives the board's folder to our user. The one container that is not restricted, and only in mode hostPath. */}}
{{- define "orion.prepare" -}}
- name: prepare
  image: {{ include "orion.image" (dict "root" . "image" .Values.image) }}
  imagePullPolicy: {{ .Values.image.pullPolicy }}
  securityContext:
    runAsNonRoot: false
    runAsUser: 0
    runAsGroup: 0
    allowPrivilegeEscalation: false
    readOnlyRootFilesystem: true
    capabilities:
      drop: [ALL]
      add: [CHOWN]
  command: [python3, /etc/orion/prepare/prepare.py, /models, "64000", "64000"]
  resources:
    requests: {cpu: 10m, memory: 32Mi}
    limits: {cpu: 500m, memory: 64Mi}
  volumeMounts:
    - name: models
      mountPath: /models
    - name: prepare
      mountPath: /etc/orion/prepare
      readOnly: true
{{- end -}}
