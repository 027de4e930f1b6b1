"""What Livello's functions share, by business area: rules, records, commands and views (docs/design.md, section 7)."""

import gc

from cold_start import log_cold_start

# Importing makes tens of thousands of objects that stay for good. Looking through them again and again for
# garbage is a twelfth of a cold start, so the collector waits longer than its default of 700 (benchmarks/).
_COLLECTION_THRESHOLD = 10_000

gc.set_threshold(_COLLECTION_THRESHOLD)

log_cold_start()
