"""A BERT text encoder on onnxruntime, for reading on a processor: the same states in less than half the time.

The graph is made from a checkpoint's weights when it is loaded, of onnxruntime's fused operators for transformers;
neither a file nor `transformers` is needed for it. It cannot be trained, and gives no access to single layers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from extraction.networks.encoders.text import Prefix

OPSET, CONTRIB = 17, "com.microsoft"
IR_VERSION = 8  # that every onnxruntime with this opset reads
_NORM_EPSILON = 1e-12

Weights = dict[str, NDArray[np.float32]]


def is_available(architecture: Mapping[str, Any], device: str) -> bool:
    """Whether an encoder of this architecture can run here: BERT as first published, on a processor."""
    plain = (
        architecture.get("model_type") == "bert"
        and architecture.get("hidden_act", "gelu") == "gelu"
        and architecture.get("position_embedding_type", "absolute") == "absolute"
        and not architecture.get("is_decoder", False)
    )
    if not plain or torch.device(device).type != "cpu":
        return False
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
    except ImportError:
        return False
    return True


class OnnxTextEncoder(nn.Module):
    """The states of `TextEncoder` with these weights, named as in its `state_dict`, on `threads` threads."""

    def __init__(self, architecture: Mapping[str, Any], weights: Mapping[str, Tensor], threads: int) -> None:
        """Raises ValueError for weights that do not fit the architecture."""
        super().__init__()
        self.width = int(architecture["hidden_size"])
        arrays = {name: one.detach().float().numpy() for name, one in weights.items()}
        _check(dict(architecture), arrays)
        pieces, positions, kinds = (arrays.pop(f"model.embeddings.{name}_embeddings.weight") for name in _TABLES)
        for name, table in (
            ("pieces", pieces),
            ("shapes", arrays.pop("shape.weight")),
            ("positions", positions + kinds[0]),
        ):
            self.register_buffer(name, torch.from_numpy(table), persistent=False)
        self._session = _session(dict(architecture), arrays, threads)

    def forward(self, ids: Tensor, shapes: Tensor, mask: Tensor, prefix: Prefix | None = None) -> Tensor:
        """Pieces and shapes (B, L), mask (B, L) with True for real pieces -> last hidden states (B, L, D)."""
        if prefix is not None:
            raise NotImplementedError("An encoder on onnxruntime takes no prefix.")
        tables = dict(self.named_buffers())
        embedded = nn.functional.embedding(ids, tables["pieces"]) + nn.functional.embedding(shapes, tables["shapes"])
        inputs = {
            "embedded": (embedded + tables["positions"][: ids.shape[1]]).numpy(),
            "mask": mask.to(torch.int32).numpy(),
        }
        return torch.from_numpy(self._session.run(None, inputs)[0])


_TABLES = ("word", "position", "token_type")


def _check(architecture: dict[str, Any], weights: Weights) -> None:
    """Raises ValueError where a weight is missing, unknown or of another shape than the architecture's."""
    width, inner = int(architecture["hidden_size"]), int(architecture["intermediate_size"])
    expected: dict[str, tuple[int, ...]] = {}
    for number in range(int(architecture["num_hidden_layers"])):
        layer = f"model.encoder.layer.{number}"
        linear = {f"attention.self.{part}": (width, width) for part in ("query", "key", "value")}
        linear |= {"attention.output.dense": (width, width)}
        linear |= {"intermediate.dense": (inner, width), "output.dense": (width, inner)}
        expected |= {f"{layer}.{name}.weight": shape for name, shape in linear.items()}
        expected |= {f"{layer}.{name}.bias": shape[:1] for name, shape in linear.items()}
        norms = (f"{layer}.attention.output", f"{layer}.output")
        expected |= {f"{name}.LayerNorm.{part}": (width,) for name in norms for part in ("weight", "bias")}
    expected |= {f"model.embeddings.LayerNorm.{part}": (width,) for part in ("weight", "bias")}
    tables = ["shape.weight", *(f"model.embeddings.{name}_embeddings.weight" for name in _TABLES)]
    if missing := sorted((expected.keys() | set(tables)) ^ weights.keys()):
        raise ValueError(f"weights of the encoder are missing or unknown, {missing[0]} among them")
    expected |= {name: (len(weights[name]), width) for name in tables}
    for name, shape in expected.items():
        if weights[name].shape != shape:
            raise ValueError(f"{name} has the shape {weights[name].shape} where the encoder has {shape}")


