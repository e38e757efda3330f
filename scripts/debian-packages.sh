# shellcheck shell=bash
# For scripts to source: installs Debian packages that are missing.

# install_packages PACKAGE…
install_packages() {
  local -a missing
  mapfile -t missing < <(missing_packages "$@")
  ((${#missing[@]})) || return 0
  if ! command -v apt-get >/dev/null; then
    echo "missing, install them with this system's package manager: ${missing[*]}" >&2
    return 69
  fi
  if ((EUID != 0)); then
    echo "missing packages, run as root: apt-get install --no-install-recommends ${missing[*]}" >&2
    return 69
  fi
  echo "installing ${missing[*]}"
  local -a install=(apt-get install --yes --no-install-recommends -qq "${missing[@]}")
  export DEBIAN_FRONTEND=noninteractive
  # Lists that are missing or out of date are cured by an update, which is slow and rarely needed. No service
  # of these packages is to start on the tester's machine.
  RUNLEVEL=1 "${install[@]}" >/dev/null || { apt-get update -qq && RUNLEVEL=1 "${install[@]}" >/dev/null; }
}

missing_packages() {
  local package
  for package in "$@"; do
    # Another Java than Debian's default is as good.
    [[ $package == default-jdk-headless ]] && command -v javac >/dev/null && continue
    [[ $(dpkg-query --show --showformat '${db:Status-Status}' "$package" 2>/dev/null) == installed ]] ||
      echo "$package"
  done
}
