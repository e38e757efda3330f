#!/bin/bash
# Brings policies, templates and ingest pipelines of the KTC agent's events into Elasticsearch or OpenSearch.
# Run it again at any time, also while events come in: it writes the same again.
set -euo pipefail
directory=$(dirname "$(readlink -f "$0")")/generated

usage() {
  cat <<'END'
usage: apply.sh --url URL [--retention-days 30] [--shards 1] [--ca FILE]

  --url URL             of Elasticsearch 7.17 or newer, or of OpenSearch 2 or newer
  --retention-days N    events are kept so long; older ones are refused
  --shards N            primary shards of each daily index
  --ca FILE             authority of the server's certificate, PEM

Credentials come from the environment, so that no process list shows them:
  KTC_ELASTICSEARCH_API_KEY, or KTC_ELASTICSEARCH_USER and KTC_ELASTICSEARCH_PASSWORD
END
}

fail() {
  echo "apply.sh: $1" >&2
  exit "${2:-1}"
}

url='' retention_days=30 shards=1 ca=''
while (($#)); do
  case $1 in
    --url) url=${2:?} ;;
    --retention-days) retention_days=${2:?} ;;
    --shards) shards=${2:?} ;;
    --ca) ca=${2:?} ;;
    --help) usage; exit 0 ;;
    *) usage >&2; exit 64 ;;
  esac
  shift 2
done
[[ -n $url ]] || { usage >&2; exit 64; }
[[ $retention_days =~ ^[1-9][0-9]{0,3}$ ]] || fail "--retention-days $retention_days: a number of days up to 9999" 64
[[ $shards =~ ^[1-9][0-9]{0,2}$ ]] || fail "--shards $shards: a number up to 999" 64

# For curl -K -, which reads them from its standard input.
settings() {
  local user=${KTC_ELASTICSEARCH_USER:-} key=${KTC_ELASTICSEARCH_API_KEY:-}
  if [[ -n $key ]]; then
    printf 'header = "Authorization: ApiKey %s"\n' "$key"
  elif [[ -n $user ]]; then
    local login="$user:${KTC_ELASTICSEARCH_PASSWORD:-}"
    login=${login//\\/\\\\}
    printf 'user = "%s"\n' "${login//\"/\\\"}"
  fi
  [[ -z $ca ]] || printf 'cacert = "%s"\n' "$ca"
}

# request METHOD PATH [FILE]: the answer, then its status on a line of its own.
request() {
  local -a body=()
  # A file beside standard input, which has the credentials.
  [[ -z ${3:-} ]] || body=(--header 'Content-Type: application/json' --data-binary "@$3")
  settings | curl --silent --show-error --max-time 60 --config - --request "$1" "${body[@]}" \
    --write-out '\n%{http_code}' "${url%/}/$2"
}

# put PATH FILE
put() {
  local answer
  answer=$(request PUT "$1" "$2") || fail "no answer from $url" 69
  [[ ${answer##*$'\n'} == 200 || ${answer##*$'\n'} == 201 ]] || fail "PUT $1: ${answer%$'\n'*}"
  echo "$1"
}

# The parameters, in place of the values that the files have.
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
fill_in() {
  local file=$scratch/body.json
  sed -e "s/\"min_age\": \"30d\"/\"min_age\": \"${retention_days}d\"/" \
    -e "s/\"min_index_age\": \"30d\"/\"min_index_age\": \"${retention_days}d\"/" \
    -e "s/\"oldest_ms\": 2592000000/\"oldest_ms\": $((retention_days * 86400000))/" \
    -e "s/\"index.number_of_shards\": 1/\"index.number_of_shards\": $shards/" "$1" >"$file"
  echo "$file"
}

put_policies_of_opensearch() {
  local name answer status sequence term
  for name in ktc-events ktc-events-stream ktc-rejected; do
    answer=$(request GET "_plugins/_ism/policies/$name") || fail "no answer from $url" 69
    status=${answer##*$'\n'}
    # Without the plugin there is no such path at all.
    if [[ $answer == *'no handler found'* ]]; then
      echo "apply.sh: this OpenSearch has no index state management: no policy, delete old indices yourself" >&2
      return
    fi
    sequence='' term=''
    if [[ $status == 200 ]]; then
      # A policy is changed by saying which version of it is meant.
      sequence=$(grep -oE '"_seq_no" *: *[0-9]+' <<<"$answer" | grep -oE '[0-9]+$')
      term=$(grep -oE '"_primary_term" *: *[0-9]+' <<<"$answer" | grep -oE '[0-9]+$')
    fi
    put "_plugins/_ism/policies/$name${sequence:+?if_seq_no=$sequence&if_primary_term=$term}" \
      "$(fill_in "$directory/opensearch/policy/$name.json")"
  done
}

answer=$(request GET '') || fail "no answer from $url" 69
[[ ${answer##*$'\n'} == 200 ]] || fail "GET $url: ${answer%$'\n'*}"
engine=elasticsearch
[[ ! $answer =~ \"distribution\"\ *:\ *\"opensearch\" ]] || engine=opensearch

# What others refer to comes first.
if [[ $engine == elasticsearch ]]; then
  for name in ktc-events ktc-events-stream ktc-rejected; do
    put "_ilm/policy/$name" "$(fill_in "$directory/$engine/policy/$name.json")"
  done
else
  put_policies_of_opensearch
fi
for name in ktc-events-stream ktc-events; do
  put "_ingest/pipeline/$name" "$(fill_in "$directory/$engine/pipeline/$name.json")"
done
put _component_template/ktc-events "$(fill_in "$directory/$engine/component-template/ktc-events.json")"
for name in ktc-events ktc-events-daily ktc-events-stream ktc-rejected; do
  put "_index_template/$name" "$(fill_in "$directory/$engine/index-template/$name.json")"
done
