#!/usr/bin/env bash
# Builds the control plane's binaries into the folder given, one at a time (kube-controller-manager alone takes 3 GB of
# memory to link). The first time takes 5 to 15 minutes on two cores; from Go's build cache, seconds.
set -euo pipefail
out=$(mkdir -p "$1" && cd "$1" && pwd)
cd "$(dirname "$0")"

command -v go >/dev/null || {
  echo "control plane: Go is missing. Install Go 1.26 or newer, or set KUBEBUILDER_ASSETS to a folder with etcd, kube-apiserver, kube-controller-manager, kubectl and helm." >&2
  exit 1
}

kubernetes=$(go list -m -f '{{.Version}}' k8s.io/kubernetes)
minor=${kubernetes#v1.} minor=${minor%%.*}
version=k8s.io/component-base/version
# Without a version the API server calls itself v0.0.0-master, and clients refuse to talk to it.
ldflags="-s -w -X $version.gitVersion=$kubernetes -X $version.gitMajor=1 -X $version.gitMinor=$minor"

build() { # build NAME PACKAGE
  local started=$SECONDS
  printf 'control plane: building %s … ' "$1"
  go build -buildvcs=false -trimpath -ldflags "$ldflags" -o "$out/$1.tmp" "$2"
  mv "$out/$1.tmp" "$out/$1"
  echo "$((SECONDS - started)) s"
}

echo "control plane: building five programs into ${out#"$OLDPWD"/} with $(go env GOVERSION); from nothing, 5 to 15 minutes on two cores"
build etcd go.etcd.io/etcd/server/v3
build kube-apiserver k8s.io/kubernetes/cmd/kube-apiserver
build kube-controller-manager k8s.io/kubernetes/cmd/kube-controller-manager
build kubectl k8s.io/kubernetes/cmd/kubectl
build helm helm.sh/helm/v4/cmd/helm
echo "control plane: built in $SECONDS s"
