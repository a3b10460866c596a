"""The simulated world's constants: one place, so that the board and the policy study share a world.

Sizes are bytes (decimal, as model files are listed), times are board seconds, temperatures are
degrees Celsius. The values are those of the reference study; changing one here changes the
simulated boards and the discrete-event simulator together, which is the point.
"""

from typing import Final

from orion_contracts.power import LOADING_SHARE

# Decoding is bound by memory bandwidth: every token reads the whole model once.
DECODE_BYTES_PER_S: Final = 9e9
DECODE_BYTES_PER_S_PI4: Final = 3e9
# Prompt tokens are processed in batches, so one read of the weights serves several of them.
PREFILL_SPEEDUP: Final = 7.0

LOAD_FIXED_S: Final = 0.5
STORAGE_SD_BYTES_PER_S: Final = 72e6
STORAGE_SD_PI4_BYTES_PER_S: Final = 40e6
STORAGE_NVME_BYTES_PER_S: Final = 450e6
STORAGE_NVME_FAST_BYTES_PER_S: Final = 500e6
# A household's line, 100 Mbit/s.
PULL_BYTES_PER_S: Final = 12.5e6
# A file that is still in the page cache is copied, not read: 4 GB/s.
PAGE_CACHE_BYTES_PER_S: Final = 4e9

# Kernel, k3s, router or worker: what a board uses before the first model is loaded.
SYSTEM_BYTES: Final = 1_500_000_000
# Compute buffers of a loaded model, beside its weights and its KV cache.
COMPUTE_BUFFER_BYTES: Final = 200_000_000

AMBIENT_C: Final = 25.0
HEAT_TAU_S: Final = 150.0
IDLE_RISE_C: Final = 20.0
FULL_RISE_ACTIVE_C: Final = 36.0
FULL_RISE_PASSIVE_C: Final = 52.0
FULL_RISE_POOR_C: Final = 63.0
# Loading is mostly waiting for the disk: this share of the way from idle to full load. Heat is
# power, and so is what a board draws (orion_contracts.power has the watts, too).
LOADING_HEAT_SHARE: Final = LOADING_SHARE

THROTTLE_FROM_C: Final = 80.0
THROTTLE_FULL_C: Final = 85.0
THROTTLE_FLOOR: Final = 0.6

# Ollama's own defaults on a CPU-only machine.
DEFAULT_CONTEXT_TOKENS: Final = 4096
DEFAULT_KEEP_ALIVE_S: Final = 300.0
DEFAULT_MAX_QUEUE: Final = 512
