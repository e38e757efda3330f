#!/bin/bash
# Lints the collection of ansible/: yamllint, ansible-lint (profile production), and that the documentation of each
# variable has the default of the role. Says so and does nothing where Ansible is not installed.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."

programs=$PWD/.cache/ansible/venv/bin
[[ -x $programs/ansible-lint ]] || { echo "no ansible-lint, the collection is not linted: make test-dependencies"; exit 0; }
export PATH=$programs:$PATH ANSIBLE_HOME=$PWD/.cache/ansible/home

# Ansible finds a collection by the path of its directory only.
collections=$PWD/.cache/ansible/collections
mkdir -p "$collections/ansible_collections/ktc"
ln -sfn "$PWD/ansible" "$collections/ansible_collections/ktc/agent"
export ANSIBLE_COLLECTIONS_PATH=$collections

cd ansible
yamllint --strict .
ansible-lint --offline --nocolor
python3 - roles/ktc_agent <<'PYTHON'
import sys
import yaml

role = sys.argv[1]
with open(role + "/defaults/main.yml") as file:
    defaults = yaml.safe_load(file)
with open(role + "/meta/argument_specs.yml") as file:
    options = yaml.safe_load(file)["argument_specs"]["main"]["options"]
documented = {name: option.get("default") for name, option in options.items()}
for name in sorted(set(defaults) | set(documented)):
    if name not in defaults or name not in documented or defaults[name] != documented[name]:
        sys.exit("%s: defaults/main.yml has %r, meta/argument_specs.yml has %r"
                 % (name, defaults.get(name, "nothing"), documented.get(name, "nothing")))
PYTHON
