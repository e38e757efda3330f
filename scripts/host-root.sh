# shellcheck shell=bash
# For scripts to source: what the roots of all test hosts have in common.

# prepare_root ROOT CACHE: ROOT as debootstrap left it becomes that of a host that takes ssh with the key in CACHE.
prepare_root() {
  local root=$1 cache=$2 unit
  rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/* "$root"/usr/share/{doc,locale,man}/*
  # A host has no devices, clock and network of its own to look after, and nothing to update.
  for unit in systemd-udevd.service systemd-udevd-kernel.socket systemd-udevd-control.socket systemd-timesyncd.service \
    systemd-modules-load.service getty.target console-getty.service e2scrub_reap.service \
    apt-daily.timer apt-daily-upgrade.timer e2scrub_all.timer fstrim.timer systemd-tmpfiles-clean.timer; do
    ln -sf /dev/null "$root/etc/systemd/system/$unit"
  done
  install -d -m 0700 "$root/root/.ssh"
  [[ -f $cache/ssh-key ]] || ssh-keygen -q -t ed25519 -N '' -C 'ktc test hosts' -f "$cache/ssh-key"
  install -m 0600 "$cache/ssh-key.pub" "$root/root/.ssh/authorized_keys"
  printf 'UseDNS no\nMaxStartups 100\nMaxSessions 100\n' >>"$root/etc/ssh/sshd_config"
}
