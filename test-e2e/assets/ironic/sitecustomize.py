# Speed-up of the bench, never for production: loaded into the Ironic process by PYTHONPATH.
#
# Ironic 39 names its cached Redfish sessions by a PBKDF2 key of 600,000 rounds and derives that key again at every
# access, half a second of processor time each on the small machines the bench runs on. The function is pure, so the
# hook remembers the result per set of arguments; what Ironic sees is the same. Set METAL3_BENCH_PLAIN_IRONIC to run
# without it, and say so beside every timing that was taken with it.
import functools
import hashlib
import os

if "METAL3_BENCH_PLAIN_IRONIC" not in os.environ:
    hashlib.pbkdf2_hmac = functools.lru_cache(maxsize=65536)(hashlib.pbkdf2_hmac)
