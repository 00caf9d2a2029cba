"""The ONNX writer: its files pass ONNX's own checker and hold what was put in."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnx.numpy_helper

from craton.engine.embeddings.onnxfile import Graph


def small(path: Path) -> Path:
    graph = Graph("small")
    x = graph.input("x", "float32", ("rows", 4))
    big = graph.constant("big", np.arange(4 * 300, dtype=np.float32).reshape(4, 300))
    product = graph.node("MatMul", x, big)
    added = graph.node("Add", product, graph.number(0.5))
    axes = graph.integers(0, -1)
    clipped = graph.node("Clip", added, "", graph.number(1e6))
    graph.output(graph.node("Unsqueeze", clipped, axes), "float32", (1, "rows", 300, 1))
    graph.node("ReduceMax", x, axes=[-1], keepdims=0)
    graph.node("LayerNormalization", x, graph.constant("scale", np.ones(4, np.float32)), epsilon=1e-5, axis=-1)
    graph.save(path)
    return path


def test_onnx_checks_it(tmp_path: Path) -> None:
    """The full checker, shapes inferred, has nothing to say."""
    onnx.checker.check_model(str(small(tmp_path / "m.onnx")), full_check=True)


def test_constants_come_back(tmp_path: Path) -> None:
    """Large ones from the data file, on a page of their own; small ones and attributes from the graph."""
    model = onnx.load(str(small(tmp_path / "m.onnx")))
    tensors = {each.name: onnx.numpy_helper.to_array(each) for each in model.graph.initializer}
    assert tensors["big"].tolist() == np.arange(1200, dtype=np.float32).reshape(4, 300).tolist()
    assert tensors["number_0.5"].shape == ()
    assert tensors["integers_0_-1"].tolist() == [0, -1]
    attributes = {
        each.name: onnx.helper.get_attribute_value(each) for node in model.graph.node for each in node.attribute
    }
    assert attributes == {"axes": [-1], "keepdims": 0, "epsilon": np.float32(1e-5), "axis": -1}
    assert model.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "rows"
    assert (tmp_path / "m.onnx.data").stat().st_size == 4 * 1200


def test_without_large_constants_there_is_one_file(tmp_path: Path) -> None:
    """Nothing to lay beside it."""
    graph = Graph("one")
    graph.output(graph.node("Abs", graph.input("x", "float32", (2,)), result="y"), "float32", (2,))
    graph.save(tmp_path / "m.onnx")
    assert [each.name for each in tmp_path.iterdir()] == ["m.onnx"]
    onnx.checker.check_model(str(tmp_path / "m.onnx"))
