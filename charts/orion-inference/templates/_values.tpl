{{/*
Helpers of validate.yaml.

  orion.bytes     "640Mi"                          a quantity, or Valkey's 256mb, in bytes
  orion.redisPort "rediss://host:6380/0"           the port of a store's address; 6379 where it names none
  orion.ownFlags  (dict "root" $ "role" "worker")  flags that the chart sets, to what to use instead, as JSON
  orion.checkEnv  (dict "where" "ollama.env" "env" .Values.ollama.env)  refuses what is not for Ollama's environment
*/}}

{{- define "orion.bytes" -}}
{{- $unit := regexFind "[A-Za-z]*$" . -}}
{{- $factors := dict "" 1.0 "m" 0.001 "k" 1e3 "M" 1e6 "G" 1e9 "T" 1e12 -}}
{{- $factors = merge $factors (dict "Ki" 1024.0 "Mi" 1048576.0 "Gi" 1073741824.0 "Ti" 1099511627776.0) -}}
{{- $factors = merge $factors (dict "mb" 1048576.0 "gb" 1073741824.0) -}}
{{- mulf (trimSuffix $unit . | float64) (get $factors $unit) -}}
{{- end -}}

{{- define "orion.redisPort" -}}
{{- regexFind ":[0-9]+(/|$)" . | trimAll ":/" | default "6379" -}}
{{- end -}}

{{/* Flags that come as variables count too: a flag wins over them. */}}
{{- define "orion.ownFlags" -}}
{{- $fixed := "probes, Services, policies and rights count on it" -}}
{{- $flags := dict
  "--redis-addr" "externalRedis.address" "--redis-username" "externalRedis.auth" "--redis-password-file" "externalRedis.auth"
  "--http-port" $fixed "--metrics-port" $fixed "--log-level" "logLevel"
-}}
{{- if eq .role "operator" -}}
{{- $flags = merge $flags (dict
  "--namespace" $fixed "--pod-name" $fixed "--node-name" $fixed "--deployment" $fixed "--release" $fixed "--lease" $fixed
) -}}
{{- else if eq .role "worker" -}}
{{- $class := "nodeClasses" -}}
{{- $flags = merge $flags (dict
  "--node-id" $fixed "--ollama-host" "ollama.mode and ollama.host" "--slots" $class "--node-class" $class
  "--model-registries" "modelRegistry.hosts" "--disk-reserve-mib" "ollama.storage.reserveMiB"
) -}}
{{- if eq .root.Values.ollama.mode "sidecar" -}}
{{- $flags = merge $flags (dict
  "--wedged-mark" $fixed "--max-loaded-models" $class "--prompt-cache-mib" $class
) -}}
{{- end -}}
{{- end -}}
{{- toJson $flags -}}
{{- end -}}

{{- define "orion.checkEnv" -}}
{{- $class := "nodeClasses.CLASS" -}}
{{- $own := dict
  "HOME" "ollama.storage" "OLLAMA_MODELS" "ollama.storage" "OLLAMA_HOST" "ollama.mode"
  "OLLAMA_NUM_PARALLEL" (printf "%s.slots" $class) "OLLAMA_MAX_LOADED_MODELS" (printf "%s.ollama.maxLoadedModels" $class)
  "OLLAMA_CONTEXT_LENGTH" (printf "%s.ollama.contextLength" $class) "LLAMA_ARG_CACHE_RAM" (printf "%s.ollama.promptCacheMiB" $class)
  "OLLAMA_MAX_QUEUE" "ollama.maxQueue" "OLLAMA_LOAD_TIMEOUT" "ollama.loadTimeout"
-}}
{{- range $name, $value := .env -}}
{{- with get $own $name -}}
{{- fail (printf "%s.%s: the chart sets this one itself; leave it out, and see %s" $.where $name .) -}}
{{- end -}}
{{- if regexMatch "://[^/?#]*@" $value -}}
{{- fail (printf "%s.%s: a password here can be read in every manifest; put %s into a Secret and name that in ollama.envSecret" $.where $name $name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
