"""What Livello's functions share: the rules, the store, the gateways, the use cases, the API's frame."""

import gc

# Importing makes tens of thousands of objects that stay for good. Looking through them again and again for
# garbage is a twelfth of a cold start, so the collector waits longer than its default of 700 (benchmarks/).
_COLLECTION_THRESHOLD = 10_000

gc.set_threshold(_COLLECTION_THRESHOLD)
