"""The encoder that learns: the same function as torch's own attention, with heads that selectors mask."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lab.masks import causal, stride, window
from lab.model import Attention, Encoder, EncoderConfig, masked_softmax
from rasp import Run, Selector, select, tokens
from rasp.batch.run import BatchRun
from rasp.errors import DataFault

CONFIG = EncoderConfig(vocabulary=4, outputs=3, max_length=6, layers=2, heads=2, d_model=8)
IDS = torch.tensor([[0, 1, 2, 3, 1, 0], [3, 3, 0, -1, -1, -1]])
RUN = BatchRun("abcd", IDS.numpy(), np.array([6, 3]))
SELECTORS = [causal(), window(2), stride(2), select(tokens, tokens, "=="), select(tokens, "a", "!=") | causal()]


def encoder(config: EncoderConfig = CONFIG, masks: dict[tuple[int, int], Selector] | None = None) -> Encoder:
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
