#!/bin/bash
# Makes ClickHouse's tables, views and dictionary for the events, or changes existing ones to what is wanted. It compares
# what is wanted with what there is and keeps no counter: run it as often as you like, also while events are written.
set -euo pipefail

usage() {
  cat <<'END'
Usage: apply.sh [options]

Makes the tables, views and the dictionary of query/clickhouse/schema in ClickHouse, or changes existing ones to fit.

  --url URL            ClickHouse's HTTP interface (default http://127.0.0.1:8123)
  --client COMMAND     instead of HTTP, a program that reads one statement from standard input and prints
                       TabSeparated, such as "clickhouse-client --host ch1" or "clickhouse-local --path DIR"
  --database NAME      default ktc
  --cluster NAME       make replicated tables on all nodes of this cluster, and distributed ones above them
  --brokers LIST       Kafka brokers, host:port,...; without it no queue is made, and events come by
                       INSERT INTO lines (line) FORMAT LineAsString
  --topic NAME         topics, separated by commas (default ktc-events)
  --group NAME         consumer group (default ktc-clickhouse)
  --consumers N        consumers per node, at most the number of partitions (default 1)
  --kafka-setting N=V  a further setting of the Kafka engine, such as kafka_security_protocol=sasl_ssl; repeatable
  --flush-ms N         an event is visible after that time at most (default 5000)
  --ttl-days N         how long events stay (default 30)
  --proof-days N       how long host_status, the bitmaps of the proof, and the sums stay (default 400)
  --grace-s N          how long an address belongs to a host before and after a host_status names it (default 180)
  --wait-s N           how long to wait for another apply.sh that is at work on the same database (default 60)
  --print              print the statements that would be run, and run none of them that changes something
  -h, --help           show this help

User and password are taken from CLICKHOUSE_USER and CLICKHOUSE_PASSWORD, also for the dictionary's source.

Exit codes: 0 done, 64 wrong options, 69 ClickHouse cannot be reached or refuses a statement,
75 another apply.sh is at work: nothing was done,
78 an existing table has another key, which cannot be changed: nothing was done.
END
}

fail() {
  echo "apply.sh: $2" >&2
  exit "$1"
}

here=$(dirname "$(readlink -f "$0")")
url=http://127.0.0.1:8123 client='' database=ktc cluster='' brokers='' topic=ktc-events group=ktc-clickhouse
consumers=1 flush_ms=5000 ttl_days=30 proof_days=400 grace_s=180 wait_s=60 kafka_settings='' is_printing=false

is_number() { [[ $2 =~ ^[1-9][0-9]*$ ]] || fail 64 "$1 takes a whole number of at least 1, not '$2'"; }

# The engine's DateTime ends in 2106.
is_days() {
  is_number "$@"
  (($2 <= 18250)) || fail 64 "$1 is at most 18250, fifty years"
}

while (($#)); do
  case $1 in
    -h | --help) usage; exit 0 ;;
    --print) is_printing=true; shift; continue ;;
    --*) [[ $# -ge 2 ]] || fail 64 "$1: unknown option, or its value is missing; see --help" ;;
    *) fail 64 "unexpected '$1'; see --help" ;;
  esac
  case $1 in
    --url) url=$2 ;;
    --client) client=$2 ;;
    --database) database=$2 ;;
    --cluster) cluster=$2 ;;
    --brokers) brokers=$2 ;;
    --topic) topic=$2 ;;
    --group) group=$2 ;;
    --consumers) is_number "$1" "$2"; consumers=$2 ;;
    --kafka-setting)
      [[ $2 =~ ^kafka_[a-z_]+=[^\'\\]*$ ]] || fail 64 "$1 takes kafka_NAME=VALUE without quotes, not '$2'"
      kafka_settings+=",
    ${2%%=*} = '${2#*=}'"
      ;;
    --flush-ms) is_number "$1" "$2"; flush_ms=$2 ;;
    --ttl-days) is_days "$1" "$2"; ttl_days=$2 ;;
    --proof-days) is_days "$1" "$2"; proof_days=$2 ;;
    --grace-s) is_number "$1" "$2"; grace_s=$2 ;;
    --wait-s) is_number "$1" "$2"; wait_s=$2 ;;
    *) fail 64 "unknown option $1; see --help" ;;
  esac
  shift 2
done
for name in "$database" ${cluster:+"$cluster"}; do
  [[ $name =~ ^[A-Za-z_][A-Za-z0-9_]*$ ]] || fail 64 "'$name' is no plain name of a database or cluster"
