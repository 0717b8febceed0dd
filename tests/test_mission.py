"""The listings of the user's document, with mixprec's import lines and the undefined names filled.

Each test makes the calls of one listing as they stand there.
"""

import numpy as np
import pytest

import mixprec as mp
from mixprec import GradScaler, autocast, nn, optim


def classes(n=256, seed=0):
    """Images of two classes that a small network tells apart, and their labels."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 4, n)
    centres = rng.standard_normal((4, 16))
    inputs = centres[labels] + 0.3 * rng.standard_normal((n, 16))
    return inputs.astype(np.float32), labels


def make_model():
    mp.manual_seed(0)
    return nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 4))


@pytest.mark.parametrize("dtype", [mp.bfloat16, mp.float16], ids=str)
def test_pytorch_listing(dtype):
    model, loss_fn = make_model(), nn.CrossEntropyLoss()
    inputs, labels = classes()
    dataloader = mp.data.batches(inputs, labels, batch_size=32, shuffle=True, seed=0)
    seen = []
    with autocast(dtype=dtype, enabled=False):  # the listing's autocast() takes this dtype
        scaler = GradScaler()
        optimizer = optim.Adam(model.parameters(), lr=0.001)
        for _ in range(20):
            for inputs, labels in dataloader:
                optimizer.zero_grad()
                with autocast():
                    outputs = model(inputs)
                    loss = loss_fn(outputs, labels)
                scaler.scale(loss).backward()
                scaler.step(optimizer)  # clipping and update
                scaler.update()
                seen.append(loss.item())
    assert outputs.dtype == dtype
    assert loss.dtype == mp.float32
    assert np.mean(seen[-8:]) < 0.25 * np.mean(seen[:8])


class FP16_Module(nn.Module):
    def __init__(self, inputs=8, outputs=8):
        super().__init__()
        self.linear = nn.Linear(inputs, outputs)
        self.seen = []

    def forward(self, x):
        y = self.linear(x)
        self.seen.append((x.dtype, y.dtype))
        return y


FP32_Module = FP16_Module


class HybridPrecisionModel(nn.Module):
    def __init__(self):
        super().__init__()
        self.feature_extractor = FP16_Module()
        self.attention = FP32_Module()
        self.classifier = FP16_Module()

    def forward(self, x):
        with autocast():
            x = self.feature_extractor(x)
            with autocast(enabled=False):
                x = self.attention(x)
            with autocast():
                x = self.classifier(x)
        return x


@pytest.mark.parametrize("dtype", [mp.bfloat16, mp.float16], ids=str)
def test_hybrid_precision_model(dtype):
    model = HybridPrecisionModel()
    with autocast(dtype=dtype, enabled=False):
        y = model(mp.ones((2, 8)))
    assert model.feature_extractor.seen == [(mp.float32, dtype)]
    assert model.attention.seen == [(dtype, mp.float32)]
    assert model.classifier.seen == [(mp.float32, dtype)]
    y.float().sum().backward()
    for p in model.parameters():
        assert p.grad.dtype == mp.float32
        assert np.isfinite(p.grad.numpy()).all()


def test_sensitive_layers():
    """As in PyTorch, `half()` of a container takes its children along, whoever visits it last."""

    def convert_to_fp32(module):
        sensitive_layers = (nn.LayerNorm, nn.Embedding)
        if isinstance(module, sensitive_layers):
            return module.float()
        return module.half()

    model = nn.Sequential(nn.Embedding(5, 4), nn.LayerNorm(4), nn.Linear(4, 2))
    for part in model:
        part.apply(convert_to_fp32)
    dtypes = [part.weight.dtype for part in model]
    assert dtypes == [mp.float32, mp.float32, mp.float16]
    assert model[2](model[1](mp.ones((3, 4), dtype=mp.float16))).dtype == mp.float16
    model = model.apply(convert_to_fp32)
    assert {p.dtype for p in model.parameters()} == {mp.float16}
    assert model(mp.array([0, 1])).dtype == mp.float16


def test_adaptive_scaler():
    model = make_model()
    norms = []

    def get_average_gradient_magnitude():
        grads = [np.abs(p.grad.numpy()).mean() for p in model.parameters()]
        return float(np.mean(grads)) * tiny

    class AdaptiveScaler(GradScaler):
        def __init__(self, init_scale=2.0**11, growth_factor=2.0, backoff_factor=0.5):
            super().__init__(init_scale, growth_factor, backoff_factor)

        def _unscale_grads_(self, optimizer):
            norms.append(nn.utils.clip_grad_norm_(model.parameters(), 1.0))  # before unscaling
            super()._unscale_grads_(optimizer)

        def update(self):
            avg_grad = get_average_gradient_magnitude()  # scale follows gradient magnitude
            if avg_grad < 1e-7:
                self._scale = min(self._scale * 1.1, 65536.0)
            super().update()

    scaler, optimizer = AdaptiveScaler(), optim.Adam(model.parameters(), lr=0.01)
    assert scaler.get_scale() == 2048
    inputs, labels = classes()
    tiny, scales, losses = 1.0, [], []
    for i in range(20):  # later the gradients are that small by themselves
        tiny = 0.0 if i in (5, 6) else 1.0
        optimizer.zero_grad()
        with autocast():
            loss = nn.functional.cross_entropy(model(mp.array(inputs)), mp.array(labels))
        scaler.scale(loss).backward()
        assert scaler.step(optimizer)
        scaler.update()
        scales.append(scaler.get_scale())
        losses.append(loss.item())
    assert len(norms) == 20
    assert float(norms[0]) > 1.0  # of gradients that were still scaled
    assert scales[4] == 2048
    assert scales[5] == pytest.approx(2048 * 1.1)
    assert scales[-1] == pytest.approx(2048 * 1.21)
    assert losses[-1] < 0.5 * losses[0]


def test_unified_multimodal_trainer():
    FP16_Encoder = FP16_BERT = FP16_Generator = FP16_Module

    class FP32_Attention(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(16, 8)

        def forward(self, a, b):
            assert a.dtype == b.dtype == mp.float32
            return self.linear(mp.concatenate([a, b], axis=1))

    class UnifiedMultimodalTrainer:
        def __init__(self):
            self.image_encoder = FP16_Encoder()
            self.text_encoder = FP16_BERT()
            self.fusion_module = FP32_Attention()
            self.decoder = FP16_Generator()

        def training_step(self, batch):
            with autocast():
                img_emb = self.image_encoder(batch["image"].half())
            with autocast():
                text_emb = self.text_encoder(batch["text"])
            with autocast(enabled=False):
                fused = self.fusion_module(img_emb.float(), text_emb.float())
            with autocast():
                output = self.decoder(fused.half())
            return output

    trainer = UnifiedMultimodalTrainer()
    batch = {"image": mp.ones((2, 8)), "text": mp.ones((2, 8))}
    with autocast(dtype=mp.float16, enabled=False):
        output = trainer.training_step(batch)
    assert output.dtype == mp.float16
    output.float().sum().backward()
    assert trainer.image_encoder.linear.weight.grad.dtype == mp.float32
