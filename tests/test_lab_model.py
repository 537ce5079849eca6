"""The encoder that learns: the same function as torch's own attention, with heads that selectors mask."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lab.mask_json import as_json, of_json
from lab.masks import Mask, Relational, causal, named_mask, stride, window
from lab.model import Attention, Encoder, EncoderConfig, masked_softmax
from rasp import Run, Selector, elementwise, indices, parse, select, tokens
from rasp.batch.run import BatchRun
from rasp.errors import DataFault, RaspError

CONFIG = EncoderConfig(vocabulary=4, outputs=3, max_length=6, layers=2, heads=2, d_model=8)
IDS = torch.tensor([[0, 1, 2, 3, 1, 0], [3, 3, 0, -1, -1, -1]])
RUN = BatchRun("abcd", IDS.numpy(), np.array([6, 3]))
SELECTORS = [causal(), window(2), stride(2), select(tokens, tokens, "=="), select(tokens, "a", "!=") | causal()]


def encoder(config: EncoderConfig = CONFIG, masks: dict[tuple[int, int], Mask] | None = None) -> Encoder:
    torch.manual_seed(0)
    return Encoder(config, masks)


def torchs_own(ours: Attention, d_model: int) -> nn.MultiheadAttention:
    """torch's attention with the same weights."""
    theirs = nn.MultiheadAttention(d_model, ours.heads, batch_first=True)
    names = {"in_proj.weight": "in_proj_weight", "in_proj.bias": "in_proj_bias"}
    theirs.load_state_dict({names.get(name, name): tensor for name, tensor in ours.state_dict().items()})
    return theirs


@pytest.mark.parametrize("selector", SELECTORS, ids=str)
def test_a_masked_head_is_torchs_attention_with_that_mask(selector: Selector) -> None:
    """Values, patterns and all gradients; row 1 is shorter, and each selector here selects something in every row."""
    torch.manual_seed(1)
    ours = Attention(8, 2, 4).double()
    theirs = torchs_own(ours, 8).double()
    visible = torch.from_numpy(RUN.selector(selector))
    visible[1, 3:, 0] = True  # rows beyond the end, which torch would make NaN
    hidden = torch.stack([~visible, (IDS < 0)[:, None, :].expand(-1, 6, -1)], dim=1)  # head 0 has the mask
    x = torch.randn(2, 6, 8, dtype=torch.float64)
    found = [
        _with_gradients(ours, x, lambda y: ours(y, hidden)),
        _with_gradients(
            theirs, x, lambda y: theirs(y, y, y, attn_mask=hidden.reshape(4, 6, 6), average_attn_weights=False)
        ),
    ]
    for mine, other in zip(*found, strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-10, atol=1e-12)


def _with_gradients(module: nn.Module, x: Tensor, run: object) -> list[Tensor]:
    assert callable(run)
    given = x.clone().requires_grad_()
    value, pattern = run(given)
    loss = (value * torch.arange(value.numel()).view_as(value).cos()).sum()
    torch.autograd.backward(loss)
    gradients = [parameter.grad for _, parameter in sorted(module.named_parameters(), key=lambda pair: pair[0][:5])]
    return [value, pattern, *(part for part in (given.grad, *gradients) if part is not None)]


def test_a_relational_head_is_torchs_attention_of_each_query_alone() -> None:
    """For one query, what edges add to keys and values is one more part of them, [x ‖ edge], and what they add to the
    query is a mask of numbers. So torch's attention, a query at a time, is a second opinion in values and gradients."""
    torch.manual_seed(1)
    ours = Attention(8, 1, 8, {0: 2}).double()
    kinds = [select(tokens, tokens, "=="), select(indices, indices, "<=")]
    found = torch.from_numpy(np.stack([RUN.selector(kind) for kind in kinds], axis=1))[:1]
    x = torch.randn(1, 6, 8, dtype=torch.float64)
    results = [
        _with_gradients(ours, x, lambda y: ours(y, ~found.any(dim=1)[:, None], None, {0: found})),
        _with_gradients(ours, x, lambda y: _query_by_query(ours, y, found)),
    ]
    for mine, other in zip(*results, strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-10, atol=1e-12)