def _session(architecture: dict[str, Any], weights: Weights, threads: int) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # idle threads leave the cores to others
    options.log_severity_level = 3
    model = _graph(architecture, weights).SerializeToString()
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def _graph(architecture: dict[str, Any], weights: Weights) -> Any:
    """The encoder after its embeddings as an ONNX model: embedded (B, L, D) and mask (B, L) -> states (B, L, D)."""
    from onnx import TensorProto, helper, numpy_helper

    width, heads = int(architecture["hidden_size"]), int(architecture["num_attention_heads"])
    epsilon = float(architecture.get("layer_norm_eps", _NORM_EPSILON))
    constants: Weights = {}
    nodes = [
        helper.make_node(
            "LayerNormalization",
            ["embedded", *_norm(weights, "model.embeddings", constants)],
            ["layer0"],
            epsilon=epsilon,
        )
    ]
    layers = int(architecture["num_hidden_layers"])
    for number in range(layers):
        nodes += _layer(f"model.encoder.layer.{number}", number, weights, constants, heads, epsilon)
    states = helper.make_tensor_value_info(f"layer{layers}", TensorProto.FLOAT, ["batch", "pieces", width])
    graph = helper.make_graph(
        nodes,
        "encoder",
        [
            helper.make_tensor_value_info("embedded", TensorProto.FLOAT, ["batch", "pieces", width]),
            helper.make_tensor_value_info("mask", TensorProto.INT32, ["batch", "pieces"]),
        ],
        [states],
        [numpy_helper.from_array(np.ascontiguousarray(value), name) for name, value in constants.items()],
    )
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(CONTRIB, 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION)


def _layer(name: str, number: int, weights: Weights, constants: Weights, heads: int, epsilon: float) -> Iterator[Any]:
    """The nodes of one layer, from `layer<number>` to the next; its weights are added to `constants`."""
    from onnx import helper

    def made(kind: str, inputs: list[str], output: str, **attributes: Any) -> Any:
        domain = "" if kind == "MatMul" else CONTRIB
        return helper.make_node(kind, inputs, [f"{name}.{output}"], domain=domain, **attributes)

    before, after = f"layer{number}", f"layer{number + 1}"
    own = [f"{name}.attention.self.{part}" for part in ("query", "key", "value")]
    constants[f"{name}.qkv"] = np.concatenate([weights[f"{part}.weight"].T for part in own], axis=1)
    constants[f"{name}.qkv_bias"] = np.concatenate([weights[f"{part}.bias"] for part in own])
    yield made("Attention", [before, f"{name}.qkv", f"{name}.qkv_bias", "mask"], "attended", num_heads=heads)
    out = _linear(weights, f"{name}.attention.output.dense", constants)
    yield made("MatMul", [f"{name}.attended", out[0]], "attention")
    norm = _norm(weights, f"{name}.attention.output", constants)
    skip = [f"{name}.attention", before, *norm, out[1]]
    yield made("SkipLayerNormalization", skip, "middle", epsilon=epsilon)
    inner = _linear(weights, f"{name}.intermediate.dense", constants)
    yield made("MatMul", [f"{name}.middle", inner[0]], "wide")
    yield made("BiasGelu", [f"{name}.wide", inner[1]], "active")
    last = _linear(weights, f"{name}.output.dense", constants)
    yield made("MatMul", [f"{name}.active", last[0]], "narrow")
    norm = _norm(weights, f"{name}.output", constants)
    skip = [f"{name}.narrow", f"{name}.middle", *norm, last[1]]
    yield helper.make_node("SkipLayerNormalization", skip, [after], domain=CONTRIB, epsilon=epsilon)


def _linear(weights: Weights, name: str, constants: Weights) -> tuple[str, str]:
    """The names of a linear layer's matrix, turned as MatMul takes it, and of its bias."""
    constants[f"{name}.weight"], constants[f"{name}.bias"] = weights[f"{name}.weight"].T, weights[f"{name}.bias"]
    return f"{name}.weight", f"{name}.bias"


def _norm(weights: Weights, name: str, constants: Weights) -> tuple[str, str]:
    """The names of a layer norm's scale and shift."""
    scale, shift = f"{name}.LayerNorm.weight", f"{name}.LayerNorm.bias"
    constants[scale], constants[shift] = weights[scale], weights[shift]
    return scale, shift
