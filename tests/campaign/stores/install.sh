#!/usr/bin/env bash
# Installs the object stores of the campaign into a directory, with the clients that
# read back: those of every .ci/run, or with `full` all that packages have. Versions are
# pinned here and in tools/. Ceph's gateway is rgw.sh's affair.
#
#   tests/campaign/stores/install.sh DIRECTORY [full]
#
# What is there with the same pins is not installed again.
source "$(dirname "${BASH_SOURCE[0]}")/../install.sh"
begin "$@"
mkdir -p "$dir/bin" "$dir/jars"

want nginx nginx-light
if [ "$full" = full ]; then want mvn maven; want tinyproxy tinyproxy-bin; fi
install_packages

node() {
  cd "$dir"
  npm_install azurite@3.35.0
  [ "$full" != full ] || npm_install --no-save s3rver@3.7.1
}

golang() {
  export GOBIN=$dir/bin
  go install github.com/versity/versitygw/cmd/versitygw@v1.8.0
  go install github.com/fsouza/fake-gcs-server@v1.56.1
  [ "$full" != full ] || go install github.com/rclone/rclone@v1.76.0
}

java() {
  local get=(mvn -q --batch-mode dependency:copy -Dmdep.stripVersion=true "-DoutputDirectory=$dir/jars")
  "${get[@]}" -Dartifact=com.adobe.testing:s3mock:4.11.0:jar:exec
  "${get[@]}" -Dartifact=org.gaul:s3proxy:4.1.0:jar:jar-with-dependencies
  mv "$dir/jars/s3mock-exec.jar" "$dir/jars/s3mock.jar"
  mv "$dir/jars/s3proxy-jar-with-dependencies.jar" "$dir/jars/s3proxy.jar"
}

parts=(python node)
# Without Go the campaign says which stores it leaves out.
if command -v go >/dev/null; then parts+=(golang); fi
if [ "$full" = full ]; then parts+=(java); fi
run_parts "${parts[@]}"
