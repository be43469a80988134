#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# deploy/kustomize.sh: writes deploy/kustomize/base/portolan.yaml, which is the Helm chart with its default values: there is one
# source of truth. With `check` it writes nothing and fails if the file is another. HELM names the command.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

file=deploy/kustomize/base/portolan.yaml
render() {
  echo "# SPDX-License-Identifier: Apache-2.0"
  echo "# Made by deploy/kustomize.sh from deploy/helm/portolan. Do not edit: the one is the other."
  # The API server's address is a placeholder: deploy/kustomize/example has yours in its place.
  "${HELM:-helm}" template portolan deploy/helm/portolan --namespace kube-system --kube-version 1.30.0 \
    --set 'apiServers={https://api-server.invalid:6443}' | sed '/^# Source: /d; /app.kubernetes.io\/managed-by:/d'
}

if [ "${1:-}" = check ]; then
  diff -u "$file" <(render) && exit 0
  echo "kustomize: $file is not what the chart says: npm run kustomize" >&2
  exit 1
fi
render >"$file.new"
mv "$file.new" "$file"
