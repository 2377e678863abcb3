#!/usr/bin/env bash
# Writes each secret with shells, coreutils, jq, xxd, openssl, git, kubectl and packers.
#
#   shell.sh PLAIN DIRECTORY [full]
#
# PLAIN holds a file for each secret, without a line end. Makes files `WRITER__SECRET.READER`.
# `full` tries more shells. A program that is missing is named.
set -euo pipefail
plain=$(cd "$1" && pwd) out=$(cd "$2" && pwd)
export LC_ALL=C.UTF-8 TZ=UTC GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/dev/null
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
has() { command -v "$1" >/dev/null || { echo "missing: $1"; return 1; }; }
# each WRITER READER CODE: the code has the secret on stdin, and its path in $file.
each() {
  local file
  for file in "$plain"/*; do
    eval "$3" <"$file" >"$out/$1__${file##*/}.$2" || { echo "$1 failed for ${file##*/}"; exit 1; }
  done
}
# shell WRITER READER PROGRAM CODE: another shell runs the code, with the secret in $x.
shell() {
  has "$3" || return 0
  local code=$4 program=$3
  # shellcheck disable=SC2016
  each "$1" "$2" '"$program" -c "x=\$(cat <&3); $code" 3<&0 2>&1'
}

shell bash-q shell bash 'printf "%q\n" "$x"'
shell bash-at-q shell bash 'printf "%s\n" "${x@Q}"'
shell bash-declare declared bash 'declare -p x'
shell bash-array declared bash 'a=(one "$x"); declare -p a'
shell zsh-q shell zsh 'print -r -- "${(q)x}"'
shell zsh-qq shell zsh 'print -r -- "${(qq)x}"'
shell zsh-qqq shell zsh 'print -r -- "${(qqq)x}"'
shell zsh-qqqq ansi-c zsh 'print -r -- "${(qqqq)x}"'
shells=(bash dash zsh)
[ "${3:-}" != full ] || shells+=(mksh ksh)
for program in "${shells[@]}"; do shell "$program-trace" traced "$program" 'set -x; : "$x"'; done
if has fish; then
  each fish-escape escaped 'fish --no-config -c "string escape -- (cat | string collect)"'
  each fish-url url 'fish --no-config -c "string escape --style=url -- (cat | string collect)"'
fi

each base64 base64 'base64'
for width in 0 48 60 100; do each "base64-w$width" base64 'base64 -w "$width"'; done
each base32 base32 'base32'
each fold folded 'fold -w 20'
each fold-blanks folded 'fold -s -w 30'
each fmt folded 'fmt -w 25'
each indented folded 'sed "s/^/        /"'
each pasted folded 'paste -s -d " "'
each cat-show-ends text 'cat -E'
each od-x1z dump 'od -A x -t x1z -v'
each od-x1 hex 'od -A n -t x1 -v'
each od-u1 numbers 'od -A n -t u1 -v'
each ls-error ls 'LC_ALL=C ls -d -- "/none/$(cat)" 2>&1 || true'
if has xxd; then
  each xxd dump 'xxd'
  each xxd-one dump 'xxd -g 1'
  each xxd-plain hex 'xxd -p'
  each xxd-include hex-prefixed 'xxd -i'
fi
if has hexdump; then each hexdump-c dump 'hexdump -C -v'; fi
if has jq; then
  each jq-raw json 'jq -R -s .'
  each jq-ascii json 'jq -R -s -a "{a: .}"'
  each jq-twice json 'jq -R -s "{a: ({b: .} | tojson)}"'
  each jq-html html 'jq -R -s -r "\"<p>\" + @html + \"</p>\""'
  each jq-uri url 'jq -R -s -r @uri'
  each jq-sh shell 'jq -R -s -r @sh'
  each jq-csv csv 'jq -R -s -r "[\"a\", .] | @csv"'
  each jq-base64 base64 'jq -R -s -r @base64'
fi
if has openssl; then
  each openssl base64 'openssl base64'
  each openssl-a base64 'openssl base64 -A'
fi
each grep-colour folded 'grep --color=always -a -o ".\{1,9\}" | tr -d "\n"'
for packer in gzip zstd bzip2; do
  if has "$packer"; then each "$packer" "$packer" '"$packer" -c'; fi
done
if has xz; then
  each xz xz 'xz -c'
  each xz-9 xz 'xz -9e -c'
  each xz-lzma xz 'xz --format=lzma -c'
fi
if has zstd; then each zstd-22 zstd 'zstd -q --ultra -22 --long=27 -c'; fi
for form in v7 ustar gnu pax; do each "tar-$form" tar 'tar -C "$plain" --mtime=@0 --format=$form -cf - "${file##*/}"'; done
each tar-sparse tar 'tar -C "$plain" -S --mtime=@0 -czf - "${file##*/}"'
for form in gzip xz zstd bzip2; do
  if has "$form"; then each "tar-$form" tar 'tar -C "$plain" --mtime=@0 --$form -cf - "${file##*/}"'; fi
done
if has bsdtar; then each bsdtar tar 'bsdtar -C "$plain" -czf - "${file##*/}"'; fi
if has zip; then each zip zip 'cd "$plain" && zip -q - "${file##*/}"'; fi
if has ar; then each ar ar 'cd "$scratch" && cp "$file" member && rm -f a.a && ar rcD a.a member && cat a.a'; fi

if has git; then
  git init -q "$scratch/repository"
  cd "$scratch/repository"
  git config user.name me && git config user.email me@example.com
  each git-blob zlib 'hash=$(git hash-object -w --stdin); cat ".git/objects/${hash::2}/${hash:2}"'
  each git-message text 'git commit -q --allow-empty --cleanup=verbatim -F - && git log -1 --format=%B'
  each git-word-diff folded '{ cat "$file"; echo; } >f; git add f; git diff --cached --color=always --word-diff=color --word-diff-regex=. HEAD -- f | tail -n +6; git rm -q -f --cached f'
  cd "$plain"
fi
if has kubectl; then
  arguments=()
  for file in "$plain"/*; do arguments+=("--from-file=$file"); done
  for form in yaml json; do
    kubectl create secret generic all --dry-run=client -o "$form" "${arguments[@]}" >"$out/kubectl-secret__all.$form-base64"
    kubectl create configmap all --dry-run=client -o "$form" "${arguments[@]}" >"$out/kubectl-configmap__all.$form"
  done
  each kubectl-registry yaml-registry 'kubectl create secret docker-registry x --dry-run=client -o yaml --docker-server=example.com --docker-username=me --docker-password="$(cat)"'
fi
