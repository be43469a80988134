{{/* SPDX-License-Identifier: Apache-2.0 */}}

{{- define "portolan.selector" -}}
app.kubernetes.io/name: portolan
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "portolan.labels" -}}
{{ include "portolan.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/component: service-proxy
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "portolan.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{/* Serving takes the first three; each of the others is for one thing, see docs/install.md. */}}
{{- define "portolan.capabilities" -}}
- BPF
- NET_ADMIN
- PERFMON
{{- if .Values.closeStaleSockets }}
- SYS_ADMIN
- SYS_PTRACE
{{- end }}
{{- if .Values.legacyIptables }}
- NET_RAW
{{- end }}
{{- range .Values.extraCapabilities }}
- {{ . }}
{{- end }}
{{- end }}

{{/* The port of an address as the agent takes it, "" where there is none to ask. */}}
{{- define "portolan.port" -}}
{{- $address := .address -}}
{{- if eq $address "" -}}
{{- else if regexMatch "^(\\[.*\\]|[^:]*):[0-9]+$" $address -}}
{{- regexFind "[0-9]+$" $address -}}
{{- else -}}
{{- .default -}}
{{- end -}}
{{- end }}

{{- define "portolan.healthPort" -}}
{{- include "portolan.port" (dict "address" (dig "healthzBindAddress" "0.0.0.0:10256" .Values.config) "default" "10256") -}}
{{- end }}

{{/* Where the probes ask: nothing listens at the pod's address if the agent is told to stay at another one. */}}
{{- define "portolan.healthHost" -}}
{{- $address := regexReplaceAll ":[0-9]+$" (dig "healthzBindAddress" "0.0.0.0:10256" .Values.config) "" | trimPrefix "[" | trimSuffix "]" -}}
{{- if not (has $address (list "0.0.0.0" "::" "")) -}}{{ $address }}{{- end -}}
{{- end }}

{{- define "portolan.configuration" -}}
{{- $ours := list "inCluster" "apiServers" "kubeconfig" "manifests" "nodeName" "bpffs" "cgroupRoot" "podCgroups" "stateDir" -}}
{{- range $ours -}}
{{- if hasKey $.Values.config . }}{{ fail (printf "config.%s: the chart sets this itself, see values.yaml" .) }}{{ end -}}
{{- end -}}
{{- if not .Values.apiServers }}{{ fail "apiServers: name the API servers' own addresses, such as https://192.0.2.10:6443: Portolan serves the ClusterIP of the Service \"kubernetes\" and so cannot begin with it" }}{{ end -}}
apiVersion: portolan.dev/v1alpha1
kind: PortolanConfiguration
inCluster: true
apiServers:
  {{- toYaml .Values.apiServers | nindent 2 }}
bpffs: /host/bpf
cgroupRoot: /host/cgroup
{{- if .Values.cgroup.podsHostPath }}
podCgroups: /host/pod-cgroups
{{- end }}
stateDir: /var/lib/portolan
{{- with .Values.config }}
{{ toYaml . }}
{{- end }}
{{- end }}
