/** What is on a host: two of these tell what a package has left there. */
import type { Hosts } from '../hosts.ts';

/** Files with their content, units, users (in /etc/passwd), and what the package managers know. */
const SCRIPT = `
  cd /
  outside='^./(proc|sys|dev|run|tmp|var/tmp|root/.(ansible|rpmdb)|var/log/(journal|wtmp|lastlog|btmp|faillog|dpkg.log)|var/lib/(systemd|dpkg))(/|$)|-$'
  find . -xdev -printf '%p %y %m %u:%g %l\\n' | awk -v outside="$outside" '$1 !~ outside' | sort
  find . -xdev -type f | grep -vE "$outside" | tr '\\n' '\\0' | xargs -0 sha256sum | sort
  systemctl list-unit-files --no-legend | sort
  dpkg-query --show
  if [ -e /root/.rpmdb ]; then rpm --query --all | sort; fi`;

/** The lines of every host, by its name. */
export async function inventoriesOf(hosts: Hosts, names: readonly string[]): Promise<Map<string, string[]>> {
  const inventoryOf = async (name: string) => [name, (await hosts.run(name, SCRIPT)).split('\n')] as const;
  return new Map(await Promise.all(names.map(inventoryOf)));
}
