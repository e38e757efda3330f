"""ClickHouse's own server, 25.8: the library of chdb 3.7.2 has the whole of it, and exports its entry.

    python real-server.py --config-file=FILE
"""

import ctypes
import importlib.util
import os
import sys

package = importlib.util.find_spec("chdb").submodule_search_locations[0]
library = ctypes.CDLL(os.path.join(package, "_chdb.abi3.so"))
words = [os.fsencode(word) for word in ("clickhouse-server", *sys.argv[1:])]
sys.exit(library._Z25mainEntryClickHouseServeriPPc(len(words), (ctypes.c_char_p * (len(words) + 1))(*words, None)))
