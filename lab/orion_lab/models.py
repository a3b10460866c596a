"""The catalogue of model files a simulated board can have on disk."""

from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from orion_lab import world

_KV_BYTES_PER_VALUE: Final = 2  # f16


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """One model as Ollama lists it: its file, its shape and what it can do."""

    name: str
    size_bytes: int
    family: str
    parameter_size: str
    quantization: str
    layers: int
    kv_heads: int
    head_dim: int
    embedding_length: int
    trained_context: int
    capabilities: tuple[str, ...]
    temperature: float = 0.8
    """The model's own default, as a Modelfile sets it; a request's option wins."""
    file: str = ""
    """Another tag of this model's file."""

    @property
    def digest(self) -> str:
        """Hex digest, stable per model name: every board holds the same file."""
        return sha256(f"{self.file or self.name}:{self.size_bytes}".encode()).hexdigest()

    def kv_bytes(self, context_tokens: int, slots: int) -> int:
        """Memory of the KV cache, allocated whole at load time."""
        per_token = 2 * self.layers * self.kv_heads * self.head_dim * _KV_BYTES_PER_VALUE
        return per_token * context_tokens * slots

    def resident_bytes(self, context_tokens: int, slots: int) -> int:
        """Memory of the loaded model: weights, KV cache and compute buffers."""
        return self.size_bytes + self.kv_bytes(context_tokens, slots) + world.COMPUTE_BUFFER_BYTES


_TEXT, _TOOLS = ("completion",), ("completion", "tools")
_THINKS = ("completion", "tools", "thinking")

_ALL: Final = (
    # So small a model answers well only without chance.
    ModelSpec(
        "smollm2:135m", 98_000_000, "llama", "134.52M", "Q4_1", 30, 3, 64, 576, 8192, _TEXT, 0.0
    ),
    ModelSpec("smollm2:360m", 271_000_000, "llama", "362M", "Q4_K_M", 32, 5, 64, 960, 8192, _TOOLS),
    ModelSpec(
        "qwen2.5:0.5b", 398_000_000, "qwen2", "494M", "Q4_K_M", 24, 2, 64, 896, 32768, _TOOLS
    ),
    ModelSpec("tinyllama:1.1b", 638_000_000, "llama", "1B", "Q4_0", 22, 4, 64, 2048, 2048, _TEXT),
    ModelSpec(
        "gemma3:1b", 815_000_000, "gemma3", "1000M", "Q4_K_M", 26, 1, 256, 1152, 32768, _TEXT
    ),
    ModelSpec(
        "qwen2.5:1.5b", 986_000_000, "qwen2", "1.5B", "Q4_K_M", 28, 2, 128, 1536, 32768, _TOOLS
    ),
    ModelSpec(
        "llama3.2:1b", 1_321_000_000, "llama", "1.2B", "Q8_0", 16, 8, 64, 2048, 131072, _TOOLS
    ),
    ModelSpec(
        "llama3.2:1b-instruct-q4_K_M",
        808_000_000,
        "llama",
        "1.2B",
        "Q4_K_M",
        16,
        8,
        64,
        2048,
        131072,
        _TOOLS,
    ),
    ModelSpec(
        "qwen3:1.7b", 1_359_000_000, "qwen3", "2.0B", "Q4_K_M", 28, 8, 128, 2048, 40960, _THINKS
    ),
    ModelSpec(
        "qwen2.5:3b", 1_929_000_000, "qwen2", "3.1B", "Q4_K_M", 36, 2, 128, 2048, 32768, _TOOLS
    ),
    ModelSpec(
        "llama3.2:3b", 2_019_000_000, "llama", "3.2B", "Q4_K_M", 28, 8, 128, 3072, 131072, _TOOLS
    ),
    ModelSpec("phi3:3.8b", 2_176_000_000, "phi3", "3.8B", "Q4_0", 32, 32, 96, 3072, 131072, _TEXT),
    ModelSpec(
        "qwen3:4b", 2_497_000_000, "qwen3", "4.0B", "Q4_K_M", 36, 8, 128, 2560, 40960, _THINKS
    ),
    ModelSpec(
        "mistral:7b", 4_372_000_000, "llama", "7.2B", "Q4_K_M", 32, 8, 128, 4096, 32768, _TOOLS
    ),
    ModelSpec(
        "qwen2.5:7b", 4_683_000_000, "qwen2", "7.6B", "Q4_K_M", 28, 4, 128, 3584, 32768, _TOOLS
    ),
    ModelSpec(
        "llama3.1:8b", 4_920_000_000, "llama", "8.0B", "Q4_K_M", 32, 8, 128, 4096, 131072, _TOOLS
    ),
    ModelSpec(
        "nomic-embed-text:latest",
        274_000_000,
        "nomic-bert",
        "137M",
        "F16",
        12,
        12,
        64,
        768,
        2048,
        ("embedding",),
    ),
)
CATALOGUE: Final = {spec.name: spec for spec in _ALL}


def full_name(name: str) -> str:
    """A model name with its tag: no tag means `latest`."""
    return name if ":" in name.rsplit("/", 1)[-1] else f"{name}:latest"


def model(text: str) -> ModelSpec:
    """Look a model up by name, or make one of any size from `NAME=GIGABYTES`.

    Raises:
        ValueError: neither in the catalogue nor of the form above.
    """
    name, _, size_gb = text.partition("=")
    name = full_name(name)
    if size_gb:
        size = int(float(size_gb) * 1e9)
        return ModelSpec(
            name, size, "llama", f"{size_gb}B", "Q8_0", 16, 8, 64, 2048, 131072, _TOOLS
        )
    if name in CATALOGUE:
        return CATALOGUE[name]
    raise ValueError(
        f"unknown model {text!r}; add a size as in {name}=1.3, or: {', '.join(CATALOGUE)}"
    )