done
[[ "$brokers$topic$group${CLICKHOUSE_USER:-}${CLICKHOUSE_PASSWORD:-}" != *[\'\\]* ]] ||
  fail 64 "brokers, topic, group, user and password hold no quotes and no backslashes"

wanted_database=${database}__wanted
user=${CLICKHOUSE_USER:-default}
# A block holds at most 100 partitions, and a host that drains an old spool has a row for each of them.
partition=toDate
((ttl_days <= 90)) || partition=toMonday

# Runs the statement of standard input and prints its rows.
query() {
  local statement answer status
  statement=$(cat)
  if [[ -n $client ]]; then
    local -a words
    read -ra words <<<"$client"
    "${words[@]}" <<<"$statement" || fail 69 "the client failed at: ${statement%%$'\n'*}"
    return
  fi
  # User and password stand in no list of processes. curl of EL7 has no --fail-with-body.
  answer=$(curl --silent --show-error --write-out '\n%{http_code}' --config <(
    printf 'header = "X-ClickHouse-User: %s"\n' "$user"
    [[ -z ${CLICKHOUSE_PASSWORD:-} ]] || printf 'header = "X-ClickHouse-Key: %s"\n' "${CLICKHOUSE_PASSWORD//\"/\\\"}"
  ) --data-binary @- "$url" <<<"$statement" 2>&1) || fail 69 "$url cannot be reached: ${answer%%$'\n'*}"
  status=${answer##*$'\n'} answer=${answer%$'\n'*}
  [[ $status == 200 ]] || fail 69 "$url refuses \"${statement%%$'\n'*}\": $answer"
  [[ -z $answer ]] || printf '%s\n' "${answer%$'\n'}"
}

# Runs a statement that changes something, or prints it.
change() {
  if $is_printing; then
    printf '%s;\n\n' "$1"
  else
    query <<<"$1" >/dev/null
  fi
}

# The text of a schema file for a database; the words that follow are those of a single node, or of a cluster.
render() {
  local file=$1 into=$2 on_cluster=$3 replicated=$4 suffix=$5 storage_settings=$6 text login=''
  text=$(grep -v '^--' "$file")
  [[ $user == default && -z ${CLICKHOUSE_PASSWORD:-} ]] || login="USER '$user' PASSWORD '${CLICKHOUSE_PASSWORD:-}'"
  text=${text//@storage_settings/$storage_settings}
  text=${text//@kafka_settings/$kafka_settings}
  text=${text//@dictionary_login/$login}
  text=${text//@on_cluster/$on_cluster}
  text=${text//@replicated/$replicated}
  text=${text//@partition/$partition}
  text=${text//@proof_days/$proof_days}
  text=${text//@ttl_days/$ttl_days}
  text=${text//@grace_s/$grace_s}
  text=${text//@consumers/$consumers}
  text=${text//@flush_ms/$flush_ms}
  text=${text//@brokers/$brokers}
  text=${text//@topic/$topic}
  text=${text//@group/$group}
  text=${text//@local/$suffix}
  text=${text//@database/$into}
  printf '%s' "$text"
}

on_cluster='' replicated='' suffix='' storage_settings=''
if [[ -n $cluster ]]; then
  on_cluster="ON CLUSTER '$cluster'" replicated=Replicated suffix=_local
  # Repeats go by the key. Dropping equal blocks too would keep the views behind a table from what it has seen before.
  storage_settings=', replicated_deduplication_window = 0'
fi

wanted() { render "$1" "$database" "$on_cluster" "$replicated" "$suffix" "$storage_settings"; }
name_of() {
  local base=${1##*/}
  base=${base#*-}
  printf '%s' "${base%.sql}"
}

storage=("$here"/schema/1*.sql)
# Their text is in their comment as a hash: what holds no data is made anew when its text changes.
others=("$here"/schema/[2-8]*.sql)
[[ -z $brokers ]] || others+=("$here"/schema/9*.sql)

declare -A existing=() hashes=()
made=()
read_existing() {
  local name hash rows
  existing=() hashes=() made=()
  # In the order in which they can be dropped: what brings lines, then views, then what those need.
  rows=$(query <<<"SELECT name, extract(comment, 'ktc ([0-9a-f]{64})') FROM system.tables WHERE database = '$database'
    ORDER BY indexOf(['consume', 'queue', 'lines'], name) = 0, indexOf(['consume', 'queue', 'lines'], name),
      indexOf(['MaterializedView', 'Dictionary', 'View'], engine) = 0, indexOf(['MaterializedView', 'Dictionary', 'View'], engine)")
  while IFS=$'\t' read -r name hash; do
    [[ -n $name ]] || continue
    existing[$name]=yes
    [[ -z $hash ]] || hashes[$name]=$hash made+=("$name")
  done <<<"$rows"
}

# One at a time: two that drop and make the same views could leave lines without a reader for a moment. The database in
# which `compare_storage` makes the wanted tables is the lock, because only one CREATE DATABASE succeeds.
lock="\`$wanted_database\` $on_cluster"
# Printing changes nothing on other nodes.
! $is_printing || lock="\`$wanted_database\`"

unlock() { query <<<"DROP DATABASE IF EXISTS $lock" >/dev/null; }

take_lock() {
  local problem owner
  until problem=$(query 2>&1 <<<"CREATE DATABASE $lock
    COMMENT 'apply.sh of process $$ on ${HOSTNAME//[^A-Za-z0-9.-]/}, since $(date -u +%FT%TZ)'"); do
    owner=$(query <<<"SELECT if(comment = '', 'a program', comment) FROM system.databases WHERE name = '$wanted_database'")
    [[ -n $owner || $problem == *ALREADY_EXISTS* ]] || { echo "$problem" >&2; exit 69; }
    ((SECONDS < wait_s)) || fail 75 "${owner:-a program} is at work on $database, so nothing was done. \
If it has ended: DROP DATABASE $lock, and run this again"
    sleep 1
  done
  trap unlock EXIT
}

# A replicated table starts in a thread of this pool. Refreshes of views, which begin with the server, wait in others for tables that
# have not started: where they have all threads, no table starts any more.
warn_of_few_threads() {
  local threads
  # Not every user may read it.
  threads=$(query 2>/dev/null <<<"SELECT value FROM system.server_settings
    WHERE name = 'background_schedule_pool_size' AND toUInt64(value) < 16") || return 0
  [[ -z $threads ]] || echo "apply.sh: warning: background_schedule_pool_size is $threads in the configuration of the server. \
After a restart its tables may never start: set it to 16 or more, ClickHouse's default is 512" >&2
}

# Older ones lack what the views need, and would be left with half of the tables.
version=$(query <<<'SELECT version()')
[[ $version =~ ^([0-9]+)\.([0-9]+) ]] || fail 69 "no ClickHouse answers: its version would be '${version%%$'\n'*}'"
((BASH_REMATCH[1] * 100 + BASH_REMATCH[2] >= 2508)) || fail 69 "ClickHouse $version is too old: 25.8 or newer is needed"
[[ -z $cluster ]] || warn_of_few_threads
take_lock
change "CREATE DATABASE IF NOT EXISTS \`$database\` $on_cluster"
read_existing

# Tables that hold data: made, or altered to fit.
alterations=() refusals=''

# compare WANTED EXISTING IS_DISTRIBUTED: two tables, the first in the database of the wanted ones.
compare() {
  local difference differences
  differences=$(sed "s/@wanted_database/$wanted_database/g; s/@wanted_table/$1/g; s/@database/$database/g; s/@table/$2/g
    s/@is_distributed/$3/g; s/@on_cluster/$on_cluster/g" "$here/differences.sql" | query)
  while IFS= read -r difference; do
    case $difference in
      '') ;;
      REFUSE*) refusals+=$'\n'"  ${difference#REFUSE }" ;;
      *) alterations+=("$difference") ;;
    esac
  done <<<"$differences"
}

compare_storage() {
  local file base name
  for file in "${storage[@]}"; do
    base=$(name_of "$file") name=$base$suffix
    [[ -n ${existing[$name]:-} ]] || continue
    render "$file" "$wanted_database" '' '' "$suffix" '' | query
    compare "$name" "$name" false
    [[ -z $cluster || -z ${existing[$base]:-} ]] || compare "$name" "$base" true
  done
  [[ -z $refusals ]] ||
    fail 78 "keys cannot be changed, so nothing was done. Make another database (--database, --group), let it fill, and drop this one:$refusals"
}
compare_storage

for file in "${storage[@]}"; do
  [[ -n ${existing[$(name_of "$file")$suffix]:-} ]] || change "$(wanted "$file")"
done
for statement in "${alterations[@]}"; do change "$statement"; done

# Above them on a cluster: all rows of a host on one shard, so that FINAL sees repeats.
if [[ -n $cluster ]]; then
  for file in "${storage[@]}"; do
    name=$(name_of "$file")
    [[ -z ${existing[$name]:-} ]] || continue
    case $name in
      events | host_status | seen | rejected | peer_traffic_runs) key='cityHash64(host)' ;;
      *) key='rand()' ;;
    esac
    change "CREATE TABLE \`$database\`.\`$name\` $on_cluster AS \`$database\`.\`$name$suffix\` ENGINE = Distributed('$cluster', '$database', '$name$suffix', $key)"
  done
fi

# Views, dictionary, queue: they hold no data, and all are made anew when the text of one has changed, because they stand on
# each other. What brings lines goes first and comes last, so that nothing comes in that has nowhere to go.
texts=() wanted_names=' ' is_changed=false
for file in "${others[@]}"; do
  name=$(name_of "$file")
  text=$(wanted "$file")
  hash=$(printf '%s' "$text" | sha256sum | cut -d' ' -f1)
  texts+=("$text
COMMENT 'ktc $hash'")
  wanted_names+="$name "
  [[ ${hashes[$name]:-} == "$hash" ]] || is_changed=true
done
for name in "${made[@]}"; do
  # Of an earlier version, or a queue that is not wanted any more.
  [[ $wanted_names == *" $name "* ]] || is_changed=true
done
if $is_changed; then
  for name in "${made[@]}"; do
    kind=TABLE
    [[ $name != peers ]] || kind=DICTIONARY
    # A queue ends with the block in hand; what is not committed to Kafka comes again.
    change "DROP $kind \`$database\`.\`$name\` $on_cluster"
  done
  for text in "${texts[@]}"; do change "$text"; done
fi