def _query_by_query(ours: Attention, x: Tensor, found: Tensor) -> tuple[Tensor, Tensor]:
    """A relational head by `torch.nn.functional.multi_head_attention_forward`, each query a batch of its own."""
    to_query, to_key, to_value = ours.edges["0"]
    in_query, in_key, in_value = ours.in_proj.weight.chunk(3)
    edges = found[0].to(x.dtype)  # [E, q, k]
    with_edges = torch.cat([x[0].expand(6, 6, 8), edges.permute(1, 2, 0)], dim=-1)  # [q, k, 8 + E]
    key_weight = torch.cat([in_key, to_key.T], dim=1)
    keys = with_edges @ key_weight.T + ours.in_proj.bias[8:16]
    added = torch.einsum("eqk,ed,qkd->qk", edges, to_query, keys) / 8**0.5
    mask = added.masked_fill(~found[0].any(dim=0), -torch.inf)
    given = with_edges.transpose(0, 1)
    value, pattern = nn.functional.multi_head_attention_forward(
        query=x,
        key=given,
        value=given,
        embed_dim_to_check=8,
        num_heads=1,
        in_proj_weight=None,
        in_proj_bias=ours.in_proj.bias,
        bias_k=None,
        bias_v=None,
        add_zero_attn=False,
        dropout_p=0.0,
        out_proj_weight=ours.out_proj.weight,
        out_proj_bias=ours.out_proj.bias,
        attn_mask=mask[:, None],
        use_separate_proj_weight=True,
        q_proj_weight=in_query,
        k_proj_weight=key_weight,
        v_proj_weight=torch.cat([in_value, to_value.T], dim=1),
    )
    assert pattern is not None
    return value, pattern.transpose(0, 1)[None]


def test_a_relational_head_sees_its_edges_and_bos_and_uses_their_embeddings() -> None:
    edges = Relational((select(tokens, tokens, "=="), select(indices, indices - 1, "==")))
    model = encoder(masks={(0, 1): edges})
    before = model(IDS, model.visible(RUN))
    seen = before.patterns[0][0, 1, 1:, 1:] > 0
    assert (seen.numpy() == (RUN.selector(edges.kinds[0]) | RUN.selector(edges.kinds[1]))[0]).all()
    attention = next(part for part in model.modules() if isinstance(part, Attention))
    for part in range(3):
        kept = attention.edges["1"].detach().clone()
        with torch.no_grad():
            attention.edges["1"][part, 0] += 1
        assert not torch.allclose(model(IDS, model.visible(RUN)).outputs, before.outputs)
        attention.edges["1"].data = kept


MASKS: dict[tuple[int, int], Mask] = {
    **{(0, 0): window(3), (0, 1): select(tokens, "a", "!=") | causal()},
    **{(1, 0): Relational((stride(2),)), (1, 1): Relational((causal(), select(tokens, tokens, "==")))},
}


def test_masks_come_back_from_their_description() -> None:
    assert of_json(as_json(MASKS)) == MASKS
    assert of_json(as_json({})) == {}


def test_a_mask_with_a_python_function_cannot_be_kept() -> None:
    with pytest.raises(DataFault, match="Python function"):
        as_json({(0, 0): select(elementwise(lambda token: token == "a", tokens), True, "==")})


def test_masks_by_name() -> None:
    program = parse("same = select(tokens, tokens, ==); x = aggregate(same, indices);")
    for text, place, mask in (
        ("1.1=causal", (0, 0), causal()),
        ("2.3 = window(3)", (1, 2), window(3)),
        ("1.2=stride(2)", (0, 1), stride(2)),
        ("1.1=same", (0, 0), program.selector("same")),
        ("1.1=same, window(1)", (0, 0), Relational((program.selector("same"), window(1)))),
    ):
        assert named_mask(text, program) == (place, mask)
    for text in ("causal", "0.1=causal", "1.1", "1.1="):
        with pytest.raises(DataFault, match="is no mask"):
            named_mask(text, program)
    with pytest.raises(RaspError, match="no diff"):
        named_mask("1.1=diff", program)


