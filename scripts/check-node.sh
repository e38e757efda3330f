#!/bin/bash
# usage: check-node.sh NODE
# Whether the lock file's Node.js starts here: since version 26 it needs libatomic.so.1, which a small system has not got.
set -euo pipefail

if said=$("$1" --version 2>&1); then exit 0; fi
case $said in
  *libatomic.so.1*)
    echo "Node.js needs libatomic.so.1, install it as root: apt-get install libatomic1 (Debian), yum install libatomic (RedHat)" ;;
  *) echo "$1 does not start: $said" ;;
esac >&2
exit 69