def test_a_row_that_sees_no_key_gets_zeros_and_gradients_of_zero() -> None:
    scores = torch.randn(2, 3, requires_grad=True)
    pattern = masked_softmax(scores, torch.tensor([[True, True, True], [False, True, False]]))
    torch.autograd.backward(pattern.pow(2).sum())
    assert pattern[0].tolist() == [0, 0, 0]
    assert scores.grad is not None
    assert scores.grad[0].tolist() == [0, 0, 0]
    assert scores.grad.isfinite().all()


@pytest.mark.parametrize("bos", [True, False])
def test_heads_look_only_where_their_selector_lets_them(bos: bool) -> None:
    selector = window(2)
    model = encoder(replace(CONFIG, bos=bos), {(1, 0): selector})
    pattern = model(IDS, model.visible(RUN)).patterns[1].detach()
    seen = pattern[0, 0, int(bos) :, int(bos) :] > 0
    assert (seen.numpy() == Run("abcdba").selector(selector)).all()
    assert (pattern[0, 1] > 0).all()


@pytest.mark.parametrize(
    "config",
    [
        *(replace(CONFIG, positions=positions) for positions in ("learned", "sinusoidal", "random")),
        *(replace(CONFIG, norm="post", activation="gelu", bos=False), replace(CONFIG, heads=3, d_mlp=5)),
        *(replace(CONFIG, layers=0, heads=0), replace(CONFIG, causal=True)),
    ],
    ids=str,
)
def test_what_lies_beyond_the_end_changes_nothing(config: EncoderConfig) -> None:
    model = encoder(config)
    long = model(IDS).outputs[1, :3]
    if config.positions == "random":  # these are spread over the whole input
        size = 3 + config.bos
        places = model.draw_positions(7, torch.Generator().manual_seed(0))
        assert places is not None
        long = model(IDS, positions=places).outputs[1, :3]
        short = model(IDS[1:, :3], positions=places[:size]).outputs[0]
    else:
        short = model(IDS[1:, :3]).outputs[0]
    torch.testing.assert_close(long, short)


def test_a_causal_model_does_not_see_what_follows() -> None:
    model = encoder(replace(CONFIG, causal=True))
    other = IDS.clone()
    other[0, 4:] = 2
    torch.testing.assert_close(model(IDS).outputs[0, :4], model(other).outputs[0, :4])
    assert not torch.equal(model(IDS).outputs[0, 4:], model(other).outputs[0, 4:])


def test_positions_beyond_the_maximum_length() -> None:
    longer = torch.zeros(1, 9, dtype=torch.long)
    assert encoder(replace(CONFIG, positions="sinusoidal"))(longer).outputs.shape == (1, 9, 3)
    with pytest.raises(DataFault, match="learned up to 6, and an input has 9 tokens"):
        encoder()(longer)


def test_a_pattern_can_stand_in_for_a_heads_own() -> None:
    model = encoder()
    own = model(IDS)
    same = model(IDS, patterns={(0, 1): own.patterns[0][:, 1]})
    other = model(IDS, patterns={(0, 1): torch.full((2, 7, 7), 1 / 7)})
    assert torch.equal(own.outputs, same.outputs)
    assert not torch.equal(own.outputs, other.outputs)


def test_what_cannot_be_built_is_an_error() -> None:
    for change, words in (
        ({"norm": "none"}, "norm is one of pre, post"),
        ({"positions": "rotary"}, "positions is one of"),
        ({"heads": 0}, "2 layers of 0 heads"),
        ({"d_model": 7}, "d_model 7"),
    ):
        with pytest.raises(DataFault, match=words):
            replace(CONFIG, **change)
    with pytest.raises(DataFault, match="no head 2 in layer 0"):
        encoder(masks={(0, 2): causal()})
    with pytest.raises(DataFault, match="no cells are given"):
        encoder(masks={(0, 1): causal()})(IDS)
    with pytest.raises(DataFault, match="from 1 on, not 0"):
        window(0)
